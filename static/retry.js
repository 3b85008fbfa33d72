// @ts-check
/**
 * Tries a picture or a film that failed again, for as long as it is on the page; once the network is back, at
 * once.
 */

const FIRST_WAIT = 1000
const LONGEST_WAIT = 15_000
/** ms that each has waited last. @type {WeakMap<HTMLElement, number>} */
const waits = new WeakMap()

/** @param {HTMLImageElement | HTMLVideoElement} element */
export function retry (element) {
  const { src } = element
  const wait = Math.min(LONGEST_WAIT, (waits.get(element) ?? FIRST_WAIT / 2) * 2)
  waits.set(element, wait)
  const again = () => {
    clearTimeout(timer)
    removeEventListener('online', again)
    // another may be shown by now
    if (element.isConnected && element.src === src) element.src = src
  }
  const timer = setTimeout(again, wait)
  addEventListener('online', again)
}
