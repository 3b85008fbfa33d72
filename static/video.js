// @ts-check
/** Videos in the lightbox, and the moving part of a motion photo. */
import { tryAgain } from './lightbox-retry.js'
import { icon, make, say } from './dom.js'
import { imagePath, item, videoPath } from './items.js'
import { isVideo, nameOf, t } from './link.js'
import { outer, slideOf } from './slides.js'

/** @param {Element} slide @param {Record<string, unknown>} more */
function put (slide, more) {
  const video = make('video', { className: 'ipp-video', playsInline: true, ...more })
  slide.append(video)
  let reached = 0
  video.addEventListener('error', async () => {
    reached = video.currentTime || reached
    const isTried = await tryAgain(video)
    if (!video.isConnected) return
    if (!isTried) return say(t.noVideo)
    // resume where it stopped
    video.currentTime = reached
    video.play().catch(() => {})
  })
  return video
}

/** The video on slide `n`, made if need be, or the moving part that is playing. @param {number} n */
export function videoOf (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (slide && known && isVideo(n) && !slide.querySelector('.ipp-video')) showVideo(slide, n, known)
  return slide?.querySelector('video') ?? null
}

/**
 * Puts a video on its slide, under a button that plays it. Nothing is fetched until then.
 * @param {Element} slide @param {number} n @param {import('./items.js').Item} known
 */
function showVideo (slide, n, known) {
  const poster = imagePath(known, 'preview')
  const video = put(slide, { src: videoPath(known), poster, preload: 'none', ariaLabel: nameOf(n) })
  const button = make('button', {
    type: 'button', className: 'ipp-start', title: t.play, ariaLabel: t.play,
    onclick: () => video.play().catch(() => {})
  }, make('span', {}, icon('play')))
  slide.append(button)
  slide.classList.add('ipp-film')
  /** @param {boolean} isStarted */
  const setStarted = isStarted => {
    const [used, next] = isStarted ? [button, video] : [video, button]
    // with a mouse the arrows keep their meaning: another photo
    const isByKeyboard = used.matches(':focus-visible')
    video.controls = isStarted
    button.hidden = isStarted
    if (isByKeyboard) next.focus({ preventScroll: true })
    markPlaying()
  }
  video.addEventListener('play', () => setStarted(true))
  video.addEventListener('ended', () => setStarted(false))
}

/** Hides the caption while a video has controls of its own. */
const markPlaying = () =>
  outer.classList.toggle('ipp-playing', outer.querySelector('.ipp-start[hidden]') !== null)

/** Plays the moving part of photo `n` over it, or stops it. @param {number} n */
export function toggleMotion (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (!slide || !known?.motion) return
  const isPlaying = slide.querySelector('.ipp-video') !== null
  removeVideos(slide)
  if (isPlaying) return
  const src = videoPath(known, known.motion)
  put(slide, { src, ariaLabel: t.motion, autoplay: true, onended: () => removeVideos(slide) })
}

/** Removes the videos within an element and stops their downloads. @param {Element} within */
export function removeVideos (within) {
  for (const part of within.querySelectorAll('video, .ipp-start')) {
    part.removeAttribute('src')
    part.remove()
  }
  markPlaying()
}
