/**
 * What comes from a visitor becomes a trusted type here, or goes no further: path, headers, cookies and form.
 * Immich's JSON does so in `immich-json.ts`, by the same means; the environment and config.json in
 * `settings.ts`. The branded types below are made by `match` alone, and the door to Immich (`immich.ts`)
 * takes nothing else.
 *
 * Each `parse…` gives undefined for what it does not accept, and none throws.
 */
import type { IncomingMessage } from 'node:http'
import { isIP, type BlockList } from 'node:net'
import { decode, list, match, object, parseJson, text } from './unknown.ts'

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

// ------------------------------------------------------------------------------------- links, assets, ranges

export const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/
export const parseAssetId = (value: unknown): AssetId | undefined => match(UUID, text(value).toLowerCase())
export const KEY_BYTES = 50
/**
 * A share key. Immich takes 50 bytes as base64url, padded or not, or as hexadecimal (recordings
 * 00-general/me-key-*): all spellings of one key become one, so that no cache and no limit can be had several
 * times.
 */
export function parseKey (value: unknown): Key | undefined {
  if (typeof value !== 'string' || !/^[\w-]{1,128}={0,2}$/.test(value)) return undefined
  const bytes = Buffer.from(value, /^[\da-f]{100}$/i.test(value) ? 'hex' : 'base64url')
  return (bytes.length === KEY_BYTES ? bytes.toString('base64url') : value) as Key
}
/** A custom address of a link: any text without control characters (Immich answers NUL with 500). */
export const parseSlug = (value: unknown): Slug | undefined => match(/^[^\p{Cc}\p{Cs}]{1,255}$/u, value)
export function parseLinkRef (key: unknown, slug?: unknown): LinkRef | undefined {
  const own = parseKey(key)
  const custom = parseSlug(slug)
  return own ? { key: own } : custom && { slug: custom }
}
/** A path of this very link, at which its visitor goes on after the unlock. */
export function ownPath (value: unknown, ref: LinkRef): string | undefined {
  const path = text(value)
  const [, name] = /^\/(?:share(?:\/photo|\/video)?|s)\/([^/\s\\?#]+)(?:\/[\w-]+){0,2}$/.exec(path) ?? []
  const given = path.startsWith('/s/') ? parseSlug(decode(name)) : parseKey(decode(name))
  return given === ('key' in ref ? ref.key : ref.slug) ? path : undefined
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
/** The first and the last byte of a part, counted from 0. */
export type Part = { first: number, last: number }
/** The part that a range is of `size` bytes; undefined where it cannot be satisfied (section 14.1.2). */
export function resolveRange (range: ByteRange, size: number): Part | undefined {
  const [from = '', to = ''] = range.slice(6).split('-')
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first <= last && first < size ? { first, last } : undefined
}

// --------------------------------------------------------------------------------------- a visitor's request

const SIZES = ['thumbnail', 'preview', 'fullsize', 'original'] as const
export type Size = typeof SIZES[number]
/**
 * What a part of an address may be, by its name in the table of routes; `version` and `file` are only
 * compared.
 */
export type Segments = {
  key: Key, slug: Slug, id: AssetId, size: Size, stretch: number, version: string, file: string
}
const SEGMENTS: { [Name in keyof Segments]: (segment: string) => Segments[Name] | undefined } = {
  key: parseKey,
  slug: parseSlug,
  id: parseAssetId,
  size: segment => SIZES.find(size => size === segment),
  stretch: segment => /^\d{1,6}$/.test(segment) ? Number(segment) : undefined,
  version: segment => segment,
  file: segment => segment
}

/**
 * The parts that `pattern` names of a path; undefined where it does not match, or a part is not what it may
 * be.
 */
export function parsePath (pattern: RegExp, path: string): Partial<Segments> | undefined {
  const found = pattern.exec(path)
  if (!found) return undefined
  const parts = Object.entries(found.groups ?? {}).map(([name, segment]) =>
    [name, SEGMENTS[name as keyof Segments](decode(segment) ?? '')] as const)
  return parts.some(([, value]) => value === undefined) ? undefined : Object.fromEntries(parts)
}

/** What chats and mails put after an address: marks, blanks and what nobody sees. */
// eslint-disable-next-line regexp/no-super-linear-move -- of a part of a path of 2,048 characters
const AFTER_ADDRESS = /[\s.,;:!?)>\]}*_'"`»”’…\u00a0\u200b-\u200f\u2060\ufeff]+$/u
/**
 * The address that was meant, where a link or a photo of it was pasted with what a chat put around it, in
 * other letters, or in Immich's own form; undefined where it is none, or that one. `/Share/KEY).` is
 * `/share/KEY`, and `/share/KEY/photos/ID` is `/share/KEY/ID`.
 */
export function cleanAddress (path: string): string | undefined {
  const [, kind = '', name, rest = ''] = /^\/+(share|s)\/+([^/]+)((?:\/[^/]+)*)\/?$/i.exec(path) ?? []
  const meant = decode(name)?.replace(AFTER_ADDRESS, '')
  const [, id, after = rest] = /^(?:\/photos)?\/([\da-f-]{36})(.*)$/i.exec(rest) ?? []
  const isWhole = decode(after)?.replace(AFTER_ADDRESS, '') === ''
  const isName = kind.toLowerCase() === 's' ? parseSlug(meant) : parseKey(meant)
  if (!meant || !isName || !isWhole) return undefined
  const clean = `/${kind.toLowerCase()}/${encodeURIComponent(meant)}${id ? `/${id.toLowerCase()}` : ''}`
  return decode(clean) === decode(path) ? undefined : clean
}

/** The link in an address as it is copied from a browser, or its path alone; also one of a photo of it. */
export function parseLinkAddress (address: string): LinkRef | undefined {
  const path = URL.parse(address)?.pathname ?? address
  const [, kind, segment] = /^\/(share|s)\/([^/]+)(?:\/[^/]+)?\/?$/.exec(path) ?? []
  const name = decode(segment)
  return kind === 's' ? parseLinkRef(undefined, name) : parseLinkRef(name)
}

const PROBLEMS = ['wrongPassword', 'tooMany'] as const
/**
 * `page` counts from 1, of the gallery without script; `version` is that of a picture, '' where there is
 * none; `problem` is what the password form has to say.
 */
export type Target = { path: string, page: number, version: string, problem?: typeof PROBLEMS[number] }
/**
 * What is asked for, from the request target of RFC 9112 section 3.2; with no path where that is too
 * long. Of a query nothing else is read.
 */
export function parseTarget (target: string): Target {
  const [path = '', query = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 2)
  const page = Number(/(?:^|&)page=(\d{1,6})(?:&|$)/.exec(query)?.[1] ?? 1)
  const version = /(?:^|&)v=([a-z\d]{1,8})(?:&|$)/.exec(query)?.[1] ?? ''
  const problem = PROBLEMS.find(problem => query === `problem=${problem}`)
  const short = path.length > 2048 ? '' : path
  return { path: short, page: Math.max(1, page), version, ...problem && { problem } }
}

/**
 * What of a visitor's headers is listened to. `address` is by the trusted-proxy rule, an IPv6 one by its /64,
 * which is what one customer has; `base` is scheme and host as the visitor sees them, '' where unknown;
 * `languages` best first.
 */
export type Visitor = Conditions & {
  /** whether a page of another site sends this, as far as the browser says so (Fetch metadata, Origin) */
  isForeign: boolean
  /** whether `address` is beyond doubt: the other end's own, or from a proxy that the operator names */
  isCertain: boolean
  address: string, cookies: Map<string, string>, wantsHtml: boolean
  secure: () => boolean, base: () => string, languages: () => string[], encodings: () => string[]
}
export type Conditions = {
  range?: ByteRange, ifRange?: EntityTag | HttpDate
  ifNoneMatch?: EntityTag, ifModifiedSince?: HttpDate
}
/** `proxiesAreNamed` where the operator says which they are, and not only the default. */
export type Trust = { trustedProxies: BlockList, proxiesAreNamed: boolean, publicBaseUrl: string }

const parseTag = (value: unknown): EntityTag | undefined => match(/^[\x21-\x7e ]{1,500}$/, value)
const parseDate = (value: unknown): HttpDate | undefined =>
  match(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/, value)
/** Names of a weighted list of RFC 9110 section 12.4.2, best first. */
const weighted = (value: unknown): string[] => text(value).slice(0, 500).toLowerCase().split(',')
  .map(part => [part.replace(/;.*/s, '').trim(), Number(/;\s*q=([\d.]+)/.exec(part)?.[1] ?? 1)] as const)
  .filter(([name, weight]) => name && weight > 0).sort((a, b) => b[1] - a[1]).map(([name]) => name)
/** An http or https address without a slash at the end. */
export function parseBase (value: unknown): string | undefined {
  const url = match<string>(/^https?:\/\/[^\s"<>@]{1,300}$/i, value)
  if (!url || !URL.canParse(url)) return undefined
  const { origin, pathname } = new URL(url)
  // eslint-disable-next-line regexp/no-super-linear-move -- of 300 characters at most
  return (origin + pathname).replace(/\/+$/, '')
}

/** Of an http or https address the scheme and host alone, for everything is below /share and /s of a host. */
export const parseOrigin = (value: unknown): string | undefined => URL.parse(parseBase(value) ?? '')?.origin

type Headers = IncomingMessage['headers']

/** The /48 of a visitor's IPv6 /64, which one who has many may have; else the address itself. */
export const wideNetwork = (address: string): string =>
  address.endsWith('::/64') ? `${address.split(':').slice(0, 3).join(':')}::/48` : address

/** The other end of a connection, an IPv6 one by its /64, and whether it is a proxy that is trusted. */
export function parsePeer (peer: string | undefined, trust: Trust): { address: string, isTrusted: boolean } {
  const address = plain(peer ?? '')
  return { address: isIP(address) === 6 ? network(address) : address, isTrusted: isTrusted(trust, address) }
}

/** Who asks: the peer, or whom a trusted proxy names in X-Forwarded-For, read from its end. */
function parseAddress (headers: Headers, peer: string, trust: Trust): string {
  let address = plain(peer)
  const hops = text(headers['x-forwarded-for']).slice(-1000).split(',').reverse()
  for (const given of hops) {
    if (!isTrusted(trust, address)) break
    const hop = plain(given.trim().replace(/^\[([^\]]*)\](:\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1'))
    if (!isIP(hop)) break
    address = hop
  }
  return isIP(address) === 6 ? network(address) : address
}

/** Name and value of each cookie; all of them, for a header has a bound of its own. */
function parseCookies (header = ''): Map<string, string> {
  const pairs = header.split(';').filter(Boolean).map(pair => pair.split(/=(.*)/s))
  return new Map(pairs.map(([name = '', value = '']) => [name.trim(), value.trim()]))
}

/**
 * A form that a page of another site sends. With no referrer a browser says `Origin: null`, and the rest
 * tells.
 */
function isForeign (headers: Headers, base: () => string): boolean {
  const site = text(headers['sec-fetch-site'])
  if (site) return site !== 'same-origin' && site !== 'none'
  const origin = text(headers.origin)
  return origin !== '' && origin !== 'null' && URL.parse(origin)?.host !== URL.parse(base())?.host
}

/**
 * The visitor behind a connection from `peer`. What is not understood is not there. What only pages ask for
 * are functions, so that it is only read then.
 */
export function parseVisitor (headers: Headers, peer: string, trust: Trust): Visitor {
  const other = plain(peer)
  const behindProxy = isTrusted(trust, other)
  const forwarded = (name: string) => behindProxy ? text(headers[name]).replace(/,.*/s, '').trim() : ''
  const scheme = match(/^https?$/, forwarded('x-forwarded-proto').toLowerCase()) ?? 'http'
  const base = (): string => {
    const host = forwarded('x-forwarded-host') || headers.host
    const fixed = parseOrigin(forwarded('publicbaseurl')) ?? trust.publicBaseUrl
    return fixed || parseOrigin(`${scheme}://${host}`) || ''
  }
  return {
    address: parseAddress(headers, peer, trust),
    // a proxy on this very machine is named enough; any other private address may be Docker's own gateway
    isCertain: trust.proxiesAreNamed || !behindProxy || !headers['x-forwarded-for'] || LOOPBACK.test(other),
    base,
    secure: () => scheme === 'https' || base().startsWith('https:'),
    isForeign: isForeign(headers, base),
    cookies: parseCookies(headers.cookie),
    wantsHtml: text(headers.accept).includes('text/html'),
    languages: () => weighted(headers['accept-language']),
    encodings: () => weighted(headers['accept-encoding']),
    range: parseRange(headers.range),
    ifRange: parseDate(headers['if-range']) ?? parseTag(headers['if-range']),
    ifNoneMatch: parseTag(headers['if-none-match']),
    ifModifiedSince: parseDate(headers['if-modified-since'])
  }
}

const LOOPBACK = /^(127\.|::1$)/
/** An address without its zone; an IPv4 address inside an IPv6 one counts as itself. */
const plain = (address: string): string => address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*/s, '')

/** The first four groups of an IPv6 address. */
function network (address: string): string {
  const [left = [], right = []] = address.split('::').map(half => half ? half.split(':') : [])
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  const groups = [...left, ...zeros, ...right].slice(0, 4).map(group => parseInt(group, 16).toString(16))
  return `${groups.join(':')}::/64`
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
