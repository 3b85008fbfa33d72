/**
 * Listens, finds the handler of a request in the one table of routes, and stops. A request flows one way:
 * what is asked is parsed by `validate`, whether it may be had by `links` and `lists`, the answer is made by
 * a handler and written by `answer`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { begin } from './answer.ts'
import { check } from './check.ts'
import { watchConnections } from './connections.ts'
import type { Exchange } from './exchange.ts'
import { showImage, showVideo } from './handle-media.ts'
import * as pages from './handle-pages.ts'
import { createUnlockLimits, unlock } from './handle-unlock.ts'
import { sendChosenZip, sendWholeZip } from './handle-zip.ts'
import { Immich } from './immich.ts'
import { Links } from './links.ts'
import { createLog, once, type Log } from './log.ts'
import { MediaRoom } from './media.ts'
import { Refusal } from './refusal.ts'
import { Renderer } from './render.ts'
import { ConfigError, loadSettings, type Settings } from './settings.ts'
import { loadStaticFiles } from './static-files.ts'
import { createKeys, createSeal, type Keys } from './unlock.ts'
import { parseLinkRef, parsePath, parseTarget, parseVisitor, type Segments } from './validate.ts'
import { createZips } from './zip.ts'

const ROOT = new URL('../', import.meta.url)

// ---------------------------------------------------------------------------------------------------- routes

/** The parts that a path names after colons, as what they are parsed to. */
type Names<Path> = Path extends `${string}:${infer Name}/${infer Rest}` ? Name | Names<`/${Rest}`>
  : Path extends `${string}:${infer Name}` ? Name : never
type Parts<Path> = { [Name in Names<Path> & keyof Segments]: Segments[Name] }
type Handler<Path> = (exchange: Exchange, parts: Parts<Path>) => unknown
/** Who is shown the form where the link has a password: everybody, for a page, or browsers, for a file. */
type Form = 'everybody' | 'browsers'
type Route = { methods: string[], pattern: RegExp, handle: Handler<never>, form: Form | undefined }

/** A trailing slash is the same place. */
function on<Path extends string> (methods: string[], path: Path, handle: Handler<Path>, form?: Form) {
  const pattern = new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`)
  return { methods, pattern, handle, form }
}
const GET = ['GET', 'HEAD']
const POST = ['POST']

/** Every address there is; the first that matches counts. */
const ROUTES: Route[] = [
  on(GET, '/share/photo/:key/:id/:size', showImage, 'browsers'),
  on(GET, '/share/photo/:key/:id', showImage, 'browsers'),
  on(GET, '/share/video/:key/:id', showVideo, 'browsers'),
  on(GET, '/share/video/:key/:id/:size', showVideo, 'browsers'),
  on(GET, '/share/meta/:key/:id', pages.sendDetails),
  on(GET, '/share/items/:key/:stretch', pages.sendItems),
  on(GET, '/share/marks/:key', pages.sendMarks),
  on(GET, '/', pages.showHome),
  on(GET, '/share', pages.showHome),
  on(GET, '/healthcheck', pages.sendHealth),
  on(GET, '/share/healthcheck', pages.sendHealth),
  on(GET, '/share/alive', pages.sendAlive),
  on(GET, '/robots.txt', pages.sendRobots),
  on(GET, '/favicon.ico', pages.sendFavicon),
  on(GET, '/share/static/:version/:file', pages.sendStatic),
  on(POST, '/share/unlock', unlock),
  on(GET, '/share/unlock', pages.leadHome),
  on(GET, '/share/:key/download', sendWholeZip, 'browsers'),
  on(GET, '/s/:slug/download', sendWholeZip, 'browsers'),
  on(POST, '/share/:key/download', sendChosenZip),
  on(POST, '/s/:slug/download', sendChosenZip),
  on(GET, '/share/:key/feed.json', pages.sendFeed),
  on(GET, '/s/:slug/feed.json', pages.sendFeed),
  on(POST, '/share/:key', pages.leadToItself),
  on(GET, '/share/:key', pages.showGallery, 'everybody'),
  on(GET, '/s/:slug', pages.showGallery, 'everybody'),
  on(GET, '/share/:key/:id', pages.showPhoto, 'everybody'),
  on(GET, '/s/:slug/:id', pages.showPhoto, 'everybody')
]

/** The route of a request, with the parts of its path; undefined where there is none. */
function findRoute (method: string, path: string): { route: Route, parts: Partial<Segments> } | undefined {
  for (const route of ROUTES) {
    const parts = route.methods.includes(method) ? parsePath(route.pattern, path) : undefined
    if (parts) return { route, parts }
  }
  return undefined
}

/** Answers one request. What is refused is answered too; throws what nobody expected. */
async function handle (app: App, request: IncomingMessage, response: ServerResponse, isFull: boolean) {
  const { method = '', url = '', headers, socket } = request
  const target = parseTarget(url)
  const visitor = parseVisitor(headers, socket.remoteAddress ?? '', app.settings)
  const exchange: Exchange = { app, request, response, target, visitor, head: method === 'HEAD' }
  const found = findRoute(method, target.path)
  if (!visitor.isCertain) app.warnOfUncertain('X-Forwarded-For comes from a proxy that is not named', UNNAMED)
  const hosts = request.rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === 'host')
  try {
    if (isFull) throw new Refusal('busy')
    if (!found || hosts.length > 1) throw new Refusal('missing')
    await found.route.handle(exchange, found.parts as never)
  } catch (error) {
    if (response.destroyed) return
    if (!(error instanceof Refusal)) throw error
    const ref = parseLinkRef(found?.parts.key, found?.parts.slug)
    const { form } = found?.route ?? {}
    const mayAsk = form === 'everybody' || (form === 'browsers' && visitor.wantsHtml)
    await pages.answerRefusal(exchange, error, mayAsk ? ref : undefined)
  }
}

// ------------------------------------------------------------------------------------------------ life cycle

/** What is said of a header that anybody could have written, where Docker's own gateway passes it on. */
const UNNAMED = { advice: 'name it in ipp.trustedProxies, so that nobody else can choose an address' }

/** What the program is made of, once for all requests. */
function createApp (settings: Settings, keys: Keys, log: Log, isClosing: () => boolean) {
  const immich = new Immich(settings, log)
  const media = new MediaRoom(immich, settings, keys('entity tag'))
  const statics = loadStaticFiles(ROOT)
  return {
    settings, log, immich, media, statics, isClosing,
    links: new Links(immich, settings, log), zips: createZips(media, settings, log),
    renderer: new Renderer(settings, ROOT, `/share/static/${statics.version}`),
    seal: createSeal(keys('unlock cookie')), guesses: createUnlockLimits(settings),
    warnOfUncertain: once(log.warn)
  }
}
export type App = ReturnType<typeof createApp>

/** The server, not yet listening. */
export function createProxy (
  settings: Settings, keys = createKeys(settings.secret), log = createLog(settings, keys)
) {
  let isClosing = false
  const app = createApp(settings, keys, log, () => isClosing)
  // a reverse proxy keeps its connections for 60 to 75 s: closing one before it does would lose a request
  const server = createServer({
    keepAliveTimeout: 90_000, headersTimeout: 15_000, requestTimeout: 30_000,
    connectionsCheckingInterval: 5_000, maxHeaderSize: 16_384
  })
  server.setTimeout(settings.limits.visitorTimeout * 1000)
  const connections = watchConnections(server, settings)
  server.on('request', async (request, response) => {
    if (!await connections.turn(request, response)) return
    const isFull = connections.isFull()
    if (isFull) response.shouldKeepAlive = false
    await handle(app, request, response, isFull).catch((error: Error) => {
      log.error('unexpected', { error: error.stack ?? String(error) })
      if (response.headersSent) response.destroy()
      else begin(response, { status: 500, kind: 'page' }, settings).end()
    })
  })
  /** Is no longer healthy, lets running transfers end for so many seconds, then ends them. */
  async function close (seconds = settings.limits.shutdown): Promise<void> {
    isClosing = true
    const until = performance.now() + seconds * 1000
    while (connections.running() > 0 && performance.now() < until) await sleep(20)
    server.close()
    server.closeAllConnections()
  }
  return { server, app, close }
}

/** Throws a ConfigError where Node.js has permissions but cannot drop them, unless the operator says that this is fine. */
function requireDrop ({ IPP_KEEP_PERMISSIONS: told }: NodeJS.ProcessEnv): void {
  const permission: object | undefined = process.permission
  if (!permission || 'drop' in permission || told === 'true') return
  throw new ConfigError(`Node.js ${process.version} cannot give up the right to read files once it runs: use 24.16 or newer, ` +
    'or accept that by IPP_KEEP_PERMISSIONS=true')
}

/** Gives up what the process no longer needs: it has read all its files (Node's permission model). */
function dropPermissions (log: Log): void {
  // not in the types of Node yet
  const permission = process.permission as { drop?: (scope: string) => void } | undefined
  permission?.drop?.('fs.read')
  if (!permission) log.warn('started without --permission: this process may read files and start others')
}

/** Says which Immich answers, and whether that was tested. */
async function greet ({ immich, log }: App): Promise<void> {
  const version = await immich.version().catch(() => undefined)
  if (!version) return log.warn('Immich does not answer yet; requests are tried again as they come')
  log.info('Immich found', { version: version.join('.') })
  const isTested = version[0] === 3 || (version[0] === 2 && version[1] >= 5)
  if (!isTested) log.warn('this Immich is older or newer than those that were tested', { tested: '2.5 to 3' })
}

function start (): void {
  requireDrop(process.env)
  const settings = loadSettings(process.env, ROOT)
  const { host, immichUrl, notices, changed } = settings
  // a log that nobody reads any more is no reason to end
  process.stdout.on('error', () => {})
  const { server, app, close } = createProxy(settings)
  const { log } = app
  for (const notice of notices) log.warn('configuration', { notice })
  server.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    // a kernel without IPv6
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
      server.listen(settings.port, '0.0.0.0')
      return
    }
    const advice = code === 'EADDRINUSE' ? 'another program listens there: choose another IPP_PORT' : ''
    log.error('cannot listen', { port: settings.port, host, failed: message, advice })
    process.exitCode = 1
  })
  server.on('listening', () => {
    dropPermissions(log)
    const { port } = server.address() as { port: number }
    log.info('listening', { port, immich: immichUrl, configuration: changed })
    void greet(app)
  })
  server.listen(settings.port, host)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, async () => {
    log.info('stopping', { signal })
    await close()
    process.exit(0)
  })
}

const USAGE = `node src/server.ts              starts, as the environment and config.json say
node src/server.ts check        says what is wrong with them, and whether Immich answers
node src/server.ts check LINK   what a share link gives, and the same
                                with --verbose all settings, not only those that were changed
`

// the times in a zip are what the photos' own clocks showed, wherever this runs
process.env.TZ = 'UTC'
if (import.meta.main) {
  const [command, ...words] = process.argv.slice(2)
  const [address, ...more] = words.filter(word => word !== '--verbose')
  try {
    if (command === undefined) start()
    else if (command === 'check' && more.length === 0 && !address?.startsWith('-')) {
      const isVerbose = words.includes('--verbose')
      process.exitCode = await check(process.env, ROOT, { address, isVerbose })
    } else {
      process.stdout.write(USAGE)
      process.exitCode = /^(--?)?h(elp)?$/.test(command) ? 0 : 2
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`The configuration is not valid:\n${error.message.replace(/^/gm, '  ')}\n`)
    process.exitCode = 1
  }
}
