// @ts-check
/**
 * What moves in the lightbox: a video over its still picture, and the moving part of a photo when it is asked
 * for.
 */
import { tryAgain } from './again.js'
import { make, say } from './dom.js'
import { imagePath, videoPath } from './items.js'
import { nameOf, t } from './link.js'

/** @param {Element} slide @param {Record<string, unknown>} more */
function put (slide, more) {
  const film = /** @type {HTMLVideoElement} */ (
    make('video', { className: 'ipp-film', controls: true, playsInline: true, ...more }))
  slide.append(film)
  let reached = 0
  film.addEventListener('error', async () => {
    reached = film.currentTime || reached
    const isTried = await tryAgain(film)
    if (!film.isConnected) return
    if (!isTried) return say(t.noVideo)
    // goes on from where it broke off
    film.currentTime = reached
    film.play().catch(() => {})
  })
}

/** A video, which asks for nothing before it is played. @param {Element} slide @param {number} n
 * @param {import('./items.js').Item} item */
export function showVideo (slide, n, item) {
  if (slide.querySelector('.ipp-film')) return
  const poster = imagePath(item, 'preview')
  put(slide, { src: videoPath(item), poster, preload: 'none', ariaLabel: nameOf(n) })
}

/** Plays the moving part of a photo over it; stops it where it plays. @param {Element} slide
 * @param {import('./items.js').Item} item */
export function playMotion (slide, item) {
  const isPlaying = slide.querySelector('.ipp-film') !== null
  removeFilms(slide)
  if (isPlaying || !item.motion) return
  put(slide, {
    src: videoPath(item, item.motion), ariaLabel: t.motion, autoplay: true, onended: () => removeFilms(slide)
  })
}

/** @param {Element} within */
export function removeFilms (within) {
  for (const film of within.querySelectorAll('video')) {
    film.removeAttribute('src')
    film.remove()
  }
}
