/**
 * A stand-in for Immich's share API that responds as the three recorded servers did, quirks included. It
 * keeps each request, and misbehaves on demand. `standin.test.ts` compares it with the recordings.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { respond } from './standin/endpoints.ts'
import type { Asked, Library, State, Version } from './standin/model.ts'
import { sendBody } from './standin/send.ts'

export {
  newId, newKey, VERSIONS,
  type Album, type Asked, type Asset, type Fault, type File, type Library, type ShareLink, type Version
} from './standin/model.ts'
export { madeUp } from './standin/send.ts'

/** Keeps a request, and sends the normal response or that of the fault. */
async function handle (state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://immich')
  const asked: Asked = {
    method: request.method!,
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body: '',
    closed: false
  }
  state.asked.push(asked)
  response.on('close', () => { asked.closed = true })
  response.on('error', () => {})
  try { for await (const chunk of request) asked.body += chunk } catch { return }
  const fault = state.fault(asked) ?? {}
  if (fault.reset) { request.socket.resetAndDestroy(); return }
  await fault.until
  if (fault.delay) await new Promise(resolve => setTimeout(resolve, fault.delay))
  if (fault.hang || response.destroyed) return
  if (fault.status === undefined && fault.body === undefined) {
    return respond({ state, asked, request, response, fault })
  }
  const body = fault.body ?? '{"message":"fault"}'
  response.writeHead(fault.status ?? 200, {
    'content-type': 'application/json; charset=utf-8',
    ...!state.chunked && { 'content-length': Buffer.byteLength(body) },
    ...fault.headers
  })
  void sendBody(response, Readable.from([Buffer.from(body)]), fault)
}

/** Starts a stand-in. Tests read and set the fields of `State` on what it returns. */
export async function startImmich (
  library: Library,
  { version = '3.1.0', port: wantedPort = 0, host = '127.0.0.1' }:
    { version?: Version, port?: number, host?: string } = {}
) {
  const asked: Asked[] = []
  const state: State = {
    version, library, asked, fault: () => undefined, careless: false, zone: 0, chunked: false, open: 0
  }
  const server = createServer((request, response) => handle(state, request, response))
  const sockets = new Set<Socket>()
  server.on('connection', socket => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)) })
  const listen = (port: number) => new Promise<void>(resolve => server.listen(port, host, resolve))
  await listen(wantedPort)
  const { port } = server.address() as AddressInfo
  return Object.assign(state, {
    port,
    url: `http://127.0.0.1:${port}`,
    sockets,
    /** Refuses connections from now on; `listen` accepts them again. */
    async close () {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
    listen: () => listen(port),
    count: (path: string | RegExp) =>
      asked.filter(one => typeof path === 'string' ? one.path === path : path.test(one.path)).length
  })
}
