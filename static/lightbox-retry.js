// @ts-check
/** Tries a picture or video of the lightbox again after it failed to load, and tells the visitor. */
import { say, unsay } from './dom.js'
import { t } from './link.js'
import { retry } from './retry.js'

/**
 * Tries it again after a pause. Resolves to false if it does not exist or cannot be shown.
 * @param {HTMLImageElement | HTMLVideoElement} element
 */
export function tryAgain (element) {
  for (const name of ['load', 'loadeddata']) {
    element.addEventListener(name, () => unsay(t.failed), { once: true })
  }
  return retry(element, () => { if (element.isConnected) say(t.failed) })
}
