// @ts-check
/** Workarounds for faults of lightGallery 2.9.0, each with its effect on a visitor. */
import { lg, on, slideOf } from './slides.js'

/**
 * lightGallery ignores a step until the last slide has come to rest, so a hurried visitor loses every second
 * one. This accepts a step as soon as the slide is the current one.
 */
function unblock () {
  if (slideOf(lg.index)?.classList.contains('lg-current')) lg.lgBusy = false
}

for (const name of ['goToNextSlide', 'goToPrevSlide']) {
  const step = lg[name].bind(lg)
  lg[name] = (/** @type {boolean} */ isByTouch) => {
    unblock()
    step(isByTouch)
  }
}

/**
 * 1 where the next photo is at the right, -1 in languages that run from right to left. lightGallery knows
 * only the former, so it is given mirrored touches, and what it moves is mirrored back.
 */
export const AHEAD = document.dir === 'rtl' ? -1 : 1
const moveBy = lg.setTranslate.bind(lg)
lg.setTranslate = (/** @type {unknown} */ slide, /** @type {number} */ x, /** @type {number[]} */ ...rest) =>
  moveBy(slide, AHEAD * x, ...rest)

/** Shows item `n` in the open lightbox. @param {number} n */
export function slideTo (n) {
  unblock()
  if (n !== lg.index) lg.slide(n)
}

// it leaks four nodes and three listeners for every slide shown
on('lgAfterSlide', () => Object.assign(lg.LGel.constructor.eventListeners, { 'load.lg': [], 'error.lg': [] }))
