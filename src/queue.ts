/** A fair queue for a few slots: a visitor may hold only a share of them, a quarter by default. */
import { Refusal } from './refusal.ts'

/** Gives the slot back; calling it again does nothing. */
export type Release = () => void
/** A visitor's address, or those of all visitors who wait for the same thing, of whom more may join. */
export type Lane = string | ReadonlySet<string>
/**
 * Resolves when one of these visitors gets a slot. Throws a Refusal (busy) if there is no room to wait, and
 * the reason of `signal` if that ends the wait.
 */
export type Queue = (lane: Lane, signal?: AbortSignal) => Promise<Release>
/** `turn` orders visitors by when they last got a slot, or else came. */
type Visitor = { held: number, waiting: number, turn: number }
type Waiter = { names: Iterable<string>, turn: number, start: (name: string) => void }

/** The share of a limit that one visitor may use. */
export const quarter = (limit: number): number => Math.ceil(limit / 4)

/**
 * A queue with `slots` in all and `share` per visitor, in which `room` requests may wait. The next slot goes
 * to the waiting visitor who holds the fewest, and among equals to the one served longest ago.
 */
export function createQueue (slots: number, room: number, share = quarter(slots)): Queue {
  const visitors = new Map<string, Visitor>()
  // in the order of arrival
  const waiters = new Set<Waiter>()
  let held = 0
  let turn = 0

  const visitorOf = (name: string, came: number): Visitor =>
    visitors.get(name) ?? { held: 0, waiting: 0, turn: came }
  const isSooner = (one: Visitor, other?: Visitor): boolean =>
    !other || one.held < other.held || (one.held === other.held && one.turn < other.turn)

  function forgetIfIdle (name: string, visitor: Visitor): void {
    if (visitor.held === 0 && visitor.waiting === 0) visitors.delete(name)
  }

  /** The visitor among these who may have a slot first; undefined if each holds a full share. */
  function firstOf ({ names, turn }: Pick<Waiter, 'names' | 'turn'>) {
    let first: { name: string, visitor: Visitor } | undefined
    for (const name of names) {
      const visitor = visitorOf(name, turn)
      if (visitor.held < share && isSooner(visitor, first?.visitor)) first = { name, visitor }
    }
    return first
  }

  function startNext (): void {
    let next: { name: string, visitor: Visitor, waiter: Waiter } | undefined
    for (const waiter of held < slots ? waiters : []) {
      const first = firstOf(waiter)
      if (first && isSooner(first.visitor, next?.visitor)) next = { ...first, waiter }
    }
    next?.waiter.start(next.name)
  }

  function take (name: string): Release {
    const visitor = visitorOf(name, 0)
    let isHeld = true
    visitor.held++
    held++
    visitor.turn = ++turn
    visitors.set(name, visitor)
    return () => {
      if (!isHeld) return
      isHeld = false
      visitor.held--
      held--
      forgetIfIdle(name, visitor)
      startNext()
    }
  }

  /** Waits for a slot; `name` is the visitor whose room to wait this takes. */
  const wait = (name: string, names: Iterable<string>, signal?: AbortSignal): Promise<Release> =>
    new Promise((resolve, reject) => {
      const visitor = visitorOf(name, ++turn)
      const stopWaiting = () => {
        signal?.removeEventListener('abort', leave)
        waiters.delete(waiter)
        visitor.waiting--
      }
      const start = (served: string) => {
        stopWaiting()
        resolve(take(served))
        forgetIfIdle(name, visitor)
      }
      const leave = () => { stopWaiting(); forgetIfIdle(name, visitor); reject(signal?.reason) }
      const waiter = { names, turn, start }
      signal?.addEventListener('abort', leave)
      visitor.waiting++
      visitors.set(name, visitor)
      waiters.add(waiter)
    })

  return async (lane, signal) => {
    signal?.throwIfAborted()
    const names = typeof lane === 'string' ? [lane] : lane
    const first = held < slots ? firstOf({ names, turn }) : undefined
    if (first) return take(first.name)
    const [name = ''] = names
    const mayWait = waiters.size < room && visitorOf(name, turn).waiting < quarter(room)
    if (!mayWait) throw new Refusal('busy')
    return wait(name, names, signal)
  }
}
