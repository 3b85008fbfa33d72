/**
 * How everything is answered. `begin` is the one function that writes a status and headers; what it must not
 * say, for a link with a password or one that ends, is decided here and nowhere else.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { promisify } from 'node:util'
import { brotliCompress, constants, createBrotliCompress, createGzip, gzip } from 'node:zlib'
import { release, unchanged, type Chunk, type Link, type Parts } from './immich.ts'
import { ratioRules } from './render.ts'
import type { Settings } from './settings.ts'
import type { Visitor } from './validate.ts'

type Kind = 'page' | 'data' | 'media' | 'static'
/** What every answer carries, by its kind. */
const ALWAYS: Record<Kind, Headers> = {
  page: {
    'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; " +
      "img-src 'self' data:; media-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; " +
      "frame-ancestors 'none'; form-action 'self'",
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
  static: { 'content-security-policy': "default-src 'none'" }
}
export type Headers = Record<string, string | number | string[] | undefined>
/** `link` is the one whose content this is: without one, and for errors, nothing is kept anywhere. */
export type Answer = { status: number, kind: Kind, link?: Link | undefined, headers?: Headers }

/**
 * `Cache-Control` for what a link shares: never past its end, never anywhere public where it has a password.
 */
function cacheControl ({ status, kind, link }: Answer, { responseHeaders }: Settings): string {
  if (kind === 'static' && status < 400) return 'public, max-age=31536000, immutable'
  if (!link || (status >= 400 && status !== 416)) return 'no-store'
  if (link.protected) return kind === 'media' ? 'private, max-age=3600' : 'private, no-store'
  if (kind !== 'media') return 'no-cache'
  const wanted = responseHeaders['cache-control'] || 'no-cache'
  if (link.expiresAt === undefined) return wanted
  const left = Math.max(0, Math.floor((link.expiresAt - Date.now()) / 1000))
  const capped = (_: string, name: string, seconds: string) => name + Math.min(left, Number(seconds))
  const parts = wanted.split(',').map(part => part.trim().replace(/(max-?age=)"?(\d+)"?/i, capped))
    .filter(part => !/^(immutable|stale-.*|)$/i.test(part))
  return [...parts, ...parts.some(part => /^max-age=/i.test(part)) ? [] : [`max-age=${left}`]].join(', ')
}

/** Writes status and headers: the only place of this program that does. */
export function begin (response: ServerResponse, answer: Answer, settings: Settings): ServerResponse {
  const { status, kind, link } = answer
  const open = link !== undefined && !link.protected && status < 400
  const headers: Headers = { ...open && settings.responseHeaders }
  if (link?.expiresAt !== undefined) delete headers.expires
  Object.assign(headers, answer.headers, ALWAYS[kind], {
    'cache-control': cacheControl(answer, settings), 'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': open && kind === 'media' ? 'cross-origin' : 'same-origin',
    'x-content-type-options': 'nosniff', 'x-robots-tag': 'noindex, nofollow'
  })
  const lines: OutgoingHttpHeader[] = []
  for (const name in headers) if (headers[name] || headers[name] === 0) lines.push(name, headers[name])
  return response.writeHead(status, lines)
}

// ------------------------------------------------------------------------------------------- texts and files

export const HTML = 'text/html; charset=utf-8'
/** A page, a list or a static file: compressed at most once in each way. */
export type Text = { type: string, etag: string, raw: Buffer, br?: Promise<Buffer>, gzip?: Promise<Buffer> }
export function asText (type: string, body: string | Buffer): Text {
  const raw = Buffer.from(body)
  return { type, raw, etag: `W/"${createHash('sha256').update(raw).digest('base64url').slice(0, 20)}"` }
}
const [brotli, deflate] = [promisify(brotliCompress), promisify(gzip)]
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }
const encodingFor = ({ encodings }: Visitor, taken = encodings()) =>
  (['br', 'gzip'] as const).find(name => taken.includes(name))

type To = { response: ServerResponse, visitor: Visitor }
const NOTHING = asText('', '')
/** Sends a text in the best encoding that the visitor takes, or says that it has not changed. */
export async function send ({ response, visitor }: To, answer: Answer, settings: Settings, text = NOTHING) {
  const kept = answer.status === 200 && (answer.kind === 'static' || answer.link?.protected === false)
  const etag = kept ? text.etag : undefined
  const same = etag !== undefined && unchanged({ etag }, visitor)
  const encoding = same || text.raw.length < 500 ? undefined : encodingFor(visitor)
  const body = encoding === 'br' ? await (text.br ??= brotli(text.raw, QUALITY))
    : encoding === 'gzip' ? await (text.gzip ??= deflate(text.raw)) : text.raw
  if (response.destroyed) return
  const told = { 'content-type': text.type, 'content-encoding': encoding, 'content-length': body.length }
  const headers = { ...answer.headers, ...!same && told, etag }
  begin(response, { ...answer, status: same ? 304 : answer.status, headers }, settings)
  response.end(same || response.req.method === 'HEAD' ? undefined : body)
}

/** Sends the beginning of a page; what comes back sends the rest and ends it. */
export function sendEarly ({ response, visitor }: To, answer: Answer, settings: Settings, first: string) {
  const encoding = encodingFor(visitor)
  const headers = { 'content-type': HTML, 'content-encoding': encoding }
  begin(response, { ...answer, headers }, settings)
  const packed = encoding && (encoding === 'br' ? createBrotliCompress(QUALITY) : createGzip())
  packed?.pipe(response)
  const out = packed ?? response
  out.write(first)
  packed?.flush()
  return (rest: string): void => { out.end(rest) }
}

const TYPES: Record<string, string> =
  { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', woff2: 'font/woff2' }
const LIGHTGALLERY = 'node_modules/lightgallery'
const PLUGINS = ['zoom', 'video', 'autoplay', 'fullscreen']
/**
 * Every file that is served, and what it is made of: ours, and lightgallery's own. No path of a visitor is
 * opened.
 */
const FILES: [name: string, ...paths: string[]][] = [
  ...['style.css', 'gallery.js', 'layout.js', 'lightbox.js', 'select.js', 'favicon.svg']
    .map((name): [string, string] => [name, `static/${name}`]),
  ['lightbox.css', `${LIGHTGALLERY}/css/lightgallery.css`,
    ...PLUGINS.map(name => `${LIGHTGALLERY}/css/lg-${name}.css`), 'static/lightbox.css'],
  ['lightgallery.js', `${LIGHTGALLERY}/lightgallery.min.js`,
    ...PLUGINS.map(name => `${LIGHTGALLERY}/plugins/${name}/lg-${name}.min.js`)],
  ['lg.woff2', `${LIGHTGALLERY}/fonts/lg.woff2`]
]

/** The static files by name, and the version that their addresses carry. */
export function loadFiles (root: URL): { version: string, files: Map<string, Text> } {
  const files = FILES.map(([name, ...paths]): [string, Text] => {
    const parts = paths.map(path => readFileSync(new URL(path, root)))
    let body = Buffer.concat(parts.flatMap((part, n) => n ? [Buffer.from('\n'), part] : [part]))
    if (name === 'style.css') body = Buffer.concat([body, Buffer.from(ratioRules())])
    // of what lightgallery's stylesheet points to only this font is served; its spinner is drawn by our own
    if (name === 'lightbox.css') {
      const css = String(body).replace(/src: url[^;]*;/, 'src: url("lg.woff2");')
      body = Buffer.from(css.replace(/url\("?\.\.[^)]*\)/g, 'none'))
    }
    return [name, asText(TYPES[name.split('.').at(-1)!]!, body)]
  })
  const hash = createHash('sha256').update(files.map(([, { etag }]) => etag).join())
  return { version: hash.digest('hex').slice(0, 12), files: new Map(files) }
}

// --------------------------------------------------------------------------------------------------- streams

/**
 * Sends a stream as fast as the visitor takes it. Throws where it fails, and then the visitor's transfer
 * breaks off too; ends the stream where the visitor leaves.
 */
export async function pump (response: ServerResponse, body: Readable): Promise<void> {
  response.on('drain', () => body.resume()).on('close', () => body.destroy())
  if (response.destroyed) body.destroy()
  body.on('data', (chunk: Chunk) => {
    if (!response.write(chunk, () => release(chunk))) body.pause()
  })
  await finished(body).catch(error => { response.destroy(); throw error })
  response.end()
}

/** The bytes of a body from `first` to `last`. */
export async function * between (body: Parts, first: number, last: number): Parts {
  for await (const chunk of body) {
    const part = chunk.subarray(Math.max(0, Math.min(first, chunk.length)), last + 1)
    first -= chunk.length
    last -= chunk.length
    if (part.length) yield part
    if (last < 0) return
  }
}
