// @ts-check
/** A page that could not be shown tries again by itself, for as long as somebody looks at it. */

/** ms between attempts. */
const PAUSE_MS = 15_000

setInterval(async () => {
  if (document.visibilityState !== 'visible') return
  const answer = await fetch(location.href, { method: 'HEAD' }).catch(() => undefined)
  if (answer && answer.status !== 503 && answer.status !== 429) location.reload()
}, PAUSE_MS)
