/** Addresses of a link's pictures and videos. */
import type { Item } from '../gate/gate.ts'
import type { AssetId, Key } from '../validate.ts'
import { imageVersion } from './layout-data.ts'

/** The path of an image, with its version, so that browsers may cache it for long. */
export const imagePath = (key: Key, { id, thumbhash }: Item, size: string): string =>
  `/share/photo/${key}/${id}/${size}?v=${imageVersion(thumbhash)}`

/** The path of a video. `id` is the item's own, or that of a motion photo's video part. */
export const videoPath = (key: Key, { thumbhash }: Item, id: AssetId): string =>
  `/share/video/${key}/${id}?v=${imageVersion(thumbhash)}`
