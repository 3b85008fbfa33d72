// @ts-check
/** Reloads a page that could not be shown, as soon as the server answers and while the page is visible. */

const PAUSE_MS = 15_000

setInterval(async () => {
  if (document.visibilityState !== 'visible') return
  const answer = await fetch(location.href, { method: 'HEAD' }).catch(() => undefined)
  if (answer && answer.status !== 503 && answer.status !== 429) location.reload()
}, PAUSE_MS)
