// @ts-check
import { say } from './dom.js'
import { t } from './link.js'

/** Hands an address of this site on, by the system's own sheet or the clipboard. @param {string} path */
export async function share (path) {
  const url = new URL(path, location.href).href
  try {
    if (navigator.share) return await navigator.share({ url, title: document.title })
    await navigator.clipboard.writeText(url)
    say(t.copied)
  } catch (error) {
    const isCancelled = error instanceof DOMException && error.name === 'AbortError'
    if (!isCancelled) say(url)
  }
}
