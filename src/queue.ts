/** A fair queue for a few slots: a visitor may hold only a share of them, a quarter by default. */
import { Refusal } from './refusal.ts'

/** Gives the slot back; calling it again does nothing. */
type Release = () => void
/**
 * Resolves when the visitor `name` gets a slot. Throws a Refusal (busy) if there is no room to wait, and the
 * reason of `signal` if that ends the wait.
 */
export type Queue = (name: string, signal?: AbortSignal) => Promise<Release>
type Lane = { held: number, waiting: (() => void)[] }

/** The share of a limit that one visitor may use. */
export const quarter = (limit: number): number => Math.ceil(limit / 4)

/**
 * A queue with `slots` in all and `share` per visitor, in which `room` requests may wait. The next slot goes
 * to the waiting visitor who holds the fewest, and among equals to the one served longest ago.
 */
export function createQueue (slots: number, room: number, share = quarter(slots)): Queue {
  // in the order in which visitors were last served
  const lanes = new Map<string, Lane>()
  let held = 0
  let waiting = 0

  function startNext (): void {
    let next: Lane | undefined
    for (const lane of lanes.values()) {
      const canStart = lane.waiting.length > 0 && lane.held < share
      if (canStart && lane.held < (next?.held ?? Infinity)) next = lane
    }
    if (held < slots) next?.waiting[0]?.()
  }

  function take (name: string, lane: Lane): Release {
    let isHeld = true
    lane.held++
    held++
    lanes.delete(name)
    lanes.set(name, lane)
    return () => {
      if (!isHeld) return
      isHeld = false
      lane.held--
      held--
      forgetIfIdle(name, lane)
      startNext()
    }
  }

  function forgetIfIdle (name: string, lane: Lane): void {
    if (lane.held === 0 && lane.waiting.length === 0) lanes.delete(name)
  }

  const wait = (name: string, lane: Lane, signal?: AbortSignal): Promise<Release> =>
    new Promise((resolve, reject) => {
      const stopWaiting = () => {
        signal?.removeEventListener('abort', leave)
        lane.waiting = lane.waiting.filter(other => other !== start)
        waiting--
      }
      const start = () => { stopWaiting(); resolve(take(name, lane)) }
      const leave = () => { stopWaiting(); forgetIfIdle(name, lane); reject(signal?.reason) }
      signal?.addEventListener('abort', leave)
      lane.waiting.push(start)
      waiting++
    })

  return async (name, signal) => {
    signal?.throwIfAborted()
    const lane = lanes.get(name) ?? { held: 0, waiting: [] }
    const isFree = held < slots && lane.held < share
    const mayWait = waiting < room && lane.waiting.length < quarter(room)
    if (!isFree && !mayWait) throw new Refusal('busy')
    lanes.set(name, lane)
    return isFree ? take(name, lane) : wait(name, lane, signal)
  }
}
