/** A fair queue for a few slots: a visitor may hold only a share of them, a quarter by default. */
import { Refusal } from './refusal.ts'

/** Gives the slot back; calling it again does nothing. */
export type Release = () => void
/** visitors of a lane that count, the latest ones; enough for one of them to be served soon */
const MAX_NAMES = 8
/** Visitors who wait for the same thing. More may join at any time. */
export class Lane {
  names: readonly string[]
  /** called when a visitor joins */
  listeners = new Set<() => void>()

  constructor (name: string) { this.names = [name] }

  add (name: string): void {
    if (this.names.includes(name)) return
    this.names = [...this.names, name].slice(-MAX_NAMES)
    for (const listener of this.listeners) listener()
  }
}
/**
 * Resolves when this visitor, or one of these, gets a slot. Throws a Refusal (busy) if there is no room to
 * wait, and the reason of `signal` if that ends the wait.
 */
export type Queue = (lane: string | Lane, signal?: AbortSignal) => Promise<Release>
/** `turn` orders visitors by when they last got a slot, or arrived if they have had none. */
type Visitor = { held: number, waiting: number, turn: number }
type Waiter = { lane: string | Lane, turn: number, start: (name: string) => void }
const namesOf = (lane: string | Lane) => typeof lane === 'string' ? [lane] : lane.names

/** The share of a limit that one visitor may use. */
export const quarter = (limit: number): number => Math.ceil(limit / 4)

const isSooner = (one: Visitor, other?: Visitor): boolean =>
  !other || one.held < other.held || (one.held === other.held && one.turn < other.turn)

class FairQueue {
  #slots: number
  #room: number
  #share: number
  #visitors = new Map<string, Visitor>()
  /** in the order of arrival */
  #waiters = new Set<Waiter>()
  #held = 0
  #turn = 0

  constructor (slots: number, room: number, share: number) {
    this.#slots = slots
    this.#room = room
    this.#share = share
  }

  enter: Queue = async (lane, signal) => {
    signal?.throwIfAborted()
    const first = this.#held < this.#slots ? this.#firstOf({ lane, turn: this.#turn }) : undefined
    if (first) return this.#take(first.name)
    const [name = ''] = namesOf(lane)
    const isRoom = this.#waiters.size < this.#room
    const mayWait = isRoom && this.#visitorOf(name, this.#turn).waiting < quarter(this.#room)
    if (!mayWait) throw new Refusal('busy')
    return this.#wait(name, lane, signal)
  }

  #visitorOf (name: string, came: number): Visitor {
    return this.#visitors.get(name) ?? { held: 0, waiting: 0, turn: came }
  }

  #forgetIfIdle (name: string, visitor: Visitor): void {
    if (visitor.held === 0 && visitor.waiting === 0) this.#visitors.delete(name)
  }

  /** The visitor of a lane who may have a slot first; undefined if each holds a full share. */
  #firstOf ({ lane, turn }: Pick<Waiter, 'lane' | 'turn'>) {
    let first: { name: string, visitor: Visitor } | undefined
    for (const name of namesOf(lane)) {
      const visitor = this.#visitorOf(name, turn)
      if (visitor.held < this.#share && isSooner(visitor, first?.visitor)) first = { name, visitor }
    }
    return first
  }

  #startNext = (): void => {
    let next: { name: string, visitor: Visitor, waiter: Waiter } | undefined
    const seen = new Set<string | Lane>()
    for (const waiter of this.#held < this.#slots ? this.#waiters : []) {
      if (seen.has(waiter.lane)) continue
      seen.add(waiter.lane)
      const first = this.#firstOf(waiter)
      if (first && isSooner(first.visitor, next?.visitor)) next = { ...first, waiter }
    }
    next?.waiter.start(next.name)
  }

  #take (name: string): Release {
    const visitor = this.#visitorOf(name, 0)
    let isHeld = true
    visitor.held++
    this.#held++
    visitor.turn = ++this.#turn
    this.#visitors.set(name, visitor)
    return () => {
      if (!isHeld) return
      isHeld = false
      visitor.held--
      this.#held--
      this.#forgetIfIdle(name, visitor)
      this.#startNext()
    }
  }

  /** Waits for a slot, in the waiting room of the visitor `name`. */
  #wait (name: string, lane: string | Lane, signal?: AbortSignal): Promise<Release> {
    return new Promise((resolve, reject) => {
      const visitor = this.#visitorOf(name, ++this.#turn)
      const stopWaiting = () => {
        signal?.removeEventListener('abort', leave)
        this.#waiters.delete(waiter)
        visitor.waiting--
      }
      const start = (served: string) => {
        stopWaiting()
        resolve(this.#take(served))
        this.#forgetIfIdle(name, visitor)
      }
      const leave = () => { stopWaiting(); this.#forgetIfIdle(name, visitor); reject(signal?.reason) }
      const waiter = { lane, turn: this.#turn, start }
      signal?.addEventListener('abort', leave)
      visitor.waiting++
      this.#visitors.set(name, visitor)
      this.#waiters.add(waiter)
      if (lane instanceof Lane) lane.listeners.add(this.#startNext)
    })
  }
}

/**
 * A queue with `slots` in all and `share` per visitor, in which `room` requests may wait. The next slot goes
 * to the waiting visitor who holds the fewest, and among equals to the one served longest ago.
 */
export const createQueue = (slots: number, room: number, share = quarter(slots)): Queue =>
  new FairQueue(slots, room, share).enter
