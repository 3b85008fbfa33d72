/**
 * Listens, routes, and answers. A request flows one way: parsed by `validate`, allowed and answered by `immich`,
 * rendered or streamed here. `begin` is the one function that writes a status and headers.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { disposition, downloadName, safeName } from './filename.ts'
import {
  createImmich, Refusal, unchanged, type Caller, type Body, type Immich, type Link, type List,
  type Media, type MediaKind
} from './immich.ts'
import { createLog, linkName, type Log } from './log.ts'
import { createRenderer, linkPath, ratioRules, type Renderer } from './render.ts'
import { strippedOriginal } from './strip.ts'
import { cookieName, createGuessLimit, createSeal, UNLOCK_SECONDS } from './unlock.ts'
import {
  ConfigError, linkRef, loadSettings, parseAssetIds, parseForm, parsePassword, parseRoute, parseVisitor, resolveRange, type AssetId, type Item,
  type LinkRef, type Route, type Settings, type Visitor
} from './validate.ts'
import { makeZip, planZip } from './zip.ts'

const ROOT = new URL('../', import.meta.url)
const NEWEST_TESTED_MAJOR = 3

// ---------------------------------------------------------------------------------------------------------- the answer

type Kind = 'page' | 'data' | 'media' | 'static'
const CSP: Record<Kind, string> = {
  page: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; " +
    "font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
  data: "default-src 'none'; frame-ancestors 'none'; sandbox",
  media: "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox",
  static: "default-src 'none'"
}
type Answer = {
  status: number
  kind: Kind
  /** the link whose content this is; without one, and for errors, nothing is kept anywhere */
  link?: Link
  headers?: Record<string, string | number | string[] | undefined>
}

/** `Cache-Control` for what a link shares: never past its end, never anywhere public where it has a password. */
function cacheControl ({ status, kind, link }: Answer, { responseHeaders }: Settings): string {
  if (kind === 'static' && status === 200) return 'public, max-age=31536000, immutable'
  if (!link || (status >= 400 && status !== 416)) return 'no-store'
  if (link.protected) return kind === 'media' ? 'private, max-age=3600' : 'private, no-store'
  if (kind !== 'media') return 'no-cache'
  const wanted = Object.entries(responseHeaders).find(([name]) => name.toLowerCase() === 'cache-control')?.[1] ?? 'no-cache'
  if (link.expiresAt === undefined) return wanted
  const left = Math.max(0, Math.floor((link.expiresAt - Date.now()) / 1000))
  const capped = wanted.replace(/\bstale-[\w-]+=\d+|\bimmutable\b/gi, '').replace(/(max-?age=)"?(\d+)"?/gi,
    (_, name, seconds) => `${name}${Math.min(left, Number(seconds))}`).split(',').map(part => part.trim()).filter(Boolean)
  return [...capped, ...capped.some(part => /^max-age=/i.test(part)) ? [] : [`max-age=${left}`]].join(', ')
}

/** Writes status and headers: the only place of this program that does. */
function begin (response: ServerResponse, answer: Answer, settings: Settings): void {
  const { status, kind, link, headers } = answer
  const open = link && !link.protected && status < 400
  const own = Object.entries(open ? settings.responseHeaders : {})
    .filter(([name, value]) => value && !(link?.expiresAt !== undefined && /^expires$/i.test(name)))
  response.writeHead(status, Object.fromEntries(Object.entries({
    ...Object.fromEntries(own.map(([name, value]) => [name.toLowerCase(), value])),
    ...headers,
    'cache-control': cacheControl(answer, settings),
    'content-security-policy': CSP[kind],
    'cross-origin-resource-policy': open && kind === 'media' ? 'cross-origin' : 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-robots-tag': 'noindex, nofollow',
    ...kind === 'page' && {
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
      'x-frame-options': 'DENY',
      vary: 'accept, accept-encoding, accept-language, cookie'
    },
    ...kind === 'data' && { vary: 'accept-encoding, cookie' }
  }).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '')))
}

// ------------------------------------------------------------------------------------------------------- static files

const TYPES: Record<string, string> = {
  js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml', woff2: 'font/woff2'
}
/** Every file that is served, and what it is made of: ours, and lightgallery's own. No path of a visitor is opened. */
const LIGHTGALLERY = 'node_modules/lightgallery'
const PLUGINS = ['zoom', 'video', 'autoplay', 'fullscreen']
const STATIC: Record<string, string[]> = {
  'style.css': ['static/style.css'],
  'gallery.js': ['static/gallery.js'],
  'layout.js': ['static/layout.js'],
  'lightbox.js': ['static/lightbox.js'],
  'select.js': ['static/select.js'],
  'lightbox.css': ['lightgallery', ...PLUGINS.map(name => `lg-${name}`)].map(name => `${LIGHTGALLERY}/css/${name}.css`)
    .concat('static/lightbox.css'),
  'lightgallery.js': [`${LIGHTGALLERY}/lightgallery.min.js`]
    .concat(PLUGINS.map(name => `${LIGHTGALLERY}/plugins/${name}/lg-${name}.min.js`)),
  'lg.woff2': [`${LIGHTGALLERY}/fonts/lg.woff2`],
  'favicon.svg': ['static/favicon.svg']
}

type Text = { type: string, etag: string, raw: Buffer, br?: Promise<Buffer>, gzip?: Promise<Buffer> }
const asText = (type: string, body: string | Buffer): Text => {
  const raw = Buffer.from(body)
  return { type, raw, etag: `W/"${createHash('sha256').update(raw).digest('base64url').slice(0, 20)}"` }
}
const compressors = { br: promisify(brotliCompress), gzip: promisify(gzip) }
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }

/** The text in the best encoding that the visitor takes, compressed at most once. */
async function encoded (text: Text, { encodings }: Visitor): Promise<[body: Buffer, encoding?: string]> {
  if (text.raw.length < 500) return [text.raw]
  for (const name of ['br', 'gzip'] as const) {
    if (encodings.has(name)) return [await (text[name] ??= compressors[name](text.raw, name === 'br' ? QUALITY : {})), name]
  }
  return [text.raw]
}

function loadStatic () {
  const files = Object.entries(STATIC).map(([name, paths]) => {
    const bodies = paths.map(path => readFileSync(new URL(path, ROOT)))
    if (name === 'style.css') bodies.push(Buffer.from(ratioRules()))
    if (name === 'lightbox.css') {
      // of lightgallery's files only this font is served: its spinner is drawn by our own stylesheet
      const css = String(bodies[0]).replace(/src: url[^;]*;/, 'src: url("lg.woff2");').replace(/url\("?\.\.[^)]*\)/g, 'none')
      bodies[0] = Buffer.from(css)
    }
    const whole = Buffer.concat(bodies.flatMap((body, n) => n ? [Buffer.from('\n'), body] : [body]))
    return [name, asText(TYPES[name.split('.').at(-1)!]!, whole)] as const
  })
  const version = createHash('sha256').update(files.map(([, { etag }]) => etag).join()).digest('hex').slice(0, 12)
  return { version, files: new Map(files) }
}

// ---------------------------------------------------------------------------------------------------------- a request

/** Reads a body of at most `limit` bytes; undefined where it is longer. */
async function readBody (request: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if ((size += chunk.length) > limit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** A whole file cut down to the range that was asked for, where that can be had. */
function rangeOf (media: Media, { range }: Visitor): Media {
  if (!range || media.length === undefined) return media
  const { body } = media
  const part = resolveRange(range, media.length)
  if (!part) return { ...media, status: 416, contentRange: `bytes */${media.length}` }
  const { first, last } = part
  const cut = { ...media, status: 206 as const, length: last - first + 1, contentRange: `bytes ${first}-${last}/${media.length}` }
  if (Buffer.isBuffer(body)) return { ...cut, body: body.subarray(first, last + 1) }
  return body ? { ...cut, body: limited(skipped(body, first), cut.length) } : cut
}
const skipped = (body: Body, first: number): Body => ({
  cancel: body.cancel,
  async read () {
    for (let chunk; (chunk = await body.read());) {
      const from = Math.min(first, chunk.length)
      first -= from
      if (from < chunk.length) return chunk.subarray(from)
    }
    return undefined
  }
})
/** The first `length` bytes of a body. */
const limited = (body: Body, length: number): Body => ({
  cancel: body.cancel,
  async read () {
    const chunk = length > 0 ? await body.read() : undefined
    const part = chunk?.subarray(0, length)
    length -= part?.length ?? 0
    return part
  }
})

const DISPLAYABLE = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'])

/** The server, not yet listening. */
export function createProxy (settings: Settings, log: Log = createLog(settings.logLevel)) {
  const immich: Immich = createImmich(settings, log)
  const statics = loadStatic()
  const assets = `/share/static/${statics.version}`
  const renderer: Renderer = createRenderer(settings, ROOT, assets)
  const seal = createSeal(settings.secret)
  const byVisitor = createGuessLimit(settings.limits.guessesPerVisitor, 60_000)
  const byLink = createGuessLimit(settings.limits.guessesPerLink, 6_000)
  const pages = new WeakMap<Link, { list: List, texts: Map<string, Text> }>()
  let closing = false
  let zips = 0

  type Exchange = {
    request: IncomingMessage
    response: ServerResponse
    visitor: Visitor
    /** ends with the visitor's patience */
    caller: Required<Caller>
  }

  const send = (response: ServerResponse, answer: Answer, body?: Buffer | string): void => {
    begin(response, { ...answer, headers: { 'content-length': body === undefined ? undefined : Buffer.byteLength(body), ...answer.headers } }, settings)
    response.end(response.req.method === 'HEAD' ? undefined : body)
  }

  async function sendText ({ response, visitor }: Exchange, answer: Answer, text: Text): Promise<void> {
    const headers = { ...answer.headers, 'content-type': text.type, etag: answer.link?.protected || answer.status !== 200 ? undefined : text.etag }
    if (headers.etag && unchanged({ etag: text.etag }, visitor)) return send(response, { ...answer, status: 304, headers: { etag: text.etag } })
    const [body, encoding] = await encoded(text, visitor)
    if (response.destroyed) return
    send(response, { ...answer, headers: { ...headers, 'content-encoding': encoding } }, body)
  }

  const html = 'text/html; charset=utf-8'
  const sendPage = (exchange: Exchange, status: number, page: string, headers = {}, link?: Link) =>
    sendText(exchange, { status, kind: 'page', headers, ...link && { link } }, asText(html, page))

  function notice (exchange: Exchange, status: number, name: 'notFound' | 'unavailable' | 'busy', headers = {}) {
    if (!exchange.visitor.wantsHtml) return send(exchange.response, { status, kind: 'page', headers })
    return sendPage(exchange, status, renderer.plain('notice', exchange.visitor, words =>
      ({ title: words[`${name}Title`], text: words[`${name}Text`] })), headers)
  }

  /** What everybody gets who asks for what is not there for them, whatever the reason. */
  function invalid (exchange: Exchange): void | Promise<void> {
    const custom = settings.customInvalidResponse
    const { response } = exchange
    if (custom === null) { response.destroy(); return }
    if (typeof custom === 'number') return send(response, { status: custom, kind: 'page' })
    if (typeof custom === 'string') return send(response, { status: 302, kind: 'page', headers: { location: custom } })
    return notice(exchange, 404, 'notFound')
  }

  function refuse (exchange: Exchange, error: unknown): void | Promise<void> {
    const { response } = exchange
    if (response.headersSent || response.destroyed) { response.destroy(); return }
    if (!(error instanceof Refusal)) {
      log.error('unexpected', { error: (error as Error)?.stack ?? String(error) })
      return send(response, { status: 500, kind: 'page' })
    }
    if (error.reason === 'unreachable') {
      log.debug('refused', { reason: error.reason, detail: error.message })
      return notice(exchange, 503, 'unavailable', { 'retry-after': 10 })
    }
    if (error.message.startsWith('stripMetadata')) log.warn('refused', { reason: error.message })
    if (error.reason === 'busy') return notice(exchange, 503, 'busy', { 'retry-after': 5 })
    return invalid(exchange)
  }

  /** The link, opened with the visitor's unlock where there is one. Throws a Refusal. */
  function open (ref: LinkRef, visitor: Visitor): Promise<Link> {
    if ('slug' in ref && !settings.allowSlugLinks) throw new Refusal('missing')
    return immich.open(ref, seal.open(ref, visitor.cookies))
  }
  /** The link and the item of it that an address names: no item is used that did not come from here. */
  async function find (ref: LinkRef, id: AssetId, visitor: Visitor): Promise<{ link: Link, list: List, item: Item }> {
    const link = await open(ref, visitor)
    const list = await immich.list(link)
    const item = list.byId.get(id)
    if (!item) throw new Refusal('missing')
    return { link, list, item }
  }
  const isMotionPart = (item: Item) => item.motion === item.id
  const mayDownload = (link: Link) => link.allowDownload
  const mayZip = (link: Link) => settings.allowDownloadAll !== 0 && link.allowDownload

  // -------------------------------------------------------------------------------------------------------- the routes

  async function sendMedia (exchange: Exchange, link: Link, media: Media, headers: Answer['headers'] = {}): Promise<void> {
    const { response } = exchange
    const { body } = media
    if (response.destroyed) { if (body && 'read' in body) body.cancel(); return }
    const attachment = media.type === 'application/octet-stream' ? { 'content-disposition': disposition('file.bin') } : {}
    begin(response, {
      status: media.status,
      kind: 'media',
      link,
      headers: {
        'content-type': media.status === 304 || media.status === 416 ? undefined : media.type,
        'content-length': media.status === 416 ? 0 : media.status === 304 ? undefined : media.length,
        'content-range': media.contentRange,
        'accept-ranges': 'bytes',
        etag: media.etag,
        'last-modified': media.modified,
        ...attachment,
        ...headers
      }
    }, settings)
    if (!body || media.status === 304 || exchange.request.method === 'HEAD') response.end()
    else if ('read' in body) await pump(response, body)
    else response.end(body)
  }

  /** Sends a stream as fast as the visitor takes it; where it fails, so does the visitor's transfer. */
  async function pump (response: ServerResponse, body: Body): Promise<void> {
    let wake = () => {}
    response.on('drain', () => wake())
    response.on('close', () => { wake(); body.cancel() })
    for (let chunk; (chunk = await body.read()) && !response.destroyed;) {
      if (!response.write(chunk)) await new Promise<void>(resolve => { wake = resolve })
      if (response.destroyed) return
    }
    response.end()
  }

  /** Which of Immich's images answers for a size: full resolution where a browser shows it and both say yes. */
  async function imageKind (link: Link, item: Item, size: MediaKind, caller: Caller): Promise<MediaKind> {
    if (size === 'thumbnail' || size === 'preview') return size
    const originals = mayDownload(link) && settings.downloadOriginalPhoto
    if (size === 'original') return originals ? 'original' : 'preview'
    if (!originals || item.video) return 'preview'
    const { type } = await immich.details(link, item, caller)
    return DISPLAYABLE.has(type) ? 'original' : 'fullsize'
  }

  async function image (exchange: Exchange, link: Link, item: Item, size: MediaKind): Promise<void> {
    const { visitor, caller, request } = exchange
    if (size === 'original' && !mayDownload(link)) throw new Refusal('missing')
    const head = request.method === 'HEAD'
    const kind = await imageKind(link, item, size, caller)
    const fetchKind = async (kind: MediaKind): Promise<Media> => {
      if (kind !== 'original' || !settings.stripMetadata) return immich.media(kind, link, item, visitor, caller, head)
      return rangeOf(await strippedOriginal(immich, link, item, caller, head), visitor)
    }
    // a full size that Immich does not have is a redirect to the preview, which is a refusal here
    const media = await fetchKind(kind).catch(error => {
      if (kind === 'fullsize' && error instanceof Refusal && error.reason === 'missing') return fetchKind('preview')
      throw error
    })
    await sendMedia(exchange, link, media, size === 'original' && media.status < 300
      ? { 'content-disposition': disposition(downloadName(settings, item.id, link.showMetadata ? media.name : '', media.type)) } : {})
  }

  async function video (exchange: Exchange, link: Link, item: Item): Promise<void> {
    if (!item.video) throw new Refusal('missing')
    const { visitor, caller, request } = exchange
    await sendMedia(exchange, link, await immich.media('playback', link, item, visitor, caller, request.method === 'HEAD'))
  }

  /** The rendered page, made and compressed once for as long as link and list stay the same. */
  function page (link: Link, list: List, name: string, render: () => string | undefined): Text | undefined {
    let known = pages.get(link)
    if (known?.list !== list || known.texts.size > 50) pages.set(link, known = { list, texts: new Map() })
    let text = known.texts.get(name)
    if (!text) {
      const rendered = render()
      if (rendered === undefined) return undefined
      known.texts.set(name, text = asText(html, rendered))
    }
    return text
  }

  const password = (exchange: Exchange, ref: LinkRef, status: number, problem: string, headers = {}) =>
    sendPage(exchange, status, renderer.plain('password', exchange.visitor, words => ({
      title: words.passwordTitle,
      ...ref,
      problem: problem && words[problem]?.replace('{n}', String(Math.ceil(Number((headers as Answer['headers'])!['retry-after'] ?? 0) / 60)))
    })), headers)

  /** A page of the link, or the password page where it is locked. */
  async function withLink (exchange: Exchange, ref: LinkRef, then: (link: Link) => Promise<void>): Promise<void> {
    const link = await open(ref, exchange.visitor).catch(error => {
      if (error instanceof Refusal && error.reason === 'locked') return undefined
      throw error
    })
    return link ? then(link) : password(exchange, ref, 200, '')
  }

  async function gallery (exchange: Exchange, ref: LinkRef, link: Link, number: number): Promise<void> {
    const { visitor } = exchange
    const list = await immich.list(link)
    const [only] = list.items
    if (only && list.items.length === 1) {
      if (!only.video && !settings.singleImageGallery) return image(exchange, link, only, only.duration > 0 ? 'fullsize' : 'preview')
      if (only.video && !settings.singleVideoGallery) return video(exchange, link, only)
    }
    const name = JSON.stringify([ref, visitor.languages[0], visitor.languages, visitor.base, number])
    const text = page(link, list, name, () => renderer.gallery(visitor, ref, link, list, number, mayZip(link), mayDownload(link)))
    if (!text) throw new Refusal('missing')
    await sendText(exchange, { status: 200, kind: 'page', link }, text)
  }

  async function photo (exchange: Exchange, ref: LinkRef, link: Link, id: AssetId): Promise<void> {
    const { visitor, caller } = exchange
    const list = await immich.list(link)
    const item = list.byId.get(id)
    if (!item || isMotionPart(item)) throw new Refusal('missing')
    const details = link.showMetadata && settings.showMetadata.description ? await immich.details(link, item, caller) : undefined
    const text = renderer.photo(visitor, ref, link, list, item, mayZip(link), mayDownload(link), details)
    await sendPage(exchange, 200, text, {}, link)
  }

  async function unlock (exchange: Exchange): Promise<void> {
    const { request, response, visitor } = exchange
    const body = await readBody(request, 4096)
    const form = parseForm(body ?? '', request.headers['content-type'] ?? '')
    const ref = form.has('key') ? linkRef(form.get('key')) : linkRef('', form.get('slug') ?? '')
    if (!ref || ('slug' in ref && !settings.allowSlugLinks)) throw new Refusal('missing')
    const given = parsePassword(form.get('password'))
    const link = linkName(ref)
    if (!given) return password(exchange, ref, 401, 'wrongPassword')
    const names = [[byLink, link], [byVisitor, `${visitor.address} ${link}`]] as const
    const taken: typeof names[number][] = []
    const giveBack = () => taken.forEach(([limit, name]) => limit.giveBack(name))
    for (const [limit, name] of names) {
      const wait = limit.take(name)
      if (wait > 0) {
        giveBack()
        log.warn('unlock refused', { address: visitor.address, link, reason: 'too many' })
        return password(exchange, ref, 429, 'tooMany', { 'retry-after': Math.ceil(wait / 1000) })
      }
      taken.push([limit, name])
    }
    try {
      const { link: unlocked, token } = await immich.unlock(ref, given)
      giveBack()
      log.info('unlocked', { address: visitor.address, link })
      // for the key that media addresses carry, and for the slug where the link has one
      const refs: LinkRef[] = [{ key: unlocked.key }, ...unlocked.slug ? [{ slug: unlocked.slug }] : []]
      send(response, {
        status: 303,
        kind: 'page',
        headers: {
          location: linkPath(ref),
          'set-cookie': refs.map(ref => `${cookieName(ref)}=${seal.seal(ref, token)}; Path=/; Max-Age=${UNLOCK_SECONDS}; ` +
            `HttpOnly; SameSite=Lax${visitor.secure ? '; Secure' : ''}`)
        }
      })
    } catch (error) {
      if (!(error instanceof Refusal) || error.reason !== 'wrong password') { giveBack(); throw error }
      log.warn('unlock refused', { address: visitor.address, link, reason: 'wrong password' })
      return password(exchange, ref, 401, 'wrongPassword')
    }
  }

  async function zip (exchange: Exchange, ref: LinkRef): Promise<void> {
    const { request, response, visitor, caller } = exchange
    const link = await open(ref, visitor)
    if (!mayZip(link)) throw new Refusal('missing')
    const list = await immich.list(link)
    let { items } = list
    if (request.method === 'POST') {
      const body = await readBody(request, 4 * 1024 * 1024)
      const form = parseForm(body ?? '', request.headers['content-type'] ?? '')
      const ids = new Set(parseAssetIds(form.get('assets')))
      items = items.filter(({ id }) => ids.has(id))
      if (items.length !== ids.size) throw new Refusal('missing')
    }
    if (items.length === 0) throw new Refusal('missing')
    if (zips >= settings.limits.zips) throw new Refusal('busy')
    zips++
    response.on('close', () => zips--)
    const plan = await planZip(immich, settings, link, items, items === list.items, caller)
    if (response.destroyed) return
    const { length, etag } = plan
    const ranged = length !== undefined && visitor.range && (visitor.ifRange === undefined || visitor.ifRange === etag as string)
    const part = ranged ? resolveRange(visitor.range!, length) : undefined
    const name = safeName((settings.showGalleryTitle && link.title) || 'photos')
    begin(response, {
      status: part ? 206 : ranged ? 416 : 200,
      kind: 'data',
      headers: {
        'cache-control': undefined,
        'content-type': 'application/zip',
        'content-disposition': disposition(`${name}.zip`),
        'content-length': part ? part.last - part.first + 1 : ranged ? 0 : length,
        'content-range': part ? `bytes ${part.first}-${part.last}/${length}` : ranged ? `bytes */${length}` : undefined,
        ...length !== undefined && { 'accept-ranges': 'bytes', etag }
      }
    }, settings)
    if (request.method === 'HEAD' || (ranged && !part)) { response.end(); return }
    const body = makeZip(immich, settings, link, plan, caller)
    log.info('zip', { link: linkName(ref), files: plan.entries.length, bytes: length, from: part?.first })
    await pump(response, part ? limited(skipped(body, part.first), part.last - part.first + 1) : body).catch(error => {
      log.warn('zip broken off', { link: linkName(ref), reason: (error as Error).message })
      response.destroy()
    })
  }

  const json = (exchange: Exchange, link: Link, body: string) =>
    sendText(exchange, { status: 200, kind: 'data', link }, asText('application/json; charset=utf-8', body))

  const routes: { [Name in Route['name']]: (exchange: Exchange, route: Extract<Route, { name: Name }>) => unknown } = {
    home: exchange => settings.showHomePage
      ? sendPage(exchange, 200, renderer.plain('home', exchange.visitor, words => ({ title: words.homeTitle }))) : invalid(exchange),
    async health ({ response }) {
      const well = !closing && await immich.ping()
      send(response, { status: well ? 200 : 503, kind: 'data', headers: { 'content-type': 'text/plain', ...!well && { 'retry-after': 10 } } }, well ? 'ok' : 'unavailable')
    },
    robots: ({ response }) => send(response, { status: 200, kind: 'data', headers: { 'content-type': 'text/plain' } }, 'User-agent: *\nDisallow: /\n'),
    favicon: exchange => routes.static(exchange, { name: 'static', version: statics.version, file: 'favicon.svg' }),
    static (exchange, { version, file }) {
      const text = version === statics.version ? statics.files.get(file) : undefined
      return text ? sendText(exchange, { status: 200, kind: 'static' }, text) : invalid(exchange)
    },
    unlock: exchange => unlock(exchange),
    page: (exchange, { link: ref, page }) => withLink(exchange, ref, link => gallery(exchange, ref, link, page)),
    item: (exchange, { link: ref, id }) => withLink(exchange, ref, link => photo(exchange, ref, link, id)),
    zip: (exchange, { link: ref }) => zip(exchange, ref),
    async image (exchange, { link: ref, id, size }) {
      const { link, item } = await find(ref, id, exchange.visitor)
      if (isMotionPart(item)) throw new Refusal('missing')
      await image(exchange, link, item, size)
    },
    async video (exchange, { link: ref, id }) {
      const { link, item } = await find(ref, id, exchange.visitor)
      await video(exchange, link, item)
    },
    async meta (exchange, { link: ref, id }) {
      const { link, item } = await find(ref, id, exchange.visitor)
      if (isMotionPart(item)) throw new Refusal('missing')
      const told = link.showMetadata ? renderer.meta(link, await immich.details(link, item, exchange.caller)) : {}
      await json(exchange, link, JSON.stringify(told))
    },
    async items (exchange, { link: ref, stretch }) {
      const link = await open(ref, exchange.visitor)
      const body = renderer.items(link, await immich.list(link), stretch)
      if (body === undefined) throw new Refusal('missing')
      await json(exchange, link, body)
    }
  }
  const POSTS = new Set<Route['name']>(['unlock', 'zip'])

  async function handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visitor = parseVisitor(request.headers, request.socket.remoteAddress ?? '', settings)
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const exchange: Exchange = { request, response, visitor, caller: { lane: visitor.address, signal: gone.signal } }
    try {
      const route = parseRoute(request.url ?? '')
      const method = request.method === 'HEAD' ? 'GET' : request.method
      const fits = route && (method === 'POST' ? POSTS.has(route.name) : method === 'GET' && route.name !== 'unlock')
      if (!fits) return await invalid(exchange)
      await (routes[route.name] as (exchange: Exchange, route: Route) => unknown)(exchange, route)
    } catch (error) {
      if (!gone.signal.aborted) await refuse(exchange, error)
    }
  }

  const server = createServer({ keepAliveTimeout: 90_000, headersTimeout: 15_000, requestTimeout: 30_000, maxHeaderSize: 16_384 },
    (request, response) => {
      response.on('error', () => {})
      handle(request, response).catch(error => {
        log.error('unexpected', { error: (error as Error)?.stack ?? String(error) })
        response.destroy()
      })
    })
  server.maxConnections = settings.limits.connections
  server.setTimeout(settings.limits.visitorTimeout * 1000)
  return {
    server,
    immich,
    /** Takes no new connections, lets running transfers end for a while, then ends them. */
    async close (seconds = settings.limits.shutdown): Promise<void> {
      closing = true
      const closed = new Promise(resolve => server.close(resolve))
      server.closeIdleConnections()
      const late = setTimeout(() => server.closeAllConnections(), seconds * 1000)
      await closed
      clearTimeout(late)
    }
  }
}

async function start (): Promise<void> {
  let settings: Settings
  try {
    settings = loadSettings(process.env, ROOT)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`The configuration is not valid:\n${error.message.replace(/^/gm, '  ')}\n`)
    process.exitCode = 1
    return
  }
  const log = createLog(settings.logLevel)
  const proxy = createProxy(settings, log)
  for (const notice of settings.notices) log.warn('configuration', { notice })
  proxy.server.on('error', (error: NodeJS.ErrnoException) => {
    const advice = error.code === 'EADDRINUSE' ? 'another program listens there: choose another IPP_PORT' : undefined
    log.error('cannot listen', { address: `${settings.host}:${settings.port}`, failed: error.message, advice })
    process.exitCode = 1
  })
  proxy.server.listen(settings.port, settings.host, async () => {
    const { port } = proxy.server.address() as AddressInfo
    log.info('listening', { port, immich: settings.immichUrl, configuration: settings.changed })
    const version = await proxy.immich.version().catch(() => undefined)
    if (!version) return log.warn('Immich does not answer yet; requests are tried again as they come')
    log.info('Immich found', { version: version.join('.') })
    const [major, minor] = version
    if (major < 2 || (major === 2 && minor < 5)) log.warn('this Immich is older than any that was tested', { oldest: '2.5' })
    if (major > NEWEST_TESTED_MAJOR) log.warn('this Immich is newer than any that was tested', { newest: NEWEST_TESTED_MAJOR })
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => { log.info('stopping', { signal }); proxy.close().then(() => process.exit(0)) })
  }
}

// the times in a zip are what the photos' own clocks showed, wherever this runs
process.env.TZ = 'UTC'
if (import.meta.main) await start()
