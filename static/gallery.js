// @ts-check
/** The page: starts the grid and its bar, and loads the lightbox and the selection when they are needed. */
import { addStyle, closest, iconButton, make, say } from './dom.js'
import { listeners, relayout, startGrid } from './grid.js'
import { grid, home, isKiosk, lang, options, t, total } from './link.js'
import { firstInView } from './positions.js'
import { keepTrying, lazily } from './retry.js'

/** How long a touch lasts to start a selection. */
const LONG_PRESS_MS = 500
/** Scrolled this far, the page shows its title in the bar. */
const TITLE_GONE_PX = 60
const actions = /** @type {HTMLElement} */ (document.getElementById('actions'))

// ---------------------------------------------------------------------------------------------- the lightbox

const prepareOpening = lazily(() => import('./open-photo.js'))

/** Opens item `n`. Rejects if the script cannot be loaded. @param {number} n */
const openLightbox = (n, isSlideshow = false) =>
  prepareOpening().then(opening => opening.openLightbox(n, isSlideshow))

// --------------------------------------------------------------------------------------------- the selection

/** The style of offers and sheets, loaded after the photos. */
const styleTools = lazily(() => addStyle('tools.css'))
const prepareSelection = lazily(async () => {
  const [selection] = await Promise.all([import('./selection.js'), addStyle('selection.css')])
  return selection
})

/** @param {Event} event */
const select = event =>
  prepareSelection().then(({ start }) => start(event)).catch(() => say(t.tryAgain))

/** Starts a selection at a long press. */
function startSelecting () {
  let timer = 0
  grid.addEventListener('pointerdown', event => {
    release()
    // two fingers are a pinch
    if (!event.isPrimary || event.pointerType === 'mouse') return
    timer = setTimeout(() => select(event), LONG_PRESS_MS)
  })
  const release = () => clearTimeout(timer)
  for (const name of ['pointerup', 'pointercancel', 'scroll']) addEventListener(name, release)
  grid.oncontextmenu = () => !document.body.classList.contains('selecting')
}

// -------------------------------------------------------------------------------------------------- the page

/** With a modifier key a click is the browser's own: a new tab, a new window. @param {MouseEvent} event */
const isPlain = ({ ctrlKey, metaKey, shiftKey, altKey }) => !ctrlKey && !metaKey && !shiftKey && !altKey

/** Makes the zip link ask first. Without dialogs, or if the script cannot be loaded, it stays a link. */
function askBeforeZip () {
  const zip = /** @type {HTMLAnchorElement | null} */ (document.getElementById('zip'))
  zip?.addEventListener('click', event => {
    // a single photo needs no zip
    const asks = total > 1 && 'HTMLDialogElement' in window
    if (!asks || !isPlain(event)) return
    event.preventDefault()
    Promise.all([import('./download.js'), styleTools()]).then(([{ askDownloadAll }]) =>
      askDownloadAll(zip.href, select)).catch(() => location.assign(zip.href))
  })
}

const onShare = () => import('./share.js').then(({ share }) => share(home), () => say(t.tryAgain))

function makeBar () {
  if (total > 1) {
    const word = make('span', { className: 'word' }, t.select)
    const button = Object.assign(iconButton(t.select, 'select', select, 'worded', word), { id: 'select' })
    const play = () => openLightbox(firstInView(), true).catch(() => say(t.tryAgain))
    actions.append(button, iconButton(t.slideshow, 'slideshow', play))
    startSelecting()
  }
  actions.append(iconButton(t.share, 'share', onShare))
  listeners.scroll.push(y => document.body.classList.toggle('titled', y > TITLE_GONE_PX))
}

/** @param {MouseEvent} event */
function onClick (event) {
  if (closest(event, '.day')) select(event)
  const tile = /** @type {HTMLAnchorElement | null} */ (closest(event, '.tile'))
  if (!tile || event.defaultPrevented || !isPlain(event)) return
  event.preventDefault()
  // the photo's own page needs no script
  openLightbox(Number(tile.dataset.n)).catch(() => location.assign(tile.href))
}

/** The item number in the `#` of an earlier release's address; an id there leads to the photo's own page. */
function numberOfHash () {
  const [, slide, id] = /^#(?:lg=\d+&slide=(\d+)|([\da-f-]{36}))$/.exec(location.hash) ?? []
  if (id) location.replace(`${home}/${id}`)
  return Number(slide) < total ? slide : undefined
}

/** Cuts a long description to its first lines and adds a button that shows all of it. */
function clampAbout () {
  const about = /** @type {HTMLElement | null} */ (document.querySelector('.about'))
  about?.classList.add('clamped')
  if (!about || about.scrollHeight <= about.clientHeight) return
  const more = make('button', { type: 'button', className: 'more', onclick: () => {
    about.classList.remove('clamped')
    more.remove()
    relayout()
  } }, t.more)
  about.after(more)
}

/** How long scrolling rests before the place is kept: Safari allows 100 history changes in 30 s. */
const AT_REST_MS = 250

/**
 * Keeps the scroll position across a reload and a return to this page. The history entry stores it, which
 * needs no storage. WebKit loses the place even of a page from its back-forward cache.
 */
function keepPlace () {
  history.scrollRestoration = 'manual'
  const restore = () => { if (history.state?.y) scrollTo(0, history.state.y) }
  restore()
  const keep = () => history.replaceState({ ...history.state, y: scrollY }, '')
  let waiting = 0
  listeners.scroll.push(() => {
    clearTimeout(waiting)
    waiting = window.setTimeout(keep, AT_REST_MS)
  })
  // the page has scrolled under the entry of a selection or a photo
  addEventListener('popstate', keep)
  addEventListener('pageshow', ({ persisted }) => { if (persisted) restore() })
}

/** How long the remaining scripts wait for the first pictures, and then for an idle moment, at most. */
const LATEST_MS = 3000

/**
 * Loads the parts that are not needed until photos are visible. Each is retried by itself, so that one that
 * is blocked holds up none of the others.
 */
function loadTheRest () {
  /** @type {(() => Promise<unknown>)[]} */
  const parts = [
    () => import('./keyboard.js').then(({ startKeyboard }) => startKeyboard()),
    () => import('./scrubber.js').then(({ startScrubber }) => startScrubber()),
    () => Promise.all([import('./new-photos.js'), styleTools()]).then(([{ startNews }]) => startNews()),
    () => import('./share.js')
  ]
  for (const start of parts) keepTrying(start)
}

/** Shows the link's expiry in the visitor's time zone; the server only knows UTC. */
function localizeExpiry () {
  const line = document.getElementById('expiry')
  if (!line) return
  const ends = new Intl.DateTimeFormat(lang, {
    day: 'numeric', month: 'long', year: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short'
  })
  line.textContent = t.expires.replace('{date}', ends.format(Number(line.dataset.ends)))
}

function start () {
  localizeExpiry()
  document.getElementById('pages')?.remove()
  document.querySelector('.intro')?.removeAttribute('hidden')
  clampAbout()
  startGrid()
  keepPlace()
  makeBar()
  askBeforeZip()
  grid.addEventListener('click', onClick)
  addEventListener('popstate', ({ state }) =>
    prepareOpening().then(({ onHistory }) => onHistory(state), () => {}))
  // both must be ready at the first touch, however slow the network
  const prepareEarly = () => {
    prepareOpening().then(({ prepareLightbox }) => prepareLightbox()).catch(() => {})
    if (total > 1) prepareSelection().catch(() => {})
  }
  grid.addEventListener('pointerover', prepareEarly, { once: true, passive: true })
  const idle = window.requestIdleCallback ?? (callback => setTimeout(callback))
  const goOn = lazily(async () => idle(() => {
    prepareEarly()
    loadTheRest()
  }, { timeout: LATEST_MS }))
  // a picture that never finishes loading holds up `load`
  addEventListener('load', goOn)
  setTimeout(goOn, LATEST_MS)
  const open = grid.dataset.open ?? numberOfHash() ?? (options.autoOpen || isKiosk ? '0' : undefined)
  if (open !== undefined) openLightbox(Number(open), isKiosk).catch(() => {})
}

if (total > 0) start()
else makeBar()
