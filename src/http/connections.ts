/**
 * The visitors' connections: how many there may be, which go first when room is needed, and that the requests
 * of one are answered one after another.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { quarter } from '../queue.ts'
import type { Settings } from '../config/settings.ts'
import { parsePeer } from '../visitor-address.ts'

/**
 * Watches the connections of a server. Where there are more than the limit, those end that have waited
 * longest without a request. One address holds at most a quarter, unless it is a trusted proxy, behind which
 * are many.
 */
export function watchConnections (server: Server, settings: Settings) {
  const most = settings.limits.connections
  /** the address of each; and those without a request, who wait longest first */
  const addresses = new Map<Socket, string>()
  const idle = new Set<Socket>()
  /** ends with the answer to the last request of a connection */
  const turns = new WeakMap<Socket, Promise<void>>()
  let running = 0

  /** Ends the one that has waited longest of those that `may` go; false where only `fresh` waits. */
  function makeRoom (fresh: Socket, may: (socket: Socket) => boolean): boolean {
    const longest = idle.values().find(socket => socket !== fresh && may(socket))
    longest?.destroy()
    return longest !== undefined && addresses.delete(longest)
  }

  // beyond the limit a request is told so; connections far beyond it are dropped
  server.maxConnections = 2 * most
  server.on('connection', (socket: Socket) => {
    const { address, isProxy } = parsePeer(socket.remoteAddress, settings)
    idle.add(socket)
    addresses.set(socket, address)
    socket.on('close', () => { idle.delete(socket); addresses.delete(socket) })
    if (addresses.size > most) makeRoom(socket, () => true)
    const own = isProxy ? 0 : addresses.values().filter(other => other === address).toArray().length
    if (own > quarter(most) && !makeRoom(socket, other => addresses.get(other) === address)) socket.destroy()
  })

  return {
    isFull: (): boolean => addresses.size > most,
    running: (): number => running,
    /**
     * Waits for the turn of a request: those that a visitor sends at once on one connection are answered one
     * after another anyway (RFC 9112 section 9.3.2), and only the first may hold anything. False where the
     * visitor left.
     */
    async turn ({ socket }: IncomingMessage, response: ServerResponse): Promise<boolean> {
      const before = turns.get(socket)
      const { promise, resolve: answered } = Promise.withResolvers<void>()
      turns.set(socket, promise)
      await before
      if (socket.destroyed) return false
      running++
      idle.delete(socket)
      response.on('error', () => {}).on('close', () => {
        running--
        if (!socket.destroyed) idle.add(socket)
        answered()
      })
      return true
    }
  }
}
