// @ts-check
/** Trying again what did not come: after waits that double, and at once when the network is back. */

const FIRST_WAIT = 1000
const LONGEST_WAIT = 15_000
/** ms until what has waited so long is tried again. */
export const longer = (wait = FIRST_WAIT / 2) => Math.min(wait * 2, LONGEST_WAIT)

/** Waits so many ms, or until the network is back. @param {number} ms @returns {Promise<void>} */
export const pause = ms => new Promise(resolve => {
  const end = () => {
    clearTimeout(timer)
    removeEventListener('online', end)
    resolve()
  }
  const timer = setTimeout(end, ms)
  addEventListener('online', end)
})

/** ms that each picture has waited last. @type {WeakMap<HTMLElement, number>} */
const waits = new WeakMap()

/** Tries a picture that failed again, if it is still on the page then. @param {HTMLImageElement} image */
export async function retry (image) {
  const { src } = image
  const wait = longer(waits.get(image))
  waits.set(image, wait)
  await pause(wait)
  // another may be shown by now
  if (image.isConnected && image.src === src) image.src = src
}
