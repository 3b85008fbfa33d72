// @ts-check
/** Retries with waits that double, and at once when the network is back; and loading on demand. */

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 15_000
/** How often a missing picture is tried again. */
const MISSING_MS = 180_000

/** @param {number} ms */
export const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/** A wait that doubles each time. */
export function createPause () {
  let ms = FIRST_WAIT_MS / 2
  return () => new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      removeEventListener('online', end)
      resolve(ms)
    }
    ms = Math.min(ms * 2, LONGEST_WAIT_MS)
    const timer = setTimeout(end, ms)
    addEventListener('online', end)
  })
}

/**
 * Calls until it succeeds, and `onFailure` before each pause. Once `isWanted` is false it ends with undefined
 * and calls nothing more.
 * @template T @param {() => Promise<T>} attempt @returns {Promise<T | undefined>}
 */
export async function keepTrying (attempt, onFailure = () => {}, isWanted = () => true) {
  const pause = createPause()
  while (isWanted()) {
    try {
      const result = await attempt()
      return isWanted() ? result : undefined
    } catch {
      if (isWanted()) onFailure()
      await pause()
    }
  }
  return undefined
}

/**
 * Failed elements, and whether the server had their content all the same.
 * @type {WeakMap<HTMLElement, { pause: () => Promise<unknown>, isThere: boolean }>}
 */
const failures = new WeakMap()
/** Addresses without a picture, and when that was found out. @type {Map<string, number>} */
const missing = new Map()

/** Whether this address was recently found to have no picture. @param {string} src */
export const isMissing = src => missing.size > 0 &&
  Date.now() - (missing.get(new URL(src, location.href).href) ?? -MISSING_MS) < MISSING_MS

/**
 * Tries a failed picture or video again after a pause, if it is still on the page; `onPause` is called when
 * the pause begins. 404, 410 and a body that cannot be shown mark the address as missing: this resolves to
 * false, and it is tried again only after minutes.
 * @param {HTMLImageElement | HTMLVideoElement} element
 */
export async function retry (element, onPause = () => {}) {
  const { src } = element
  const failure = failures.get(element) ?? { pause: createPause(), isThere: false }
  failures.set(element, failure)
  const status = await fetch(src, { method: 'HEAD' }).then(response => response.status, () => 0)
  const isBroken = failure.isThere || (element instanceof HTMLVideoElement &&
    element.error?.code !== MediaError.MEDIA_ERR_NETWORK)
  failure.isThere = status === 200
  if (status === 404 || status === 410 || (status === 200 && isBroken)) {
    missing.set(src, Date.now())
    failures.delete(element)
    setTimeout(() => reload(element, src), MISSING_MS)
    return false
  }
  onPause()
  await failure.pause()
  reload(element, src)
  return true
}

/**
 * Loads `src` again, unless the element shows something else by now.
 * @param {HTMLImageElement | HTMLVideoElement} element @param {string} src
 */
function reload (element, src) {
  if (element.isConnected && element.src === src) element.src = src
}

/**
 * A function that loads something at its first call and keeps it; after a failure the next call tries again.
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
