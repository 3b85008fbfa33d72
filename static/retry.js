// @ts-check
/** Trying again what did not come: after waits that double, and at once when the network is back. */

const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 15_000
/** Until a picture that the server does not have is tried once more. */
const MISSING_MS = 180_000

/** A wait that is longer each time. */
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

/** Calls until it succeeds. @param {() => Promise<unknown>} attempt */
export async function keepTrying (attempt) {
  const pause = createPause()
  while (!await attempt().then(() => true, () => false)) await pause()
}

/**
 * What has failed, and whether the server had it all the same.
 * @type {WeakMap<HTMLElement, { pause: () => Promise<unknown>, isThere: boolean }>}
 */
const failures = new WeakMap()
/** Addresses without a picture, and when that was found. @type {Map<string, number>} */
const missing = new Map()

/** Whether the server has said lately that there is no picture at this address. @param {string} src */
export const isMissing = src =>
  Date.now() - (missing.get(new URL(src, location.href).href) ?? -MISSING_MS) < MISSING_MS

/**
 * Tries a picture or film again after a pause, if it is still on the page then. 404, 410 and a body that
 * cannot be shown are final: it is marked as missing, and tried once more after minutes.
 * @param {HTMLImageElement | HTMLVideoElement} it
 */
export async function retry (it) {
  const { src } = it
  const failure = failures.get(it) ?? { pause: createPause(), isThere: false }
  failures.set(it, failure)
  const status = await fetch(src, { method: 'HEAD' }).then(answer => answer.status, () => 0)
  const isFinal = status === 404 || status === 410 || (status === 200 && failure.isThere)
  failure.isThere = status === 200
  if (isFinal) {
    missing.set(src, Date.now())
    failures.delete(it)
    setTimeout(() => show(it, src), MISSING_MS)
    return
  }
  await failure.pause()
  show(it, src)
}

/** Another may be shown by now. @param {HTMLImageElement | HTMLVideoElement} it @param {string} src */
function show (it, src) {
  if (it.isConnected && it.src === src) it.src = src
}

/**
 * A function that loads something at its first call and keeps it, or tries again at the next where it did
 * not come.
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
