/**
 * How everything is answered. `begin` is the one function that writes a status and headers; what it must not
 * say, for a link with a password or one that ends, is decided here and nowhere else.
 */
import { createHash } from 'node:crypto'
import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Settings } from './settings.ts'
import type { Conditions, Visitor } from './validate.ts'

type Kind = 'page' | 'data' | 'media' | 'static'
/** What every answer carries, by its kind. */
const ALWAYS: Record<Kind, Headers> = {
  page: {
    'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; " +
      "img-src 'self' data:; media-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; " +
      "frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types default",
    'cross-origin-opener-policy': 'same-origin', 'x-frame-options': 'DENY',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    vary: 'accept, accept-encoding, accept-language, cookie'
  },
  data: {
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    vary: 'accept-encoding, cookie'
  },
  media: {
    'content-security-policy':
      "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
  },
  static: { 'content-security-policy': "default-src 'none'", vary: 'accept-encoding' }
}
export type Headers = Record<string, string | number | string[] | undefined>
/** Of the link whose content this is, what decides who may keep it; `expiresAt` in ms since 1970. */
type Owner = { protected: boolean, expiresAt?: number }
/**
 * Without a `link`, and for errors, nothing is kept anywhere but static files; what has its version in the
 * address (`isVersioned`) may be kept for long.
 */
export type Answer =
  { status: number, kind: Kind, link?: Owner | undefined, headers?: Headers, isVersioned?: boolean }

/** Seconds for which what may change under its address is kept. */
const SHORT = 300

/** A Cache-Control, but with no age beyond so many seconds. */
function atMost (most: number, wanted: string): string {
  const shorter = (_: string, name: string, seconds: string) => name + Math.min(most, Number(seconds))
  const parts = wanted.split(',')
    .map(part => part.trim().replace(/(max-?age=)"?(\d+)"?/i, shorter))
    .filter(part => !/^(immutable|stale-.*|)$/i.test(part))
  if (!parts.some(part => /^max-age=/i.test(part))) parts.push(`max-age=${most}`)
  return parts.join(', ')
}

/** `Cache-Control`: never past the end of the link, never anywhere public where it has a password. */
function cacheControl ({ status, kind, link, isVersioned }: Answer, { responseHeaders }: Settings): string {
  if (status >= 400) return 'no-store'
  if (kind === 'static') return isVersioned ? 'public, max-age=31536000, immutable' : 'no-cache'
  if (!link) return 'no-store'
  if (kind !== 'media') return link.protected ? 'private, no-store' : 'no-cache'
  const wanted = link.protected ? 'private, max-age=3600' : responseHeaders['cache-control'] || 'no-cache'
  const bounds = isVersioned ? [] : [SHORT]
  if (link.expiresAt !== undefined) bounds.push(Math.floor((link.expiresAt - Date.now()) / 1000))
  return bounds.length > 0 ? atMost(Math.max(0, Math.min(...bounds)), wanted) : wanted
}

/** Writes status and headers: the only place of this program that does. */
export function begin (response: ServerResponse, answer: Answer, settings: Settings): ServerResponse {
  const { status, kind, link } = answer
  const open = link !== undefined && !link.protected && status < 400
  const headers: Headers = { ...open && settings.responseHeaders }
  if (link?.expiresAt !== undefined) delete headers.expires
  Object.assign(headers, answer.headers, ALWAYS[kind], {
    'cache-control': cacheControl(answer, settings),
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': open && kind === 'media' ? 'cross-origin' : 'same-origin',
    'x-content-type-options': 'nosniff',
    'x-robots-tag': 'noindex, nofollow'
  })
  const lines: OutgoingHttpHeader[] = []
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && value !== '') lines.push(name, value)
  }
  return response.writeHead(status, lines)
}

/** RFC 9110 section 13.1.2 and 13.1.3: whether the visitor has this very thing already. */
export function isUnchanged (etag: string, modified: string | undefined, conditions: Conditions): boolean {
  const { ifNoneMatch, ifModifiedSince } = conditions
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  if (ifNoneMatch?.trim() === '*') return true
  if (ifNoneMatch) return ifNoneMatch.split(',').some(tag => opaque(tag) === opaque(etag))
  // where either is missing it is no number, and nothing is at most that
  return Date.parse(modified ?? '') <= Date.parse(ifModifiedSince ?? '')
}

// ----------------------------------------------------------------------------------------------------- texts

export const HTML = 'text/html; charset=utf-8'
export const JSON_TYPE = 'application/json; charset=utf-8'
export const FEED_TYPE = 'application/feed+json; charset=utf-8'
/** A page, a list or a static file: compressed at most once in each way. */
export type Text = { type: string, etag: string, raw: Buffer, br?: Promise<Buffer>, gzip?: Promise<Buffer> }

export function asText (type: string, body: string | Buffer): Text {
  const raw = Buffer.from(body)
  const hash = createHash('sha256').update(raw).digest('base64url').slice(0, 20)
  return { type, raw, etag: `W/"${hash}"` }
}

const compressBrotli = promisify(brotliCompress)
const compressGzip = promisify(gzip)
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }
/** Bytes below which compressing gains nothing. */
const TOO_SHORT = 500

/** The body in the best encoding that the visitor takes, with the name of that. */
async function encode (text: Text, visitor: Visitor): Promise<{ body: Buffer, encoding?: string }> {
  if (text.raw.length < TOO_SHORT) return { body: text.raw }
  const taken = visitor.encodings()
  const encoding = (['br', 'gzip'] as const).find(name => taken.includes(name))
  if (!encoding) return { body: text.raw }
  text[encoding] ??= encoding === 'br' ? compressBrotli(text.raw, BROTLI) : compressGzip(text.raw)
  return { body: await text[encoding], encoding }
}

type To = { response: ServerResponse, visitor: Visitor }
const NOTHING = asText('', '')

/** Sends a text, or says that it has not changed. Only what may be kept by a browser has an ETag. */
export async function send ({ response, visitor }: To, answer: Answer, settings: Settings, text = NOTHING) {
  const mayBeKept = answer.status === 200 && (answer.kind === 'static' || answer.link?.protected === false)
  const etag = mayBeKept ? text.etag : undefined
  if (etag && isUnchanged(etag, undefined, visitor)) {
    begin(response, { ...answer, status: 304, headers: { ...answer.headers, etag } }, settings).end()
    return
  }
  const { body, encoding } = await encode(text, visitor)
  if (response.destroyed) return
  const encoded = { 'content-encoding': encoding, 'content-length': body.length }
  const headers = { ...answer.headers, 'content-type': text.type, ...encoded, etag }
  begin(response, { ...answer, headers }, settings)
  // of which Node sends nothing to HEAD
  response.end(body)
}
