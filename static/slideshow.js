// @ts-check
/**
 * The slideshow. It may run for days on a tablet: the screen stays awake, videos play to their end, no
 * picture is shown before it has loaded, and photos added meanwhile are included.
 */
import { icon, iconButton, make } from './dom.js'
import { load } from './items.js'
import { slideTo } from './lightgallery-fixes.js'
import { home, t, total } from './link.js'
import { hasChanged } from './new-photos.js'
import { wait } from './retry.js'
import { lg, outer, own, pictureOf } from './slides.js'
import { videoOf } from './video.js'

/** How long a photo is shown. */
const INTERVAL_MS = Number(own.slideShowInterval) || 5000

/** How long a video may stand still before it is given up. */
const STALLED_MS = 15_000
/** How long anything is shown at least, even a video that does not play. */
const LEAST_MS = 2000

/**
 * Plays a video to its end, muted if the browser requires a touch for sound.
 * @param {HTMLVideoElement} video
 */
const playToEnd = video => new Promise(resolve => {
  /** @type {number | undefined} */
  let last
  const watch = setInterval(() => {
    if (video.currentTime === last) end()
    last = video.currentTime
  }, STALLED_MS)
  const end = () => {
    clearInterval(watch)
    resolve(undefined)
  }
  video.onended = video.onerror = video.onpause = end
  video.play().catch(() => {
    video.muted = true
    return video.play()
  }).catch(end)
})

/** Whether the picture of item `n` loads; it can then be shown at once. @param {number} n */
async function isThere (n) {
  await load(n)
  return Object.assign(new Image(), { src: pictureOf(n) }).decode().then(() => true, () => false)
}

const state = {
  isPlaying: false,
  /** Counts the starts; a new one ends the last. */
  run: 0,
  /** Keeps the screen awake. @type {Promise<WakeLockSentinel | undefined> | undefined} */
  awake: undefined
}

/** The button for the lightbox's menu. */
export const playButton =
  iconButton(t.slideshow, 'slideshow', toggle, 'ipp-play', make('span', {}, t.slideshow))
playButton.hidden = total === 1

function keepAwake () {
  if (!state.isPlaying || document.visibilityState !== 'visible') return
  state.awake = navigator.wakeLock?.request('screen').catch(() => undefined)
}
// the system releases the lock whenever the page is hidden
document.addEventListener('visibilitychange', keepAwake)

/** @param {number} mine */
async function go (mine) {
  const isMine = () => state.isPlaying && state.run === mine
  while (isMine()) {
    const moving = videoOf(lg.index)
    if (moving) await Promise.all([playToEnd(moving), wait(LEAST_MS)])
    else await wait(INTERVAL_MS)
    if (isMine() && await hasChanged()) return location.replace(`${home}?play`)
    let next = lg.index + 1
    // while nothing loads, because Immich is down or a photo is gone, the last one stays
    while (isMine() && !await isThere(next % total)) {
      await wait(INTERVAL_MS)
      next++
    }
    if (isMine()) slideTo(next % total)
  }
}

/** @param {boolean} isPlaying */
function setPlaying (isPlaying) {
  state.isPlaying = isPlaying
  outer.classList.toggle('ipp-running', isPlaying)
  playButton.ariaPressed = String(isPlaying)
  playButton.firstChild?.replaceWith(icon(isPlaying ? 'pause' : 'slideshow'))
}

/** Stops the slideshow; the screen may sleep again. */
export function stopPlaying () {
  state.awake?.then(lock => lock?.release())
  setPlaying(false)
}

/** Starts it at the shown item. */
export function startPlaying () {
  setPlaying(true)
  keepAwake()
  go(++state.run)
}

function toggle () {
  if (state.isPlaying) stopPlaying()
  else startPlaying()
}
