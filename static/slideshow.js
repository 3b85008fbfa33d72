// @ts-check
/**
 * The slideshow. It may run for days on a tablet: the screen stays awake, videos play to their end, no
 * picture is shown before it has loaded, and photos added meanwhile are included.
 */
import { load } from './items.js'
import { slideTo } from './lightgallery-fixes.js'
import { home, total } from './link.js'
import { hasChanged } from './new-photos.js'
import { wait } from './retry.js'
import { lg, own, pictureOf } from './slides.js'
import { videoOf } from './video.js'

/** How long a photo is shown, unless the operator's settings for lightGallery say otherwise. */
const INTERVAL_MS = 5000

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
  const image = new Image()
  image.src = pictureOf(n)
  return image.decode().then(() => true, () => false)
}

/** Makes the slideshow of the lightbox. @param {(isPlaying: boolean) => void} onChange */
export function createPlay (onChange) {
  const interval = Number(own.slideShowInterval) || INTERVAL_MS
  let isPlaying = false
  /** Counts the starts; a new one ends the last. */
  let run = 0

  async function keepAwake () {
    if (!isPlaying || document.visibilityState !== 'visible') return
    const lock = await navigator.wakeLock?.request('screen').catch(() => undefined)
    if (!isPlaying) lock?.release()
    onStop = () => lock?.release()
  }
  let onStop = () => {}
  // the system releases the lock whenever the page is hidden
  document.addEventListener('visibilitychange', keepAwake)

  /** @param {number} mine */
  async function go (mine) {
    const isMine = () => isPlaying && run === mine
    while (isMine()) {
      const moving = videoOf(lg.index)
      if (moving) await Promise.all([playToEnd(moving), wait(LEAST_MS)])
      else await wait(interval)
      if (isMine() && await hasChanged()) return location.replace(`${home}?play`)
      let next = lg.index + 1
      // while nothing loads, because Immich is down or a photo is gone, the last one stays
      while (isMine() && !await isThere(next % total)) {
        await wait(interval)
        next++
      }
      if (isMine()) slideTo(next % total)
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
