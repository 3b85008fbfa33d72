/**
 * The visitors' connections and requests: how many there may be, and which end when room is needed. The
 * requests on one connection are answered one after another.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createQueue, quarter, type Queue } from '../queue.ts'
import { isRefusal } from '../refusal.ts'
import type { Settings } from '../config/settings.ts'
import { parsePeer, type Peer } from '../visitor-address.ts'

/** Unanswered requests on one connection. Browsers send none ahead of an answer, and proxies few. */
const MAX_PIPELINED = 16

/** one visitor's requests in flight, as a part of all: each may hold an image until it is sent */
const VISITOR_SHARE = 16

type Turn = { last: Promise<void>, unanswered: number }

/**
 * The connections of a server. Above the limit, those end that have waited longest without a request. One
 * address holds at most a quarter, unless it is a trusted proxy, which stands for many visitors.
 */
export class Connections {
  #most: number
  /** the address at the other end of each */
  #addresses = new Map<Socket, string>()
  /** those without a request, the longest waiting first */
  #idle = new Set<Socket>()
  /** `last` resolves after the answer to the last request of a connection */
  #turns = new WeakMap<Socket, Turn>()
  #requests: Queue
  #running = 0

  constructor (server: Server, settings: Settings) {
    this.#most = settings.limits.connections
    this.#requests = createQueue(this.#most, 0, Math.ceil(this.#most / VISITOR_SHARE))
    // room for those that are told to come back later
    server.maxConnections = 2 * this.#most
    server.on('connection', (socket: Socket) => this.#add(socket, parsePeer(socket.remoteAddress, settings)))
  }

  #add (socket: Socket, { address, isProxy }: Peer): void {
    const addresses = this.#addresses
    this.#idle.add(socket)
    addresses.set(socket, address)
    socket.on('close', () => { this.#idle.delete(socket); addresses.delete(socket) })
    if (addresses.size > this.#most) this.#makeRoom(socket, () => true)
    const own = isProxy ? 0 : addresses.values().filter(other => other === address).toArray().length
    const isOver = own > quarter(this.#most)
    if (isOver && !this.#makeRoom(socket, other => addresses.get(other) === address)) socket.destroy()
  }

  /** Ends the one that has waited longest of those that `may` go; false if only `fresh` waits. */
  #makeRoom (fresh: Socket, may: (socket: Socket) => boolean): boolean {
    const longest = this.#idle.values().find(socket => socket !== fresh && may(socket))
    longest?.destroy()
    return longest !== undefined && this.#addresses.delete(longest)
  }

  /** Requests that are being answered. */
  get running (): number { return this.#running }

  /**
   * Waits for the turn of a request: pipelined requests are answered one after another anyway (RFC 9112
   * section 9.3.2), and only the first may hold anything. False if the visitor has left, or has sent too many
   * ahead, which ends the connection.
   */
  async turn ({ socket }: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (socket.destroyed) return false
    const turn = this.#turns.get(socket) ?? { last: Promise.resolve(), unanswered: 0 }
    this.#turns.set(socket, turn)
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
    this.#running++
    this.#idle.delete(socket)
    response.on('error', () => {}).on('close', () => {
      this.#running--
      turn.unanswered--
      if (!socket.destroyed) this.#idle.add(socket)
      answered()
    })
    return true
  }

  /**
   * Counts a request as the visitor's own until it is answered. False if there are too many of all visitors,
   * or of this one, also behind a proxy.
   */
  async count (address: string, response: ServerResponse): Promise<boolean> {
    try {
      response.on('close', await this.#requests(address))
      return true
    } catch (error) {
      if (isRefusal(error, 'busy')) return false
      throw error
    }
  }
}
