/**
 * Turns what a visitor sends into typed values: path, headers and cookies. Anything that does not fit
 * goes no further. Of what a visitor sends, only the branded types below reach Immich.
 *
 * Each parser of a single value returns undefined for what it does not accept; none throws.
 */
import type { IncomingMessage } from 'node:http'
import { match, text } from './json.ts'
import { isTrustedProxy, plainAddress, visitorAddress, type Trust } from './visitor-address.ts'

declare const trusted: unique symbol
type Trusted<Name extends string> = string & { readonly [trusted]: Name }
export type Key = Trusted<'key'>
export type Slug = Trusted<'slug'>
/** How an address names a link: by its share key, or by its custom slug. */
export type LinkAddress = { key: Key } | { slug: Slug }
export type AssetId = Trusted<'asset id'>
export type AlbumId = Trusted<'album id'>
export type Month = Trusted<'month'>
export type Token = Trusted<'token'>
export type Password = Trusted<'password'>
/** One byte range of RFC 9110 section 14.1.2. */
export type ByteRange = Trusted<'byte range'>

// ------------------------------------------------------------------------------------- links, assets, ranges

export const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/
/** An asset's id, in lower case. */
export const parseAssetId = (value: unknown): AssetId | undefined => match(UUID, text(value).toLowerCase())

/** the bytes of every share key that Immich makes */
export const KEY_BYTES = 50
/**
 * A share key, in one spelling. Immich accepts its 50 bytes as base64url, padded or not, and as hexadecimal
 * (recordings 00-general/me-key-*). Several spellings would give a visitor several limits and cache entries.
 */
export function parseKey (value: unknown): Key | undefined {
  if (typeof value !== 'string' || !/^[\w-]{1,128}={0,2}$/.test(value)) return undefined
  const bytes = Buffer.from(value, /^[\da-f]{100}$/i.test(value) ? 'hex' : 'base64url')
  return (bytes.length === KEY_BYTES ? bytes.toString('base64url') : value) as Key
}

/**
 * A slug, a link's custom name: any text without control characters (Immich answers NUL with 500), in the
 * one Unicode form that Immich's web page sends (NFC).
 */
export const parseSlug = (value: unknown): Slug | undefined =>
  match(/^[^\p{Cc}\p{Cs}]{1,255}$/u, text(value).normalize('NFC'))

/** The link that a key or a slug names; the key counts if both are given. */
export function parseLinkAddress (key: unknown, slug?: unknown): LinkAddress | undefined {
  const validKey = parseKey(key)
  if (validKey) return { key: validKey }
  const validSlug = parseSlug(slug)
  return validSlug && { slug: validSlug }
}

/** 1 to 256 characters without NUL. */
export const parsePassword = (value: unknown): Password | undefined => match(/^[^\0]{1,256}$/, value)
/** Immich's token of an unlocked link: base64 (recording 02-album-password/login-right). */
export const parseToken = (value: unknown): Token | undefined => match(/^[\w+/=,-]{1,256}$/, value)

/**
 * One range of bytes. Undefined for other units, several ranges and nonsense: RFC 9110 section 14.2 lets a
 * server answer all of these with the whole.
 */
export const parseRange = (value: unknown): ByteRange | undefined =>
  match(/^bytes=(\d{1,15}-\d{0,15}|-\d{1,15})$/, text(value).replace(/[ \t]/g, '').toLowerCase())

/** The first and the last byte of a part, counted from 0. */
export type Part = { first: number, last: number }
/** The part of `size` bytes that a range asks for; undefined if it cannot be satisfied (section 14.1.2). */
export function resolveRange (range: ByteRange, size: number): Part | undefined {
  const [from = '', to = ''] = range.slice(6).split('-')
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
  return first <= last ? { first, last } : undefined
}

// --------------------------------------------------------------------------------------- a visitor's request

const PROBLEMS = ['wrongPassword', 'tooMany', 'cookiesOff'] as const
/**
 * A request's path and query: `page` of the gallery without JavaScript, from 1; `version` of a picture, '' if
 * none; `chosen` items of a zip, unchecked, absent for all; `problem` that the password form should mention.
 * Nothing else is read from a query.
 */
export type Target = {
  path: string, page: number, version: string, chosen?: string, problem?: typeof PROBLEMS[number]
}

/** Reads a request target (RFC 9112 section 3.2). The path is '' if it is longer than 2,048 characters. */
export function parseTarget (target: string): Target {
  const [path = '', query = ''] = target.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 2)
  const page = Number(/(?:^|&)page=(\d{1,6})(?:&|$)/.exec(query)?.[1] ?? 1)
  const version = /(?:^|&)v=([\w-]{1,12})(?:&|$)/.exec(query)?.[1] ?? ''
  const chosen = /(?:^|&)of=([^&]*)/.exec(query)?.[1]
  const problem = PROBLEMS.find(problem => query === `problem=${problem}`)
  const short = path.length > 2048 ? '' : path
  const more = { ...chosen !== undefined && { chosen }, ...problem && { problem } }
  return { path: short, page: Math.max(1, page), version, ...more }
}

/**
 * A visitor, as far as headers describe one. `address` follows the trusted-proxy rule; an IPv6 address
 * counts by its /64, which is what one customer has. `base` is scheme and host as the visitor sees them, ''
 * if unknown.
 */
export type Visitor = {
  address: string
  /** whether the visitor may have chosen `address`, because an unlisted proxy passed it on */
  isForgeable: boolean
  /** whether a page of another site sent the request, as far as the browser says (Fetch metadata, Origin) */
  isCrossSite: boolean
  /** whether a page of another site requests this as a part of itself, such as an image or a frame */
  isEmbedded: boolean
  isHttps: boolean, base: string, wantsHtml: boolean
  cookies: ReadonlyMap<string, string>
  range?: ByteRange, ifRange?: string, ifNoneMatch?: string, acceptLanguage: string, acceptEncoding: string
}
const ADDRESS = /^https?:\/\/[^\s"<>@]{1,300}$/i
/** An http or https address; null if it is none. */
export const parseUrl = (value: unknown): URL | null => URL.parse(match<string>(ADDRESS, value) ?? '')

/** Scheme and host of an http or https address; its path does not count, for links start at the root. */
export const parseOrigin = (value: unknown): string | undefined => parseUrl(value)?.origin

type Headers = IncomingMessage['headers']

/** Name and value of each cookie of this program. */
function parseCookies (header = ''): Map<string, string> {
  const cookies = header.matchAll(/(?<=^|;)\s*((?:__Secure-)?ipp[\w-]*)=([^;]*)/g)
  return new Map([...cookies].map(([, name = '', value = '']) => [name, value.trim()]))
}

/** Without a referrer, browsers send `Origin: null`; then Fetch metadata has to tell. */
function isCrossSite (headers: Headers, base: string): boolean {
  const site = text(headers['sec-fetch-site'])
  if (site) return site !== 'same-origin' && site !== 'none'
  const origin = text(headers.origin)
  return origin !== '' && origin !== 'null' && URL.parse(origin)?.host !== URL.parse(base)?.host
}

/** The visitor behind a connection from the address `peer`. */
export function parseVisitor (headers: Headers, peer: string, trust: Trust): Visitor {
  const sender = plainAddress(peer)
  const isProxied = isTrustedProxy(trust, sender)
  const forwarded = (name: string) => isProxied ? text(headers[name]).replace(/,.*/s, '').trim() : ''
  const scheme = match(/^https?$/, forwarded('x-forwarded-proto').toLowerCase()) ?? 'http'
  const host = forwarded('x-forwarded-host') || headers.host
  const fixed = parseOrigin(forwarded('publicbaseurl')) ?? trust.publicBaseUrl
  const base = fixed || parseOrigin(`${scheme}://${host ?? ''}`) || ''
  const range = parseRange(headers.range)
  const ifRange = headers['if-range']
  const ifNoneMatch = headers['if-none-match']
  return {
    ...visitorAddress(text(headers['x-forwarded-for']), peer, trust),
    isCrossSite: isCrossSite(headers, base),
    isEmbedded: ['cross-site', 'same-site'].includes(text(headers['sec-fetch-site'])) &&
      headers['sec-fetch-dest'] !== 'document',
    isHttps: scheme === 'https' || base.startsWith('https:'),
    base, wantsHtml: text(headers.accept).includes('text/html'),
    cookies: parseCookies(headers.cookie),
    ...range && { range }, ...ifRange !== undefined && { ifRange: text(ifRange) },
    ...ifNoneMatch && { ifNoneMatch },
    acceptLanguage: text(headers['accept-language']), acceptEncoding: text(headers['accept-encoding'])
  }
}
