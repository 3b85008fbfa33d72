// @ts-check
/** lightGallery over the whole link: addresses, full resolution, motion photos, the info panel. */
import {
  calm, focusTile, home, ICONS, iconButton, isVideo, item, key, lang, load, make, options, say, share, t,
  total
} from './gallery.js'

const BLANK = 'data:image/gif;base64,R0lGODlhAQABAAAAACw='
const folder = new URL('.', import.meta.url)
/** @type {any} lightGallery's files are plain scripts that leave their names on the window */
const globals = window

const styled = new Promise((onload, onerror) => document.head.append(
  make('link', { rel: 'stylesheet', href: `${folder}lightbox.css`, onload, onerror })))
// eslint-disable-next-line no-unsanitized/method -- beside this very file
await Promise.all([import(`${folder}lightgallery.js`), styled])

/** @param {'photo' | 'video'} kind @param {string} id */
const media = (kind, id, size = '') => `/share/${kind}/${key}/${id}${size}`
const html = (/** @type {string} */ text) => text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
const moment = new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })

/** A slide that finds out what it shows when it is asked, so that fifty thousand weigh nothing. */
class Slide {
  /** @param {number} n */
  constructor (n) { this.n = n }
  get known () { return item(this.n) }
  get id () { return this.known?.id ?? '' }
  get src () {
    if (isVideo(this.n)) return undefined
    return this.id ? media('photo', this.id, this.known?.duration ? '/fullsize' : '/preview') : BLANK
  }
  get alt () { return html(`${t.photo} ${this.n + 1}`) }
  get video () {
    if (!isVideo(this.n)) return undefined
    return {
      source: [{ src: media('video', this.id), type: 'video/mp4' }],
      attributes: {
        controls: true, playsinline: true, preload: 'none', 'aria-label': html(`${t.video} ${this.n + 1}`),
        poster: this.id ? media('photo', this.id, '/preview') : BLANK
      }
    }
  }
  get subHtml () {
    const time = this.known?.time
    // as a paragraph: a caption that begins with # or . would be taken for a selector
    return time === undefined ? '' : `<p>${html(moment.format(time * 1000))}</p>`
  }
  get downloadUrl () { return options.download ? media('photo', this.id, '/original') : false }
}

/**
 * Of the operator's settings: numbers, yes and no, and plain words; nothing that lightGallery would take for
 * HTML.
 */
const plain = (/** @type {unknown} */ given) => Object.fromEntries(Object.entries(given ?? {})
  .filter(([, value]) => typeof value !== 'object' && !/[<>&"'`]/.test(String(value))))
const mobile = plain(options.lightGallery.mobileSettings)
const own = plain(options.lightGallery)

const lg = globals.lightGallery(document.body, {
  speed: 200, startAnimationDuration: 200, backdropDuration: 200, counter: true, slideShowInterval: 5000,
  ...own,
  mobileSettings: { controls: false, showCloseIcon: true, ...mobile,
    download: options.download && mobile.download !== false },
  ...calm.matches && { speed: 0, startAnimationDuration: 0, backdropDuration: 0, slideEndAnimation: false },
  dynamic: true,
  dynamicEl: Array.from({ length: total }, (_, n) => new Slide(n)),
  plugins: [globals.lgZoom, globals.lgVideo, globals.lgAutoplay, globals.lgFullscreen],
  licenseKey: 'AGPL-3.0-only',
  download: options.download && own.download !== false,
  loop: total < 500 && own.loop !== false,
  numberOfSlideItemsInDom: 6, preload: 2, showZoomInOutIcons: false, actualSize: true, mode: 'lg-slide',
  allowMediaOverlap: true, resetScrollPosition: false, getCaptionFromTitleOrAlt: false, hideScrollbar: false,
  addClass: 'ipp', ariaLabelledby: '', slideShowAutoplay: false, gotoNextSlideOnVideoEnd: false,
  autoplayFirstVideo: false, autoplayVideoOnSlide: false,
  strings: {
    closeGallery: t.close, toggleMaximize: t.fullscreen, previousSlide: t.previous, nextSlide: t.next,
    download: t.download, playVideo: t.play, mediaLoadingFailed: t.failed
  },
  zoomPluginStrings: { zoomIn: t.zoomIn, zoomOut: t.zoomOut, viewActualSize: t.zoomIn },
  fullscreenPluginStrings: { toggleFullscreen: t.fullscreen },
  autoplayPluginStrings: { toggleAutoplay: t.slideshow }
})

// lightGallery writes style="…" into the markup of videos, which the page's policy forbids: say it by the DOM
// instead
const query = lg.LGel.constructor
for (const name of ['append', 'prepend', 'html']) {
  const before = query.prototype[name]
  query.prototype[name] = function (/** @type {unknown} */ markup) {
    return before.call(this, typeof markup === 'string' ? markup.replace(/ style="[^"]*"/g, '') : markup)
  }
}
const attr = query.prototype.attr
query.prototype.attr = function (/** @type {string} */ name, /** @type {string | undefined} */ value) {
  if (name !== 'style' || value === undefined) return attr.call(this, name, value)
  this.selector.style.cssText = value
  return this
}
lg.getVideoContStyle = () => ''
lg.resizeVideoSlide = () => {}

/** @type {HTMLElement} */
const outer = lg.outer.get()
/** @type {HTMLElement} */
const container = lg.$container.get()
container.setAttribute('aria-label', t.viewer)
container.removeAttribute('aria-labelledby')
const toolbar = /** @type {HTMLElement} */ (outer.querySelector('.lg-toolbar'))
/** @param {string} name @param {string} label @param {string} path @param {() => void} onclick */
const tool = (name, label, path, onclick) => {
  const button = Object.assign(iconButton(label, path, onclick), { className: `lg-icon ${name}` })
  toolbar.append(button)
  return button
}
const infoButton = options.info && tool('ipp-info', t.info, ICONS.info, () => toggleInfo())
tool('ipp-share', t.share, ICONS.share, () => share(`${home}/${item(lg.index)?.id}`))
const motionButton = tool('ipp-motion', t.motion, ICONS.motion, () => playMotion())

/** Everything else on the page, out of reach while this is open. @param {boolean} inert */
const setAside = inert => {
  for (const part of document.body.children) if (part !== container) part.toggleAttribute('inert', inert)
}
let openNow = false
let current = 0

// ------------------------------------------------------------------------------------------------- addresses

/** @param {number} n @param {{ slideshow?: boolean }} [how] */
export async function open (n, { slideshow = false } = {}) {
  const { id } = /** @type {{ id: string }} */ (item(n))
  if (openNow) { if (n !== lg.index) lg.slide(n); return }
  openNow = true
  const address = `${home}/${id}`
  if (history.state?.n === undefined) {
    // opened here: Back leads to the grid. Come straight to this address: there is no grid to go back to.
    if (location.pathname === address) history.replaceState({ n, cold: true }, '', address)
    else history.pushState({ n }, '', address)
  }
  const beside = [load(Math.max(0, n - 100)), load(Math.min(total - 1, n + 100))]
  await Promise.race([Promise.all(beside), new Promise(resolve => setTimeout(resolve, 300))])
  const start = () => lg.plugins.find((/** @type {any} */ plugin) => plugin.startAutoPlay)?.startAutoPlay()
  if (slideshow) document.body.addEventListener('lgAfterOpen', start, { once: true })
  lg.openGallery(n)
  setAside(true)
  shown(n)
}

/** Closes what is open, without touching the history. */
export function close () { if (openNow) { leaving = true; lg.closeGallery() } }
let leaving = false

/** @param {string} name @param {(event: CustomEvent) => void} handler */
const on = (name, handler) =>
  document.body.addEventListener(name, event => handler(/** @type {CustomEvent} */ (event)))

on('lgBeforeSlide', () => {
  stopMotion()
  outer.querySelectorAll('video').forEach(video => video.pause())
})
on('lgAfterSlide', ({ detail }) => shown(detail.index))
on('lgBeforeClose', () => {
  stopMotion()
  panel.remove()
  setAside(false)
  if (!leaving) {
    if (history.state?.cold) history.replaceState(null, '', home)
    else if (typeof history.state?.n === 'number') history.back()
  }
  leaving = false
  openNow = false
})
on('lgAfterClose', () => focusTile(current))

/** @param {number} n */
function shown (n) {
  // lightGallery reports a slide that arrives while it closes; by then the address is the grid's again
  if (!openNow) return
  current = n
  const known = item(n)
  const around = [n, Math.max(0, n - 100), Math.min(total - 1, n + 100)]
  for (const near of around) load(near).then(() => dress(near))
  motionButton.hidden = !known?.motion
  const state = { ...history.state, n }
  if (known && history.state?.n !== n) history.replaceState(state, '', `${home}/${known.id}`)
  // four nodes and three listeners a slide are never let go otherwise
  Object.assign(query.eventListeners, { 'load.lg': [], 'error.lg': [] })
  const image = outer.querySelector('.lg-current img.lg-object')
  if (image && !image.getAttribute('alt')) image.setAttribute('alt', `${t.photo} ${n + 1}`)
  if (panel.isConnected) fillInfo()
}

/** Gives slides that were drawn before their stretch was there what they should show. @param {number} n */
function dress (n) {
  for (const at of [n - 2, n - 1, n, n + 1, n + 2]) {
    const slide = outer.querySelector(`#lg-item-${lg.lgId}-${at}`)
    const image = /** @type {HTMLImageElement | null | undefined} */ (slide?.querySelector('img.lg-object'))
    if (image && image.src === BLANK) image.src = new Slide(at).src ?? BLANK
    const source = slide?.querySelector('source')
    if (source && source.getAttribute('src')?.endsWith(`${key}/`)) {
      source.src = media('video', new Slide(at).id)
      const player = /** @type {HTMLVideoElement} */ (source.parentElement)
      player.poster = media('photo', new Slide(at).id, '/preview')
      player.load()
    }
  }
}

// ---------------------------------------------------------------------------- full resolution when zoomed in

if (options.zoom) {
  new MutationObserver(async () => {
    const image = /** @type {HTMLImageElement | null} */ (outer.querySelector('.lg-current img.lg-object'))
    if (!outer.classList.contains('lg-zoomed') || !image || image.dataset.full) return
    image.dataset.full = 'asked'
    const full = new Image()
    full.src = image.src.replace(/\/(preview|fullsize)$/, '/fullsize')
    try {
      await full.decode()
      image.src = full.src
    } catch { delete image.dataset.full }
  }).observe(outer, { attributes: true, attributeFilter: ['class'] })
}

// --------------------------------------------------------------------------------------------- motion photos

function playMotion () {
  const known = item(lg.index)
  const slide = outer.querySelector('.lg-current')
  if (!known?.motion || !slide || slide.querySelector('.ipp-playing')) return stopMotion()
  slide.append(make('video', {
    className: 'ipp-playing', src: media('video', known.motion), ariaLabel: t.motion,
    autoplay: true, playsInline: true, controls: true, onended: stopMotion,
    onerror: () => { stopMotion(); say(t.failed) }
  }))
}
function stopMotion () {
  outer.querySelectorAll('.ipp-playing').forEach(video => { video.removeAttribute('src'); video.remove() })
}

// -------------------------------------------------------------------------------------------- the info panel

const details = make('dl')
const panel = make('aside', { className: 'ipp-panel', 'aria-label': t.info, tabIndex: -1 },
  make('div', { className: 'ipp-panel-head' }, make('h2', {}, t.info),
    iconButton(t.close, ICONS.close, () => toggleInfo())), details)

function toggleInfo () {
  if (!infoButton) return
  if (panel.isConnected) { panel.remove(); infoButton.focus() } else {
    outer.append(panel)
    panel.focus()
    fillInfo()
  }
  infoButton.setAttribute('aria-pressed', String(panel.isConnected))
}

async function fillInfo () {
  const n = lg.index
  const note = (/** @type {string} */ text) => make('dd', { className: 'ipp-note' }, text)
  details.replaceChildren(note(t.loading))
  try {
    await load(n)
    const answer = await fetch(`/share/meta/${key}/${item(n)?.id}`)
    const rows = describe(await answer.json()).filter(([, value]) => value).flatMap(([name, value]) =>
      [make('dt', {}, name), make('dd', { dir: 'auto' }, value ?? '')])
    if (n === lg.index) details.replaceChildren(...rows.length ? rows : [note(t.noInfo)])
  } catch {
    if (n === lg.index) details.replaceChildren(note(t.failed))
  }
}

/** @param {Record<string, any>} meta @returns {[string, string | Node | undefined][]} */
function describe (meta) {
  const size = meta.fileSizeInByte
  const unit = size > 1e6 ? 'megabyte' : 'kilobyte'
  const { fNumber, exposureTime, focalLength, iso, latitude, longitude, make: brand, model } = meta
  const exposure = [fNumber && `ƒ/${fNumber}`, exposureTime && `${exposureTime} s`,
    focalLength && `${focalLength} mm`, iso && `ISO ${iso}`]
  const place = `?mlat=${latitude}&mlon=${longitude}#map=14/${latitude}/${longitude}`
  const where = typeof latitude === 'number' && typeof longitude === 'number' &&
    make('a', { href: `https://www.openstreetmap.org/${place}`, target: '_blank', rel: 'noreferrer' }, t.map)
  const format = new Intl.NumberFormat(lang, { style: 'unit', unit, maximumFractionDigits: 1 })
  return [
    [t.description, meta.description],
    [t.taken, meta.dateTimeOriginal && moment.format(meta.dateTimeOriginal)],
    [t.place, [meta.city, meta.state, meta.country].filter(Boolean).join(', ')],
    [where ? '' : t.place, where || undefined],
    [t.camera, model?.startsWith(brand) ? model : [brand, model].filter(Boolean).join(' ')],
    [t.lens, meta.lensModel],
    [t.exposure, exposure.filter(Boolean).join(' · ')],
    [t.file, meta.originalFileName],
    [t.size, size && format.format(size / (size > 1e6 ? 1e6 : 1e3))]
  ]
}

addEventListener('keydown', event => {
  if (!openNow || event.ctrlKey || event.metaKey) return
  // lightGallery keeps Alt+Left for itself, which is the browser's Back
  if (event.altKey) return event.stopImmediatePropagation()
  if (event.key === 'i') toggleInfo()
  if (event.key === 'Escape' && panel.isConnected) { event.stopPropagation(); toggleInfo() }
}, { capture: true })
