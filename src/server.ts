/**
 * Listens, routes by hand, shuts down. A request flows one way: parsed by `validate`, allowed and answered by
 * `immich`, rendered by `render`, and written by `answer`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  asText, begin, between, HTML, loadFiles, pump, send, sendEarly, sendText, through, type Answer,
  type Headers, type Text
} from './answer.ts'
import { disposition, downloadName, safeName } from './filename.ts'
import {
  createImmich, isRefusal, Refusal, type Caller, type Link, type List, type Media, type MediaKind
} from './immich.ts'
import { createLog, linkName, type Log } from './log.ts'
import { createRenderer, linkPath, mayZip } from './render.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'
import { strippedOriginal } from './strip.ts'
import { cookieName, createGuessLimit, createSeal, UNLOCK_SECONDS } from './unlock.ts'
import {
  parseAssetIds, parseForm, parseLinkRef, parsePassword, parseRoute, parseVisitor, resolveRange, type AssetId,
  type Item, type LinkRef, type Route, type Visitor
} from './validate.ts'
import { makeZip, planZip } from './zip.ts'

const ROOT = new URL('../', import.meta.url)
/** ms to wait for the list of an album before its page begins without it. */
const EARLY = 50
/** What every browser shows at full resolution. */
const DISPLAYABLE = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'])

const METHODS: Record<string, string[]> = { unlock: ['POST'], zip: ['GET', 'HEAD', 'POST'] }

/** One request and all that belongs to it; `caller.signal` ends with the visitor's patience. */
type Exchange = {
  request: IncomingMessage, response: ServerResponse, head: boolean
  visitor: Visitor, caller: Required<Caller>
}
/** The fields of a form of at most `limit` bytes; none where it is longer. */
async function readForm ({ request }: Exchange, limit: number): Promise<Map<string, string>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if ((size += chunk.length) > limit) return new Map()
    chunks.push(chunk)
  }
  return parseForm(Buffer.concat(chunks).toString(), request.headers['content-type'] ?? '')
}

/** The server, not yet listening. */
export function createProxy (settings: Settings, log: Log = createLog(settings.logLevel)) {
  const { limits } = settings
  const immich = createImmich(settings, log)
  const { version, files } = loadFiles(ROOT)
  const renderer = createRenderer(settings, ROOT, `/share/static/${version}`)
  const seal = createSeal(settings.secret)
  const byVisitor = createGuessLimit(limits.guessesPerVisitor, 60_000)
  const byLink = createGuessLimit(limits.guessesPerLink, 6_000)
  const pages = new WeakMap<Link, { list: List, texts: Map<string, Text> }>()
  let closing = false
  let [zips, running, connections] = [0, 0, 0]

  const answer = ({ response }: Exchange, what: Answer, body?: string) => send(response, what, settings, body)
  const text = ({ response, visitor }: Exchange, answer: Answer, text: Text) =>
    sendText(response, visitor, answer, text, settings)
  const page = (exchange: Exchange, status: number, html: string, headers: Headers = {}, link?: Link) =>
    text(exchange, { status, kind: 'page', headers, link }, asText(HTML, html))
  const json = (exchange: Exchange, link: Link, body: string) =>
    text(exchange, { status: 200, kind: 'data', link }, asText('application/json; charset=utf-8', body))

  function notice (
    exchange: Exchange, status: number, name: 'notFound' | 'unavailable' | 'busy', headers: Headers = {}
  ) {
    if (!exchange.visitor.wantsHtml) return answer(exchange, { status, kind: 'page', headers })
    return page(exchange, status, renderer.plain('notice', exchange.visitor, words =>
      ({ title: words[`${name}Title`], text: words[`${name}Text`] })), headers)
  }

  /** What everybody gets who asks for what is not there for them, whatever the reason. */
  function invalid (exchange: Exchange): void | Promise<void> {
    const custom = settings.customInvalidResponse
    if (custom === null) exchange.response.destroy()
    else if (custom === false) return notice(exchange, 404, 'notFound')
    else if (typeof custom === 'number') answer(exchange, { status: custom, kind: 'page' })
    else answer(exchange, { status: 302, kind: 'page', headers: { location: custom } })
  }

  function refuse (exchange: Exchange, { reason, message }: Refusal, route?: Route): void | Promise<void> {
    if (exchange.response.headersSent) { exchange.response.destroy(); return }
    const page = route?.name === 'page' || route?.name === 'item'
    if (page && reason === 'locked') return password(exchange, route.link, 200)
    const level = message.startsWith('stripMetadata') ? 'warn' : 'debug'
    if (message !== reason) log[level]('refused', { reason: message })
    if (reason === 'unreachable') return notice(exchange, 503, 'unavailable', { 'retry-after': 10 })
    if (reason === 'busy') return notice(exchange, 503, 'busy', { 'retry-after': 5 })
    return invalid(exchange)
  }

  /** The link, opened with the visitor's unlock where there is one. Throws a Refusal. */
  async function open (ref: LinkRef, visitor: Visitor): Promise<Link> {
    if ('slug' in ref && !settings.allowSlugLinks) throw new Refusal('missing')
    return immich.open(ref, seal.open(ref, visitor.cookies))
  }
  /**
   * The item of a link that an address names: no item is used that did not come from here or from the list
   * itself. The video part of a motion photo is there to be played (`film`), and has no picture.
   */
  async function find (ref: LinkRef, id: AssetId, visitor: Visitor, film = false) {
    const link = await open(ref, visitor)
    const list = await immich.list(link)
    const item = list.byId.get(id)
    if (!item || (item.motion === id && !film)) throw new Refusal('missing')
    return { link, list, item }
  }

  // --------------------------------------------------------------------------------------- images and videos

  async function sendMedia ({ response, head }: Exchange, link: Link, media: Media, name?: string) {
    const { body, bytes, status, type, length, contentRange, etag, modified } = media
    if (response.destroyed) { body?.destroy(); return }
    const attached = name ?? (type === 'application/octet-stream' ? 'file.bin' : undefined)
    const bodiless = status === 304 || status === 416
    const headers = {
      'content-length': status === 416 ? 0 : status === 304 ? undefined : length,
      'content-range': contentRange, 'accept-ranges': 'bytes', etag, 'last-modified': modified,
      'content-type': bodiless ? undefined : type,
      'content-disposition': attached && !bodiless ? disposition(attached) : undefined
    }
    begin(response, { status, kind: 'media', link, headers }, settings)
    if (body && !bodiless && !head) return pump(response, body)
    body?.destroy()
    response.end(bodiless || head ? undefined : bytes)
  }

  /**
   * Full resolution where a browser shows it and both say yes, else Immich's own full size, else the preview.
   */
  async function image (exchange: Exchange, link: Link, item: Item, size: MediaKind): Promise<void> {
    const { visitor, caller, head } = exchange
    const get = async (kind: MediaKind): Promise<Media> => kind === 'original' && settings.stripMetadata
      ? strippedOriginal(immich, link, item, caller, head)
      : immich.media(kind, link, item, visitor, caller, head)
    const originals = link.allowDownload && settings.downloadOriginalPhoto
    if (size === 'original') {
      if (!link.allowDownload) throw new Refusal('missing')
      const media = await get(originals ? 'original' : 'preview')
      const name = link.showMetadata ? media.name : ''
      return sendMedia(exchange, link, media, downloadName(settings, item.id, name, media.type))
    }
    if (size !== 'fullsize') return sendMedia(exchange, link, await get(size))
    if (!originals || item.video) return sendMedia(exchange, link, await get('preview'))
    const { type } = await immich.details(link, item, caller)
    const media = await get(DISPLAYABLE.has(type) ? 'original' : 'fullsize').catch(error => {
      // a full size that Immich does not have is a redirect to the preview, which is a refusal here
      if (isRefusal(error, 'missing')) return get('preview')
      throw error
    })
    return sendMedia(exchange, link, media)
  }

  async function video (exchange: Exchange, link: Link, item: Item): Promise<void> {
    if (!item.video) throw new Refusal('missing')
    const { visitor, caller, head } = exchange
    await sendMedia(exchange, link, await immich.media('playback', link, item, visitor, caller, head))
  }

  // --------------------------------------------------------------------------------------------------- pages

  const password = (exchange: Exchange, ref: LinkRef, status: number, problem = '', seconds = 0) =>
    page(exchange, status, renderer.plain('password', exchange.visitor, words => ({
      title: words.passwordTitle, ...ref,
      problem: words[problem]?.replace('{n}', `${Math.ceil(seconds / 60)}`)
    })), { 'retry-after': seconds || undefined })

  async function gallery (exchange: Exchange, ref: LinkRef, number: number): Promise<void> {
    const { visitor, response, head } = exchange
    const link = await open(ref, visitor)
    const listing = immich.list(link)
    const plainly = number > 1 || head || visitor.ifNoneMatch || !link.album || link.album.count < 2
    // while Immich's months are read, the browser can fetch styles and script
    if (!plainly && await Promise.race([listing.then(() => false), sleep(EARLY, true)])) {
      const first = renderer.beginning(visitor)
      const finish = sendEarly(response, visitor, { status: 200, kind: 'page', link }, first, settings)
      const html = renderer.gallery({ visitor, ref, link }, await listing, 1)!
      return finish(html.slice(first.length))
    }
    const list = await listing
    const only = list.items.length === 1 ? list.items[0] : undefined
    if (only?.video && !settings.singleVideoGallery) return video(exchange, link, only)
    if (only && !only.video && !settings.singleImageGallery) {
      return image(exchange, link, only, only.duration > 0 ? 'fullsize' : 'preview')
    }
    let known = pages.get(link)
    // rendered and compressed once for as long as link and list stay the same; bounded, for a host name can
    // be made up
    if (known?.list !== list || known.texts.size > 50) pages.set(link, known = { list, texts: new Map() })
    const name = JSON.stringify([ref, visitor.languages, visitor.base, number])
    let made = known.texts.get(name)
    if (!made) {
      const html = renderer.gallery({ visitor, ref, link }, list, number)
      if (html === undefined) throw new Refusal('missing')
      known.texts.set(name, made = asText(HTML, html))
    }
    await text(exchange, { status: 200, kind: 'page', link }, made)
  }

  // -------------------------------------------------------------------------------------------------- routes

  const plain = (status: number, headers: Headers = {}): Answer =>
    ({ status, kind: 'data', headers: { 'content-type': 'text/plain', ...headers } })
  type Handler<Name> = (exchange: Exchange, route: Extract<Route, { name: Name }>) => unknown
  const routes: { [Name in Route['name']]: Handler<Name> } = {
    home: exchange => !settings.showHomePage ? invalid(exchange)
      : page(exchange, 200, renderer.plain('home', exchange.visitor, words => ({ title: words.homeTitle }))),
    async health (exchange) {
      const well = !closing && await immich.ping()
      answer(exchange, well ? plain(200) : plain(503, { 'retry-after': 10 }), well ? 'ok' : 'unavailable')
    },
    robots: exchange => answer(exchange, plain(200), 'User-agent: *\nDisallow: /\n'),
    favicon: exchange => routes.static(exchange, { name: 'static', version, file: 'favicon.svg' }),
    static (exchange, { version: asked, file }) {
      const found = asked === version ? files.get(file) : undefined
      return found ? text(exchange, { status: 200, kind: 'static' }, found) : invalid(exchange)
    },
    page: (exchange, { link, page }) => gallery(exchange, link, page),
    async item (exchange, { link: ref, id }) {
      const { visitor, caller } = exchange
      const { link, list, item } = await find(ref, id, visitor)
      const told = link.showMetadata && settings.showMetadata.description
      const details = told ? await immich.details(link, item, caller) : undefined
      await page(exchange, 200, renderer.photo({ visitor, ref, link }, list, item, details), {}, link)
    },
    async image (exchange, { link: ref, id, size = 'preview' }) {
      const { link, item } = await find(ref, id, exchange.visitor)
      await image(exchange, link, item, size)
    },
    async video (exchange, { link: ref, id }) {
      const { link, item } = await find(ref, id, exchange.visitor, true)
      await video(exchange, link, item)
    },
    async meta (exchange, { link: ref, id }) {
      const { link, item } = await find(ref, id, exchange.visitor)
      const details = link.showMetadata && await immich.details(link, item, exchange.caller)
      await json(exchange, link, JSON.stringify(details ? renderer.meta(link, details) : {}))
    },
    async items (exchange, { link: ref, stretch }) {
      const link = await open(ref, exchange.visitor)
      const body = renderer.items(link, await immich.list(link), stretch)
      if (body === undefined) throw new Refusal('missing')
      await json(exchange, link, body)
    },
    async unlock (exchange) {
      const { visitor: { address, secure } } = exchange
      const form = await readForm(exchange, 4096)
      const ref = parseLinkRef(form.get('key'), form.get('slug'))
      if (!ref || ('slug' in ref && !settings.allowSlugLinks)) throw new Refusal('missing')
      const given = parsePassword(form.get('password'))
      if (!given) return password(exchange, ref, 401, 'wrongPassword')
      const link = linkName(ref)
      const limited = [[byLink, link], [byVisitor, `${address} ${link}`]] as const
      const wait = Math.max(...limited.map(([limit, name]) => limit.wait(name)))
      if (wait > 0) {
        log.warn('unlock refused', { address, link, reason: 'too many' })
        return password(exchange, ref, 429, 'tooMany', Math.ceil(wait / 1000))
      }
      // counted before it is asked, or many at once would all be free
      for (const [limit, name] of limited) limit.count(name, 1)
      let wrong = false
      try {
        const { link: { key, slug }, token } = await immich.unlock(ref, given)
        log.info('unlocked', { address, link })
        // for the key that media addresses carry, and for the slug where the link has one
        const manner = `Path=/; Max-Age=${UNLOCK_SECONDS}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
        const cookies = [{ key }, ...slug ? [{ slug }] : []]
          .map(ref => `${cookieName(ref)}=${seal.seal(ref, token)}; ${manner}`)
        const headers = { location: linkPath(ref), 'set-cookie': cookies }
        answer(exchange, { status: 303, kind: 'page', headers })
      } catch (error) {
        if (!isRefusal(error, 'wrong password')) throw error
        wrong = true
        log.warn('unlock refused', { address, link, reason: 'wrong password' })
        return password(exchange, ref, 401, 'wrongPassword')
      } finally {
        if (!wrong) for (const [limit, name] of limited) limit.count(name, -1)
      }
    },
    async zip (exchange, { link: ref }) {
      const { request, response, visitor, caller, head } = exchange
      const link = await open(ref, visitor)
      if (!mayZip(settings, link)) throw new Refusal('missing')
      let { items } = await immich.list(link)
      const whole = request.method !== 'POST'
      if (!whole) {
        const form = await readForm(exchange, 4 * 1024 * 1024)
        const ids = new Set(parseAssetIds(form.get('assets')))
        items = items.filter(({ id }) => ids.has(id))
        if (items.length !== ids.size) throw new Refusal('missing')
      }
      if (items.length === 0) throw new Refusal('missing')
      // who has left meanwhile has no 'close' still to come, and would be counted for ever
      if (response.destroyed) return
      if (zips >= limits.zips) throw new Refusal('busy')
      zips++
      response.on('close', () => zips--)
      const plan = await planZip(immich, settings, link, items, whole, caller)
      if (response.destroyed) return
      const { length, etag } = plan
      const { ifRange = etag } = visitor
      const range = length !== undefined && ifRange === etag ? visitor.range : undefined
      const part = range && resolveRange(range, length!)
      const status = part ? 206 : range ? 416 : 200
      const title = safeName((settings.showGalleryTitle && link.title) || 'photos')
      const headers = {
        'content-type': 'application/zip', 'content-disposition': disposition(`${title}.zip`),
        'content-length': part ? part.last - part.first + 1 : range ? 0 : length,
        'content-range': range && (part ? `bytes ${part.first}-${part.last}/${length}` : `bytes */${length}`),
        ...length !== undefined && { 'accept-ranges': 'bytes', etag }
      }
      begin(response, { status, kind: 'data', headers }, settings)
      if (head || status === 416) { response.end(); return }
      const name = linkName(ref)
      log.info('zip', { link: name, files: plan.entries.length, bytes: length, from: part?.first })
      const body = makeZip(immich, settings, link, plan, caller)
      const bytes = part ? through(body, parts => between(parts, part.first, part.last)) : body
      await pump(response, bytes).catch(error => {
        log.warn('zip broken off', { link: name, reason: (error as Error).message })
        response.destroy()
      })
    }
  }

  async function handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visitor = parseVisitor(request.headers, request.socket.remoteAddress ?? '', settings)
    let gone: AbortController | undefined
    response.on('close', () => { if (!response.writableFinished) gone?.abort() })
    const caller = {
      lane: visitor.address,
      // made when it is needed: it costs a fifth of a small request
      get signal () {
        gone ??= new AbortController()
        if (response.destroyed) gone.abort()
        return gone.signal
      }
    }
    const exchange = { request, response, visitor, caller, head: request.method === 'HEAD' }
    const route = parseRoute(request.url ?? '')
    try {
      if (connections > limits.connections) { response.shouldKeepAlive = false; throw new Refusal('busy') }
      const methods = METHODS[route?.name ?? ''] ?? ['GET', 'HEAD']
      if (!route || !methods.includes(request.method!)) return await invalid(exchange)
      await (routes[route.name] as (exchange: Exchange, route: Route) => unknown)(exchange, route)
    } catch (error) {
      if (response.destroyed) return
      if (!(error instanceof Refusal)) throw error
      await refuse(exchange, error, route)
    }
  }

  // a reverse proxy keeps its connections for 60 to 75 s: closing one before it does would lose a request
  const server = createServer({
    keepAliveTimeout: 90_000, headersTimeout: 15_000, requestTimeout: 30_000,
    connectionsCheckingInterval: 5_000, maxHeaderSize: 16_384
  }, (request, response) => {
    running++
    response.on('error', () => {}).on('close', () => running--)
    handle(request, response).catch(error => {
      log.error('unexpected', { error: (error as Error)?.stack ?? String(error) })
      if (response.headersSent) response.destroy()
      else send(response, { status: 500, kind: 'page' }, settings)
    })
  })
  server.on('connection', socket => {
    connections++
    socket.on('close', () => connections--)
  })
  // those beyond the limit are told so; those far beyond are dropped
  server.maxConnections = 2 * limits.connections
  server.setTimeout(limits.visitorTimeout * 1000)
  return {
    server,
    immich,
    /** Is no longer healthy, lets running transfers end for a while, then ends them. */
    async close (seconds = limits.shutdown): Promise<void> {
      closing = true
      const until = performance.now() + seconds * 1000
      while (running > 0 && performance.now() < until) await sleep(20)
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
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
  // a log that nobody reads any more is no reason to end
  process.stdout.on('error', () => {})
  const log = createLog(settings.logLevel)
  const { server, immich, close } = createProxy(settings, log)
  for (const notice of settings.notices) log.warn('configuration', { notice })
  server.on('error', (error: NodeJS.ErrnoException) => {
    const advice = error.code === 'EADDRINUSE' ? 'another program listens there: choose another IPP_PORT' : ''
    log.error('cannot listen', { port: settings.port, host: settings.host, failed: error.message, advice })
    process.exitCode = 1
  })
  server.listen(settings.port, settings.host, async () => {
    const { port } = server.address() as AddressInfo
    log.info('listening', { port, immich: settings.immichUrl, configuration: settings.changed })
    const version = await immich.version().catch(() => undefined)
    if (!version) return log.warn('Immich does not answer yet; requests are tried again as they come')
    log.info('Immich found', { version: version.join('.') })
    const [major, minor] = version
    const tested = major === 3 || (major === 2 && minor >= 5)
    if (!tested) log.warn('this Immich is older or newer than those that were tested', { tested: '2.5 to 3' })
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => { log.info('stopping', { signal }); close().then(() => process.exit(0)) })
  }
}

// the times in a zip are what the photos' own clocks showed, wherever this runs
process.env.TZ = 'UTC'
if (import.meta.main) {
  const [command, address] = process.argv.slice(2)
  if (command !== 'check') await start()
  else process.exitCode = await (await import('./check.ts')).check(process.env, ROOT, address)
}
