/**
 * Listens, answers requests, and stops. A request flows one way: `validate.ts` parses it, `routes/router.ts`
 * finds its handler, the gate decides whether it is allowed, the handler makes a `Reply`, and `http/reply.ts`
 * writes that.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import about from '../package.json' with { type: 'json' }
import { createApp, type App } from './app.ts'
import { check } from './config/check.ts'
import { ConfigError, loadSettings, type Settings } from './config/settings.ts'
import { createText, PLAIN } from './http/compression.ts'
import { Connections } from './http/connections.ts'
import { BrokenTransfer, ReplyWriter } from './http/reply.ts'
import { traceRequest, type Trace } from './http/trace.ts'
import { createKeys } from './keys.ts'
import { createLog, type Log } from './log.ts'
import { Refusal } from './refusal.ts'
import type { Context } from './routes/context.ts'
import { refusalReply } from './routes/error-pages.ts'
import { findRoute } from './routes/router.ts'
import { parseLinkAddress, parseTarget, parseVisitor } from './validate.ts'

const ROOT = new URL('../', import.meta.url)

// -------------------------------------------------------------------------------------------------- requests

/** The reply to a request, refusals included; undefined closes the connection. Throws unexpected errors. */
async function replyTo (context: Context, isFull: boolean, trace: Trace) {
  const { request: { method = '', rawHeaders }, target, visitor } = context
  const found = findRoute(method, target.path)
  const link = parseLinkAddress(found?.parts.key, found?.parts.slug)
  if (found) trace.found(found.route.path, link)
  const hosts = rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === 'host')
  try {
    if (isFull) throw new Refusal('busy')
    if (!found || hosts.length > 1) throw new Refusal('missing')
    return await found.route.handle(context, found.parts)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    trace.refused(error)
    const form = found?.route.form
    const hasForm = form === 'form' || (form === 'form for browsers' && visitor.wantsHtml)
    return refusalReply(context, error, hasForm ? link : undefined)
  }
}

// ------------------------------------------------------------------------------------------------ life cycle

const FAILED = createText(PLAIN, 'internal error\n')
/** how long load balancers may take to notice a SIGTERM */
const DRAIN_SECONDS = 3

/** The server, not yet listening, and a function that stops it. */
export function createProxy (
  settings: Settings, keys = createKeys(settings.secret), log = createLog(settings.logLevel, keys)
) {
  let isClosing = false
  const app = createApp(settings, keys, log, ROOT, () => isClosing)
  const writer = new ReplyWriter(settings.responseHeaders)
  const server = createServer({
    // reverse proxies keep connections for 60 to 75 s; closing one earlier would lose a request
    keepAliveTimeout: 90_000, headersTimeout: 15_000, requestTimeout: 30_000,
    connectionsCheckingInterval: 5_000, maxHeaderSize: 16_384
  })
  server.setTimeout(settings.limits.visitorTimeout * 1000)
  const connections = new Connections(server, settings)

  async function handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '', headers, socket } = request
    const trace = traceRequest(request, response, log, settings.logLevel === 'debug')
    // a range counts for GET alone (RFC 9110 section 14.2)
    if (method !== 'GET') delete headers.range
    const visitor = parseVisitor(headers, socket.remoteAddress ?? '', settings)
    if (visitor.isForgeable) {
      const advice = 'list it in ipp.trustedProxies, so that visitors cannot choose their address'
      const proxy = socket.remoteAddress
      app.warnOfForgeable('X-Forwarded-For comes from a proxy that is not listed', { proxy, advice })
    }
    const context = { app, request, visitor, target: parseTarget(url), isHead: method === 'HEAD' }
    const isFull = !await connections.count(visitor.address, response)
    if (response.destroyed) return
    if (isFull || isClosing) response.shouldKeepAlive = false
    try {
      const reply = await replyTo(context, isFull, trace)
      if (reply) await writer.write(response, reply, visitor)
      else response.destroy()
    } catch (error) {
      if (error instanceof BrokenTransfer) return trace.interrupted(error.message)
      if (response.destroyed) return
      log.error('unexpected', { error: (error as Error).stack ?? String(error) })
      if (response.headersSent) response.destroy()
      else await writer.write(response, { status: 500, kind: 'page', content: FAILED }, visitor)
    }
  }
  server.on('request', async (request, response) => {
    if (await connections.turn(request, response)) await handle(request, response)
  })

  /**
   * Stops within `seconds`. For the first `drain` of them it goes on answering but reports itself unhealthy,
   * so that a load balancer sends visitors elsewhere. Then it accepts no new connections and lets transfers
   * end.
   */
  async function close (seconds = settings.limits.shutdown, drain = 0): Promise<void> {
    isClosing = true
    const until = performance.now() + seconds * 1000
    await sleep(Math.min(seconds, drain) * 1000)
    server.close()
    while (connections.running > 0 && performance.now() < until) await sleep(20)
    server.closeAllConnections()
  }
  return { server, app, close }
}

/** Throws a ConfigError if Node.js has permissions but cannot drop them, unless the operator accepts that. */
function requirePermissionDrop ({ IPP_KEEP_PERMISSIONS: isAccepted }: NodeJS.ProcessEnv): void {
  const permission: object | undefined = process.permission
  if (!permission || 'drop' in permission || isAccepted === 'true') return
  throw new ConfigError(`Node.js ${process.version} cannot give up the right to read files once it runs: ` +
    'use 24.16 or newer, or accept that with IPP_KEEP_PERMISSIONS=true')
}

/** Gives up the right to read files, because all of them have been read (Node's permission model). */
function dropPermissions (log: Log): void {
  // Node's types do not have it yet
  const permission = process.permission as { drop?: (scope: string) => void } | undefined
  permission?.drop?.('fs.read')
  if (!permission) log.warn('started without --permission: this process may read files and start programs')
}

/** Logs the version of Immich once it answers, and warns if that version was not tested. */
async function logImmichVersion ({ gate, log }: App): Promise<void> {
  const ask = () => gate.version().catch(() => undefined)
  let version = await ask()
  if (!version) log.warn('Immich does not answer yet; each request tries again')
  while (!version) {
    await sleep(VERSION_RETRY_MS, undefined, { ref: false })
    version = await ask()
  }
  log.info('Immich found', { version: version.join('.') })
  const [major, minor] = version
  const isTested = (major === 2 && minor >= 5) || (major === 3 && minor <= 1)
  if (!isTested) log.warn('this version of Immich was not tested', { tested: '2.5 to 3.1' })
}
const VERSION_RETRY_MS = 5000

const LISTEN_ADVICE: Record<string, string> = {
  EADDRINUSE: 'another program listens there: choose another IPP_PORT',
  EADDRNOTAVAIL: 'this machine has no such address: correct IPP_HOST, or leave it out',
  EACCES: 'this user may not listen on a port below 1024: choose another IPP_PORT'
}

function start (): void {
  requirePermissionDrop(process.env)
  const settings = loadSettings(process.env, ROOT)
  const { host, immichUrl, notices, changed } = settings
  // a closed pipe must not end the process
  process.stdout.on('error', () => {})
  const { server, app, close } = createProxy(settings)
  // connections that wait to be accepted: beyond Node's 511, each would try again only after a second
  const listen = (address: string) => server.listen(settings.port, address, settings.limits.connections)
  const { log } = app
  for (const notice of notices) log.warn('configuration', { notice })
  server.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    // the kernel has no IPv6
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
      listen('0.0.0.0')
      return
    }
    const advice = LISTEN_ADVICE[code ?? '']
    log.error('cannot listen', { port: settings.port, host, failed: message, advice })
    process.exitCode = 1
  })
  server.on('listening', () => {
    dropPermissions(log)
    const { port } = server.address() as { port: number }
    log.info('listening', { port, version: about.version, immich: immichUrl, configuration: changed })
    void logImmichVersion(app)
  })
  listen(host)
  const stop = async (signal: string, drain: number): Promise<void> => {
    log.info('stopping', { signal })
    await close(settings.limits.shutdown, drain)
    process.exit(0)
  }
  process.on('SIGTERM', () => stop('SIGTERM', DRAIN_SECONDS))
  // Ctrl-C, where no load balancer has to notice
  process.on('SIGINT', () => stop('SIGINT', 0))
}

const USAGE = `node src/server.ts              starts with the environment and config.json
node src/server.ts check        checks them, and whether Immich answers
node src/server.ts check LINK   also checks a share link, and whether its address leads here
node src/server.ts --version    prints the version
`

// capture times are stored as if the cameras' clocks showed UTC, wherever this runs
process.env.TZ = 'UTC'
// Node.js before 24.16 may not know `main` here, and would end in silence
if (import.meta.main || process.argv[1] === import.meta.filename) {
  const [command, address, ...more] = process.argv.slice(2)
  try {
    if (command === undefined) start()
    else if (/^(--?)?v(ersion)?$/.test(command)) process.stdout.write(`${about.version}\n`)
    else if (command === 'check' && more.length === 0 && !address?.startsWith('-')) {
      const { report, status } = await check(process.env, ROOT, address)
      process.stdout.write(report)
      process.exitCode = status
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
