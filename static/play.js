// @ts-check
/**
 * The slideshow: one after another for as long as the page is open, on a tablet for days. The screen stays
 * awake, a video plays to its end, nothing is shown before it is there, and what came meanwhile is shown too.
 */
import { home, total } from './link.js'
import { hasChanged } from './news.js'

/** ms without progress after which a film has stopped for good. */
const STALLED = 15_000
/** ms that anything is in sight, a film too that does not play. */
const LEAST = 2000

/**
 * Plays a film to its end, without its sound where the browser wants a touch before.
 * @param {HTMLVideoElement} film
 */
const playToEnd = film => new Promise(resolve => {
  /** @type {number | undefined} */
  let last
  const watch = setInterval(() => {
    if (film.currentTime === last) end()
    last = film.currentTime
  }, STALLED)
  const end = () => {
    clearInterval(watch)
    resolve(undefined)
  }
  film.onended = film.onerror = film.onpause = end
  film.play().catch(() => {
    film.muted = true
    return film.play()
  }).catch(end)
})

/** Whether a picture is there to be shown at once. @param {string} src */
async function isThere (src) {
  const image = new Image()
  image.src = src
  return image.decode().then(() => true, () => false)
}

/** @param {number} ms */
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/**
 * The slideshow of a lightbox, which shows item `index()` and others by `show`; `film` is what plays there,
 * `pictureOf` the address of an item's picture once it is known.
 * @param {{ interval: number, index: () => number, show: (n: number) => void,
 *   film: () => HTMLVideoElement | null, pictureOf: (n: number) => Promise<string>,
 *   onChange: (isPlaying: boolean) => void }} stage
 */
export function createPlay ({ interval, index, show, film, pictureOf, onChange }) {
  let isPlaying = false
  /** Each start is a run of its own, and ends the one before. */
  let run = 0

  async function keepAwake () {
    if (!isPlaying || document.visibilityState !== 'visible') return
    const lock = await navigator.wakeLock?.request('screen').catch(() => undefined)
    if (!isPlaying) lock?.release()
    onStop = () => lock?.release()
  }
  let onStop = () => {}
  // the system takes it back whenever the page is hidden
  document.addEventListener('visibilitychange', keepAwake)

  /** @param {number} mine */
  async function go (mine) {
    const isMine = () => isPlaying && run === mine
    while (isMine()) {
      const moving = film()
      if (moving) await Promise.all([playToEnd(moving), wait(LEAST)])
      else await wait(interval)
      if (isMine() && await hasChanged()) return location.replace(`${home}?play`)
      let next = index() + 1
      // what does not come, because Immich is away or this one is gone, leaves the one before in sight
      while (isMine() && !await isThere(await pictureOf(next % total))) {
        await wait(interval)
        next++
      }
      if (isMine()) show(next % total)
    }
  }

  function stop () {
    isPlaying = false
    onStop()
    onChange(false)
  }
  function start () {
    isPlaying = true
    onChange(true)
    keepAwake()
    go(++run)
  }
  return { start, stop, toggle: () => isPlaying ? stop() : start() }
}
