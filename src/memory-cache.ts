/** A short-lived cache: simultaneous requests for one value share one load, and failures are never cached. */
import { isRefusal } from './refusal.ts'

/** `loadedAt` is when the load began, in ms of performance.now(). */
type Entry<T> = { value: T, loadedAt: number, weight: number }
/** The value called `name`, from memory or made by `load`, which is given the old value if there is one. */
export type Cache<T> = (name: string, load: (old?: T) => Promise<T>) => Promise<T>

/**
 * A cache of values that are at most `maxAge` ms old. From half that age on, the old value is still served
 * while a new one loads. If the weights add up to more than `capacity`, the oldest values are dropped.
 */
export function createCache<T> (maxAge: number, capacity: number, weigh: (value: T) => number): Cache<T> {
  const entries = new Map<string, Entry<T>>()
  const loading = new Map<string, Promise<T>>()
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

  async function refresh (name: string, load: (old?: T) => Promise<T>, old?: Entry<T>): Promise<T> {
    const loadedAt = performance.now()
    try {
      const value = await load(old?.value)
      store(name, { value, loadedAt, weight: weigh(value) })
      return value
    } catch (error) {
      // at once drop a value that is gone; if Immich merely fails, serve the old one until it is too old
      const isGone = isRefusal(error, 'missing') || isRefusal(error, 'locked')
      if (isGone || !old || loadedAt - old.loadedAt >= maxAge) drop(name)
      throw error
    }
  }

  return async (name, load) => {
    const old = entries.get(name)
    const age = old ? performance.now() - old.loadedAt : Infinity
    if (old && age < maxAge / 2) return old.value
    const fresh = loading.get(name) ?? refresh(name, load, old).finally(() => loading.delete(name))
    loading.set(name, fresh)
    if (!old || age >= maxAge) return fresh
    // nobody waits for this load; the next request will see its failure
    fresh.catch(() => {})
    return old.value
  }
}
