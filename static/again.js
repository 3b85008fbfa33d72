// @ts-check
/** A picture or a film of the lightbox that did not come: tried again where that can help, which is said. */
import { say } from './dom.js'
import { t } from './link.js'
import { isMissing, retry } from './retry.js'

/**
 * Tries it again after a while. Resolves to false where it is not there, or has come and cannot be shown.
 * @param {HTMLImageElement | HTMLVideoElement} element
 */
export async function tryAgain (element) {
  const hasComeAlready = element instanceof HTMLVideoElement &&
    element.error?.code !== MediaError.MEDIA_ERR_NETWORK
  const status = await fetch(element.src, { method: 'HEAD' }).then(answer => answer.status, () => 0)
  if (status === 404 || status === 410 || (status === 200 && hasComeAlready)) return false
  if (element.isConnected) say(t.failed)
  await retry(element)
  return !isMissing(element.src)
}
