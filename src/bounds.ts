/** What bounds and what keeps: places that are few, shared fairly, and what is remembered for a while. */
import { isRefusal, Refusal } from './refusal.ts'

// ------------------------------------------------------------------------------------------------- the queue

/** Gives the place back; a second call does nothing. */
export type Leave = () => void
type Lane = { name: string, open: number, waiting: Set<() => void> }

/** What one visitor may hold of a limit. */
export const quarter = (limit: number): number => Math.ceil(limit / 4)

export type Queue = (lane: string, signal?: AbortSignal) => Promise<Leave>
/**
 * A way to one of the `places`: resolves when there is one. Each visitor has a lane and holds at most a
 * quarter of the places, and a quarter of those in which one may wait; the lanes that wait are served in
 * turn, at a cost that does not depend on how many they are. Throws a Refusal (busy) where none may be waited
 * for, and the reason of `signal` where that ends the wait.
 */
export function createQueue (places: number, waitingPlaces: number): Queue {
  const lanes = new Map<string, Lane>()
  /** the lanes that wait and may have another place, whose turn it is first */
  const ready = new Set<Lane>()
  let open = 0
  let waiting = 0

  /** Puts a lane where it belongs after a change: at the end of those that are ready, or nowhere. */
  function settle (lane: Lane): void {
    ready.delete(lane)
    if (lane.waiting.size > 0 && lane.open < quarter(places)) ready.add(lane)
    if (lane.waiting.size === 0 && lane.open === 0) lanes.delete(lane.name)
  }

  function count (lane: Lane, by: 1 | -1): void {
    lane.open += by
    open += by
    settle(lane)
  }

  function take (lane: Lane): Leave {
    let isHeld = true
    count(lane, 1)
    return () => {
      if (!isHeld) return
      isHeld = false
      count(lane, -1)
      const [next] = ready
      const [start] = next?.waiting ?? []
      if (open < places) start?.()
    }
  }

  const wait = (lane: Lane, signal?: AbortSignal): Promise<Leave> => new Promise((resolve, reject) => {
    const end = () => {
      signal?.removeEventListener('abort', leave)
      lane.waiting.delete(start)
      waiting--
    }
    const start = () => { end(); resolve(take(lane)) }
    const leave = () => { end(); settle(lane); reject(signal?.reason) }
    signal?.addEventListener('abort', leave)
    lane.waiting.add(start)
    waiting++
    settle(lane)
  })

  return async (name, signal) => {
    signal?.throwIfAborted()
    const lane = lanes.get(name) ?? { name, open: 0, waiting: new Set() }
    const isFree = open < places && lane.open < quarter(places)
    const mayWait = waiting < waitingPlaces && lane.waiting.size < quarter(waitingPlaces)
    if (!isFree && !mayWait) throw new Refusal('busy')
    lanes.set(name, lane)
    return isFree ? take(lane) : wait(lane, signal)
  }
}

// ------------------------------------------------------------------------------------------------ the memory

/** `loaded` is when the loading of `value` began, in ms of performance.now(). */
type Kept<T> = { value: T, loaded: number, weight: number }
export type Memory<T> = (name: string, load: (old?: T) => Promise<T>) => Promise<T>

/**
 * Values by name, at most `fresh` ms old: gives the value of a name, which `load` makes, perhaps from the
 * `old` one. One load serves all who ask for the same at once; from half of `fresh` on the old value serves
 * while a new one loads. Nothing that failed is kept. Where the weights of all are more than `limit`, those
 * loaded longest ago are forgotten.
 */
export function createMemory<T> (fresh: number, limit: number, weigh: (value: T) => number): Memory<T> {
  const kept = new Map<string, Kept<T>>()
  const loading = new Map<string, Promise<T>>()
  let total = 0

  function forget (name: string): void {
    total -= kept.get(name)?.weight ?? 0
    kept.delete(name)
  }

  function keep (name: string, entry: Kept<T>): void {
    forget(name)
    kept.set(name, entry)
    total += entry.weight
    const oldestFirst = kept.keys()
    while (total > limit) forget(oldestFirst.next().value ?? '')
  }

  async function make (name: string, load: (old?: T) => Promise<T>, known?: Kept<T>): Promise<T> {
    const loaded = performance.now()
    try {
      const value = await load(known?.value)
      keep(name, { value, loaded, weight: weigh(value) })
      return value
    } catch (error) {
      // what is no longer there ends at once; where Immich only fails, the old value serves to its end
      const isGone = isRefusal(error, 'missing') || isRefusal(error, 'locked')
      if (isGone || !known || loaded - known.loaded >= fresh) forget(name)
      throw error
    }
  }

  return async (name, load) => {
    const known = kept.get(name)
    const age = known ? performance.now() - known.loaded : Infinity
    if (known && age < fresh / 2) return known.value
    const next = loading.get(name) ?? make(name, load, known).finally(() => loading.delete(name))
    loading.set(name, next)
    if (!known || age >= fresh) return next
    // nobody waits for this one, and who asks next is told of its failure
    next.catch(() => {})
    return known.value
  }
}
