// @ts-check
/** Faults of lightGallery 2.9.0, each with what it would do to a visitor. */
import { nameOf } from './link.js'
import { lg, on, outer, slideOf } from './slides.js'

/**
 * lightGallery ignores a step until the slide before has come to rest, so a visitor in a hurry loses
 * every second one. It may go on as soon as the slide is the current one.
 */
export function letGoOn () {
  if (slideOf(lg.index)?.classList.contains('lg-current')) lg.lgBusy = false
}

for (const name of ['goToNextSlide', 'goToPrevSlide']) {
  const step = lg[name].bind(lg)
  lg[name] = (/** @type {boolean} */ isByTouch) => {
    letGoOn()
    step(isByTouch)
  }
}

/** Shows item `n` in the open lightbox. @param {number} n */
export function slideTo (n) {
  letGoOn()
  if (n !== lg.index) lg.slide(n)
}

// it keeps four nodes and three listeners for each slide that was ever shown
on('lgAfterSlide', () => Object.assign(lg.LGel.constructor.eventListeners, { 'load.lg': [], 'error.lg': [] }))

// it writes no alternative text for a slide that was made before its item was known
on('lgAfterSlide', () => {
  const image = slideOf(lg.index)?.querySelector('img.lg-object')
  if (image && !image.getAttribute('alt')) image.setAttribute('alt', nameOf(lg.index))
})

/**
 * Takes over a picture's errors: lightGallery would put words in the picture's place and never try again.
 * @param {(image: HTMLImageElement) => void} handle
 */
export const onPictureError = handle => outer.addEventListener('error', event => {
  const image = /** @type {HTMLImageElement} */ (event.target)
  if (!image.matches('img.lg-object')) return
  event.stopPropagation()
  handle(image)
}, { capture: true })
