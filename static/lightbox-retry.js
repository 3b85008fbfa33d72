// @ts-check
/** Tries a picture or video of the lightbox again after it failed to load, and tells the visitor. */
import { say, unsay } from './dom.js'
import { t } from './link.js'
import { isMissing, retry } from './retry.js'

/**
 * Tries it again after a pause. Resolves to false if it does not exist or cannot be shown.
 * @param {HTMLImageElement | HTMLVideoElement} element
 */
export async function tryAgain (element) {
  const isBroken = element instanceof HTMLVideoElement &&
    element.error?.code !== MediaError.MEDIA_ERR_NETWORK
  const status = await fetch(element.src, { method: 'HEAD' }).then(response => response.status, () => 0)
  if (status === 404 || status === 410 || (status === 200 && isBroken)) return false
  if (element.isConnected) say(t.failed)
  for (const name of ['load', 'loadeddata']) {
    element.addEventListener(name, () => unsay(t.failed), { once: true })
  }
  await retry(element)
  return !isMissing(element.src)
}
