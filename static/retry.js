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
      resolve(undefined)
    }
    ms = Math.min(ms * 2, LONGEST_WAIT)
    const timer = setTimeout(end, ms)
    addEventListener('online', end)
  })
}

/** @type {WeakMap<HTMLElement, () => Promise<unknown>>} */
const pauses = new WeakMap()

/** Tries a picture that failed again, if it is still on the page then. @param {HTMLImageElement} image */
export async function retry (image) {
  const { src } = image
  const pause = pauses.get(image) ?? createPause()
  pauses.set(image, pause)
  await pause()
  // another may be shown by now
  if (image.isConnected && image.src === src) image.src = src
}
