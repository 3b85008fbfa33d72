/**
 * Listens, routes by hand, shuts down. A request flows one way: parsed by `validate`, allowed and answered by
 * `immich`, rendered by `render`, and written by `answer`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  asText, begin, between, HTML, loadFiles, pump, send, sendEarly, type Answer, type Headers, type Text
} from './answer.ts'
import { check } from './check.ts'
import { disposition, downloadName, safeName } from './filename.ts'
import {
  createImmich, isRefusal, Refusal, through, type Caller, type Link, type Media, type MediaKind
} from './immich.ts'
import { createLog, linkName, type Log } from './log.ts'
import { createRenderer, linkPath, mayZip } from './render.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'
import { cookieName, createGuessLimit, createSeal, UNLOCK_SECONDS } from './unlock.ts'
import {
  parseAssetIds, parseForm, parseLinkRef, parsePassword, parseRoute, parseVisitor, resolveRange, type AssetId,
  type Item, type LinkRef, type Route, type Visitor
} from './validate.ts'
import { makeZip, planZip } from './zip.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const ROOT = new URL('../', import.meta.url)
/** ms to wait for the list of an album before its page begins without it. */
const EARLY = 50
/** What every browser shows at full resolution. */
const DISPLAYABLE = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'])

const METHODS: Record<string, string[]> = { unlock: ['POST'], zip: ['GET', 'HEAD', 'POST'] }

/** One request and all that belongs to it; it ends with the visitor's patience. */
type Exchange = Caller & { request: IncomingMessage, response: ServerResponse, visitor: Visitor }
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
  const pages = new WeakMap<Link, Map<string, Text>>()
  let closing = false
  let [zips, running, connections] = [0, 0, 0]

  const answer = (exchange: Exchange, what: Answer, text?: Text) => send(exchange, what, settings, text)
  const page = (exchange: Exchange, status: number, html: string, headers: Headers = {}, link?: Link) =>
    answer(exchange, { status, kind: 'page', headers, link }, asText(HTML, html))
  const data = (exchange: Exchange, link: Link | undefined, type: string, text: string) =>
    answer(exchange, { status: 200, kind: 'data', link }, asText(type, text))

  const notice = (exchange: Exchange, status: number, name: string, headers: Headers = {}) =>
    !exchange.visitor.wantsHtml ? answer(exchange, { status, kind: 'page', headers })
      : page(exchange, status, renderer.plain('notice', exchange.visitor, words =>
        ({ title: words[`${name}Title`], text: words[`${name}Text`] })), headers)

  /** What everybody gets who asks for what is not there for them, whatever the reason. */
  function invalid (exchange: Exchange): void | Promise<void> {
    const custom = settings.customInvalidResponse
    if (custom === null) { exchange.response.destroy(); return }
    if (custom === false) return notice(exchange, 404, 'notFound')
    if (typeof custom === 'number') return answer(exchange, { status: custom, kind: 'page' })
    return answer(exchange, { status: 302, kind: 'page', headers: { location: custom } })
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
  function open ({ visitor }: Exchange, ref: LinkRef): Promise<Link> {
    if ('slug' in ref && !settings.allowSlugLinks) throw new Refusal('missing')
    return immich.open(ref, seal.open(ref, visitor.cookies))
  }
  /**
   * The item of a link that an address names: no item is used that did not come from here or from the list
   * itself. The video part of a motion photo is there to be played (`film`), and has no picture.
   */
  async function find (exchange: Exchange, ref: LinkRef, id: AssetId, film = false) {
    const link = await open(exchange, ref)
    const list = await immich.list(link)
    const item = list.byId.get(id)
    if (!item || (item.motion === id && !film)) throw new Refusal('missing')
    return { link, list, item }
  }

  // --------------------------------------------------------------------------------------- images and videos

  /** `name` is that of a download; `link` undefined for what is not kept anywhere. */
  function sendMedia ({ response }: Exchange, media: Media, link?: Link, name?: string) {
    const { body, bytes, status, type, length, contentRange, etag, modified } = media
    const attached = name ?? (type === 'application/octet-stream' ? 'file.bin' : undefined)
    const bodiless = status === 304 || status === 416
    const headers: Headers = {
      'content-length': status === 416 ? 0 : status === 304 ? undefined : length, etag,
      'accept-ranges': length === undefined ? undefined : 'bytes', 'content-range': contentRange,
      'last-modified': modified,
      ...!bodiless && { 'content-type': type, 'content-disposition': attached && disposition(attached) }
    }
    if (response.destroyed) { body?.destroy(); return }
    begin(response, { status, kind: 'media', link, headers }, settings)
    if (body) return pump(response, body)
    response.end(bytes)
  }

  /**
   * `fullsize` is full resolution where a browser shows it and both say yes, else Immich's own full size,
   * else the preview.
   */
  async function sendItem (exchange: Exchange, { link, item }: { link: Link, item: Item }, size: MediaKind) {
    const get = (kind: MediaKind) => immich.media(kind, link, item, exchange)
    const originals = link.allowDownload && settings.downloadOriginalPhoto
    if (size === 'playback' && !item.video) throw new Refusal('missing')
    if (size === 'original') {
      if (!link.allowDownload) throw new Refusal('missing')
      const media = await get(originals ? 'original' : 'preview')
      const name = link.showMetadata ? media.name : ''
      return sendMedia(exchange, media, link, downloadName(settings, item.id, name, media.type))
    }
    let kind: MediaKind = size === 'fullsize' && (item.video || !originals) ? 'preview' : size
    const details = kind === 'fullsize' ? await immich.details(link, item, exchange) : undefined
    if (details && DISPLAYABLE.has(details.type)) kind = 'original'
    const media = await get(kind).catch(error => {
      // a full size that Immich does not have is a redirect to the preview, which is a refusal here
      if (size === 'fullsize' && isRefusal(error, 'missing')) return get('preview')
      throw error
    })
    await sendMedia(exchange, media, link)
  }

  // --------------------------------------------------------------------------------------------------- pages

  const password = (exchange: Exchange, ref: LinkRef, status: number, problem = '', seconds = 0) =>
    page(exchange, status, renderer.plain('password', exchange.visitor, words => ({
      title: words.passwordTitle, ...ref,
      problem: words[problem]?.replace('{n}', `${Math.ceil(seconds / 60)}`)
    })), { 'retry-after': seconds || undefined })

  async function gallery (exchange: Exchange, ref: LinkRef, number: number): Promise<void> {
    const { visitor, head } = exchange
    const link = await open(exchange, ref)
    const listing = immich.list(link)
    const plainly = number > 1 || head || visitor.ifNoneMatch || !link.album || link.album.count < 2
    // while Immich's months are read, the browser can fetch styles and script
    if (!plainly && await Promise.race([listing.then(() => false), sleep(EARLY, true)])) {
      const first = renderer.beginning(visitor)
      const finish = sendEarly(exchange, { status: 200, kind: 'page', link }, settings, first)
      const html = renderer.gallery({ visitor, ref, link }, await listing, 1)
      return finish(html.slice(first.length))
    }
    const list = await listing
    const only = list.items.length === 1 ? list.items[0] : undefined
    if (only && !(only.video ? settings.singleVideoGallery : settings.singleImageGallery)) {
      const size = only.video ? 'playback' : only.duration > 0 ? 'fullsize' : 'preview'
      return sendItem(exchange, { link, item: only }, size)
    }
    // rendered and compressed once for as long as link and list stay the same; bounded, for a host name can
    // be made up
    const texts = pages.get(link) ?? new Map<string, Text>()
    pages.set(link, texts)
    if (texts.size > 50) texts.clear()
    const name = JSON.stringify([ref, visitor.languages(), visitor.base(), number, list.version])
    let made = texts.get(name)
    if (!made) texts.set(name, made = asText(HTML, renderer.gallery({ visitor, ref, link }, list, number)))
    await answer(exchange, { status: 200, kind: 'page', link }, made)
  }

  // -------------------------------------------------------------------------------------------------- routes

  type Handler<Name> = (exchange: Exchange, route: Extract<Route, { name: Name }>) => unknown
  const routes: { [Name in Route['name']]: Handler<Name> } = {
    home: exchange => !settings.showHomePage ? invalid(exchange)
      : page(exchange, 200, renderer.plain('home', exchange.visitor, words => ({ title: words.homeTitle }))),
    async health (exchange) {
      if (!closing && await immich.ping()) return data(exchange, undefined, 'text/plain', 'ok')
      const text = asText('text/plain', 'unavailable')
      await answer(exchange, { status: 503, kind: 'data', headers: { 'retry-after': 10 } }, text)
    },
    robots: exchange => data(exchange, undefined, 'text/plain', 'User-agent: *\nDisallow: /\n'),
    favicon: exchange => routes.static(exchange, { name: 'static', version, file: 'favicon.svg' }),
    static (exchange, { version: asked, file }) {
      const found = asked === version ? files.get(file) : undefined
      return found ? answer(exchange, { status: 200, kind: 'static' }, found) : invalid(exchange)
    },
    page: (exchange, { link, page }) => gallery(exchange, link, page),
    async item (exchange, { link: ref, id }) {
      const { visitor } = exchange
      const { link, list, item } = await find(exchange, ref, id)
      const told = link.showMetadata && settings.showMetadata.description
      const details = told ? await immich.details(link, item, exchange) : undefined
      await page(exchange, 200, renderer.photo({ visitor, ref, link }, list, item, details), {}, link)
    },
    image: async (exchange, { link, id, size = 'preview' }) =>
      sendItem(exchange, await find(exchange, link, id), size),
    video: async (exchange, { link, id }) =>
      sendItem(exchange, await find(exchange, link, id, true), 'playback'),
    async meta (exchange, { link: ref, id }) {
      const { link, item } = await find(exchange, ref, id)
      const details = link.showMetadata && await immich.details(link, item, exchange)
      await data(exchange, link, JSON_TYPE, JSON.stringify(details ? renderer.meta(link, details) : {}))
    },
    async items (exchange, { link: ref, stretch }) {
      const link = await open(exchange, ref)
      await data(exchange, link, JSON_TYPE, renderer.items(link, await immich.list(link), stretch))
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
      const unlocked = await immich.unlock(ref, given).catch((error: Error) => error)
      if (isRefusal(unlocked, 'locked')) {
        log.warn('unlock refused', { address, link, reason: 'wrong password' })
        return password(exchange, ref, 401, 'wrongPassword')
      }
      for (const [limit, name] of limited) limit.count(name, -1)
      if (unlocked instanceof Error) throw unlocked
      const { link: { key, slug }, token } = unlocked
      log.info('unlocked', { address, link })
      // for the key that media addresses carry, and for the slug where the link has one
      const manner = `Path=/; Max-Age=${UNLOCK_SECONDS}; HttpOnly; SameSite=Lax${secure() ? '; Secure' : ''}`
      const cookies = [{ key }, ...slug ? [{ slug }] : []]
        .map(ref => `${cookieName(ref)}=${seal.seal(ref, token)}; ${manner}`)
      const headers = { location: linkPath(ref), 'set-cookie': cookies }
      await answer(exchange, { status: 303, kind: 'page', headers })
    },
    async zip (exchange, { link: ref }) {
      const { request, response, visitor, head } = exchange
      const link = await open(exchange, ref)
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
      const plan = await planZip(immich, settings, link, items, whole, exchange)
      const { length, etag } = plan
      const { ifRange = etag } = visitor
      const range = length !== undefined && ifRange === etag ? visitor.range : undefined
      const part = range && resolveRange(range, length!)
      const media: Media = {
        status: part ? 206 : range ? 416 : 200, type: 'application/zip', name: '',
        length: part ? part.last - part.first + 1 : length, etag: length === undefined ? undefined : etag,
        contentRange: range && (part ? `bytes ${part.first}-${part.last}/${length}` : `bytes */${length}`)
      }
      if (!head && media.status !== 416 && !response.destroyed) {
        const name = linkName(ref)
        log.info('zip', { link: name, files: plan.entries.length, bytes: length, from: part?.first })
        const body = makeZip(immich, settings, link, plan, exchange)
          .on('error', ({ message }) => log.warn('zip broken off', { link: name, reason: message }))
        media.body = part ? through(body, parts => between(parts, part.first, part.last)) : body
      }
      // of no link, for no zip is kept anywhere
      const title = safeName((settings.showGalleryTitle && link.title) || 'photos')
      await sendMedia(exchange, media, undefined, `${title}.zip`)
    }
  }

  async function handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visitor = parseVisitor(request.headers, request.socket.remoteAddress ?? '', settings)
    const exchange: Exchange = {
      request, response, visitor, head: request.method === 'HEAD', lane: visitor.address, conditions: visitor,
      // whose signal is made when it is asked for: it costs a fifth of a small request
      until: request
    }
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
      else begin(response, { status: 500, kind: 'page' }, settings).end()
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
      server.close()
      server.closeAllConnections()
    }
  }
}

async function start (): Promise<void> {
  const settings = loadSettings(process.env, ROOT)
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
    const { port } = server.address() as { port: number }
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
  if (command === 'check') process.exitCode = await check(process.env, ROOT, address)
  else await start().catch(error => {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`The configuration is not valid:\n${error.message.replace(/^/gm, '  ')}\n`)
    process.exitCode = 1
  })
}
