/**
 * Everything that comes from outside becomes a trusted type here, or goes no further: a visitor's path,
 * headers, cookies and form, and Immich's JSON (the environment and config.json are in `settings.ts`). The
 * branded types below cannot be made anywhere else, and the door to Immich (`immich.ts`) takes nothing but
 * them.
 *
 * Each `parse…` gives undefined for what it does not accept, and none throws.
 */
import { isIP, type BlockList } from 'node:net'
import type { IncomingHttpHeaders } from 'node:http'

declare const trusted: unique symbol
type Trusted<Name extends string> = string & { readonly [trusted]: Name }
export type Key = Trusted<'key'>
export type Slug = Trusted<'slug'>
export type LinkRef = { key: Key } | { slug: Slug }
export type AssetId = Trusted<'asset id'>
export type AlbumId = Trusted<'album id'>
export type Month = Trusted<'month'>
export type Token = Trusted<'token'>
export type Password = Trusted<'password'>
/** One byte range of RFC 9110 section 14.1.2. */
export type ByteRange = Trusted<'byte range'>
/** An entity tag of RFC 9110 section 8.8.3, or several. */
export type EntityTag = Trusted<'entity tag'>
export type HttpDate = Trusted<'date'>

/** A value whose fields nothing is known of yet. */
export type Unknown = Record<string, unknown>
export const object = (value: unknown): Unknown | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Unknown : undefined
const text = (value: unknown): string => typeof value === 'string' ? value : ''
const list = (value: unknown): unknown[] => Array.isArray(value) ? value : []
const positive = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
const match = <T extends string>(pattern: RegExp, value: unknown): T | undefined =>
  typeof value === 'string' && pattern.test(value) ? value as T : undefined
export function decode (value: string | undefined): string | undefined {
  // trying costs, and most have nothing to decode
  try { return value?.includes('%') ? decodeURIComponent(value) : value } catch { return undefined }
}

export function parseJson (value: string): unknown {
  try { return JSON.parse(value) } catch { return undefined }
}

// ------------------------------------------------------------------------------------- links, assets, ranges

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/
export const parseAssetId = (value: unknown): AssetId | undefined => match(UUID, text(value).toLowerCase())
/**
 * A share key. Immich takes 50 bytes as base64url, padded or not, or as hexadecimal (recordings
 * 00-general/me-key-*): all spellings of one key become one, so that no cache and no limit can be had several
 * times.
 */
export function parseKey (value: unknown): Key | undefined {
  if (typeof value !== 'string' || !/^[\w-]{1,128}={0,2}$/.test(value)) return undefined
  const bytes = Buffer.from(value, /^[\da-f]{100}$/i.test(value) ? 'hex' : 'base64url')
  return (bytes.length === 50 ? bytes.toString('base64url') : value) as Key
}
/** A custom address of a link: any text without control characters (Immich answers NUL with 500). */
export const parseSlug = (value: unknown): Slug | undefined => match(/^[^\p{Cc}\p{Cs}]{1,255}$/u, value)
export function parseLinkRef (key: unknown, slug?: unknown): LinkRef | undefined {
  const [own, custom] = [parseKey(key), parseSlug(slug)]
  return own ? { key: own } : custom && { slug: custom }
}
export const parsePassword = (value: unknown): Password | undefined => match(/^[^\0]{1,256}$/, value)
/** Immich's token of an unlocked link: base64 (recording 02-album-password/login-right). */
export const parseToken = (value: unknown): Token | undefined => match(/^[\w+/=,-]{1,256}$/, value)

/**
 * A Range header as it is worth passing on: one range of bytes. Undefined for other units, several ranges and
 * nonsense, all of which RFC 9110 section 14.2 lets a server answer with the whole.
 */
export const parseRange = (value: unknown): ByteRange | undefined =>
  match(/^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/, text(value).replace(/[ \t]/g, '').toLowerCase())
/**
 * First and last byte of a range in `size` bytes; undefined where it cannot be satisfied (section 14.1.2).
 */
export function resolveRange (range: ByteRange, size: number): { first: number, last: number } | undefined {
  const [from = '', to = ''] = range.slice(6).split('-')
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first <= last && first < size ? { first, last } : undefined
}

// --------------------------------------------------------------------------------------- a visitor's request

const SIZES = ['thumbnail', 'preview', 'fullsize', 'original'] as const
export type Route =
  | { name: 'home' | 'health' | 'robots' | 'favicon' | 'unlock' }
  | { name: 'static', version: string, file: string } | { name: 'items', link: LinkRef, stretch: number }
  | { name: 'page', link: LinkRef, page: number } | { name: 'zip', link: LinkRef }
  | { name: 'item' | 'video' | 'meta', link: LinkRef, id: AssetId }
  | { name: 'image', link: LinkRef, id: AssetId, size?: typeof SIZES[number] }

/** Every address there is; the first that matches counts. Segments with a colon are read by `SEGMENTS`. */
const ROUTES = Object.entries({
  '/share/photo/:key/:id/:size': 'image', '/share/photo/:key/:id': 'image', '/share/video/:key/:id': 'video',
  '/': 'home', '/share': 'home', '/healthcheck': 'health', '/share/healthcheck': 'health',
  '/robots.txt': 'robots', '/favicon.ico': 'favicon', '/share/static/:version/:file': 'static',
  '/share/unlock': 'unlock', '/share/meta/:key/:id': 'meta', '/share/items/:key/:stretch': 'items',
  '/share/:key/download': 'zip', '/s/:slug/download': 'zip',
  '/share/:key': 'page', '/s/:slug': 'page', '/share/:key/:id': 'item', '/s/:slug/:id': 'item'
}).map(([path, name]) => ({ name, pattern: new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`) }))
const SEGMENTS: Record<string, (segment: string) => unknown> = {
  version: text, file: text, key: parseKey, slug: parseSlug, id: parseAssetId,
  size: segment => SIZES.find(size => size === segment),
  stretch: segment => /^\d{1,6}$/.test(segment) ? Number(segment) : undefined
}

/**
 * What is asked for, from the request target of RFC 9112 section 3.2. A trailing slash is the same place. Of
 * a query nothing is read but the page number of the gallery without script.
 */
export function parseRoute (target: string): Route | undefined {
  const [path = '', query = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 2)
  if (path.length > 2048) return undefined
  const page = Math.max(1, Number(/(?:^|&)page=(\d{1,6})(?:&|$)/.exec(query)?.[1] ?? 1))
  for (const { name, pattern } of ROUTES) {
    const found = pattern.exec(path)
    if (!found) continue
    const parts: Unknown = {}
    for (const name in found.groups) parts[name] = SEGMENTS[name]!(decode(found.groups[name]) ?? '')
    if (Object.values(parts).includes(undefined)) continue
    const { key, slug, ...rest } = parts
    return { name, page, link: key ? { key } : { slug }, ...rest } as Route
  }
  return undefined
}

/**
 * What of a visitor's headers is listened to. `address` is by the trusted-proxy rule, an IPv6 one by its /64,
 * which is what one customer has; `base` is scheme and host as the visitor sees them, '' where unknown;
 * `languages` best first.
 */
export type Visitor = Conditions & {
  address: string, cookies: Map<string, string>, wantsHtml: boolean
  secure: () => boolean, base: () => string, languages: () => string[], encodings: () => string[]
}
export type Conditions = {
  range?: ByteRange, ifRange?: EntityTag | HttpDate
  ifNoneMatch?: EntityTag, ifModifiedSince?: HttpDate
}
export type Trust = { trustedProxies: BlockList, publicBaseUrl: string }

const parseTag = (value: unknown): EntityTag | undefined => match(/^[\x21-\x7e ]{1,500}$/, value)
const parseDate = (value: unknown): HttpDate | undefined =>
  match(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/, value)
/** Names of a weighted list of RFC 9110 section 12.4.2, best first. */
const weighted = (value: unknown): string[] => text(value).slice(0, 500).toLowerCase().split(',')
  .map(part => [part.split(';')[0]!.trim(), Number(/;\s*q=([\d.]+)/.exec(part)?.[1] ?? 1)] as const)
  .filter(([name, weight]) => name && weight > 0).sort((a, b) => b[1] - a[1]).map(([name]) => name)
/** An http or https address without a slash at the end. */
export function parseBase (value: unknown): string | undefined {
  const url = match<string>(/^https?:\/\/[^\s"<>@]{1,300}$/i, value)
  if (!url || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  // eslint-disable-next-line regexp/no-super-linear-move -- of 300 characters at most
  return (origin + pathname).replace(/\/+$/, '')
}

/**
 * The visitor behind a connection from `peer`. Throws nothing: what is not understood is not there. What only
 * pages ask for are functions, so that it is only read then.
 */
export function parseVisitor (headers: IncomingHttpHeaders, peer: string, trust: Trust): Visitor {
  const first = (name: string) => text(headers[name]).split(',')[0]!.trim()
  let address = plain(peer)
  const behindProxy = isTrusted(trust, address)
  const hops = behindProxy ? text(headers['x-forwarded-for']).slice(-1000).split(',').reverse() : []
  for (const given of hops) {
    const hop = plain(given.trim().replace(/^\[([^\]]*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1'))
    if (!isIP(hop)) break
    address = hop
    if (!isTrusted(trust, hop)) break
  }
  const scheme = (behindProxy && match(/^https?$/, first('x-forwarded-proto'))) || 'http'
  const base = (): string => {
    const host = (behindProxy && first('x-forwarded-host')) || headers.host
    return (behindProxy && parseBase(first('publicbaseurl'))) || trust.publicBaseUrl ||
      parseBase(`${scheme}://${host}`) || ''
  }
  const cookies = headers.cookie?.slice(0, 8192).split(';').map(pair => pair.split(/=(.*)/s)) ?? []
  return {
    address: isIP(address) === 6 ? network(address) : address,
    base, secure: () => scheme === 'https' || base().startsWith('https:'),
    cookies: new Map(cookies.map(([name = '', value = '']) => [name.trim(), value.trim()])),
    wantsHtml: text(headers.accept).includes('text/html'), range: parseRange(headers.range),
    languages: () => weighted(headers['accept-language']),
    encodings: () => weighted(headers['accept-encoding']),
    ifRange: parseDate(headers['if-range']) ?? parseTag(headers['if-range']),
    ifNoneMatch: parseTag(headers['if-none-match']),
    ifModifiedSince: parseDate(headers['if-modified-since'])
  }
}

/** An address without its zone; an IPv4 address inside an IPv6 one counts as itself. */
const plain = (address: string): string => address.replace(/^::ffff:(?=[\d.]+$)/i, '').split('%')[0]!

/** The first four groups of an IPv6 address. */
function network (address: string): string {
  const [left = [], right] = address.split('::').map(half => half ? half.split(':') : [])
  const zeros = right ? Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0') : []
  return [...left, ...zeros, ...right ?? []].slice(0, 4)
    .map(group => parseInt(group, 16).toString(16)).join(':') + '::/64'
}

const isTrusted = ({ trustedProxies }: Trust, address: string): boolean =>
  isIP(address) !== 0 && trustedProxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** The fields of a small form, or of JSON, as texts. */
export function parseForm (body: string, contentType: string): Map<string, string> {
  if (!/^application\/json\b/i.test(contentType)) return new Map(new URLSearchParams(body))
  return new Map(Object.entries(object(parseJson(body)) ?? {})
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
}

/** A JSON array of asset ids, without repetition; undefined where anything in it is something else. */
export function parseAssetIds (value: unknown): AssetId[] | undefined {
  const ids = list(parseJson(text(value))).map(parseAssetId)
  return ids.length > 0 && ids.every(id => id !== undefined) ? [...new Set(ids)] : undefined
}

// --------------------------------------------------------------------------------------------- Immich's JSON

/**
 * A photo or video of a link. `ratio` is width / height, 0.2 to 5; `time` the local time at which it was
 * taken, in ms since 1970 as if that were UTC; `duration` in ms, of an image more than 0 where it moves;
 * `motion` the id of the video part of a motion photo.
 */
export type Item = {
  id: AssetId, video: boolean, ratio: number, thumbhash: string, time: number, duration: number
  motion?: AssetId
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
  const [, h, m, s] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text(value)) ?? []
  return Math.round(s ? (Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1000 : positive(value))
}
const time = (value: unknown): number =>
  Date.parse(/[zZ]|[+-]\d\d:\d\d$/.test(text(value)) ? text(value) : text(value) + 'Z') || 0
const thumbhash = (value: unknown): string => match<string>(/^[\w+/]{0,60}={0,2}$/, value) ?? ''
/**
 * Visible to who holds the link: neither in the trash nor hidden nor locked. With metadata off, 3.x does not
 * say.
 */
const isVisible = (visibility: unknown, isTrashed: unknown): boolean =>
  isTrashed !== true && (visibility === undefined || visibility === 'timeline' || visibility === 'archive')

function makeItem (id: AssetId, video: boolean, ratio: number, given: Unknown, time: number): Item {
  const motion = parseAssetId(given.livePhotoVideoId)
  return {
    id, video, time, ratio: Math.min(5, Math.max(0.2, ratio || 1)),
    thumbhash: thumbhash(given.thumbhash), duration: duration(given.duration), ...motion && { motion }
  }
}

function parseAsset (value: unknown): Item[] {
  const asset = object(value) ?? {}
  const id = parseAssetId(asset.id)
  const known = asset.type === 'IMAGE' || asset.type === 'VIDEO'
  if (!id || !known || !isVisible(asset.visibility, asset.isTrashed)) return []
  const ratio = positive(asset.width) / positive(asset.height)
  return [makeItem(id, asset.type === 'VIDEO', ratio, asset, time(asset.localDateTime))]
}

/** The answer of `shared-links/me` and `shared-links/login`; recordings …/me-key. */
export function parseLink (value: unknown): LinkInfo | undefined {
  const link = object(value) ?? {}
  const key = parseKey(link.key)
  const album = link.type === 'ALBUM' ? object(link.album) : undefined
  const id: AlbumId | undefined = match(UUID, album?.id)
  if (!key || !(id || link.type === 'INDIVIDUAL')) return undefined
  const [slug, cover] = [parseSlug(link.slug), parseAssetId(album?.albumThumbnailAssetId)]
  const order = album?.order === 'asc' ? 'asc' : 'desc'
  return {
    key, ...slug && { slug }, protected: Boolean(link.password),
    title: text(album?.albumName), description: text(link.description) || text(album?.description),
    ...typeof link.expiresAt === 'string' && { expiresAt: time(link.expiresAt) },
    allowDownload: link.allowDownload === true, showMetadata: link.showMetadata === true,
    ...id ? { album: { id, order, count: positive(album?.assetCount), ...cover && { cover } } }
      : { items: list(link.assets).flatMap(parseAsset) }
  }
}

/** The answer of `timeline/buckets`; undefined where anything in it is something else. */
export function parseMonths (value: unknown): Month[] | undefined {
  const months = list(value).map(entry => match<Month>(/^\d{4,6}-\d\d-\d\d$/, object(entry)?.timeBucket))
  return Array.isArray(value) && months.every(month => month !== undefined) ? months : undefined
}

const COLUMNS = ['isImage', 'ratio', 'thumbhash', 'fileCreatedAt', 'localOffsetHours', 'duration',
  'livePhotoVideoId', 'visibility', 'isTrashed']
/**
 * The answer of `timeline/bucket`: columns. `fileCreatedAt` is UTC without a zone (recordings
 * …/timeline-bucket-*).
 */
export function parseMonth (value: unknown): Item[] | undefined {
  const table = object(value)
  const ids = list(table?.id).map(parseAssetId)
  if (!table || !Array.isArray(table.id) || ids.includes(undefined)) return undefined
  const columns = COLUMNS.map(name => [name, list(table[name])] as const)
  return (ids as AssetId[]).flatMap((id, n) => {
    const row = Object.fromEntries(columns.map(([name, column]) => [name, column[n]])) as Unknown
    if (!isVisible(row.visibility, row.isTrashed)) return []
    const offset = typeof row.localOffsetHours === 'number' ? row.localOffsetHours * 3_600_000 : 0
    return [makeItem(id, row.isImage === false, positive(row.ratio), row, time(row.fileCreatedAt) + offset)]
  })
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
 * The file name of Immich's `Content-Disposition: …; filename*=UTF-8''…` (its apostrophes come unescaped).
 */
export const parseDisposition = (value: unknown): string =>
  decode(/filename\*=UTF-8''([^;]*)/i.exec(text(value))?.[1]) ?? ''
export const parseVersion = (value: unknown): [number, number, number] | undefined => {
  const { major, minor, patch } = (object(value) ?? {}) as Record<string, number>
  return [major, minor, patch].every(Number.isSafeInteger) ? [major!, minor!, patch!] : undefined
}
export const parsePing = (value: unknown) => JSON.stringify(value) === '{"res":"pong"}' || undefined
export const parseMessage = (value: unknown): string => text(object(value)?.message)
