// @ts-check
/** lightGallery over the whole link: slides, addresses and history, full resolution, its own buttons. */
import { tryAgain } from './again.js'
import { fillPanel, metaOf, moment, panel, showPanel } from './details.js'
import { addStyle, closest, iconButton, make, say } from './dom.js'
import { playMotion, removeFilms, showVideo } from './film.js'
import { focusTile } from './grid.js'
import { addressOf, imagePath, item, load } from './items.js'
import { home, isShelf, isVideo, nameOf, options, ratio, t, total } from './link.js'
import { createPlay } from './play.js'
import { canSave, save } from './save.js'
import { share } from './share.js'

const BLANK = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='
/** Items on either side that are loaded ahead, and ms that this may delay the opening. */
const AROUND = 100
const MOST_DELAY = 300
/** Above so many, the last is not followed by the first. */
const LOOPED = 500
const folder = new URL('.', import.meta.url)
const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches
/** @type {any} lightGallery's files are plain scripts that leave their names on the window */
const globals = window

// ---------------------------------------------------------------------------------------------- lightGallery

// lightGallery puts markup of its own into the page; what the page's policy forbids in it is left out
globals.trustedTypes?.createPolicy('default', {
  createHTML: (/** @type {string} */ markup) => markup.replace(/ style="[^"]*"/g, '')
})
// eslint-disable-next-line no-unsanitized/method -- beside this very file
await Promise.all([import(`${folder}lightgallery.js`), addStyle('lightbox.css')])

/** For lightGallery, which takes texts for markup. @param {string} text */
const escaped = text => text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)

/** A slide that finds out what it shows when it is asked, so that fifty thousand weigh nothing. */
class Slide {
  /** @param {number} n */
  constructor (n) { this.n = n }
  get src () {
    const known = item(this.n)
    if (!known) return BLANK
    return imagePath(known, known.duration && !isVideo(this.n) ? 'fullsize' : 'preview')
  }
  get alt () { return escaped(nameOf(this.n)) }
  get subHtml () {
    const time = item(this.n)?.time
    // as a paragraph: a caption that begins with # or . would be taken for a selector
    return time === undefined ? '' : `<p>${escaped(moment.format(time * 1000))}</p>`
  }
  get downloadUrl () {
    const known = item(this.n)
    return options.download && known ? imagePath(known, 'original') : false
  }
}

/**
 * Of the operator's settings numbers, yes and no, and plain words; nothing that could be taken for markup.
 */
const plain = (/** @type {unknown} */ given) => Object.fromEntries(Object.entries(given ?? {})
  .filter(([, value]) => typeof value !== 'object' && !/[<>&"'`]/.test(String(value))))
const own = plain(options.lightGallery)
const mobile = plain(options.lightGallery.mobileSettings)

const lg = globals.lightGallery(document.body, {
  speed: 200, startAnimationDuration: 200, backdropDuration: 200, counter: true, 
  ...own,
  mobileSettings: { controls: false, showCloseIcon: true, ...mobile,
    download: options.download && mobile.download !== false },
  ...isCalm && { speed: 0, startAnimationDuration: 0, backdropDuration: 0, slideEndAnimation: false },
  dynamic: true,
  dynamicEl: Array.from({ length: total }, (_, n) => new Slide(n)),
  plugins: [globals.lgZoom, globals.lgFullscreen],
  licenseKey: 'AGPL-3.0-only',
  download: options.download && own.download !== false,
  loop: total < LOOPED && own.loop !== false,
  numberOfSlideItemsInDom: 6, preload: 2, showZoomInOutIcons: false, actualSize: false, mode: 'lg-slide',
  allowMediaOverlap: true, resetScrollPosition: false, getCaptionFromTitleOrAlt: false, hideScrollbar: false,
  addClass: 'ipp', ariaLabelledby: '', closeOnTap: false,
  strings: {
    closeGallery: t.close, toggleMaximize: t.fullscreen, previousSlide: t.previous, nextSlide: t.next,
    download: canSave() ? t.save : t.download, playVideo: t.play, mediaLoadingFailed: t.failed
  },
  zoomPluginStrings: { zoomIn: t.zoomIn, zoomOut: t.zoomOut, viewActualSize: t.zoomIn },
  fullscreenPluginStrings: { toggleFullscreen: t.fullscreen }
})

const zoom = lg.plugins.find((/** @type {any} */ plugin) => plugin.zoomImage)
/** @type {HTMLElement} */
const outer = lg.outer.get()
/** @type {HTMLElement} */
const container = lg.$container.get()
container.setAttribute('aria-label', t.viewer)
container.removeAttribute('aria-labelledby')
/** The slide of item `n`, where it is in the page. @param {number} n */
const slideOf = n => outer.querySelector(`#lg-item-${lg.lgId}-${n}`)

// ----------------------------------------------------------------------------------------------- its buttons

const toolbar = /** @type {HTMLElement} */ (outer.querySelector('.lg-toolbar'))
/** @param {string} name @param {string} label @param {string} icon @param {() => void} onclick */
function addTool (name, label, icon, onclick) {
  const button = Object.assign(iconButton(label, icon, onclick), { className: `lg-icon ${name}` })
  toolbar.append(button)
  return button
}
// on a phone, what has the class `ipp-rest` is behind this one
const moreButton = addTool('ipp-more', t.more, 'more', toggleRest)
const infoButton = options.info ? addTool('ipp-info', t.info, 'details', toggleInfo) : undefined
const download = toolbar.querySelector('.lg-download')
addTool(download ? 'ipp-share ipp-rest' : 'ipp-share', t.share, 'share',
  () => share(`${home}/${item(lg.index)?.id}`))
const motionButton = addTool('ipp-motion ipp-rest', t.motion, 'motion', () => {
  const slide = slideOf(lg.index)
  const known = item(lg.index)
  if (slide && known) playMotion(slide, known)
})
const playButton = addTool('ipp-play ipp-rest', t.slideshow, 'slideshow', () => play.toggle())
playButton.hidden = total === 1
download?.addEventListener('click', event => {
  if (!canSave()) return
  event.preventDefault()
  save([lg.index])
})

function toggleRest () {
  const isShown = toolbar.classList.toggle('ipp-all')
  moreButton.setAttribute('aria-expanded', String(isShown))
}

const play = createPlay({
  interval: Number(own.slideShowInterval) || 5000,
  index: () => lg.index,
  show: slideTo,
  film: () => filmOf(lg.index),
  pictureOf: async n => {
    await load(n)
    return new Slide(n).src
  },
  onChange: isPlaying => playButton.setAttribute('aria-pressed', String(isPlaying))
})

function toggleInfo () {
  if (!infoButton) return
  if (panel.isConnected) {
    panel.remove()
    infoButton.focus()
  } else {
    showPanel(outer, toggleInfo)
    fillInfo()
  }
  infoButton.setAttribute('aria-pressed', String(panel.isConnected))
}
/** The owner's description of a photo, above its date. */
const caption = make('p', { className: 'ipp-caption', dir: 'auto' })
if (options.caption) outer.querySelector('.lg-components')?.prepend(caption)

/** @param {number} n */
async function showCaption (n) {
  caption.textContent = ''
  const meta = await metaOf(n).catch(() => undefined)
  if (n === lg.index) caption.textContent = meta?.description ?? ''
}
const fillInfo = () => fillPanel(lg.index, () => lg.index)

/**
 * lightGallery hears nobody until a slide has come to rest. Who is in a hurry goes on while it glides: a
 * finger, a click or a key is heard as soon as the slide is the current one.
 */
function takeUp () {
  if (slideOf(lg.index)?.classList.contains('lg-current')) lg.lgBusy = false
}

/** @param {number} n */
function slideTo (n) {
  takeUp()
  if (n !== lg.index) lg.slide(n)
}

/** Where and when a finger came down, and when the last one did that moved. */
let pressed = { x: 0, y: 0, at: 0 }
let flickedAt = 0
/** ms and px within which a press is a tap. */
const TAP_TIME = 300
const TAP_WAY = 10
outer.addEventListener('pointerdown', ({ clientX, clientY, timeStamp }) => {
  pressed = { x: clientX, y: clientY, at: timeStamp }
  takeUp()
}, { capture: true })
// a tap on the picture, or beside it, takes the controls away and brings them back
outer.addEventListener('pointerup', event => {
  const { clientX, clientY, timeStamp } = event
  const isTap = Math.hypot(clientX - pressed.x, clientY - pressed.y) < TAP_WAY &&
    timeStamp - pressed.at < TAP_TIME
  if (!isTap) flickedAt = pressed.at
  // who takes a film in hand wants to see it
  if (closest(event, 'video')) {
    play.stop()
    outer.classList.remove('ipp-bare')
  } else if (isTap && closest(event, '.lg-item')) outer.classList.toggle('ipp-bare')
}, { capture: true })

// lightGallery takes two quick flicks for a double tap
outer.querySelector('.lg-inner')?.addEventListener('touchstart', event => {
  if (event.timeStamp - flickedAt < TAP_TIME) event.stopPropagation()
})

addEventListener('keydown', event => {
  outer.classList.remove('ipp-bare')
  if (!isOpen || event.ctrlKey || event.metaKey) return
  // lightGallery keeps Alt+Left for itself, which is the browser's Back
  if (event.altKey) return event.stopImmediatePropagation()
  // a key that is held goes on at the pace of the slides
  if (!event.repeat) takeUp()
  if (event.key === 'i') toggleInfo()
  const isRest = toolbar.classList.contains('ipp-all')
  if (event.key !== 'Escape' || !(panel.isConnected || isRest)) return
  // what is on top goes first, the lightbox last
  event.stopPropagation()
  if (panel.isConnected) toggleInfo()
  else toggleRest()
}, { capture: true })

// --------------------------------------------------------------------------------------- opening and closing

let isOpen = false
/** whether it closes because the history has gone back already */
let isGoingBack = false

/** Everything else on the page, out of reach while this is open. @param {boolean} isInert */
function setAside (isInert) {
  // but what is said is to be heard
  const parts = document.body.querySelectorAll(':scope > :not(.lg-container, .toast, .offer)')
  for (const part of parts) part.toggleAttribute('inert', isInert)
}

/** Settles when nothing of what was open is in the page any more. @type {Promise<unknown>} */
let closed = Promise.resolve()

/**
 * Opens at item `n`, whose stretch of the list is there, unless `signal` ends it before.
 * @param {number} n @param {boolean} isSlideshow @param {AbortSignal} signal
 */
export async function open (n, isSlideshow, signal) {
  if (isOpen) return slideTo(n)
  const beside = [load(Math.max(0, n - AROUND)), load(Math.min(total - 1, n + AROUND))]
  await Promise.race([Promise.all(beside), new Promise(resolve => setTimeout(resolve, MOST_DELAY))])
  await closed
  if (signal.aborted) return
  isOpen = true
  outer.classList.toggle('ipp-bare', isShelf)
  // a key while it closed has set a slide going
  lg.lgBusy = false
  lg.settings.closable = true
  lg.openGallery(n)
  // a double tap that comes before the picture fails without
  zoom.setZoomEssentials()
  setAside(true)
  onShown(n)
  if (isSlideshow) play.start()
}

/** Closes what is open, without touching the history. */
export function close () {
  if (!isOpen) return
  isGoingBack = true
  lg.closeGallery()
}

/** @param {string} name @param {(event: CustomEvent) => void} handler */
const on = (name, handler) =>
  document.body.addEventListener(name, event => handler(/** @type {CustomEvent} */ (event)))

on('lgBeforeSlide', () => {
  for (const film of outer.querySelectorAll('video')) film.pause()
})
on('lgAfterAppendSlide', ({ detail }) => putUnder(detail.index))
on('lgAfterSlide', () => onShown(lg.index))
on('lgBeforeClose', () => {
  // only once: the end of a second closing would take away what is opened after the first
  lg.settings.closable = false
  closed = new Promise(resolve => document.body.addEventListener('lgAfterClose', resolve, { once: true }))
  play.stop()
  removeFilms(outer)
  panel.remove()
  setAside(false)
  if (!isGoingBack) {
    if (history.state?.isCold) history.replaceState(null, '', home)
    else if (typeof history.state?.n === 'number') history.back()
  }
  isGoingBack = false
  isOpen = false
})
on('lgAfterClose', () => focusTile(lg.index))

// --------------------------------------------------------------------------------------------- what is shown

/** @param {number} n */
function onShown (n) {
  // lightGallery reports a slide that arrives while it closes; by then the address is the grid's again
  if (!isOpen) return
  for (const film of outer.querySelectorAll('.ipp-film')) if (film.parentElement !== slideOf(n)) film.remove()
  const around = [n, Math.max(0, n - AROUND), Math.min(total - 1, n + AROUND)]
  for (const near of around) load(near).then(() => dress(near))
  const known = item(n)
  motionButton.hidden = !known?.motion || isVideo(n)
  const state = { ...history.state, n }
  if (known && history.state?.n !== n) history.replaceState(state, '', addressOf(n))
  // four nodes and three listeners a slide are never let go otherwise
  Object.assign(lg.LGel.constructor.eventListeners, { 'load.lg': [], 'error.lg': [] })
  const image = slideOf(n)?.querySelector('img.lg-object')
  if (image && !image.getAttribute('alt')) image.setAttribute('alt', nameOf(n))
  if (panel.isConnected) fillInfo()
  if (options.caption) showCaption(n)
}

/** The thumbnail where the picture will be, so that nothing is ever black. @param {number} n */
function putUnder (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (!slide || !known || slide.querySelector('.ipp-under')) return
  slide.prepend(make('img', { className: 'ipp-under', src: imagePath(known, 'thumbnail'), alt: '' }))
}

/** Gives slides that were drawn before their stretch was there what they should show. @param {number} n */
function dress (n) {
  for (const at of [n - 2, n - 1, n, n + 1, n + 2]) {
    /** @type {HTMLImageElement | null | undefined} */
    const image = slideOf(at)?.querySelector('img.lg-object')
    if (image?.src === BLANK) image.src = new Slide(at).src
    putUnder(at)
  }
  if (isOpen) filmOf(lg.index)
}

/** What plays on the slide of item `n`: of a video its film, which is put there. @param {number} n */
function filmOf (n) {
  const slide = slideOf(n)
  const known = item(n)
  if (slide && known && isVideo(n)) showVideo(slide, n, known)
  return slide?.querySelector('video') ?? null
}

/**
 * A picture that does not come: not there, or to be tried again, which is said. @param {HTMLImageElement}
 * image
 */
async function onFailed (image) {
  const slide = image.closest('.lg-item')
  if (!slide || await tryAgain(image)) return
  slide.classList.add('lg-complete')
  slide.append(make('p', { className: 'ipp-missing' }, t.noPicture))
  say(t.noPicture)
}
outer.addEventListener('error', event => {
  const image = /** @type {HTMLImageElement} */ (event.target)
  if (!image.matches('img.lg-object')) return
  // lightGallery would put words in its place, and never try again
  event.stopPropagation()
  onFailed(image)
}, { capture: true })

/** Width to height from which a photo is opened at the height of the screen, to be walked along. */
const PANORAMA = 3
/** A panorama as high as the screen, for as wide as the screen nothing could be seen of it. */
function fitHeight () {
  const image = /** @type {HTMLImageElement | null} */ (outer.querySelector('.lg-current img.lg-object'))
  const scale = image ? outer.clientHeight / image.clientHeight : 1
  if (ratio[lg.index] < PANORAMA || scale < 1.5 || outer.classList.contains('lg-zoomed')) return
  zoom.setPageCords()
  zoom.beginZoom(scale)
  zoom.zoomImage(scale, scale - 1, true, false)
}
on('lgSlideItemLoad', ({ detail }) => { if (detail.index === lg.index) fitHeight() })
on('lgAfterSlide', () => { if (slideOf(lg.index)?.classList.contains('lg-complete')) fitHeight() })

/** Full resolution, decoded before it takes the preview's place. */
async function sharpen () {
  const image = /** @type {HTMLImageElement | null} */ (outer.querySelector('.lg-current img.lg-object'))
  const known = item(lg.index)
  if (!outer.classList.contains('lg-zoomed') || !image || !known || image.dataset.full) return
  image.dataset.full = 'asked'
  const full = new Image()
  full.src = imagePath(known, 'fullsize')
  try {
    await full.decode()
    image.src = full.src
  } catch { delete image.dataset.full }
}
if (options.zoom) {
  new MutationObserver(sharpen).observe(outer, { attributes: true, attributeFilter: ['class'] })
}
