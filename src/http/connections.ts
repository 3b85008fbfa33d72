/**
 * The visitors' connections and requests: how many there may be, and which end when room is needed. The
 * requests on one connection are answered one after another.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createQueue, quarter } from '../queue.ts'
import { isRefusal } from '../refusal.ts'
import type { Settings } from '../config/settings.ts'
import { parsePeer } from '../visitor-address.ts'

/** Unanswered requests on one connection. Browsers send none ahead of an answer, and proxies few. */
const MAX_PIPELINED = 16

/**
 * Watches the connections of a server. Above the limit, those end that have waited longest without a request.
 * One address holds at most a quarter, unless it is a trusted proxy, which stands for many visitors.
 */
export function watchConnections (server: Server, settings: Settings) {
  const most = settings.limits.connections
  /** the address of each; and those without a request, the longest waiting first */
  const addresses = new Map<Socket, string>()
  const idle = new Set<Socket>()
  /** `last` resolves after the answer to the last request of a connection */
  const turns = new WeakMap<Socket, { last: Promise<void>, unanswered: number }>()
  const requests = createQueue(most, 0)
  let running = 0

  /** Ends the one that has waited longest of those that `may` go; false where only `fresh` waits. */
  function makeRoom (fresh: Socket, may: (socket: Socket) => boolean): boolean {
    const longest = idle.values().find(socket => socket !== fresh && may(socket))
    longest?.destroy()
    return longest !== undefined && addresses.delete(longest)
  }

  // room for those that are told to come back later
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
    running: (): number => running,

    /**
     * Waits for the turn of a request: pipelined requests are answered one after another anyway (RFC 9112
     * section 9.3.2), and only the first may hold anything. False if the visitor has left, or has sent too
     * many ahead, which ends the connection.
     */
    async turn ({ socket }: IncomingMessage, response: ServerResponse): Promise<boolean> {
      if (socket.destroyed) return false
      const turn = turns.get(socket) ?? { last: Promise.resolve(), unanswered: 0 }
      turns.set(socket, turn)
      if (turn.unanswered >= MAX_PIPELINED) {
        socket.destroy()
        return false
      }
      const before = turn.last
      const { promise, resolve: answered } = Promise.withResolvers<void>()
      turn.last = promise
      turn.unanswered++
      await before
      if (socket.destroyed) return false
      running++
      idle.delete(socket)
      response.on('error', () => {}).on('close', () => {
        running--
        turn.unanswered--
        if (!socket.destroyed) idle.add(socket)
        answered()
      })
      return true
    },

    /**
     * Counts a request as the visitor's own until it is answered. False if there are too many of all
     * visitors, or of this one, who may hold a quarter, also behind a proxy.
     */
    async count (address: string, response: ServerResponse): Promise<boolean> {
      try {
        response.on('close', await requests(address))
        return true
      } catch (error) {
        if (isRefusal(error, 'busy')) return false
        throw error
      }
    }
  }
}
