/** Addresses of a link and of its contents. */
import type { Item } from '../gate/gate.ts'
import type { AssetId, Key, LinkAddress } from '../validate.ts'
import { imageVersion } from './layout-data.ts'

/** The path of a link, by the key or slug that the visitor used, or of something below it. */
export const linkPath = (link: LinkAddress, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest

/** The path of an image, with its version, so that browsers may cache it for long. */
export const imagePath = (key: Key, { id, thumbhash }: Item, size: string): string =>
  `/share/photo/${key}/${id}/${size}?v=${imageVersion(thumbhash)}`

/** The path of a video. `id` is the item's own, or that of a motion photo's video part. */
export const videoPath = (key: Key, { thumbhash }: Item, id: AssetId): string =>
  `/share/video/${key}/${id}?v=${imageVersion(thumbhash)}`
