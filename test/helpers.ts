/** Starts the proxy in front of the stand-in, and speaks HTTP to it as an outsider does. */
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { after } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createKeys } from '../src/keys.ts'
import { createLinkHashes, type Log } from '../src/log.ts'
import { createProxy } from '../src/server.ts'
import { loadSettings } from '../src/config/settings.ts'
import { sampleLibrary } from './library.ts'
import { startImmich, type Library, type Version } from './standin.ts'

export type Answer = {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text: string
  complete: boolean
  json: () => any
}
export type Ask = {
  method?: string, headers?: Record<string, string | string[]>, body?: string | Buffer, agent?: Agent
}
export const ROOT = new URL('../', import.meta.url)
/** The environment of a process that a test starts; where compiled scripts are kept, it finds them. */
const { PATH = '', NODE_COMPILE_CACHE } = process.env
export const PROCESS_ENV = { PATH, ...NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE } }
export const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

/** A visitor for the gate, who has unlocked nothing. */
export const VISITOR = { address: 'x', isForgeable: false, isEmbedded: false, cookies: new Map() }
/** Keeps connections open: a new one for each request takes a third of the time of a large table. */
export const KEEP_ALIVE = new Agent({ keepAlive: true })

/** Lets a server listen on a free port; resolves with its address. */
export async function listen (server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/**
 * Sends one request, on its own connection unless there is an `agent`. Resolves with `complete` false if the
 * response breaks off.
 */
export function ask (
  base: string,
  path: string,
  { method = 'GET', headers = {}, body, agent }: Ask = {}
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base)
    const out = request({ hostname, port, path, method, headers, agent: agent ?? false }, response => {
      const chunks: Buffer[] = []
      let complete = true
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', () => { complete = false })
      response.on('close', () => {
        const body = Buffer.concat(chunks)
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body,
          get text () { return body.toString() },
          complete: complete && response.complete,
          json: () => JSON.parse(body.toString())
        })
      })
    })
    out.on('error', reject)
    out.end(body)
  })
}

/** Distinct ports on which nobody listens, outside the range of outgoing connections. */
export async function freePorts (count: number): Promise<number[]> {
  const held = new Map<number, ReturnType<typeof createServer>>()
  while (held.size < count) {
    const [port, server] = [20_000 + Math.floor(Math.random() * 10_000), createServer()]
    const free = await new Promise<boolean>(resolve =>
      server.on('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    )
    if (free) held.set(port, server)
  }
  await Promise.all([...held.values()].map(server => new Promise(resolve => server.close(resolve))))
  return [...held.keys()]
}

export type Options = {
  version?: Version
  ipp?: Record<string, unknown>
  lightGallery?: Record<string, unknown>
  env?: Record<string, string>
  library?: Library
}
/** A proxy and its Immich, both stopped when the file's tests have run. */
export async function start ({ version = '3.1.0', ipp = {}, lightGallery, env = {}, library }: Options = {}) {
  const sample = sampleLibrary()
  const immich = await startImmich(library ?? sample.library, { version })
  const lines: string[] = []
  const write = (level: string) => (event: string, fields?: unknown) => {
    lines.push(`${level} ${event} ${JSON.stringify(fields ?? {})}`)
  }
  const settings = loadSettings({
    IMMICH_URL: immich.url,
    IPP_PORT: '0',
    IPP_HOST: '127.0.0.1',
    CONFIG: JSON.stringify({ ipp, ...lightGallery && { lightGallery } }),
    ...env
  }, ROOT)
  const keys = createKeys(settings.secret)
  const log: Log = {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    hashOf: createLinkHashes(keys)
  }
  const proxy = createProxy(settings, keys, log)
  const base = await listen(proxy.server)
  const stop = async () => { await proxy.close(0); await immich.close().catch(() => {}) }
  after(stop)
  return {
    ...sample, immich, proxy, base, lines, settings, stop,
    get: (path: string, options?: Ask) => ask(base, path, options),
    /** Unlocks a link, and resolves with the Cookie header for it. */
    async unlock (fields: Record<string, string>, headers: Record<string, string> = {}) {
      const response = await ask(base, '/share/unlock', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(fields).toString()
      })
      const cookies = ([] as string[]).concat(response.headers['set-cookie'] ?? [])
      return { response, cookies, cookie: cookies.map(cookie => cookie.split(';')[0]).join('; ') }
    },
    socket: (): Socket => connect(Number(new URL(base).port), '127.0.0.1')
  }
}
export type Running = Awaited<ReturnType<typeof start>>

/** Returns a function for whole numbers from 0 to below a bound, the same ones for the same seed. */
export function createRandom (seed: number): (below: number) => number {
  let state = Math.imul(seed, 2654435761)
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
}

/** Waits until `check` holds; fails after half a minute. For events that take longer on a busy machine. */
export async function until (check: () => boolean | Promise<boolean>, what = 'the condition'): Promise<void> {
  for (let n = 0; n < 3000; n++) {
    if (await check()) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error(`waited in vain for ${what}`)
}

/** Collects garbage, so that memory can be compared. */
export function collectGarbage (): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Waits until Immich is sending no body and no visitor's socket is open. */
export async function settled ({ immich, proxy }: Running): Promise<void> {
  await until(() => immich.open === 0, 'bodies at Immich to end')
  await until(() => (proxy.server as any)._connections === 0, 'visitors\' sockets to close')
}

/** Holds back Immich's answers to matching paths until the returned function is called. */
export function hold ({ immich }: Running, path: RegExp): () => void {
  let release = () => {}
  const held = new Promise<void>(resolve => { release = resolve })
  immich.fault = asked => path.test(asked.path) ? { until: held } : undefined
  return () => { immich.fault = () => undefined; release() }
}

/** The number of requests to Immich with a matching path that are not completely answered. */
export const openCount = ({ immich }: Running, path: RegExp): number =>
  immich.asked.filter(asked => path.test(asked.path) && !asked.closed).length

/** Counts the requests that reach the proxy from now on. */
export function countRequests ({ proxy }: Running): () => number {
  let count = 0
  proxy.server.on('request', () => { count++ })
  return () => count
}

/** Puts the clock of `performance.now` ahead by so many ms, for one test. */
export function clock (context: {
  mock: { method: (object: any, name: any, by: any) => unknown }
}): (ms: number) => void {
  const real = performance.now.bind(performance)
  let ahead = 0
  context.mock.method(performance, 'now', () => real() + ahead)
  return ms => { ahead += ms }
}
