// @ts-check
/** Zoom of the current photo: its scale and position, and when its full resolution is fetched. */
import { imagePath, item } from './items.js'
import { isVideo, options, ratio } from './link.js'
import { BLANK, imageOf, lg, outer, own, slideOf } from './slides.js'

/** From this ratio of width to height a photo opens at the height of the screen. */
const PANORAMA = 3
/** The least scale of a double tap, and how far beyond full resolution fingers and wheel may zoom. */
const LEAST = 2
const BEYOND = 3
/** From this many screen pixels per preview pixel the preview looks soft. */
const SOFT = 1.4

const AT_REST = { scale: 1, x: 0, y: 0 }
/** The scale (1 fits the photo into its slide), and px by which its middle is off the slide's. */
let view = AT_REST
/** The point of a double tap that waits for full resolution, in px from the slide's middle. */
let wanted = /** @type {{ x: number, y: number } | undefined} */ (undefined)

export const isZoomed = () => view.scale > 1

/** Width and height of the slide in px, and of the photo in it at scale 1. */
function measure () {
  const { clientWidth: width, clientHeight: height } = lg.$content.get()
  const image = imageOf(lg.index)
  const shape = image && image.naturalWidth > 1 ? image.naturalWidth / image.naturalHeight : ratio[lg.index]
  const shownWidth = Math.min(width, height * shape)
  return { width, height, shownWidth, shownHeight: shownWidth / shape }
}

/** The scale at which one pixel of the loaded picture is one of the screen. */
function fullScale () {
  const { shownWidth } = measure()
  return Math.max(LEAST, (imageOf(lg.index)?.naturalWidth ?? 0) / devicePixelRatio / shownWidth)
}

/** @param {number} value @param {number} limit */
const within = (value, limit) => Math.min(limit, Math.max(-limit, value))

/** How far the photo may be off the middle, in px. @param {number} scale */
function limits (scale) {
  const { width, height, shownWidth, shownHeight } = measure()
  const half = (/** @type {number} */ shown, /** @type {number} */ room) =>
    Math.max(0, (shown * scale - room) / 2)
  return { x: half(shownWidth, width), y: half(shownHeight, height) }
}

/** @param {{ scale: number, x: number, y: number }} next @param {boolean} isSmooth */
function apply (next, isSmooth) {
  const most = limits(next.scale)
  view = { scale: next.scale, x: within(next.x, most.x), y: within(next.y, most.y) }
  const wrap = /** @type {HTMLElement | null | undefined} */ (
    slideOf(lg.index)?.querySelector('.lg-img-wrap'))
  if (!wrap) return
  wrap.style.transition = isSmooth ? '' : 'none'
  wrap.style.transform = isZoomed() ? `translate(${view.x}px, ${view.y}px) scale(${view.scale})` : ''
  outer.classList.toggle('lg-zoomed', isZoomed())
  outer.classList.remove('ipp-fitted')
}

/**
 * Zooms so that the point `at` (px from the slide's middle) stays in place.
 * @param {number} scale @param {{ x: number, y: number }} at
 */
function zoomTo (scale, at, isSmooth = false) {
  wanted = undefined
  if (slideOf(lg.index)?.querySelector('video') || own.zoom === false) return
  const next = Math.min(Math.max(1, scale), fullScale() * BEYOND)
  const grown = next / view.scale
  apply({ scale: next, x: at.x - (at.x - view.x) * grown, y: at.y - (at.y - view.y) * grown }, isSmooth)
  if (next > 1) sharpen()
}

/** Zooms by a factor; see zoomTo. @param {number} factor @param {{ x: number, y: number }} at */
export const zoomBy = (factor, at) => zoomTo(view.scale * factor, at)

/** To full resolution, and to the whole photo again. @param {{ x: number, y: number }} at */
export async function toggleZoom (at) {
  if (isZoomed()) return zoomTo(1, at, true)
  zoomTo(fullScale(), at, true)
  wanted = at
  await sharpen()
  if (wanted === at) zoomTo(fullScale(), at, true)
}

/** Moves the photo by px. @param {number} dx @param {number} dy */
export const panBy = (dx, dy) => apply({ scale: view.scale, x: view.x + dx, y: view.y + dy }, false)

/** Whether the photo can move further in this direction. @param {number} dx @param {number} dy */
export function canPan (dx, dy) {
  const most = limits(view.scale)
  return Math.abs(dx) > Math.abs(dy) ? Math.abs(within(view.x + dx, most.x) - view.x) > 0.5
    : Math.abs(within(view.y + dy, most.y) - view.y) > 0.5
}

/** Starts the next photo unzoomed; the last one stays zoomed until it is out of sight. */
export function leaveZoom () {
  wanted = undefined
  view = AT_REST
  outer.classList.remove('lg-zoomed')
}

/** Resets the slides that are out of sight. */
export function clearZoom () {
  const wraps = outer.querySelectorAll('.lg-item:not(.lg-current) .lg-img-wrap')
  for (const wrap of wraps) wrap.removeAttribute('style')
}

/** Resets the photo at once, when its slide changes size. */
export const resetZoom = () => apply(AT_REST, false)

/** Opens a panorama at the height of the screen, at its preview's resolution. */
export function fitPanorama () {
  const { height, shownHeight } = measure()
  const scale = height / shownHeight
  if (isVideo(lg.index) || isZoomed() || ratio[lg.index] < PANORAMA || scale < 1.5) return
  apply({ scale, x: 0, y: 0 }, true)
  // its caption shows until it is moved
  outer.classList.add('ipp-fitted')
}

/** Fetches full resolution where the preview would be soft on this screen. */
export function sharpenLarge () {
  const image = imageOf(lg.index)
  if (!image || image.naturalWidth <= 1) return
  if (measure().shownWidth * devicePixelRatio > image.naturalWidth * SOFT) sharpen()
}

/**
 * Pictures that have their full resolution or are fetching it.
 * @type {WeakMap<HTMLImageElement, Promise<void>>}
 */
const sharpened = new WeakMap()

/**
 * Fetches the current photo's full resolution, once. Resolves when it is shown or has failed.
 */
async function sharpen () {
  const image = imageOf(lg.index)
  const known = item(lg.index)
  if (!options.zoom || isVideo(lg.index) || !image || !known || image.src === BLANK) return
  const coming = sharpened.get(image) ?? replace(image, imagePath(known, 'fullsize'))
  sharpened.set(image, coming)
  await coming.catch(() => sharpened.delete(image))
}

/**
 * Replaces a picture once the new one is decoded.
 * @param {HTMLImageElement} image @param {string} src
 */
async function replace (image, src) {
  await Object.assign(new Image(), { src }).decode()
  image.src = src
  await image.decode()
}
