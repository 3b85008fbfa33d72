// @ts-check
/** Reloads a page that could not be shown, as soon as the server answers and while the page is visible. */

const PAUSE_MS = 15_000

setInterval(async () => {
  if (document.visibilityState !== 'visible') return
  const response = await fetch(location.href, { method: 'HEAD' }).catch(() => undefined)
  if (response && response.status !== 503 && response.status !== 429) location.reload()
}, PAUSE_MS)
