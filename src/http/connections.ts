/**
 * Limits the visitors' connections and requests, and closes idle connections when room is needed. The
 * requests on one connection are answered one after another.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createQueue, type Queue } from '../queue.ts'
import { isRefusal } from '../refusal.ts'
import type { Settings } from '../config/settings.ts'
import { createShares, quarter, type Shares } from '../shares.ts'
import { parsePeer, wideNetwork, type Peer } from '../visitor-address.ts'

/** Unanswered requests on one connection. Browsers send none ahead of a response, and proxies few. */
const MAX_PIPELINED = 16

/** one visitor may have a sixteenth of the requests in flight: each may hold an image until it is sent */
const VISITOR_SHARE = 16

type Turn = { last: Promise<void>, unanswered: number }

/**
 * The connections of a server. Above the limit, those that have been idle longest are closed. One address
 * holds at most a quarter, unless it is a trusted proxy, which stands for many visitors.
 */
export class Connections {
  #most: number
  /** each connection, with the address at its other end */
  #addresses = new Map<Socket, string>()
  #shares: Shares
  /** connections without a request, those idle longest first */
  #idle = new Set<Socket>()
  /** `last` resolves after the response to the last request of a connection */
  #turns = new WeakMap<Socket, Turn>()
  #requests: Queue
  /** by network: resolves when its last request so far may begin */
  #paces = new Map<string, Promise<void>>()
  #running = 0

  constructor (server: Server, settings: Settings) {
    this.#most = settings.limits.connections
    this.#shares = createShares(quarter(this.#most))
    this.#requests = createQueue(this.#most, 0, Math.ceil(this.#most / VISITOR_SHARE))
    // room to answer 503 on connections above the limit
    server.maxConnections = 2 * this.#most
    server.on('connection', (socket: Socket) => this.#add(socket, parsePeer(socket.remoteAddress, settings)))
  }

  #add (socket: Socket, { address, isProxy }: Peer): void {
    const addresses = this.#addresses
    const isOver = !isProxy && !this.#shares.mayHold(address)
    this.#idle.add(socket)
    addresses.set(socket, address)
    this.#shares.add(address, 1)
    socket.on('close', () => { this.#idle.delete(socket); this.#forget(socket) })
    if (addresses.size > this.#most) this.#makeRoom(socket, () => true)
    if (isOver && !this.#makeRoom(socket, other => addresses.get(other) === address)) socket.destroy()
  }

  #forget (socket: Socket): void {
    const address = this.#addresses.get(socket)
    if (address !== undefined && this.#addresses.delete(socket)) this.#shares.add(address, -1)
  }

  /** Closes the longest idle connection for which `may` is true; false if there is none but `fresh`. */
  #makeRoom (fresh: Socket, may: (socket: Socket) => boolean): boolean {
    const longest = this.#idle.values().find(socket => socket !== fresh && may(socket))
    if (!longest) return false
    longest.destroy()
    this.#forget(longest)
    return true
  }

  /** The number of requests that are being answered. */
  get running (): number { return this.#running }

  /**
   * Waits for the turn of a request: pipelined requests are answered one after another anyway (RFC 9112
   * section 9.3.2), and only the first may use resources. False if the visitor has left, or has sent too many
   * requests ahead, which closes the connection.
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
   * Lets one request of a network begin in each turn of the event loop. Otherwise hundreds that arrive
   * together and take no time to wait for anything would be answered in one go, and keep everybody else
   * waiting.
   */
  async #pace (address: string): Promise<void> {
    const network = wideNetwork(address)
    const turn = (this.#paces.get(network) ?? Promise.resolve()).then(() => nextTurn())
    this.#paces.set(network, turn)
    await turn
    if (this.#paces.get(network) === turn) this.#paces.delete(network)
  }

  /**
   * Counts a request for this visitor, behind a proxy too, until it is answered, and waits for its turn.
   * False if all visitors, or this one, have too many requests.
   */
  async count (address: string, response: ServerResponse): Promise<boolean> {
    try {
      response.on('close', await this.#requests(address))
      await this.#pace(address)
      return true
    } catch (error) {
      if (isRefusal(error, 'busy')) return false
      throw error
    }
  }
}
