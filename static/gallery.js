// @ts-check
/** The page: the grid and its bar. The lightbox and the selection come when they are needed. */
import { addStyle, closest, iconButton, make, say } from './dom.js'
import { listeners, relayout, startGrid } from './grid.js'
import { grid, home, isShelf, lang, options, t, total } from './link.js'
import { keepTrying, lazily } from './retry.js'
import { firstInView } from './rows.js'

/** ms of a touch that begins a selection. */
const LONG_PRESS = 500
/** px of the page from which its title is in the bar. */
const TITLE_GONE = 60
const actions = /** @type {HTMLElement} */ (document.getElementById('actions'))

// ---------------------------------------------------------------------------------------------- the lightbox

const prepareOpening = lazily(() => import('./opening.js'))

/** Opens item `n`. Rejects where that script does not come. @param {number} n */
const openLightbox = (n, isSlideshow = false) =>
  prepareOpening().then(opening => opening.openLightbox(n, isSlideshow))

// --------------------------------------------------------------------------------------------- the selection

/** The style of what is offered, which comes after the photos. */
const styleTools = lazily(() => addStyle('tools.css'))
const styleSelection = lazily(() => addStyle('select.css'))
const prepareSelection = lazily(async () => {
  const [selection] = await Promise.all([import('./select.js'), import('./choice.js'), styleSelection()])
  return selection
})

/** @param {Event} event */
async function select (event) {
  try {
    const { start } = await prepareSelection()
    start(event)
  } catch { say(t.failed) }
}

/** A long press, or the button of a day. */
function startSelecting () {
  let timer = 0
  grid.addEventListener('pointerdown', event => {
    release()
    // two fingers do not press
    if (event.isPrimary && event.pointerType !== 'mouse') timer = setTimeout(() => select(event), LONG_PRESS)
  })
  const release = () => clearTimeout(timer)
  for (const name of ['pointerup', 'pointercancel', 'scroll']) addEventListener(name, release)
  grid.oncontextmenu = () => !document.body.classList.contains('selecting')
  grid.addEventListener('click', event => {
    if (closest(event, '.day')) select(event)
  })
}

// -------------------------------------------------------------------------------------------------- the page

/** The link to the zip asks first; where the question does not come, it stays a link. */
function askBeforeZip () {
  const zip = /** @type {HTMLAnchorElement | null} */ (document.getElementById('zip'))
  zip?.addEventListener('click', async event => {
    const hasDialogs = 'HTMLDialogElement' in window
    if (!hasDialogs || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    try {
      const [{ askDownloadAll }] = await Promise.all([import('./download.js'), styleTools()])
      askDownloadAll(zip.href, select)
    } catch { location.href = zip.href }
  })
}

const onShare = () => import('./share.js').then(({ share }) => share(home), () => say(t.failed))

function makeBar () {
  if (total > 1) {
    const button = Object.assign(iconButton(t.select, 'select', select), { id: 'select' })
    button.classList.add('worded')
    button.append(make('span', { className: 'word' }, t.select))
    const play = () => openLightbox(firstInView(), true).catch(() => say(t.failed))
    actions.append(button, iconButton(t.slideshow, 'slideshow', play))
    startSelecting()
  }
  actions.append(iconButton(t.share, 'share', onShare))
  listeners.scroll.push(y => document.body.classList.toggle('titled', y > TITLE_GONE))
}

/** @param {MouseEvent} event */
function onClick (event) {
  const tile = /** @type {HTMLAnchorElement | null} */ (closest(event, '.tile'))
  // with a modifier key a click is the browser's own: a new tab, a new window, a download
  const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey && event.button === 0
  if (!tile || event.defaultPrevented || !isPlain) return
  event.preventDefault()
  // the photo's own page needs no script
  openLightbox(Number(tile.dataset.n)).catch(() => location.assign(tile.href))
}

/** The item that an earlier release's `#` names by number; by id, its own page is asked for. */
function numberOfHash () {
  const [, slide, id] = /^#(?:lg=\d+&slide=(\d+)|([\da-f-]{36}))$/.exec(location.hash) ?? []
  if (id) location.replace(`${home}/${id}`)
  return Number(slide) < total ? slide : undefined
}

/** A long description is cut to its first lines, with a button that shows all of it. */
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

/** ms of rest after which the place is kept: Safari takes 100 changes of an entry in 30 s. */
const AT_REST_MS = 250

/**
 * Keeps the place in the grid over a reload and a way back to this page, where browsers lose it: in the entry
 * of the history, which needs no storage. WebKit loses it for a page that it has kept whole, too.
 */
function keepPlace () {
  history.scrollRestoration = 'manual'
  const restore = () => { if (history.state?.y) scrollTo(0, history.state.y) }
  restore()
  let waiting = 0
  listeners.scroll.push(y => {
    clearTimeout(waiting)
    waiting = window.setTimeout(() => history.replaceState({ ...history.state, y }, ''), AT_REST_MS)
  })
  addEventListener('pageshow', ({ persisted }) => { if (persisted) restore() })
}

/** ms that the rest waits for the first pictures, and for an idle moment, at most. */
const LATEST_MS = 3000

/**
 * Starts what nobody needs before there are photos to see, each part by itself: one that does not come is
 * tried again after a longer wait each time, and keeps none of the others away.
 */
function loadTheRest () {
  const parts = [
    () => import('./keyboard.js').then(({ startKeyboard }) => startKeyboard()),
    () => import('./scrubber.js').then(({ startScrubber }) => startScrubber()),
    () => Promise.all([import('./news.js'), styleTools()]).then(([{ startNews }]) => startNews()),
    () => import('./share.js')
  ]
  for (const start of parts) keepTrying(start)
}

/** Says when the link ends by the visitor's own clock: the server only knows UTC. */
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
  // both are to be there at the first touch, on any network
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
  // a picture that hangs keeps `load` away
  addEventListener('load', goOn)
  setTimeout(goOn, LATEST_MS)
  const open = grid.dataset.open ?? numberOfHash() ?? (options.autoOpen || isShelf ? '0' : undefined)
  if (open !== undefined) openLightbox(Number(open), isShelf).catch(() => {})
}

if (total > 0) start()
else makeBar()
