/**
 * Everything that comes from outside becomes a trusted type here, or goes no further: the environment and config.json,
 * a visitor's path, headers, cookies and form, and Immich's JSON. The branded types below cannot be made anywhere else,
 * and the door to Immich (`immich.ts`) takes nothing but them.
 *
 * Each `parse…` returns undefined for what it does not accept. Nothing here throws but `loadSettings`.
 */
import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import type { IncomingHttpHeaders } from 'node:http'

declare const trusted: unique symbol
type Trusted<Name extends string> = string & { readonly [trusted]: Name }
export type Key = Trusted<'key'>
export type Slug = Trusted<'slug'>
export type AssetId = Trusted<'asset id'>
export type AlbumId = Trusted<'album id'>
export type Month = Trusted<'month'>
export type Token = Trusted<'token'>
export type Password = Trusted<'password'>
/** One byte range of RFC 9110 section 14.1.2, as it may be sent on. */
export type ByteRange = Trusted<'byte range'>
/** An entity tag, or several, of RFC 9110 section 8.8.3. */
export type EntityTag = Trusted<'entity tag'>
export type HttpDate = Trusted<'date'>
export type LinkRef = { key: Key } | { slug: Slug }
export const SIZES = ['thumbnail', 'preview', 'fullsize', 'original'] as const
export type Size = typeof SIZES[number]

/** A value whose fields nothing is known of yet. */
type Unknown = Record<string, unknown>
const object = (value: unknown): Unknown | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Unknown : undefined
const text = (value: unknown): string => typeof value === 'string' ? value : ''
const list = (value: unknown): unknown[] => Array.isArray(value) ? value : []
const positive = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
function match<T extends string> (pattern: RegExp, value: unknown): T | undefined {
  return typeof value === 'string' && pattern.test(value) ? value as T : undefined
}

// ---------------------------------------------------------------------------------------------- links, assets, ranges

/**
 * A share key. Immich takes 50 bytes as base64url, padded or not, or as hexadecimal (recordings 00-general/me-key-*):
 * all spellings of one key become one, so that no cache and no limit can be had several times.
 */
export function parseKey (value: unknown): Key | undefined {
  if (typeof value !== 'string' || !/^[\w-]{1,128}={0,2}$/.test(value)) return undefined
  const bytes = /^[\da-f]{100}$/i.test(value) ? Buffer.from(value, 'hex') : Buffer.from(value, 'base64url')
  return (bytes.length === 50 ? bytes.toString('base64url') : value) as Key
}
/** A custom address of a link: any text without control characters (Immich answers NUL with 500). */
export const parseSlug = (value: unknown): Slug | undefined => match(/^[^\p{Cc}\p{Cs}]{1,255}$/u, value)
export const parseAssetId = (value: unknown): AssetId | undefined =>
  typeof value === 'string' ? match(UUID, value.toLowerCase()) : undefined
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/
export const parsePassword = (value: unknown): Password | undefined => match(/^[^\0]{1,256}$/, value)
/** Immich's token of an unlocked link: base64, in a percent-encoded cookie (recording 02-album-password/login-right). */
export const parseToken = (value: unknown): Token | undefined => match(/^[\w+/=,-]{1,256}$/, value)
export const linkRef = (key: unknown, slug?: unknown): LinkRef | undefined => {
  const parsed = slug === undefined ? parseKey(key) : parseSlug(slug)
  return parsed && (slug === undefined ? { key: parsed as Key } : { slug: parsed as Slug })
}

/**
 * A Range header as it is worth passing on: one range of bytes. Undefined for other units, several ranges and
 * nonsense, all of which RFC 9110 section 14.2 lets a server answer with the whole.
 */
export const parseRange = (value: unknown): ByteRange | undefined =>
  typeof value === 'string' ? match(/^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/, value.replace(/[ \t]/g, '').toLowerCase()) : undefined

/** First and last byte of a range in `size` bytes; undefined where it cannot be satisfied (RFC 9110 section 14.1.2). */
export function resolveRange (range: ByteRange, size: number): { first: number, last: number } | undefined {
  const [from = '', to = ''] = range.slice(6).split('-')
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first <= last && first < size ? { first, last } : undefined
}

// ------------------------------------------------------------------------------------------------ a visitor's request

export type Route =
  | { name: 'home' } | { name: 'health' } | { name: 'robots' } | { name: 'favicon' } | { name: 'unlock' }
  | { name: 'static', version: string, file: string }
  | { name: 'page', link: LinkRef, page: number }
  | { name: 'item', link: LinkRef, id: AssetId }
  | { name: 'zip', link: LinkRef }
  | { name: 'image', link: LinkRef, id: AssetId, size: Size }
  | { name: 'video', link: LinkRef, id: AssetId }
  | { name: 'meta', link: LinkRef, id: AssetId }
  | { name: 'items', link: LinkRef, stretch: number }

const FIXED: Record<string, Route> = {
  '/': { name: 'home' },
  '/share': { name: 'home' },
  '/healthcheck': { name: 'health' },
  '/share/healthcheck': { name: 'health' },
  '/robots.txt': { name: 'robots' },
  '/favicon.ico': { name: 'favicon' },
  '/share/unlock': { name: 'unlock' }
}

function decode (segment: string): string | undefined {
  try { return decodeURIComponent(segment) } catch { return undefined }
}

/**
 * What is asked for, from the request target of RFC 9112 section 3.2. A trailing slash is the same place. Of a query
 * nothing is read but the page number of the gallery without script.
 */
export function parseRoute (target: string): Route | undefined {
  const [path = '', query = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 2)
  const plain = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
  if (plain.length > 2048) return undefined
  if (Object.hasOwn(FIXED, plain)) return FIXED[plain]
  const [root, top, ...rest] = plain.split('/').map(decode)
  if (root !== '' || top === undefined || rest.includes(undefined)) return undefined
  const [first, second, third, fourth] = rest
  if (top === 's') return first === undefined ? undefined : linkRoute(linkRef('', first), rest, query)
  if (top !== 'share' || first === undefined) return undefined
  if (first === 'static') {
    return rest.length === 3 && second && third ? { name: 'static', version: second, file: third } : undefined
  }
  const kind = first === 'photo' || first === 'video' || first === 'meta' || first === 'items' ? first : undefined
  if (!kind) return linkRoute(linkRef(first), rest, query)
  const link = linkRef(second)
  if (!link || rest.length > 4) return undefined
  if (kind === 'items') {
    return rest.length === 3 && /^\d{1,6}$/.test(third ?? '') ? { name: 'items', link, stretch: Number(third) } : undefined
  }
  const id = parseAssetId(third)
  if (!id) return undefined
  if (kind !== 'photo') return rest.length === 3 ? { name: kind, link, id } : undefined
  const size = SIZES.find(size => size === (fourth ?? 'preview'))
  return size && { name: 'image', link, id, size }
}

function linkRoute (link: LinkRef | undefined, rest: unknown[], query: string): Route | undefined {
  if (!link || rest.length > 2) return undefined
  if (rest.length === 1) {
    const page = /(?:^|&)page=(\d{1,6})(?:&|$)/.exec(query)?.[1]
    return { name: 'page', link, page: Math.max(1, Number(page ?? 1)) }
  }
  if (rest[1] === 'download') return { name: 'zip', link }
  const id = parseAssetId(rest[1])
  return id && { name: 'item', link, id }
}

/** What a visitor's headers say that anything here listens to. */
export type Visitor = {
  /** address by the trusted-proxy rule; an IPv6 address counts by its /64, which is what one customer has */
  address: string
  secure: boolean
  /** scheme and host under which the visitor sees this server, without a slash at the end; '' where unknown */
  base: string
  cookies: Map<string, string>
  wantsHtml: boolean
  languages: string[]
  encodings: Set<string>
  range?: ByteRange
  ifRange?: EntityTag | HttpDate
  ifNoneMatch?: EntityTag
  ifModifiedSince?: HttpDate
}

const parseTag = (value: unknown): EntityTag | undefined => match(/^[\x21-\x7e ]{1,500}$/, value)
const parseDate = (value: unknown): HttpDate | undefined =>
  match(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/, value)
/** Names of a weighted list of RFC 9110 section 12.4.2, best first. */
const weighted = (value: string | undefined): string[] => (value ?? '').slice(0, 500).toLowerCase().split(',')
  .map(part => [part.split(';')[0]!.trim(), Number(/;\s*q=([\d.]+)/.exec(part)?.[1] ?? 1)] as const)
  .filter(([name, weight]) => name && weight > 0).sort((a, b) => b[1] - a[1]).map(([name]) => name)
/** An http or https address without a slash at the end. */
function parseBase (value: unknown): string | undefined {
  if (typeof value !== 'string' || !/^https?:\/\/[^\s"<>@]+$/i.test(value) || !URL.canParse(value)) return undefined
  const url = new URL(value)
  return (url.origin + url.pathname).replace(/\/+$/, '')
}

export function parseVisitor (headers: IncomingHttpHeaders, peer: string, settings: Settings): Visitor {
  const first = (name: string) => text(headers[name]).split(',')[0]!.trim()
  const behindProxy = isTrusted(settings, peer)
  let address = peer
  const hops = text(headers['x-forwarded-for']).slice(0, 1000).split(',').map(hop => hop.trim())
  while (hops.length && isTrusted(settings, address)) {
    const hop = hops.pop()!.replace(/^\[([^\]]*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')
    if (!isIP(hop)) break
    address = hop
  }
  const scheme = (behindProxy && match(/^https?$/, first('x-forwarded-proto'))) || 'http'
  const host = (behindProxy && first('x-forwarded-host')) || headers.host
  const base = (behindProxy && parseBase(first('publicbaseurl'))) || settings.publicBaseUrl ||
    parseBase(`${scheme}://${host}`) || ''
  const cookies = new Map(text(headers.cookie).slice(0, 8192).split(';')
    .map(pair => [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()]))
  const optional = {
    range: parseRange(headers.range),
    ifRange: parseDate(headers['if-range']) ?? parseTag(headers['if-range']),
    ifNoneMatch: parseTag(headers['if-none-match']),
    ifModifiedSince: parseDate(headers['if-modified-since'])
  }
  return {
    address: isIP(address) === 6 ? network(address) : address,
    secure: base.startsWith('https:') || scheme === 'https',
    base,
    cookies,
    wantsHtml: text(headers.accept).includes('text/html'),
    languages: weighted(headers['accept-language']),
    encodings: new Set(weighted(text(headers['accept-encoding']))),
    ...optional
  }
}

/** The first four groups of an IPv6 address; an IPv4 address inside one counts as itself. */
function network (address: string): string {
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)
  if (mapped) return mapped[1]!
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  return groups.slice(0, 4).map(group => parseInt(group, 16).toString(16)).join(':') + '::/64'
}

function isTrusted (settings: Settings, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, '').split('%')[0]!
  const family = isIP(plain)
  return family !== 0 && settings.trustedProxies.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}

/** The fields of a small form, or of JSON; nothing but texts. */
export function parseForm (body: string, contentType: string): Map<string, string> {
  if (!/^application\/json\b/i.test(contentType)) return new Map(new URLSearchParams(body))
  try {
    return new Map(Object.entries(object(JSON.parse(body)) ?? {})
      .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value) ?? '']))
  } catch { return new Map() }
}

/** A JSON array of asset ids, without repetition; undefined where anything in it is something else. */
export function parseAssetIds (value: unknown): AssetId[] | undefined {
  try {
    const ids = (JSON.parse(text(value)) as unknown[]).map(parseAssetId)
    return ids.length > 0 && ids.every(id => id !== undefined) ? [...new Set(ids)] : undefined
  } catch { return undefined }
}

// ------------------------------------------------------------------------------------------------------ Immich's JSON

/** A photo or video of a link. */
export type Item = {
  id: AssetId
  video: boolean
  /** width / height, 0.2 to 5 */
  ratio: number
  thumbhash: string
  /** the local time at which it was taken, in ms since 1970 as if that were UTC */
  time: number
  /** ms; of an image: more than 0 where it moves */
  duration: number
  /** the video part of a motion photo */
  motion?: AssetId
}

export type LinkInfo = {
  key: Key
  slug?: Slug
  protected: boolean
  title: string
  description: string
  /** ms since 1970 */
  expiresAt?: number
  allowDownload: boolean
  showMetadata: boolean
  /** an ALBUM link: its list is in the timeline */
  album?: { id: AlbumId, order: 'asc' | 'desc', cover?: AssetId }
  /** an INDIVIDUAL link: its list */
  items?: Item[]
}

/** ms from an integer (3.x) or from "H:MM:SS.mmm" (2.x). */
function duration (value: unknown): number {
  const parts = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text(value))
  return parts ? Math.round((Number(parts[1]) * 3600 + Number(parts[2]) * 60 + Number(parts[3])) * 1000)
    : Math.round(positive(value))
}
const time = (value: unknown): number => {
  const zoned = /[zZ]|[+-]\d\d:\d\d$/.test(text(value)) ? text(value) : text(value) + 'Z'
  const ms = Date.parse(zoned)
  return Number.isFinite(ms) ? ms : 0
}
const ratio = (value: number): number => Math.min(5, Math.max(0.2, value || 1))
const thumbhash = (value: unknown): string => match<string>(/^[\w+/]{0,60}={0,2}$/, value) ?? ''
/** Visible to who holds the link: neither in the trash nor hidden nor locked. With metadata off, 3.x does not say. */
const isVisible = (visibility: unknown, isTrashed: unknown): boolean =>
  isTrashed !== true && (visibility === undefined || visibility === 'timeline' || visibility === 'archive')

function parseAsset (value: unknown): Item | undefined {
  const asset = object(value)
  const id = parseAssetId(asset?.id)
  if (!asset || !id || !isVisible(asset.visibility, asset.isTrashed)) return undefined
  if (asset.type !== 'IMAGE' && asset.type !== 'VIDEO') return undefined
  const motion = parseAssetId(asset.livePhotoVideoId)
  return {
    id,
    video: asset.type === 'VIDEO',
    ratio: ratio(positive(asset.width) / positive(asset.height)),
    thumbhash: thumbhash(asset.thumbhash),
    time: time(asset.localDateTime),
    duration: duration(asset.duration),
    ...motion && { motion }
  }
}

/** The answer of `shared-links/me` and `shared-links/login`; recordings …/me-key. */
export function parseLink (value: unknown): LinkInfo | undefined {
  const link = object(value)
  const key = parseKey(link?.key)
  if (!link || !key || (link.type !== 'ALBUM' && link.type !== 'INDIVIDUAL')) return undefined
  const album = link.type === 'ALBUM' ? object(link.album) : undefined
  const albumId: AlbumId | undefined = match(UUID, album?.id)
  if (link.type === 'ALBUM' && !albumId) return undefined
  const slug = parseSlug(link.slug)
  const cover = parseAssetId(album?.albumThumbnailAssetId)
  return {
    key,
    ...slug && { slug },
    protected: typeof link.password === 'string' && link.password !== '',
    title: album ? text(album.albumName) : '',
    description: text(link.description) || text(album?.description),
    ...typeof link.expiresAt === 'string' && { expiresAt: time(link.expiresAt) },
    allowDownload: link.allowDownload === true,
    showMetadata: link.showMetadata === true,
    ...albumId
      ? { album: { id: albumId, order: album?.order === 'asc' ? 'asc' as const : 'desc' as const, ...cover && { cover } } }
      : { items: list(link.assets).map(parseAsset).filter(item => item !== undefined) }
  }
}

/** The answer of `timeline/buckets`: months and how many items each holds. */
export const parseMonths = (value: unknown): { month: Month, count: number }[] => list(value).flatMap(entry => {
  const month = match<Month>(/^\d{4,6}-\d\d-\d\d$/, object(entry)?.timeBucket)
  return month ? [{ month, count: positive(object(entry)?.count) }] : []
})

/** The answer of `timeline/bucket`: columns. `fileCreatedAt` is UTC without a zone (recordings …/timeline-bucket-*). */
export function parseMonth (value: unknown): Item[] | undefined {
  const columns = object(value)
  if (!columns || !Array.isArray(columns.id)) return undefined
  const column = (name: string) => list(columns[name])
  const [isImage, ratios, thumbhashes, times, offsets, durations, motions, visibilities, trashed] = [
    'isImage', 'ratio', 'thumbhash', 'fileCreatedAt', 'localOffsetHours', 'duration', 'livePhotoVideoId', 'visibility',
    'isTrashed'].map(column) as [unknown[], unknown[], unknown[], unknown[], unknown[], unknown[], unknown[], unknown[], unknown[]]
  return columns.id.flatMap((value, n) => {
    const id = parseAssetId(value)
    if (!id || !isVisible(visibilities[n], trashed[n])) return []
    const motion = parseAssetId(motions[n])
    const offset = typeof offsets[n] === 'number' ? offsets[n] * 3_600_000 : 0
    return [{
      id,
      video: isImage[n] === false,
      ratio: ratio(positive(ratios[n])),
      thumbhash: thumbhash(thumbhashes[n]),
      time: time(times[n]) + offset,
      duration: duration(durations[n]),
      ...motion && { motion }
    }]
  })
}

/** What `assets/:id` tells, and no more than may ever be shown; recordings …-asset. */
export type Details = { type: string, name: string, time: number, description: string, exif: Unknown }
export function parseDetails (value: unknown): Details | undefined {
  const asset = object(value)
  if (!asset || !parseAssetId(asset.id)) return undefined
  const exif = object(asset.exifInfo) ?? {}
  return {
    type: mediaType(asset.originalMimeType),
    name: text(asset.originalFileName),
    time: time(asset.localDateTime),
    description: text(exif.description),
    exif
  }
}

/** The answer of `download/info` with `archiveSize: 1`: one archive an asset, with its size in bytes. */
export function parseSizes (value: unknown): Map<AssetId, number> {
  return new Map(list(object(value)?.archives).flatMap(entry => {
    const [id, ...more] = list(object(entry)?.assetIds).map(parseAssetId)
    const size = object(entry)?.size
    return id && more.length === 0 && Number.isSafeInteger(size) && (size as number) >= 0 ? [[id, size as number]] : []
  }))
}

/** The type of an image or video that a browser only ever shows; anything else is application/octet-stream. */
export const mediaType = (value: unknown): string =>
  match<string>(/^(image|video)\/(?!svg)[a-z\d][\w.+-]{0,60}$/, text(value).split(';')[0]!.trim().toLowerCase()) ??
  'application/octet-stream'

/** The file name of Immich's `Content-Disposition: …; filename*=UTF-8''…` (its apostrophes come unescaped). */
export const parseDisposition = (value: string | null): string =>
  decode(/filename\*=UTF-8''([^;]*)/i.exec(value ?? '')?.[1] ?? '') ?? ''

export const parseVersion = (value: unknown): [number, number, number] | undefined => {
  const { major, minor, patch } = object(value) ?? {}
  const parts = [major, minor, patch]
  return parts.every(part => Number.isSafeInteger(part)) ? parts as [number, number, number] : undefined
}
export const parseMessage = (value: unknown): string => text(object(value)?.message)

// --------------------------------------------------------------------------------------- environment and config.json

type Ipp = (typeof import('../config.json'))['ipp']
export type Config = {
  ipp: Omit<Ipp, 'responseHeaders' | 'groupByDate' | 'customInvalidResponse'> & {
    responseHeaders: Record<string, string>
    groupByDate: 'day' | 'month' | false
    customInvalidResponse: number | string | false | null
  }
  lightGallery: Unknown
}
export type Settings = Config['ipp'] extends infer I ? Omit<I, 'trustedProxies'> & {
  immichUrl: string
  publicBaseUrl: string
  host: string
  port: number
  secret: string
  logLevel: LogLevel
  lightGallery: Unknown
  trustedProxies: BlockList
  /** what to tell the operator at the start: renamed and unknown keys, and every value that is not the default */
  notices: string[]
  changed: Record<string, unknown>
} : never
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = typeof LOG_LEVELS[number]

/** Everything that is wrong with the configuration, one line each. */
export class ConfigError extends Error {}

type Schema = {
  type?: string | string[]
  enum?: unknown[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  minimum?: number
  maximum?: number
  default?: unknown
}

const typeOf = (value: unknown): string => value === null ? 'null' : Array.isArray(value) ? 'array'
  : Number.isInteger(value) ? 'integer' : typeof value
const show = (value: unknown): string => JSON.stringify(value) ?? String(value)

/** `value` as the schema wants it, with the schema's defaults below it. Problems and notices are lines for people. */
function conform (schema: Schema, value: unknown, at: string, problems: string[], notices: string[]): unknown {
  const types = [schema.type ?? []].flat()
  if (schema.properties && typeof value === 'boolean' && types.includes('boolean')) {
    value = Object.fromEntries(Object.keys(schema.properties).map(name => [name, value]))
  }
  if (schema.properties && (value === undefined || object(value))) {
    const given = object(value) ?? {}
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(schema.properties, name)) {
        notices.push(`${at}${name}: unknown, ignored. Did you mean ${nearest(name, Object.keys(schema.properties))}?`)
      }
    }
    return Object.fromEntries(Object.entries(schema.properties).filter(([name]) => name !== '$schema')
      .map(([name, inner]) => [name, conform(inner, Object.hasOwn(given, name) ? given[name] : undefined,
        `${at}${name}${inner.properties ? '.' : ''}`, problems, notices)]))
  }
  if (value === undefined) return structuredClone(schema.default)
  const type = typeOf(value)
  const fits = types.length === 0 || types.includes(type) || (type === 'integer' && types.includes('number'))
  const within = typeof value !== 'number' ||
    (value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity))
  if (!fits || !within || (schema.enum && !schema.enum.includes(value))) {
    const bounds = schema.minimum === undefined ? '' : ` from ${schema.minimum}${schema.maximum ? ` to ${schema.maximum}` : ''}`
    problems.push(`${at.replace(/\.$/, '')}: got ${show(value)}, takes ${schema.enum?.map(show).join(', ') ??
      types.join(' or ') + bounds}`)
    return undefined
  }
  const inner = schema.items ?? (object(schema.additionalProperties) as Schema | undefined)
  if (inner) for (const [name, entry] of Object.entries(value as object)) conform(inner, entry, `${at}.${name}`, problems, notices)
  return schema.additionalProperties ? { ...schema.default as Unknown, ...value as Unknown } : value
}

function nearest (name: string, known: string[]): string {
  const pairs = (word: string) => new Set(Array.from(word.toLowerCase(), (letter, n) => letter + (word[n + 1] ?? '').toLowerCase()))
  const wanted = pairs(name)
  return known.map(word => [word, [...pairs(word)].filter(pair => wanted.has(pair)).length / word.length] as const)
    .reduce((best, next) => next[1] > best[1] ? next : best)[0]
}

/** Names of earlier generations: old path, new path, and the new value for an old one where it differs. */
const ALIASES: [string, string, ((value: unknown) => unknown)?][] = [
  ['ipp.showDownloadAll', 'ipp.allowDownloadAll', value => typeof value === 'boolean' ? Number(value) : value],
  ['ipp.allowDownload', 'ipp.allowDownloadAll', value => typeof value === 'boolean' ? Number(value) : value],
  ['ipp.maxDownloadQuality', 'ipp.downloadOriginalPhoto', value => typeof value === 'string' ? value === 'original' : value],
  ['ipp.downloadOriginal', 'ipp.downloadOriginalPhoto'],
  ['ipp.showTitle', 'ipp.showGalleryTitle'],
  ['ipp.showDescription', 'ipp.showGalleryDescription'],
  ...['singleImageGallery', 'singleVideoGallery', 'singleItemAutoOpen', 'showGalleryTitle', 'showGalleryDescription',
    'showExpiryDate', 'groupByDate', 'downloadedFilename', 'allowDownloadAll', 'downloadOriginalPhoto', 'showMetadata',
    'maxZoomQuality'].flatMap((name): [string, string][] =>
    [[`ipp.gallery.${name}`, `ipp.${name}`], [`ipp.lightbox.${name}`, `ipp.${name}`]]),
  ['ipp.gallery.singleImage', 'ipp.singleImageGallery'],
  ['ipp.gallery.singleVideo', 'ipp.singleVideoGallery'],
  ['ipp.gallery.showTitle', 'ipp.showGalleryTitle'],
  ['ipp.gallery.showDescription', 'ipp.showGalleryDescription'],
  ['ipp.gallery.allowDownload', 'ipp.allowDownloadAll', value => typeof value === 'boolean' ? Number(value) : value],
  ['ipp.lightbox.autoOpen', 'ipp.singleItemAutoOpen'],
  ['ipp.lightbox.maxDownloadQuality', 'ipp.downloadOriginalPhoto', value => typeof value === 'string' ? value === 'original' : value]
]

/** Moves what stands under an old name to its new one, which wins where both are given. */
function rename (config: Unknown, notices: string[]): void {
  const parent = (path: string[]) => path.slice(0, -1).reduce<Unknown | undefined>((at, name) => object(at?.[name]), config)
  for (const [from, to, convert = (value: unknown) => value] of ALIASES) {
    const [old, now] = [from.split('.'), to.split('.')]
    const [oldName, newName] = [old.at(-1)!, now.at(-1)!]
    const source = parent(old)
    if (!source || !Object.hasOwn(source, oldName)) continue
    const target = parent(now)!
    if (!Object.hasOwn(target, newName)) target[newName] = convert(source[oldName])
    notices.push(`${from} is now ${to}`)
    delete source[oldName]
  }
  for (const name of ['gallery', 'lightbox']) {
    const rest = object(object(config.ipp)?.[name])
    if (rest && Object.keys(rest).length === 0) delete object(config.ipp)![name]
  }
}

/**
 * The settings, from the environment and from config.json (or `CONFIG` itself, or the file that `IPP_CONFIG` names).
 * Throws a ConfigError with a line for each thing that is wrong.
 */
export function loadSettings (env: NodeJS.ProcessEnv, root: URL): Settings {
  const problems: string[] = []
  const notices: string[] = []
  const schema = JSON.parse(readFileSync(new URL('config.schema.json', root), 'utf8')) as Schema
  const source = env.CONFIG ? 'CONFIG' : env.IPP_CONFIG ? `IPP_CONFIG ${env.IPP_CONFIG}` : 'config.json'
  let given: unknown = {}
  try {
    given = JSON.parse(env.CONFIG || readFileSync(env.IPP_CONFIG || new URL('config.json', root), 'utf8'))
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT' && !env.IPP_CONFIG
    if (!missing) problems.push(`${source}: ${(error as Error).message}, takes JSON`)
  }
  if (object(given)) rename(given as Unknown, notices)
  else problems.push(`${source}: got ${typeOf(given)}, takes an object`)
  const config = conform(schema, given, '', problems, notices) as Config
  const variable = <T>(name: string, otherwise: T, takes: string, parse: (value: string) => T | undefined): T => {
    const value = env[name]
    if (value === undefined || value === '') return otherwise
    const parsed = parse(value)
    if (parsed === undefined) problems.push(`${name}: got ${show(value)}, takes ${takes}`)
    return parsed ?? otherwise
  }
  const address = 'an address such as http://immich-server:2283'
  if (!env.IMMICH_URL) problems.push(`IMMICH_URL: got nothing, takes ${address}`)
  const trustedProxies = new BlockList()
  for (const entry of config?.ipp?.trustedProxies ?? []) {
    const [net = '', bits] = entry.split('/')
    const family = isIP(net)
    const width = family === 6 ? 128 : 32
    if (!family || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= width))) {
      problems.push(`ipp.trustedProxies: got ${show(entry)}, takes an address or a range such as 10.0.0.0/8`)
    } else trustedProxies.addSubnet(net, Number(bits ?? width), family === 6 ? 'ipv6' : 'ipv4')
  }
  for (const [name, value] of Object.entries(config?.ipp?.responseHeaders ?? {})) {
    if (!/^[!#$%&'*+.^`|~\w-]+$/.test(name) || !/^[\t\x20-\x7e]*$/.test(text(value))) {
      problems.push(`ipp.responseHeaders: got ${show(name)}: ${show(value)}, takes a header's name and value`)
    }
  }
  const custom = config?.ipp?.customInvalidResponse
  if ((custom as unknown) === true || (typeof custom === 'string' && !URL.canParse(custom)) ||
    (typeof custom === 'string' && !/^https?:/i.test(custom))) {
    problems.push(`ipp.customInvalidResponse: got ${show(custom)}, takes false, a status, an http(s) address or null`)
  }
  const settings = {
    ...config?.ipp,
    lightGallery: config?.lightGallery,
    immichUrl: variable('IMMICH_URL', '', address, parseBase).replace(/\/api$/, ''),
    publicBaseUrl: variable('PUBLIC_BASE_URL', '', 'an address such as https://photos.example.com', parseBase),
    host: variable('IPP_HOST', '::', 'an IP address', value => isIP(value) ? value : undefined),
    port: variable('IPP_PORT', 3000, 'a port from 0 to 65535',
      value => /^\d{1,5}$/.test(value) && Number(value) < 65536 ? Number(value) : undefined),
    secret: variable('IPP_SECRET', '', '16 characters or more', value => value.length >= 16 ? value : undefined),
    logLevel: variable('LOG_LEVEL', 'info' as LogLevel, LOG_LEVELS.join(', '),
      value => LOG_LEVELS.find(level => level === value.toLowerCase())),
    trustedProxies,
    notices,
    changed: {}
  }
  if (problems.length) throw new ConfigError(problems.join('\n'))
  settings.changed = difference(conform(schema, {}, '', [], []), config, '')
  return settings
}

/** The values of `now` that differ from those of `before`, by their paths. */
function difference (before: unknown, now: unknown, at: string): Record<string, unknown> {
  if (!object(before) || !object(now) || at === 'ipp.responseHeaders') {
    return JSON.stringify(before) === JSON.stringify(now) ? {} : { [at]: now }
  }
  return Object.assign({}, ...Object.keys(now as object).map(name =>
    difference((before as Unknown)[name], (now as Unknown)[name], at ? `${at}.${name}` : name)))
}
