// @ts-check
/**
 * The slides: lightGallery over the whole link, with each slide's content computed when it is needed.
 * lightGallery moves the slides; keys, gestures, buttons and captions are in files of their own.
 */
import { addStyle } from './dom.js'
import { imagePath, item } from './items.js'
import { isVideo, nameOf, options, t, total } from './link.js'

export const BLANK = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='
/** Links with fewer items than this go from the last back to the first. */
const LOOPED = 500
/** @type {any} lightGallery is a plain script that sets a global */
const globals = window

// lightGallery writes markup into the page; style attributes in it would break the page's policy
globals.trustedTypes?.createPolicy('default', {
  createHTML: (/** @type {string} */ markup) => markup.replace(/ style="[^"]*"/g, '')
})
// eslint-disable-next-line no-unsanitized/method -- a file beside this one
await Promise.all([import(new URL('lightgallery.js', import.meta.url).href), addStyle('lightbox.css')])

/** One slide, whose fields are getters so that fifty thousand of them take no memory. */
class Slide {
  /** @param {number} n */
  constructor (n) { this.n = n }
  get src () { return pictureOf(this.n) }
  get alt () { return nameOf(this.n) }
}

/** The address of the picture on slide `n`, or a blank one while its item is unknown. @param {number} n */
export function pictureOf (n) {
  const known = item(n)
  if (!known) return BLANK
  const isAnimated = known.duration && !isVideo(n)
  return imagePath(known, isAnimated ? 'fullsize' : 'preview')
}

/** Keeps numbers, booleans and plain words, but nothing that could be read as markup. */
const plain = (/** @type {unknown} */ given) => Object.fromEntries(Object.entries(given ?? {})
  .filter(([, value]) => typeof value !== 'object' && !/[<>&"'`]/.test(String(value))))

/** The operator's own settings for lightGallery. */
export const own = plain(options.lightGallery)
export const mobile = plain(options.lightGallery.mobileSettings)

/** The one instance. lightGallery ships no types that fit its minified file. */
export const lg = globals.lightGallery(document.body, {
  speed: 250, ...own,
  mobileSettings: { controls: false, showCloseIcon: true, ...mobile, download: false },
  // without these the photo shrinks and grows again as it opens
  startAnimationDuration: 0, backdropDuration: 0, startClass: '',
  dynamic: true,
  dynamicEl: Array.from({ length: total }, (_, n) => new Slide(n)),
  licenseKey: 'AGPL-3.0-only',
  loop: total < LOOPED && own.loop !== false,
  numberOfSlideItemsInDom: 6, preload: 2, mode: 'lg-slide', easing: 'cubic-bezier(.2,0,0,1)',
  allowMediaOverlap: true, resetScrollPosition: false, getCaptionFromTitleOrAlt: false, hideScrollbar: false,
  addClass: 'ipp', ariaLabelledby: '', closeOnTap: false, closable: true,
  // lightbox.js, gestures.js and toolbar.js do these
  keyPress: false, enableSwipe: false, enableDrag: false, mousewheel: false, counter: false, download: false,
  strings: { closeGallery: t.close, previousSlide: t.previous, nextSlide: t.next }
})

/** @type {HTMLElement} */
export const outer = lg.outer.get()
lg.$container.attr('aria-label', t.viewer)

/** The slide of item `n`, if it is in the page. @param {number} n @returns {HTMLElement | null} */
export const slideOf = n => outer.querySelector(`#lg-item-${lg.lgId}-${n}`)

/** The large picture on slide `n`. @param {number} n @returns {HTMLImageElement | null | undefined} */
export const imageOf = n => slideOf(n)?.querySelector('img.lg-object')

/** Calls `handler` with the detail of one of lightGallery's events.
 * @param {string} name @param {(detail: any) => void} handler */
export const on = (name, handler) => document.body.addEventListener(name,
  event => handler(/** @type {CustomEvent} */ (event).detail))
