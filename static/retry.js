// @ts-check
/** Trying again what did not come: after waits that double, and at once when the network is back. */

const FIRST_WAIT = 1000
const LONGEST_WAIT = 15_000

/** A wait that is longer each time. */
export function createPause () {
  let ms = FIRST_WAIT / 2
  return () => new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      removeEventListener('online', end)
      resolve(ms)
    }
    ms = Math.min(ms * 2, LONGEST_WAIT)
    const timer = setTimeout(end, ms)
    addEventListener('online', end)
  })
}

/** @type {WeakMap<HTMLElement, () => Promise<unknown>>} */
const pauses = new WeakMap()

/** Tries it again, if it is still on the page then. @param {HTMLImageElement | HTMLVideoElement} it */
export async function retry (it) {
  const { src } = it
  const pause = pauses.get(it) ?? createPause()
  pauses.set(it, pause)
  await pause()
  // another may be shown by now
  if (it.isConnected && it.src === src) it.src = src
}

/**
 * A function that loads something at its first call and keeps it, or tries again at the next where it did not come.
 * @template T @param {() => Promise<T>} load
 */
export function lazily (load) {
  /** @type {Promise<T> | undefined} */
  let coming
  return () => {
    coming ??= load().catch(error => {
      coming = undefined
      throw error
    })
    return coming
  }
}
