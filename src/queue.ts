/** A fair queue for a few slots: a visitor may hold only a share of them, a quarter by default. */
import { Refusal } from './refusal.ts'
import { createShares, quarter, type Shares } from './shares.ts'

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
 * Resolves when this visitor, or one of these, gets a slot. Throws a Refusal: busy if there is no room to
 * wait, unreachable if `signal` ends the wait.
 */
export type Queue = (lane: string | Lane, signal?: AbortSignal) => Promise<Release>
type Waiter = { lane: string | Lane, turn: number, start: (name: string) => void }
const left = (): Refusal => new Refusal('unreachable', 'the visitor left')
const namesOf = (lane: string | Lane) => typeof lane === 'string' ? [lane] : lane.names

/** A visitor who may have the next slot, with the slots held and the turn. */
type Candidate = { name: string, held: number, turn: number }
const isSooner = (one: Candidate, other?: Candidate): boolean =>
  !other || one.held < other.held || (one.held === other.held && one.turn < other.turn)

class FairQueue {
  #slots: number
  #room: number
  #holding: Shares
  #waiting: Shares
  /** by visitor who holds a slot or waits: when the latest slot was given, or else the arrival */
  #turns = new Map<string, number>()
  /** in the order of arrival */
  #waiters = new Set<Waiter>()
  #held = 0
  #turn = 0

  constructor (slots: number, room: number, share: number) {
    this.#slots = slots
    this.#room = room
    this.#holding = createShares(share)
    this.#waiting = createShares(quarter(room))
  }

  enter: Queue = async (lane, signal) => {
    if (signal?.aborted) throw left()
    const first = this.#held < this.#slots ? this.#firstOf({ lane, turn: this.#turn }) : undefined
    if (first) return this.#take(first.name)
    const [name = ''] = namesOf(lane)
    const isRoom = this.#waiters.size < this.#room
    if (!isRoom || !this.#waiting.mayHold(name)) throw new Refusal('busy')
    return this.#wait(name, lane, signal)
  }

  #forgetIfIdle (name: string): void {
    const isIdle = this.#holding.heldBy(name) === 0 && this.#waiting.heldBy(name) === 0
    if (isIdle) this.#turns.delete(name)
  }

  /** The visitor of a lane who may have a slot first; undefined if each holds a full share. */
  #firstOf ({ lane, turn }: Pick<Waiter, 'lane' | 'turn'>): Candidate | undefined {
    let first: Candidate | undefined
    for (const name of namesOf(lane)) {
      const visitor = { name, held: this.#holding.heldBy(name), turn: this.#turns.get(name) ?? turn }
      if (this.#holding.mayHold(name) && isSooner(visitor, first)) first = visitor
    }
    return first
  }

  #startNext = (): void => {
    let next: Candidate & { waiter: Waiter } | undefined
    const seen = new Set<string | Lane>()
    for (const waiter of this.#held < this.#slots ? this.#waiters : []) {
      if (seen.has(waiter.lane)) continue
      seen.add(waiter.lane)
      const first = this.#firstOf(waiter)
      if (first && isSooner(first, next)) next = { ...first, waiter }
    }
    next?.waiter.start(next.name)
  }

  #take (name: string): Release {
    let isHeld = true
    this.#held++
    this.#holding.add(name, 1)
    this.#turns.set(name, ++this.#turn)
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#held--
      this.#holding.add(name, -1)
      this.#forgetIfIdle(name)
      this.#startNext()
    }
  }

  /** Waits for a slot, in the waiting room of the visitor `name`. */
  #wait (name: string, lane: string | Lane, signal?: AbortSignal): Promise<Release> {
    return new Promise((resolve, reject) => {
      const turn = ++this.#turn
      const stopWaiting = () => {
        signal?.removeEventListener('abort', leave)
        this.#waiters.delete(waiter)
        this.#waiting.add(name, -1)
      }
      const start = (served: string) => {
        stopWaiting()
        resolve(this.#take(served))
        this.#forgetIfIdle(name)
      }
      const leave = () => { stopWaiting(); this.#forgetIfIdle(name); reject(left()) }
      const waiter = { lane, turn, start }
      signal?.addEventListener('abort', leave)
      this.#waiting.add(name, 1)
      if (!this.#turns.has(name)) this.#turns.set(name, turn)
      this.#waiters.add(waiter)
      if (lane instanceof Lane) lane.listeners.add(this.#startNext)
    })
  }
}

/**
 * A queue with `slots` in all and `share` per visitor, in which `room` requests may wait, a quarter of them
 * per visitor; the visitors of one /48 may have twice that. The next slot goes to the waiting visitor who
 * holds the fewest, and among equals to the one served longest ago.
 */
export const createQueue = (slots: number, room: number, share = quarter(slots)): Queue =>
  new FairQueue(slots, room, share).enter
