/** A short-lived cache: simultaneous requests for one value share one load, and failures are never cached. */
import { Lane } from './queue.ts'
import { isRefusal } from './refusal.ts'

/** Drops the oldest names of a set or map beyond `most`. */
export function forgetOldest (names: Set<string> | Map<string, unknown>, most: number): void {
  for (const oldest of names.keys()) {
    if (names.size <= most) return
    names.delete(oldest)
  }
}

/** The weight of a list for a cache of so many items: one that is larger still fits alone. */
export const weightOf = (items: number, capacity: number): number => Math.max(1, Math.min(items, capacity))

/** `loadedAt` is when the load began, in ms of performance.now(). */
type Entry<T> = { value: T, loadedAt: number, weight: number }
type Loading<T> = { value: Promise<T>, lane: Lane }
/** `lane` has the visitors who wait for this load; more may join before it is done. */
type Load<T> = (lane: Lane, old?: T) => Promise<T>
/**
 * The value called `name`, from memory or made by `load`, which is given the old value if there is one.
 * `visitor` is the address of the visitor who needs it.
 */
export type Cache<T> = (name: string, visitor: string, load: Load<T>) => Promise<T>

/**
 * A cache of values that are at most `maxAge` ms old. From half that age on, the old value is still served
 * while a new one loads. If the weights add up to more than `capacity`, the oldest values are dropped.
 */
export function createCache<T> (maxAge: number, capacity: number, weigh: (value: T) => number): Cache<T> {
  const entries = new Map<string, Entry<T>>()
  const loading = new Map<string, Loading<T>>()
  let total = 0

  function drop (name: string): void {
    total -= entries.get(name)?.weight ?? 0
    entries.delete(name)
  }

  function store (name: string, entry: Entry<T>): void {
    drop(name)
    entries.set(name, entry)
    total += entry.weight
    for (const oldest of entries.keys()) {
      if (total <= capacity) break
      drop(oldest)
    }
  }

  async function refresh (name: string, load: () => Promise<T>, old?: Entry<T>): Promise<T> {
    const loadedAt = performance.now()
    try {
      const value = await load()
      store(name, { value, loadedAt, weight: weigh(value) })
      return value
    } catch (error) {
      // drop a value that is gone at once; if Immich only fails, serve the old one until it is too old
      const isGone = isRefusal(error, 'missing') || isRefusal(error, 'locked')
      if (isGone || !old || loadedAt - old.loadedAt >= maxAge) drop(name)
      throw error
    }
  }

  function begin (name: string, visitor: string, load: Load<T>, old?: Entry<T>): Loading<T> {
    const lane = new Lane(visitor)
    const value = refresh(name, () => load(lane, old?.value), old).finally(() => loading.delete(name))
    loading.set(name, { value, lane })
    return { value, lane }
  }

  return async (name, visitor, load) => {
    const old = entries.get(name)
    const age = old ? performance.now() - old.loadedAt : Infinity
    if (old && age < maxAge / 2) return old.value
    const { value, lane } = loading.get(name) ?? begin(name, visitor, load, old)
    lane.add(visitor)
    if (!old || age >= maxAge) return value
    // nobody waits for this load; the next request will see its failure
    value.catch(() => {})
    return old.value
  }
}
