/** Addresses on this site: of a link, and of its pictures and videos. */
import type { AssetId, Key, LinkAddress } from './validate.ts'

type Pictured = { id: AssetId, thumbhash: string }

/** The path of a link, by the key or slug that the visitor used, or of something below it. */
export const linkPath = (link: LinkAddress, rest = ''): string =>
  ('key' in link ? `/share/${link.key}` : `/s/${encodeURIComponent(link.slug)}`) + rest

/** A version that changes with the picture, as its thumbhash does; '' if Immich has no picture yet. */
export const imageVersion = (thumbhash: string): string =>
  thumbhash.slice(0, 12).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/** The path of an image, with its version, so that browsers may cache it for long. */
export const imagePath = (key: Key, { id, thumbhash }: Pictured, size: string): string =>
  `/share/photo/${key}/${id}/${size}?v=${imageVersion(thumbhash)}`

/** The path of a video. `id` is the item's own, or that of a motion photo's video part. */
export const videoPath = (key: Key, { thumbhash }: Pictured, id: AssetId): string =>
  `/share/video/${key}/${id}?v=${imageVersion(thumbhash)}`
