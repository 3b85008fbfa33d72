/** Addresses of a link and of what is in it. */
import type { Item } from '../gate/gate.ts'
import type { AssetId, Key, LinkAddress } from '../validate.ts'
import { imageVersion } from './layout-data.ts'

/** The path of a link as the visitor came to it, or of something below it. */
export const linkPath = (link: LinkAddress, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest

/** With the version of the picture, so that browsers may keep it for long. */
export const imagePath = (key: Key, { id, thumbhash }: Item, size: string): string =>
  `/share/photo/${key}/${id}/${size}?v=${imageVersion(thumbhash)}`

/** `id` is the video's own, or that of the video part of a motion photo. */
export const videoPath = (key: Key, { thumbhash }: Item, id: AssetId): string =>
  `/share/video/${key}/${id}?v=${imageVersion(thumbhash)}`
