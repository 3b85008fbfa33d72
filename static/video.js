// @ts-check
/** Videos in the lightbox, and the moving part of a motion photo. */
import { tryAgain } from './lightbox-retry.js'
import { icon, make, say } from './dom.js'
import { imagePath, videoPath } from './items.js'
import { nameOf, t } from './link.js'
import { outer } from './slides.js'

/** @param {Element} slide @param {Record<string, unknown>} more */
function put (slide, more) {
  const film = /** @type {HTMLVideoElement} */ (
    make('video', { className: 'ipp-film', playsInline: true, ...more }))
  slide.append(film)
  let reached = 0
  film.addEventListener('error', async () => {
    reached = film.currentTime || reached
    const isTried = await tryAgain(film)
    if (!film.isConnected) return
    if (!isTried) return say(t.noVideo)
    // resume where it stopped
    film.currentTime = reached
    film.play().catch(() => {})
  })
  return film
}

/**
 * Puts a video on its slide, under a button that plays it. Nothing is fetched until then.
 * @param {Element} slide @param {number} n @param {import('./items.js').Item} item
 */
export function showVideo (slide, n, item) {
  if (slide.querySelector('.ipp-film')) return
  const poster = imagePath(item, 'preview')
  const film = put(slide, { src: videoPath(item), poster, preload: 'none', ariaLabel: nameOf(n) })
  const button = make('button', {
    type: 'button', className: 'ipp-start', title: t.play, ariaLabel: t.play,
    onclick: () => film.play().catch(() => {})
  }, make('span', {}, icon('play')))
  slide.append(button)
  /** @param {boolean} isStarted */
  const setStarted = isStarted => {
    if (isStarted && document.activeElement === button) film.focus({ preventScroll: true })
    film.controls = isStarted
    button.hidden = isStarted
    markPlaying()
  }
  film.addEventListener('play', () => setStarted(true))
  film.addEventListener('ended', () => setStarted(false))
}

/** Hides the caption while a video has controls of its own. */
const markPlaying = () =>
  outer.classList.toggle('ipp-playing', outer.querySelector('.ipp-start[hidden]') !== null)

/** Plays the moving part of a photo over it, or stops it. @param {Element} slide
 * @param {import('./items.js').Item} item */
export function playMotion (slide, item) {
  const isPlaying = slide.querySelector('.ipp-film') !== null
  removeFilms(slide)
  if (isPlaying || !item.motion) return
  put(slide, {
    src: videoPath(item, item.motion), ariaLabel: t.motion, autoplay: true, onended: () => removeFilms(slide)
  })
}

/** Plays a film or pauses it. @param {HTMLVideoElement} film */
export function toggleFilm (film) {
  if (film.paused) film.play().catch(() => {})
  else film.pause()
}

/** Removes the videos within an element and stops their downloads. @param {Element} within */
export function removeFilms (within) {
  for (const film of within.querySelectorAll('video')) {
    film.removeAttribute('src')
    film.remove()
  }
  for (const button of within.querySelectorAll('.ipp-start')) button.remove()
  markPlaying()
}
