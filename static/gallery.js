// @ts-check
/** The page: the grid and its bar. The lightbox and the selection come when they are needed. */
import { addStyle, closest, iconButton, make, say } from './dom.js'
import { firstInView, listeners, relayout, startGrid } from './grid.js'
import { grid, home, isShelf, options, t, total, visit } from './link.js'
import { followHistory, openLightbox, prepareLightbox } from './opening.js'
import { lazily } from './retry.js'

/** ms of a touch that begins a selection. */
const LONG_PRESS = 500
/** px of the page from which its title is in the bar. */
const TITLE_GONE = 60
const bar = /** @type {HTMLElement} */ (document.getElementById('bar'))
const actions = /** @type {HTMLElement} */ (document.getElementById('actions'))

// --------------------------------------------------------------------------------------------- the selection

/** The style of what is not there at first. */
const styleTools = lazily(() => addStyle('tools.css'))
const prepareSelection = lazily(async () => {
  const [selection] = await Promise.all([import('./select.js'), styleTools()])
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

const onShare = () => import('./share.js').then(({ share }) => share(home), () => say(t.failed))

function makeBar () {
  const buttons = []
  if (total > 1) {
    buttons.push(iconButton(t.slideshow, 'slideshow', () => openLightbox(firstInView(), true)))
  }
  buttons.push(iconButton(t.share, 'share', onShare))
  if (options.zip && total > 1) {
    const button = Object.assign(iconButton(t.select, 'select', select), { id: 'select' })
    button.classList.add('worded')
    button.append(make('span', { className: 'word' }, t.select))
    buttons.push(button)
    startSelecting()
  }
  actions.prepend(...buttons)
  listeners.scroll.push(y => bar.classList.toggle('scrolled', y > TITLE_GONE))
}

/** @param {MouseEvent} event */
function onClick (event) {
  const tile = closest(event, '.tile')
  const isMeant = tile && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && event.button === 0
  if (!isMeant) return
  event.preventDefault()
  openLightbox(Number(tile.dataset.n))
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

/** The place in the grid, over a reload and a way back to this page: not all browsers find it again. */
function keepPlace () {
  history.scrollRestoration = 'manual'
  const name = `place ${home}`
  const [arrival] = performance.getEntriesByType('navigation')
  const isBack = /^(reload|back_forward)$/.test(/** @type {any} */ (arrival)?.type)
  if (isBack) scrollTo(0, Number(visit.read(name)))
  addEventListener('pagehide', () => visit.write(name, String(scrollY)))
}

/** ms until what did not come is tried again, and that the rest waits for an idle moment at most. */
const AGAIN = 5000
const LATEST = 3000
const prepareRest = () => Promise.all(
  [import('./keyboard.js'), import('./scrubber.js'), import('./news.js'), styleTools()])

/** What nobody needs before there are photos to see; where it does not come, it is tried again. */
async function loadTheRest () {
  const rest = await prepareRest().catch(() => undefined)
  if (!rest) {
    setTimeout(loadTheRest, AGAIN)
    return
  }
  const [{ startKeyboard }, { startScrubber }, { startNews }] = rest
  startKeyboard()
  startScrubber()
  startNews()
}

function start () {
  document.getElementById('pages')?.remove()
  document.querySelector('.intro')?.removeAttribute('hidden')
  clampAbout()
  startGrid()
  keepPlace()
  makeBar()
  followHistory()
  grid.addEventListener('click', onClick)
  // both are to be there at the first touch, on any network
  const prepareEarly = () => {
    prepareLightbox().catch(() => {})
    if (options.zip) prepareSelection().catch(() => {})
  }
  grid.addEventListener('pointerover', prepareEarly, { once: true, passive: true })
  const idle = window.requestIdleCallback ?? (callback => setTimeout(callback))
  addEventListener('load', () => idle(() => {
    prepareEarly()
    loadTheRest()
  }, { timeout: LATEST }))
  const open = grid.dataset.open ?? numberOfHash() ?? (options.autoOpen || isShelf ? '0' : undefined)
  if (open !== undefined) openLightbox(Number(open), isShelf)
}

if (total > 0) start()
