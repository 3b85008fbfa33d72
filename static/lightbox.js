// @ts-check
/**
 * The lightbox, which the page calls by `open` and `close`. It keeps the address, the keyboard and the shown
 * photo in step; slides, toolbar, gestures and details are in files of their own.
 */
import { tryAgain } from './lightbox-retry.js'
import { showCaption } from './caption.js'
import { fillDetails, isDetailed, showDetails, toggleDetails } from './details.js'
import { closest, icon, make, say } from './dom.js'
import { removeVideos, videoOf } from './video.js'
import './gestures.js'
import { glide } from './view-transition.js'
import { focusTile, tiles } from './grid.js'
import { addressOf, imagePath, item, load } from './items.js'
import { AHEAD, slideTo } from './lightgallery-fixes.js'
import { home, isKiosk, ratio, t, total } from './link.js'
import { wait } from './retry.js'
import { startPlaying, stopPlaying } from './slideshow.js'
import { BLANK, imageOf, lg, on, outer, own, pictureOf, slideOf } from './slides.js'
import { closeMenu, showItem } from './toolbar.js'
import { clearZoom, fitPanorama, leaveZoom, resetZoom, sharpenLarge } from './zoom.js'

/** Items loaded ahead on either side, and how long that may delay the opening. */
const AROUND = 100
const MAX_DELAY_MS = 300
/** How long the opening waits for a visible picture. */
const PAINTED_MS = 1000
/** A slideshow hides the controls at a slide that comes this long after the last press or movement. */
const IDLE_MS = 3000

const state = {
  isOpen: false,
  /** When a pointer or key was last used. */
  usedAt: 0
}
const closeSlides = lg.closeGallery.bind(lg)
// lightGallery's button and a swipe down close it too
lg.closeGallery = () => close()

// --------------------------------------------------------------------------------------- opening and closing

/**
 * Opens at item `n`, whose stretch must be loaded, unless `signal` is aborted first. Resolves when the
 * photo or its thumbnail is visible.
 * @param {number} n @param {boolean} isSlideshow @param {AbortSignal} signal
 */
export async function open (n, isSlideshow, signal) {
  if (state.isOpen) return slideTo(n)
  await Promise.race([Promise.all(around(n).map(load)), wait(MAX_DELAY_MS)])
  // it is still closing
  if (lg.lgOpened) {
    await new Promise(end => document.body.addEventListener('lgAfterClose', end, { once: true }))
  }
  if (signal.aborted) return
  state.isOpen = true
  outer.classList.toggle('ipp-bare', isKiosk)
  // a step while it was closing may have left a slide in motion
  lg.lgBusy = false
  lg.openGallery(n)
  setAside(true)
  onShown(n)
  if (isSlideshow) startPlaying()
  await Promise.race([isPainted(n), wait(PAINTED_MS)])
}

/**
 * Closes the lightbox and returns to the grid's address, unless Back has done so already.
 * @param {boolean} [isBack]
 */
export function close (isBack = false) {
  if (!state.isOpen) return
  state.isOpen = false
  const n = lg.index
  stopPlaying()
  closeMenu()
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {})
  if (!isBack && history.state?.isDirectVisit) history.replaceState(null, '', home)
  else if (!isBack && typeof history.state?.n === 'number') history.back()
  const shown = imageOf(n)?.complete ? imageOf(n) : slideOf(n)?.querySelector('img')
  if (shown) fit(shown)
  const { style } = document.documentElement
  const { finished } = glide(shown, () => {
    // the page takes presses while the lightbox fades away over it
    style.viewTransitionName = 'none'
    removeVideos(outer)
    showDetails(false)
    setAside(false)
    closeSlides()
    focusTile(n)
    return tiles.get(n)?.querySelector('img')
  })
  finished.then(() => { style.viewTransitionName = '' })
}

/**
 * Shrinks a picture's box to the picture, so that it glides without empty edges.
 * @param {HTMLImageElement} image
 */
function fit (image) {
  const { clientWidth, clientHeight, naturalWidth, naturalHeight } = image
  const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight)
  if (!(scale > 0)) return
  image.style.width = `${naturalWidth * scale}px`
  image.style.height = `${naturalHeight * scale}px`
}

/** Item `n`, and those beside it whose stretches are loaded ahead. @param {number} n */
const around = n => [n, Math.max(0, n - AROUND), Math.min(total - 1, n + AROUND)]

/** Puts everything else on the page out of reach while the lightbox is open. @param {boolean} isInert */
function setAside (isInert) {
  // messages are still read out
  const parts = document.body.querySelectorAll(':scope > :not(.lg-container, .toast, .offer)')
  for (const part of parts) part.toggleAttribute('inert', isInert)
}

/** Resolves when a picture of slide `n` is visible. @param {number} n */
const isPainted = n =>
  Promise.any(Array.from(slideOf(n)?.querySelectorAll('img') ?? [], image => image.decode())).catch(() => {})

// --------------------------------------------------------------------------------------------- what is shown

/** @param {number} n */
function onShown (n) {
  // lightGallery reports a slide that arrives while it closes; by then the address is the grid's again
  if (!state.isOpen) return
  for (const slide of outer.querySelectorAll('.lg-item:not(.lg-current)')) removeVideos(slide)
  for (const near of around(n)) load(near).then(dress)
  if (item(n) && history.state?.n !== n) history.replaceState({ ...history.state, n }, '', addressOf(n))
  if (isDetailed()) fillDetails()
  showCaption(n)
  onPicture(n)
}

/**
 * Enlarges slide `n`, once its picture is loaded, if it is a panorama or too small for this screen.
 * @param {number} n
 */
function onPicture (n) {
  if (n !== lg.index || !slideOf(n)?.classList.contains('lg-complete')) return
  fitPanorama()
  sharpenLarge()
}

/** The style of a box in the shape of photo `n`, filled with its placeholder. @param {number} n */
const placeholderOf = n => `--ratio:${ratio[n]};background-image:${tiles.get(n)?.style.backgroundImage}`

/** Puts placeholder and thumbnail under the picture, so that the slide is never black. @param {number} n */
function putUnder (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (!slide || !known || slide.querySelector('.ipp-under')) return
  const under = make('img', {
    className: 'ipp-under', src: imagePath(known, 'thumbnail'), alt: '', onerror: () => under.remove()
  })
  slide.prepend(make('div', { className: 'ipp-ground', style: placeholderOf(n) }), under)
}

/** Completes the slides that were drawn before their items were loaded. */
function dress () {
  const n = lg.index
  for (const at of [n - 2, n - 1, n, n + 1, n + 2]) {
    const image = imageOf(at)
    if (image?.src === BLANK) image.src = pictureOf(at)
    putUnder(at)
  }
  if (!state.isOpen) return
  videoOf(n)
  showItem(n)
}

/** Tries a failed picture again, or says that there is none. @param {Event} event */
async function onError (event) {
  const image = /** @type {HTMLImageElement | null} */ (closest(event, 'img.lg-object'))
  const slide = image?.closest('.lg-item')
  if (!image || !slide) return
  // lightGallery would replace the picture by a message and never try again
  event.stopPropagation()
  if (await tryAgain(image)) return
  slide.classList.add('lg-complete')
  const n = Number(slide.id.split('-').pop())
  const words = make('span', {}, icon('clock'), t.noPicture)
  const missing = make('p', { className: 'ipp-missing', style: placeholderOf(n) }, words)
  slide.prepend(missing)
  image.addEventListener('load', () => missing.remove(), { once: true })
  say(t.noPicture, false)
}

// --------------------------------------------------------------------------------- the bar and the keyboard

/** Closes the menu, else the details, else the lightbox. */
function closeTop () {
  if (closeMenu()) return
  if (isDetailed()) toggleDetails()
  else close()
}

/** @param {KeyboardEvent} event */
function pressSpace (event) {
  const video = videoOf(lg.index)
  // a focused button or video handles the key itself
  if (!video || closest(event, 'button, a, video')) return
  event.preventDefault()
  if (video.paused) video.play().catch(() => {})
  else video.pause()
}

/** The arrows follow the page's direction, as in the grid. */
const [BACK, FORWARD] = AHEAD < 0 ? ['ArrowRight', 'ArrowLeft'] : ['ArrowLeft', 'ArrowRight']

/** @param {KeyboardEvent} event */
function onKey (event) {
  if (!state.isOpen || event.ctrlKey || event.metaKey || event.altKey) return
  outer.classList.remove('ipp-bare')
  /** @type {Record<string, (() => void) | undefined>} */
  const actions = {
    Escape: closeTop, [BACK]: () => lg.goToPrevSlide(), [FORWARD]: () => lg.goToNextSlide(),
    i: toggleDetails, ' ': () => pressSpace(event)
  }
  // arrows seek in a focused video
  const isTaken = event.key.startsWith('Arrow') && closest(event, 'video[controls]')
  // a held key repeats at the pace of the slides
  const isEarly = event.repeat && lg.lgBusy
  const act = actions[event.key]
  if (!act || isTaken || own.keyPress === false) return
  if (event.key !== ' ') event.preventDefault()
  if (!isEarly && total > 0) act()
}

/** @param {Event} event */
function onUse (event) {
  state.usedAt = Date.now()
  const isMouse = event instanceof PointerEvent && event.pointerType === 'mouse'
  if (isMouse && outer.matches('.ipp-running')) outer.classList.remove('ipp-bare')
}

for (const name of ['pointermove', 'pointerdown', 'keydown']) addEventListener(name, onUse)
addEventListener('keydown', onKey)
outer.addEventListener('pointerup', event => {
  // a visitor who touches a video wants to watch it
  if (!closest(event, 'video, .ipp-start')) return
  stopPlaying()
  outer.classList.remove('ipp-bare')
})
// the window has turned, or the photo made room for the details
new ResizeObserver(() => {
  resetZoom()
  onPicture(lg.index)
}).observe(lg.$content.get())
on('lgBeforeSlide', ({ index }) => {
  const isWatching = outer.matches('.ipp-running') && Date.now() - state.usedAt > IDLE_MS
  if (isWatching) outer.classList.add('ipp-bare')
  leaveZoom()
  for (const video of outer.querySelectorAll('video')) video.pause()
  showItem(index)
})
on('lgAfterAppendSlide', ({ index }) => putUnder(index))
on('lgAfterSlide', () => {
  clearZoom()
  onShown(lg.index)
})
on('lgSlideItemLoad', ({ index }) => onPicture(index))
outer.addEventListener('error', onError, { capture: true })
