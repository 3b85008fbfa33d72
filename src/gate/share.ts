/**
 * Makes shares: a `Share` is all that one visitor may see and download of one link. It combines the owner's
 * permissions on the link with the operator's (`Policy`). Anything that needs both but lacks one is left out:
 * times, names, captions, downloads. `shownFacts` does the same for one item's metadata.
 */
import { createHash } from 'node:crypto'
import type { AssetId, Key, Slug, Token } from '../validate.ts'
import type { Asset, Details, Link } from './immich-json.ts'

/** Types that only the gate can make: nothing else has this private field, not even a copy of a share. */
declare class MadeByGate<Name extends string> { private readonly given: Name }

/**
 * One photo or video. `ratio` is width / height, 0.2 to 5. `duration` in ms, and above 0 for an image that
 * moves. `motion` is the id of the video part of a motion photo; `isSphere`: a 360° photo.
 */
export type Item = Readonly<{
  id: AssetId, isVideo: boolean, ratio: number, thumbhash: string, duration: number
  motion?: AssetId, isSphere: boolean
}> & MadeByGate<'item'>

export type Share = Readonly<{
  key: Key, slug?: Slug, isProtected: boolean, isAlbum: boolean
  /** ms since 1970 */
  expiresAt?: number
  /** `description` is '' where the operator does not show it */
  title: string, description: string
  /** the owner's and the operator's permissions combined */
  can: Readonly<{ download: boolean, zip: boolean, originals: boolean, zoom: boolean }>
  tells: Readonly<{ facts: boolean, description: boolean, names: boolean }>
  items: readonly Item[], cover?: Item
  /** Immich failed at a part of the list, which is missing */
  isPartial: boolean
  /** one per item, for headings: days since 1970, or months (year × 12 + month); absent if not shown */
  days?: readonly number[]
  /** one per item: when it was taken, in ms since 1970 by the camera's clock; absent if not shown */
  times?: readonly number[]
  /** changes with the ids, motion parts, thumbhashes, days and times above, and with nothing else */
  version: string
}> & MadeByGate<'share'>

/** The operator's permissions. The owner's settings on each link apply as well. */
export type Policy = Readonly<{
  slugs: boolean
  download: boolean, zip: boolean, quality: 'original' | 'fullsize' | 'preview'
  /** full resolution to look at */
  zoom: boolean
  motionPhotos: boolean
  /** videos may be played as they are if Immich has no transcode */
  playOriginals: boolean
  /** camera files leave without their metadata, or not at all */
  strip: boolean
  description: boolean, names: boolean
  dates: 'day' | 'month' | false
  /** metadata fields to show, by Immich's names for them; `description` is an item's caption */
  facts: readonly string[]
}>

/** Fields by Immich's names for them; `dateTimeOriginal` in ms since 1970 by the camera's clock. */
export type Facts = Readonly<Record<string, string | number>>

/** A link that has been opened, with Immich's token if it has a password. Stays inside the gate. */
export type OpenedLink = Link & { token?: Token }
/**
 * The list of a link, in its order. Stays inside the gate. `byId` has the video parts of motion photos too;
 * `times` has one entry per item; `names` has the file names that came with the link, if any.
 */
export type List = {
  items: readonly Item[], byId: ReadonlyMap<AssetId, Item>, times: readonly number[], isPartial: boolean
  names?: ReadonlyMap<AssetId, { name: string, isEdited: boolean }>
}

const byTime = (order: 'asc' | 'desc') => (a: Asset, b: Asset): number =>
  order === 'asc' ? a.time - b.time : b.time - a.time

/**
 * The list of these assets by the time that the cameras showed, so that each day comes once: Immich sorts
 * albums by another time, and chosen photos not at all.
 */
export function makeList (assets: Asset[], order: 'asc' | 'desc', isPartial: boolean, policy: Policy): List {
  // a photo that is moved while its months are being read may be in two of them
  const once = new Map(assets.map(asset => [asset.id, asset]))
  const sorted = [...once.values()].sort(byTime(order))
  const items = sorted.map(({ id, isVideo, ratio, thumbhash, duration, motion, isSphere }) => {
    const fields = { id, isVideo, ratio, thumbhash, duration, isSphere }
    return Object.freeze(motion && policy.motionPhotos ? { ...fields, motion } : fields) as Item
  })
  const byId = new Map(items.map(item => [item.id, item]))
  for (const item of items) {
    const { motion } = item
    if (!motion || once.has(motion)) continue
    byId.set(motion, Object.freeze({ ...item, id: motion, isVideo: true }) as Item)
  }
  return { items, byId, times: sorted.map(({ time }) => time), isPartial }
}

/** Whether this is the video part of a motion photo, rather than its picture. */
export const isMotionPart = ({ id, motion }: Item): boolean => id === motion

const DAY_MS = 86_400_000
function dayOf (time: number, unit: 'day' | 'month'): number {
  if (unit === 'day') return Math.floor(time / DAY_MS)
  const date = new Date(time)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

/** Keyless on purpose, because replicas must agree. So only facts that the visitor sees may go in. */
function versionOf (list: List, columns: readonly (readonly number[])[]): string {
  const hash = createHash('sha256')
  for (const [n, { id, motion, thumbhash }] of list.items.entries()) {
    hash.update(`${id} ${motion} ${thumbhash} ${columns.map(column => column[n]).join(' ')}\n`)
  }
  return hash.digest('base64url').slice(0, 16)
}

/** The share of a link and its list, under the operator's policy. */
export function makeShare (link: OpenedLink, list: List, policy: Policy): Share {
  const { key, slug, isProtected, expiresAt, album, allowDownload, showMetadata } = link
  const unit = policy.dates
  const days = showMetadata && unit ? list.times.map(time => dayOf(time, unit)) : undefined
  const times = showMetadata && policy.facts.includes('dateTimeOriginal') ? list.times : undefined
  const cover = album?.cover && list.byId.get(album.cover)
  const first = cover ?? list.items[0]
  return Object.freeze({
    key, ...slug && { slug }, isProtected, isAlbum: album !== undefined,
    ...expiresAt !== undefined && { expiresAt },
    title: link.title, description: policy.description ? link.description : '',
    can: Object.freeze({
      download: allowDownload && policy.download, zip: allowDownload && policy.zip,
      originals: allowDownload && policy.quality === 'original', zoom: allowDownload && policy.zoom
    }),
    tells: Object.freeze({
      facts: showMetadata && policy.facts.length > 0, names: showMetadata && policy.names,
      description: showMetadata && policy.facts.includes('description')
    }),
    items: list.items, ...first && { cover: first }, isPartial: list.isPartial,
    ...days && { days }, ...times && { times },
    version: versionOf(list, [days ?? [], times ?? []])
  }) as Share
}

/** The metadata of an item that the operator shows. The gate checks the owner's permission. */
export function shownFacts ({ exif, name, time }: Details, policy: Policy): Facts {
  const { exifImageWidth: width, exifImageHeight: height } = exif
  const dimensions = width && height ? `${width} × ${height}` : ''
  const all: Record<string, unknown> = { ...exif, originalFileName: name, dateTimeOriginal: time, dimensions }
  const shown: Record<string, string | number> = {}
  for (const field of policy.facts) {
    const value = all[field]
    if (typeof value === 'number' || (typeof value === 'string' && value !== '')) shown[field] = value
  }
  return shown
}
