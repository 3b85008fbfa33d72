// @ts-check
/**
 * The slideshow. It may run for days on a tablet: the screen stays awake, videos play to their end, no
 * picture is shown before it has loaded, and photos added meanwhile are included.
 */
import { home, total } from './link.js'
import { hasChanged } from './new-photos.js'

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

/** Whether a picture loads; it can then be shown at once. @param {string} src */
async function isThere (src) {
  const image = new Image()
  image.src = src
  return image.decode().then(() => true, () => false)
}

/** @param {number} ms */
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/**
 * Makes the slideshow of a lightbox that shows item `index()`. `show` shows another, `video` returns the
 * current video, and `pictureOf` resolves to the address of an item's picture.
 * @param {{ interval: number, index: () => number, show: (n: number) => void,
 *   video: () => HTMLVideoElement | null, pictureOf: (n: number) => Promise<string>,
 *   onChange: (isPlaying: boolean) => void }} stage
 */
export function createPlay ({ interval, index, show, video, pictureOf, onChange }) {
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
      const moving = video()
      if (moving) await Promise.all([playToEnd(moving), wait(LEAST_MS)])
      else await wait(interval)
      if (isMine() && await hasChanged()) return location.replace(`${home}?play`)
      let next = index() + 1
      // while nothing loads, because Immich is down or a photo is gone, the last one stays
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
