/**
 * Reads Immich's JSON: named fields, each as a typed value. No response is passed on whole.
 *
 * Each `parse…` returns undefined for what it does not accept; none throws. The shapes are those of the
 * recordings in `test/recordings`.
 */
import { decode, list, match, object, positive, text, type Json } from '../json.ts'
import { parseAssetId, parseKey, parseSlug, parseToken, UUID } from '../validate.ts'
import type { AlbumId, AssetId, Key, Month, Slug, Token } from '../validate.ts'
import { isVisible } from './visibility.ts'

/**
 * A photo or video as Immich lists it. `ratio` is width / height, 0.2 to 5; `duration` in ms, and above 0 for
 * an image that moves; `motion` is the video part of a motion photo. `time` is what the camera's clock
 * showed, in ms since 1970 as if that were UTC. `name` is the file's name, '' if the list does not say.
 */
export type Asset = {
  id: AssetId, isVideo: boolean, ratio: number, thumbhash: string, duration: number
  motion?: AssetId, isSphere: boolean, isEdited: boolean, time: number, name: string
}
/**
 * A link as Immich describes it. The list of an album is in the timeline; a link to chosen photos
 * (INDIVIDUAL) has its list here. `expiresAt` in ms since 1970.
 */
export type Link = {
  key: Key, slug?: Slug, isProtected: boolean, title: string, description: string, expiresAt?: number
  allowDownload: boolean, showMetadata: boolean
  album?: { id: AlbumId, order: 'asc' | 'desc', count: number, cover?: AssetId }, assets?: Asset[]
}

/** ms from an integer (3.x) or from "H:MM:SS.mmm" (2.x). */
function duration (value: unknown): number {
  const clock = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text(value))
  if (!clock) return Math.round(positive(value))
  const [hours = 0, minutes = 0, seconds = 0] = clock.slice(1).map(Number)
  return Math.round((hours * 3600 + minutes * 60 + seconds) * 1000)
}
/** ms since 1970; NaN if the text is not a time. A time without a zone is UTC. */
const instant = (value: unknown): number =>
  Date.parse(/[zZ]|[+-]\d\d:\d\d/.test(text(value)) ? text(value) : text(value) + 'Z')
const thumbhash = (value: unknown): string => match<string>(/^[a-z\d+/]{0,60}={0,2}$/i, value) ?? ''

// Date.UTC takes years below 100 as those of the 20th century
const EARLIEST = Date.UTC(100, 0, 1)
const LATEST = Date.UTC(9999, 0, 1)
/** A time that every calendar can show; 1970 if it is unknown. */
const showable = (time: number): number => Math.max(EARLIEST, Math.min(LATEST, time || 0))

function makeAsset (id: AssetId, isVideo: boolean, ratio: number, given: Json, time: number): Asset {
  const motion = parseAssetId(given.livePhotoVideoId)
  return {
    id, isVideo, time: showable(time), ratio: Math.min(5, Math.max(0.2, ratio || 1)),
    thumbhash: thumbhash(given.thumbhash), duration: duration(given.duration), ...motion && { motion },
    isSphere: given.projectionType === 'EQUIRECTANGULAR', isEdited: given.isEdited === true,
    name: text(given.originalFileName)
  }
}

function parseChosen (value: unknown): Asset[] {
  const asset = object(value) ?? {}
  const id = parseAssetId(asset.id)
  const isKnownType = asset.type === 'IMAGE' || asset.type === 'VIDEO'
  if (!id || !isKnownType || !isVisible(asset.visibility, asset.isTrashed)) return []
  const ratio = positive(asset.width) / positive(asset.height)
  const { projectionType } = object(asset.exifInfo) ?? {}
  const time = instant(asset.localDateTime)
  return [makeAsset(id, asset.type === 'VIDEO', ratio, { ...asset, projectionType }, time)]
}

/**
 * The response of `shared-links/me` and `shared-links/login`; recordings …/me-key. An expiry that cannot be
 * read counts as past.
 */
export function parseLink (value: unknown): Link | undefined {
  const link = object(value) ?? {}
  const key = parseKey(link.key)
  const album = link.type === 'ALBUM' ? object(link.album) : undefined
  const id: AlbumId | undefined = match(UUID, album?.id)
  if (!key || !(id || link.type === 'INDIVIDUAL')) return undefined
  const slug = parseSlug(link.slug)
  const cover = parseAssetId(album?.albumThumbnailAssetId)
  const order = album?.order === 'asc' ? 'asc' : 'desc'
  const hasExpiry = link.expiresAt !== null && link.expiresAt !== undefined
  return {
    key, ...slug && { slug }, isProtected: Boolean(link.password),
    // chosen photos have no title but the owner's description
    title: album ? text(album.albumName) : text(link.description),
    description: album ? text(link.description) || text(album.description) : '',
    ...hasExpiry && { expiresAt: instant(link.expiresAt) || 0 },
    allowDownload: link.allowDownload === true, showMetadata: link.showMetadata === true,
    ...id ? { album: { id, order, count: positive(album?.assetCount), ...cover && { cover } } }
      : { assets: list(link.assets).flatMap(parseChosen) }
  }
}

/** a century of months; every one costs a request */
const MAX_MONTHS = 1200
/**
 * The months in the response of `timeline/buckets`; undefined if it is not a list, is longer than 1,200, or
 * none of it can be read. A month that cannot be read is left out, and `isComplete` is false. Each is
 * requested with its time and zone (recording timeline-bucket-first-datetime-form), because Immich reads a
 * bare date in the zone of its database session.
 */
export function parseMonths (value: unknown): { months: Month[], isComplete: boolean } | undefined {
  if (!Array.isArray(value) || value.length > MAX_MONTHS) return undefined
  const months = value.flatMap(entry => {
    const month = match<string>(/^\d{4,6}-\d\d-\d\d$/, object(entry)?.timeBucket)
    return month ? [`${month}T00:00:00.000Z` as Month] : []
  })
  const isComplete = months.length === value.length
  return isComplete || months.length > 0 ? { months, isComplete } : undefined
}
/** A month without its time, as a fork of Immich wants it. */
export const bareDate = (month: Month): Month => month.replace(/T.*/, '') as Month

const COLUMNS = ['isImage', 'ratio', 'thumbhash', 'fileCreatedAt', 'localOffsetHours', 'duration',
  'livePhotoVideoId', 'visibility', 'isTrashed', 'projectionType']
/**
 * The visible rows in the response of `timeline/bucket`, which comes in columns. `fileCreatedAt` is UTC
 * without a zone (recordings …/timeline-bucket-*).
 */
export function parseMonth (value: unknown): Asset[] | undefined {
  const table = object(value)
  const ids = list(table?.id).map(parseAssetId)
  if (!table || !Array.isArray(table.id) || !ids.every(id => id !== undefined)) return undefined
  const columns = COLUMNS.map(name => [name, list(table[name])] as const)
  return ids.flatMap((id, n) => {
    const row: Json = Object.fromEntries(columns.map(([name, column]) => [name, column[n]]))
    if (!isVisible(row.visibility, row.isTrashed)) return []
    const offset = typeof row.localOffsetHours === 'number' ? row.localOffsetHours * 3_600_000 : 0
    const time = instant(row.fileCreatedAt) + offset
    return [makeAsset(id, row.isImage === false, positive(row.ratio), row, time)]
  })
}

/** The fields of `assets/:id` that may ever be shown; recordings …-asset. `time` as an asset's. */
export type Details = { type: string, name: string, time: number, description: string, exif: Json }
export function parseDetails (value: unknown): Details | undefined {
  const asset = object(value) ?? {}
  const exif = object(asset.exifInfo) ?? {}
  return parseAssetId(asset.id) && {
    type: mediaType(asset.originalMimeType), name: text(asset.originalFileName), exif,
    time: showable(instant(asset.localDateTime)), description: text(exif.description)
  }
}

/** An asset's file name, and whether it was edited: then `download/info` gives a different size. */
export type Named = Readonly<{ name: string, isEdited: boolean }>
/** `next` is the number of the page after this one. */
export type NamesPage = Readonly<{ assets: ReadonlyMap<AssetId, Named>, next?: number }>
/**
 * One page of `search/metadata` (recordings 10-album-big/search-metadata-1000*): names and the edited flag.
 */
export function parseNames (value: unknown): NamesPage | undefined {
  const { items, nextPage } = object(object(value)?.assets) ?? {}
  if (!Array.isArray(items)) return undefined
  const assets = new Map(items.flatMap((entry): [AssetId, Named][] => {
    const { id, originalFileName, isEdited } = object(entry) ?? {}
    const asset = parseAssetId(id)
    return asset ? [[asset, { name: text(originalFileName), isEdited: isEdited === true }]] : []
  }))
  const next = positive(Number(text(nextPage)))
  return { assets, ...Number.isSafeInteger(next) && next > 0 && { next } }
}

/**
 * The response of `download/info` with `archiveSize: 1`: one archive for each asset, with its size in bytes.
 */
export function parseSizes (value: unknown): Map<AssetId, number> | undefined {
  const archives = object(value)?.archives
  return Array.isArray(archives) ? new Map(archives.flatMap(entry => {
    const [id, ...more] = list(object(entry)?.assetIds).map(parseAssetId)
    const size = object(entry)?.size
    return id && more.length === 0 && Number.isSafeInteger(size) ? [[id, positive(size)]] : []
  })) : undefined
}

/** Anything that is not on the list below; a browser saves it instead of showing it. */
export const UNKNOWN_TYPE = 'application/octet-stream'
/** Types that browsers show, or that visitors download as files; none can run script. */
const MEDIA_TYPES = new Set([
  'image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif', 'image/heic', 'image/heif', 'image/jxl',
  'image/tiff', 'image/bmp', 'image/jp2', 'image/dng', 'image/x-adobe-dng', 'image/vnd.adobe.photoshop',
  'video/mp4', 'video/quicktime', 'video/webm', 'video/x-matroska', 'video/mpeg', 'video/3gpp', 'video/ogg',
  'video/x-msvideo', 'video/x-ms-wmv', 'video/x-m4v', 'video/mp2t', 'video/x-flv'
])
/** The media type of a Content-Type, if it is on the list, else `UNKNOWN_TYPE`. */
export function mediaType (value: unknown): string {
  const type = text(value).toLowerCase().replace(/;.*/s, '').trim()
  return MEDIA_TYPES.has(type) ? type : UNKNOWN_TYPE
}

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
/** Whether this is how Immich says no; 2.x may have several messages. */
export const isErrorBody = (value: unknown): boolean => object(value)?.message !== undefined
export const parseMessage = (value: unknown): string => text(object(value)?.message)
/** The token in the cookies of a login (recording 02-album-password/login-right). */
export function parseLoginCookie (cookies: string[]): Token | undefined {
  const cookie = cookies.find(line => line.startsWith('immich_shared_link_token='))
  return parseToken(decode(/=([^;]*)/.exec(cookie ?? '')?.[1]))
}
