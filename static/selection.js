// @ts-check
/**
 * The selection. `start` begins it, at the press of its button or a day's, or at a long press. Photos are
 * picked by click, by Shift for a range, by dragging after a long press, by day or all at once. Its buttons
 * send, save or download what is picked. Back ends it.
 */
import { closest, icon, iconButton, make, say } from './dom.js'
import { listeners, tiles } from './grid.js'
import { grid, options, t, total } from './link.js'
import { measure, sizeAt } from './original-info.js'
import { counted, sizeText } from './words.js'

/** How long a selection rests before it is measured. */
const PAUSE_MS = 300

/** Within this distance of the screen's edge a drag scrolls, at most by this much per frame. */
const EDGE_PX = 90
const MAX_STEP_PX = 24

const state = {
  /** @type {Set<number>} */
  picked: new Set(),
  /** The first item of a range. @type {number | undefined} */
  anchor: undefined,
  /** The drag after a long press: the item it has reached, and the items picked before it. */
  drag: { isOn: false, to: 0, x: 0, y: 0, before: /** @type {Set<number>} */ (new Set()) },
  /** The click that ends a long press picks nothing. */
  isPressEnding: false,
  /** The wait before the picked items are measured, and the measuring. */
  resting: 0,
  measuring: new AbortController()
}

const actions = /** @type {HTMLElement} */ (document.getElementById('actions'))
const count = make('p', { className: 'pick-count' })
const size = make('p', { className: 'pick-size' })
const pickAll = () => pick(0, total - 1, state.picked.size < total)
const all = make('button', { type: 'button', className: 'pick-all', onclick: pickAll }, t.selectAll)
/** The buttons: at the bottom on a phone, in the bar on a desktop. */
const slot = make('div', { className: 'pick-actions' })
const strip = make('div', { className: 'pick-bar', role: 'toolbar', ariaLabel: t.select, hidden: true },
  iconButton(t.cancel, 'close', stop),
  make('div', { className: 'pick-words', role: 'status' }, count, size), all, slot)

/** The numbers of the picked items, in order. */
const items = () => [...state.picked].sort((a, b) => a - b)

/**
 * Adds a button for the picked items, disabled while there are none.
 * @param {string} kind 'tonal' or 'primary' @param {string} name of its icon @param {string} label
 * @param {(items: number[]) => void} onPress
 */
function addAction (kind, name, label, onPress) {
  const button = make('button', {
    type: 'button', className: `button ${kind}`, ariaLabel: label, onclick: () => onPress(items())
  }, icon(name), label)
  slot.append(button)
  return button
}

/** Begins a selection or adds to it: a day's button picks the day, a long press its photo.
 * @param {Event} event */
export function start (event) {
  // the pressed photo may have been opened while this file was loading
  if (history.state?.n !== undefined) return
  const day = closest(event, '.day')
  const tile = closest(event, '.tile')
  if (strip.hidden) begin(event)
  if (day) pickDay(day)
  else if (tile && event instanceof PointerEvent && event.type === 'pointerdown') beginDrag(event, tile)
  else dressAll()
}

/** @param {Event} event */
function begin (event) {
  strip.hidden = false
  // Back ends it
  history.pushState({ isSelecting: true }, '')
  document.body.classList.add('selecting')
  if (event.type === 'click') /** @type {HTMLElement} */ (strip.firstChild).focus({ preventScroll: true })
}

function stop () {
  state.picked.clear()
  state.anchor = undefined
  state.drag.isOn = false
  strip.hidden = true
  document.body.classList.remove('selecting')
  dressAll()
  document.getElementById('select')?.focus({ preventScroll: true })
  if (history.state?.isSelecting) history.back()
}

// ---------------------------------------------------------------------------------------------- what is seen

/** @param {HTMLAnchorElement} tile @param {number} n */
function dress (tile, n) {
  const isSelecting = !strip.hidden
  const isPicked = isSelecting && state.picked.has(n)
  tile.classList.toggle('picked', isPicked)
  tile.role = isSelecting ? 'checkbox' : null
  tile.ariaChecked = isSelecting ? String(isPicked) : null
  const isBare = isSelecting && !tile.querySelector('.tick')
  if (isBare) tile.append(make('span', { className: 'tick' }, icon('tick')))
}

/** @param {HTMLElement} day */
function dressDay (day) {
  const { first, length } = rangeOf(day)
  const picked = Array.from({ length }, (_, at) => state.picked.has(first + at))
  const some = picked.includes(true) ? 'mixed' : 'false'
  day.ariaPressed = picked.includes(false) ? some : 'true'
}

function dressAll () {
  for (const [n, tile] of tiles) dress(tile, n)
  const days = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.day'))
  for (const day of days) dressDay(day)
  all.ariaPressed = String(state.picked.size === total)
  count.textContent = counted('selected', state.picked.size)
  for (const button of slot.children) button.toggleAttribute('disabled', state.picked.size === 0)
  updateSoon()
}

// -------------------------------------------------------------------------------------------- what is picked

/** The items of a day. @param {HTMLElement} day */
const rangeOf = day => ({ first: Number(day.dataset.first), length: Number(day.dataset.count) })

/** @param {number} from @param {number} to @param {boolean} isPicked */
function pick (from, to, isPicked) {
  for (let n = Math.min(from, to); n <= Math.max(from, to); n++) {
    if (isPicked) state.picked.add(n)
    else state.picked.delete(n)
  }
  dressAll()
}

/** Picks all of a day, or none if all are picked already. @param {HTMLElement} day */
function pickDay (day) {
  const { first, length } = rangeOf(day)
  pick(first, first + length - 1, day.ariaPressed !== 'true')
}

/** @param {MouseEvent} event */
function onClick (event) {
  const tile = closest(event, '.tile')
  if (strip.hidden || !tile) return
  event.preventDefault()
  const wasPressEnding = state.isPressEnding
  state.isPressEnding = false
  if (wasPressEnding) return
  const n = Number(tile.dataset.n)
  if (event.shiftKey && state.anchor !== undefined) pick(state.anchor, n, true)
  else pick(n, n, !state.picked.has(n))
  state.anchor = n
}

/** @param {PointerEvent} event @param {HTMLElement} tile */
function beginDrag ({ clientX: x, clientY: y }, tile) {
  const n = Number(tile.dataset.n)
  state.isPressEnding = true
  state.anchor = n
  state.drag = { isOn: true, to: n, x, y, before: new Set(state.picked) }
  // a focused tile is never removed, so the touch survives a long drag
  tile.focus(/** @type {FocusOptions} */ ({ preventScroll: true, focusVisible: false }))
  pick(n, n, true)
  scrollAtEdge()
}

/** Picks everything from the drag's start to the finger, and unpicks what the finger has left. */
function dragOn () {
  const { drag, anchor = 0 } = state
  // a tile under a bar, at the edge that scrolls, counts as well
  const tile = document.elementsFromPoint(drag.x, drag.y).find(element => element.matches('.tile'))
  const to = tile instanceof HTMLElement ? Number(tile.dataset.n) : drag.to
  if (to === drag.to) return
  drag.to = to
  state.picked = new Set(drag.before)
  pick(anchor, to, true)
}

function scrollAtEdge () {
  const { isOn, y } = state.drag
  if (!isOn) return
  const over = Math.max(0, y - (innerHeight - EDGE_PX)) - Math.max(0, EDGE_PX - y)
  if (over !== 0) {
    scrollBy(0, over / EDGE_PX * MAX_STEP_PX)
    dragOn()
  }
  requestAnimationFrame(scrollAtEdge)
}

/** @param {PointerEvent} event */
function onMove ({ clientX, clientY }) {
  if (!state.drag.isOn) return
  state.drag.x = clientX
  state.drag.y = clientY
  dragOn()
}

/** @param {KeyboardEvent} event */
function onKey (event) {
  if (strip.hidden) return
  const tile = closest(event, 'a.tile')
  const isAll = event.key === 'a' && (event.ctrlKey || event.metaKey)
  if (event.key === 'Escape') return stop()
  if (isAll) pick(0, total - 1, true)
  else if (event.key === ' ' && tile) tile.click()
  else return
  event.preventDefault()
}

/** Shift and an arrow pick from the last picked photo to the one that the focus has reached.
 * @param {KeyboardEvent} event */
function onKeyUp (event) {
  const tile = closest(event, 'a.tile')
  if (strip.hidden || !tile || !event.shiftKey || !event.key.startsWith('Arrow')) return
  const n = Number(tile.dataset.n)
  state.anchor ??= n
  pick(state.anchor, n, true)
}

// ---------------------------------------------------------------------------------------------- the buttons

/**
 * Loads a script on demand and uses it. @template T
 * @param {() => Promise<T>} load @param {(script: T) => unknown} use
 */
const by = (load, use) => load().then(use).catch(() => say(t.tryAgain))
const loadSave = () => import('./save.js')

addAction('tonal', 'send', t.sendChoice,
  items => by(() => import('./share.js'), ({ sendChoice }) => sendChoice(items)))
const save = addAction('primary', 'download', t.download, items => by(loadSave, script => script.save(items)))
save.hidden = !options.zip

async function update () {
  const { signal } = state.measuring = new AbortController()
  const picked = items()
  const isMeasured = options.zip && options.download && picked.length > 0
  const bytes = isMeasured ? await measure(picked, signal) : NaN
  const zip = /** @type {HTMLAnchorElement | null} */ (document.getElementById('zip'))
  const shown = !bytes && zip && picked.length === total ? await sizeAt(zip.href, signal) : bytes
  if (signal.aborted) return
  size.textContent = shown ? sizeText(shown) : ''
  const script = await loadSave().catch(() => undefined)
  if (signal.aborted) return
  const isFitting = picked.length === 0 || script?.fitsSheet(bytes)
  // checked each time, because a mouse may be connected to a tablet
  const label = isFitting && script?.canSave() ? t.save : t.download
  save.ariaLabel = label
  save.lastChild?.replaceWith(label)
}

function updateSoon () {
  state.measuring.abort()
  clearTimeout(state.resting)
  // the old size stays until the new one is known, so that the count above it does not jump
  if (state.picked.size === 0) size.textContent = ''
  state.resting = window.setTimeout(update, PAUSE_MS)
}
update()

actions.before(strip)
listeners.tile.push((tile, n) => {
  if (strip.hidden) return
  dress(tile, n)
  const day = tile.parentElement?.querySelector('.day')
  if (day instanceof HTMLElement) dressDay(day)
})
// before the page's own listener, which opens the lightbox
grid.addEventListener('click', onClick, { capture: true })
addEventListener('keydown', onKey)
addEventListener('keyup', onKeyUp)
addEventListener('popstate', () => { if (!strip.hidden) stop() })
addEventListener('pointermove', onMove)
const endDrag = () => { state.drag.isOn = false }
for (const name of ['pointerup', 'pointercancel']) addEventListener(name, endDrag)
// a drag that picks does not scroll
grid.addEventListener('touchmove', event => {
  if (state.drag.isOn) event.preventDefault()
}, { passive: false })
