/**
 * What is believed of Immich's JSON: named fields, each as a trusted type. Nothing of an answer is passed on
 * whole.
 *
 * Each `parse…` gives undefined for what it does not accept, and none throws. The shapes are those of the
 * recordings in `test/recordings`.
 */
import { decode, list, match, object, positive, text, type Unknown } from './unknown.ts'
import { parseAssetId, parseKey, parseSlug, parseToken, UUID } from './validate.ts'
import type { AlbumId, AssetId, Key, Month, Slug, Token } from './validate.ts'

/**
 * A photo or video of a link. `ratio` is width / height, 0.2 to 5; `time` the local time at which it was
 * taken, in ms since 1970 as if that were UTC; `duration` in ms, of an image more than 0 where it moves;
 * `motion` the id of the video part of a motion photo; `edited` where Immich says that it is; `sphere` where
 * it looks all around.
 */
export type Item = {
  id: AssetId, video: boolean, ratio: number, thumbhash: string, time: number, duration: number
  motion?: AssetId, edited?: boolean, sphere?: boolean
}
/**
 * A link. An ALBUM link has its list in the timeline, an INDIVIDUAL one has it here. `expiresAt` in ms since
 * 1970.
 */
export type LinkInfo = {
  key: Key, slug?: Slug, protected: boolean, title: string, description: string, expiresAt?: number
  allowDownload: boolean, showMetadata: boolean
  album?: { id: AlbumId, order: 'asc' | 'desc', count: number, cover?: AssetId }, items?: Item[]
}

/** ms from an integer (3.x) or from "H:MM:SS.mmm" (2.x). */
function duration (value: unknown): number {
  const clock = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text(value))
  if (!clock) return Math.round(positive(value))
  const [hours = 0, minutes = 0, seconds = 0] = clock.slice(1).map(Number)
  return Math.round((hours * 3600 + minutes * 60 + seconds) * 1000)
}
const time = (value: unknown): number =>
  Date.parse(/[zZ]|[+-]\d\d:\d\d$/.test(text(value)) ? text(value) : text(value) + 'Z') || 0
const thumbhash = (value: unknown): string => match<string>(/^[a-z\d+/]{0,60}={0,2}$/i, value) ?? ''
/**
 * Visible to who holds the link: neither in the trash nor hidden nor locked. With metadata off, 3.x does not
 * say.
 */
const isVisible = (visibility: unknown, isTrashed: unknown): boolean =>
  isTrashed !== true && (visibility === undefined || visibility === 'timeline' || visibility === 'archive')

/** A time that every calendar and zip can say something of. */
const sane = (time: number): number => Math.max(Date.UTC(1, 0, 1), Math.min(Date.UTC(9999, 0, 1), time || 0))

function makeItem (id: AssetId, video: boolean, ratio: number, given: Unknown, time: number): Item {
  const motion = parseAssetId(given.livePhotoVideoId)
  return {
    id, video, time: sane(time), ratio: Math.min(5, Math.max(0.2, ratio || 1)),
    thumbhash: thumbhash(given.thumbhash), duration: duration(given.duration), ...motion && { motion },
    ...given.isEdited === true && { edited: true },
    ...given.projectionType === 'EQUIRECTANGULAR' && { sphere: true }
  }
}

function parseAsset (value: unknown): Item[] {
  const asset = object(value) ?? {}
  const id = parseAssetId(asset.id)
  const known = asset.type === 'IMAGE' || asset.type === 'VIDEO'
  if (!id || !known || !isVisible(asset.visibility, asset.isTrashed)) return []
  const ratio = positive(asset.width) / positive(asset.height)
  const { projectionType } = object(asset.exifInfo) ?? {}
  const given = { ...asset, projectionType }
  return [makeItem(id, asset.type === 'VIDEO', ratio, given, time(asset.localDateTime))]
}

/** The answer of `shared-links/me` and `shared-links/login`; recordings …/me-key. */
export function parseLink (value: unknown): LinkInfo | undefined {
  const link = object(value) ?? {}
  const key = parseKey(link.key)
  const album = link.type === 'ALBUM' ? object(link.album) : undefined
  const id: AlbumId | undefined = match(UUID, album?.id)
  if (!key || !(id || link.type === 'INDIVIDUAL')) return undefined
  const slug = parseSlug(link.slug)
  const cover = parseAssetId(album?.albumThumbnailAssetId)
  const order = album?.order === 'asc' ? 'asc' : 'desc'
  return {
    key, ...slug && { slug }, protected: Boolean(link.password),
    // the owner's words for chosen photos are all that names them
    title: album ? text(album.albumName) : text(link.description),
    description: album ? text(link.description) || text(album.description) : '',
    ...typeof link.expiresAt === 'string' && { expiresAt: time(link.expiresAt) },
    allowDownload: link.allowDownload === true, showMetadata: link.showMetadata === true,
    ...id ? { album: { id, order, count: positive(album?.assetCount), ...cover && { cover } } }
      : { items: list(link.assets).flatMap(parseAsset) }
  }
}

/** More than there can be: four centuries of months. */
const MOST_MONTHS = 5000
/**
 * The answer of `timeline/buckets`, each month with the number of its items; undefined where anything in it
 * is something else. A month is asked for with its time and zone (recording
 * timeline-bucket-first-datetime-form): a bare date would be read in the zone of Immich's database session.
 */
export function parseMonths (value: unknown): { month: Month, count: number }[] | undefined {
  const months = list(value).slice(0, MOST_MONTHS).flatMap(entry => {
    const { timeBucket, count } = object(entry) ?? {}
    const month = match<string>(/^\d{4,6}-\d\d-\d\d$/, timeBucket)
    return month ? [{ month: `${month}T00:00:00.000Z` as Month, count: positive(count) }] : []
  })
  return Array.isArray(value) && months.length === value.length ? months : undefined
}

const COLUMNS = ['isImage', 'ratio', 'thumbhash', 'fileCreatedAt', 'localOffsetHours', 'duration',
  'livePhotoVideoId', 'visibility', 'isTrashed', 'projectionType']
/**
 * The answer of `timeline/bucket`: columns, of so many `rows`, of which those that may be seen.
 * `fileCreatedAt` is UTC without a zone (recordings …/timeline-bucket-*).
 */
export function parseMonth (value: unknown): { items: Item[], rows: number } | undefined {
  const table = object(value)
  const ids = list(table?.id).map(parseAssetId)
  if (!table || !Array.isArray(table.id) || ids.includes(undefined)) return undefined
  const columns = COLUMNS.map(name => [name, list(table[name])] as const)
  const items = (ids as AssetId[]).flatMap((id, n) => {
    const row = Object.fromEntries(columns.map(([name, column]) => [name, column[n]])) as Unknown
    if (!isVisible(row.visibility, row.isTrashed)) return []
    const offset = typeof row.localOffsetHours === 'number' ? row.localOffsetHours * 3_600_000 : 0
    return [makeItem(id, row.isImage === false, positive(row.ratio), row, time(row.fileCreatedAt) + offset)]
  })
  return { items, rows: ids.length }
}

/** What `assets/:id` tells of all that may ever be shown; recordings …-asset. `time` as an item's. */
export type Details = { type: string, name: string, time: number, description: string, exif: Unknown }
export function parseDetails (value: unknown): Details | undefined {
  const asset = object(value) ?? {}
  const exif = object(asset.exifInfo) ?? {}
  return parseAssetId(asset.id) && {
    type: mediaType(asset.originalMimeType), name: text(asset.originalFileName), exif,
    time: time(asset.localDateTime), description: text(exif.description)
  }
}

/** The answer of `download/info` with `archiveSize: 1`: one archive an asset, with its size in bytes. */
export function parseSizes (value: unknown): Map<AssetId, number> | undefined {
  const archives = object(value)?.archives
  return Array.isArray(archives) ? new Map(archives.flatMap(entry => {
    const [id, ...more] = list(object(entry)?.assetIds).map(parseAssetId)
    const size = object(entry)?.size
    return id && more.length === 0 && Number.isSafeInteger(size) ? [[id, positive(size)]] : []
  })) : undefined
}

/**
 * The type of an image or video that a browser only ever shows; anything else is application/octet-stream.
 */
export const mediaType = (value: unknown): string =>
  match<string>(/^(image|video)\/(?!svg)[a-z\d][\w.+-]{0,60}$/,
    text(value).toLowerCase().replace(/;.*/s, '').trim()) ?? 'application/octet-stream'
/**
 * The file name of Immich's `Content-Disposition: …; filename*=UTF-8''…`, whose apostrophes come unescaped.
 */
export const parseDisposition = (value: unknown): string =>
  decode(/filename\*=UTF-8''([^;]*)/i.exec(text(value))?.[1]) ?? ''
export const parseVersion = (value: unknown): [number, number, number] | undefined => {
  const { major, minor, patch } = object(value) ?? {}
  const isNumber = (part: unknown): part is number => Number.isSafeInteger(part)
  return isNumber(major) && isNumber(minor) && isNumber(patch) ? [major, minor, patch] : undefined
}
export const parsePing = (value: unknown): true | undefined => object(value)?.res === 'pong' || undefined
export const parseMessage = (value: unknown): string => text(object(value)?.message)
/** The token in the cookies of a login (recording 02-album-password/login-right). */
export function parseLoginCookie (cookies: string[]): Token | undefined {
  const cookie = cookies.find(line => line.startsWith('immich_shared_link_token='))
  return parseToken(decode(/=([^;]*)/.exec(cookie ?? '')?.[1]))
}
