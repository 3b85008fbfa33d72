// @ts-check
/**
 * The lightbox: `open` and `close` are all that the page calls. It keeps the address, the keyboard and
 * what is shown in step; the slides, the bar, fingers and details are in files of their own.
 */
import { tryAgain } from './again.js'
import { showCaption, startCaption } from './caption.js'
import { fillPanel, panel, showPanel } from './details.js'
import { closest, make, say } from './dom.js'
import { playMotion, removeFilms, showVideo, toggleFilm } from './film.js'
import { startGestures } from './gestures.js'
import { glide } from './glide.js'
import { focusTile, tiles } from './grid.js'
import { addressOf, imagePath, item, load } from './items.js'
import { onPictureError, slideTo } from './lightgallery-fixes.js'
import { home, isShelf, isVideo, t, total } from './link.js'
import { createPlay } from './play.js'
import { BLANK, imageOf, lg, on, outer, own, pictureOf, slideOf } from './slides.js'
import { closeMenu, createToolbar } from './toolbar.js'
import { clearZoom, fitPanorama, leaveZoom, resetZoom, sharpenLarge } from './zoom.js'

/** Items on either side that are loaded ahead, and ms that this may delay the opening. */
const AROUND = 100
const MOST_DELAY = 300
/** ms that the opening waits for a picture to be seen. */
const PAINTED = 1000

const state = {
  isOpen: false,
  /** Settles when nothing of what was open is in the page any more. @type {Promise<unknown>} */
  closed: Promise.resolve()
}
const closeSlides = lg.closeGallery.bind(lg)
// lightGallery's button and a swipe down close it too
lg.closeGallery = () => close()

// --------------------------------------------------------------------------------------- opening and closing

/**
 * Opens at item `n`, whose stretch of the list is loaded, unless `signal` ends it before. Resolves when
 * the photo, or its thumbnail, can be seen.
 * @param {number} n @param {boolean} isSlideshow @param {AbortSignal} signal
 */
export async function open (n, isSlideshow, signal) {
  if (state.isOpen) return slideTo(n)
  const beside = [load(Math.max(0, n - AROUND)), load(Math.min(total - 1, n + AROUND))]
  await Promise.race([Promise.all(beside), wait(MOST_DELAY)])
  await state.closed
  if (signal.aborted) return
  state.isOpen = true
  outer.classList.toggle('ipp-bare', isShelf)
  // a step while it closed may have left a slide on its way
  lg.lgBusy = false
  lg.openGallery(n)
  setAside(true)
  onShown(n)
  if (isSlideshow) play.start()
  await Promise.race([isPainted(n), wait(PAINTED)])
}

/**
 * Closes what is open, and leads back to the grid's address, unless the history is there already.
 * @param {boolean} [isBack]
 */
export function close (isBack = false) {
  if (!state.isOpen) return
  state.isOpen = false
  const n = lg.index
  state.closed = new Promise(resolve =>
    document.body.addEventListener('lgAfterClose', resolve, { once: true }))
  play.stop()
  closeMenu()
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {})
  if (!isBack && history.state?.isCold) history.replaceState(null, '', home)
  else if (!isBack && typeof history.state?.n === 'number') history.back()
  const shown = imageOf(n)?.complete ? imageOf(n) : slideOf(n)?.querySelector('img')
  if (shown) fit(shown)
  glide(shown, () => {
    removeFilms(outer)
    hidePanel()
    setAside(false)
    closeSlides()
    focusTile(n)
    return tiles.get(n)?.querySelector('img')
  })
}

/**
 * Gives a picture a box of its own shape, so that it glides without empty edges.
 * @param {HTMLImageElement} image
 */
function fit (image) {
  const { clientWidth, clientHeight, naturalWidth, naturalHeight } = image
  const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight)
  if (!(scale > 0)) return
  image.style.width = `${naturalWidth * scale}px`
  image.style.height = `${naturalHeight * scale}px`
}

/** Puts everything else on the page out of reach while the lightbox is open. @param {boolean} isInert */
function setAside (isInert) {
  // messages are still read out
  const parts = document.body.querySelectorAll(':scope > :not(.lg-container, .toast, .offer)')
  for (const part of parts) part.toggleAttribute('inert', isInert)
}

/** @param {number} ms */
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Resolves when something of slide `n` can be seen. @param {number} n */
const isPainted = n =>
  Promise.any(Array.from(slideOf(n)?.querySelectorAll('img') ?? [], image => image.decode())).catch(() => {})

// --------------------------------------------------------------------------------------------- what is shown

/** @param {number} n */
function onShown (n) {
  // lightGallery reports a slide that arrives while it closes; by then the address is the grid's again
  if (!state.isOpen) return
  for (const film of outer.querySelectorAll('.ipp-film')) {
    if (film.parentElement && film.parentElement !== slideOf(n)) removeFilms(film.parentElement)
  }
  const around = [n, Math.max(0, n - AROUND), Math.min(total - 1, n + AROUND)]
  for (const near of around) load(near).then(() => dress(near))
  const known = item(n)
  const entry = { ...history.state, n }
  if (known && history.state?.n !== n) history.replaceState(entry, '', addressOf(n))
  if (panel.isConnected) fillDetails()
  showCaption(n)
  onPicture(n)
}

/**
 * Once the picture of slide `n` is there, it may be a panorama, or too small for this screen.
 * @param {number} n
 */
function onPicture (n) {
  if (n !== lg.index || !slideOf(n)?.classList.contains('lg-complete')) return
  fitPanorama()
  sharpenLarge()
}

/** Puts the thumbnail where the picture will be, so that nothing is ever black. @param {number} n */
function putUnder (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (!slide || !known || slide.querySelector('.ipp-under')) return
  slide.prepend(make('img', { className: 'ipp-under', src: imagePath(known, 'thumbnail'), alt: '' }))
}

/** Gives the slides around `n` what could not be known when they were drawn. @param {number} n */
function dress (n) {
  for (const at of [n - 2, n - 1, n, n + 1, n + 2]) {
    const image = imageOf(at)
    if (image?.src === BLANK) image.src = pictureOf(at)
    putUnder(at)
  }
  if (!state.isOpen) return
  filmOf(lg.index)
  toolbar.showItem(lg.index)
}

/** The video of slide `n`, which is put there if need be, or the moving part that plays. @param {number} n */
function filmOf (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (slide && known && isVideo(n)) showVideo(slide, n, known)
  return slide?.querySelector('video') ?? null
}

/** Tries a picture again that did not come, or says that there is none. @param {HTMLImageElement} image */
async function onFailed (image) {
  const slide = image.closest('.lg-item')
  if (!slide || await tryAgain(image)) return
  slide.classList.add('lg-complete')
  slide.append(make('p', { className: 'ipp-missing' }, t.noPicture))
  say(t.noPicture)
}

// ------------------------------------------------------------------------------------- the bar and the panel

const play = createPlay({
  interval: Number(own.slideShowInterval) || 5000,
  index: () => lg.index,
  show: slideTo,
  film: () => filmOf(lg.index),
  pictureOf: async n => {
    await load(n)
    return pictureOf(n)
  },
  onChange: isPlaying => toolbar.showPlaying(isPlaying)
})

const toolbar = createToolbar({ play: () => play.toggle(), motion: toggleMotion, details: toggleDetails })

function toggleMotion () {
  const slide = slideOf(lg.index)
  const known = item(lg.index)
  if (slide && known) playMotion(slide, known)
}

function toggleDetails () {
  if (!toolbar.details || !state.isOpen) return
  if (panel.isConnected) {
    hidePanel()
    toolbar.details.focus()
    return
  }
  resetZoom()
  showPanel(outer, toggleDetails)
  outer.classList.add('ipp-aside')
  toolbar.details.setAttribute('aria-pressed', 'true')
  fillDetails()
}

function hidePanel () {
  panel.remove()
  outer.classList.remove('ipp-aside')
  toolbar.details?.setAttribute('aria-pressed', 'false')
}

function fillDetails () {
  const n = lg.index
  fillPanel(n, () => panel.isConnected && lg.index === n)
}

// on a phone the photo stands above the sheet, however high that is
new ResizeObserver(() => outer.style.setProperty('--sheet', `${panel.offsetHeight}px`)).observe(panel)

// ---------------------------------------------------------------------------------------------- the keyboard

/** What is on top goes first, the lightbox last. */
function closeTop () {
  if (closeMenu()) return
  if (panel.isConnected) toggleDetails()
  else close()
}

/** @param {KeyboardEvent} event */
function pressSpace (event) {
  const film = filmOf(lg.index)
  // a button or a film that has the focus takes it itself
  if (!film || closest(event, 'button, a, video')) return
  event.preventDefault()
  toggleFilm(film)
}

/** @param {KeyboardEvent} event */
function onKey (event) {
  if (!state.isOpen || event.ctrlKey || event.metaKey || event.altKey) return
  outer.classList.remove('ipp-bare')
  /** @type {Record<string, (() => void) | undefined>} */
  const actions = {
    Escape: closeTop, ArrowLeft: () => lg.goToPrevSlide(), ArrowRight: () => lg.goToNextSlide(),
    i: toggleDetails, ' ': () => pressSpace(event)
  }
  // arrows move in a film, and in a text that scrolls
  const isTaken = event.key.startsWith('Arrow') && closest(event, 'video')
  // a key that is held down goes on at the pace of the slides
  const isEarly = event.repeat && lg.lgBusy
  const act = actions[event.key]
  if (!act || isTaken || own.keyPress === false) return
  if (event.key !== ' ') event.preventDefault()
  if (!isEarly && total > 0) act()
}

addEventListener('keydown', onKey)
outer.addEventListener('pointerup', event => {
  // a visitor who takes a film in hand wants to watch it
  if (!closest(event, 'video, .ipp-start')) return
  play.stop()
  outer.classList.remove('ipp-bare')
})
addEventListener('resize', resetZoom)
on('lgBeforeSlide', ({ index }) => {
  leaveZoom()
  for (const film of outer.querySelectorAll('video')) film.pause()
  toolbar.showItem(index)
})
on('lgAfterAppendSlide', ({ index }) => putUnder(index))
on('lgAfterSlide', () => {
  clearZoom()
  onShown(lg.index)
})
on('lgSlideItemLoad', ({ index }) => onPicture(index))
onPictureError(onFailed)
startCaption()
startGestures()
