// @ts-check
/** Picking photos: by click, long press, shift for a range, a day by its heading; then one zip of them. */
import { closest, iconButton, make } from './dom.js'
import { download } from './download.js'
import { listeners, tiles } from './grid.js'
import { grid, lang, options, t } from './link.js'
import { canSave, save } from './save.js'
import { sendChoice } from './share.js'

/** @type {Set<number>} */
const picked = new Set()
/** Where a range begins that is picked with shift. @type {number | undefined} */
let anchor
/** The click that ends the long press which began the selection is none of its own. */
let isPressEnding = false
const rules = new Intl.PluralRules(lang)

const actions = /** @type {HTMLElement} */ (document.getElementById('actions'))
const count = make('p', { className: 'pick-count', role: 'status' })
const send = iconButton(t.sendChoice, 'send', () => sendChoice(inOrder()))
const take = iconButton(t.download, 'download', () => download(inOrder()))
const keep = iconButton(t.save, 'download', () => save(inOrder()))
const strip = make('div', { className: 'pick-bar', role: 'toolbar', 'aria-label': t.select, hidden: true },
  iconButton(t.cancel, 'close', stop), count, send, keep, take)
actions.before(strip)
listeners.tile.push((tile, n) => {
  if (strip.hidden) return
  dress(tile, n)
  const day = /** @type {HTMLElement | null | undefined} */ (tile.parentElement?.querySelector('.day'))
  if (day) dressDay(day)
})

/** @param {HTMLAnchorElement} tile @param {number} n */
function dress (tile, n) {
  const isSelecting = !strip.hidden
  tile.classList.toggle('picked', isSelecting && picked.has(n))
  tile.role = isSelecting ? 'checkbox' : null
  tile.ariaChecked = isSelecting ? String(picked.has(n)) : null
}

/** @param {HTMLElement} day */
function dressDay (day) {
  day.ariaPressed = String(isAllPicked(Number(day.dataset.first), Number(day.dataset.count)))
}

function dressAll () {
  for (const [n, tile] of tiles) dress(tile, n)
  const days = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('.day'))
  for (const day of days) dressDay(day)
  const words = t[`selected_${rules.select(picked.size)}`] ?? t.selected_other
  count.textContent = words.replace('{n}', picked.size.toLocaleString(lang))
  for (const button of [send, keep, take]) button.toggleAttribute('disabled', picked.size === 0)
}

/** @param {number} from @param {number} to @param {boolean} isPicked */
function pick (from, to, isPicked) {
  for (let n = Math.min(from, to); n <= Math.max(from, to); n++) {
    if (isPicked) picked.add(n)
    else picked.delete(n)
  }
  dressAll()
}

// before the page's own, which opens the lightbox
grid.addEventListener('click', event => {
  const tile = closest(event, '.tile')
  if (strip.hidden || !tile) return
  event.preventDefault()
  const wasPressEnding = isPressEnding
  isPressEnding = false
  if (wasPressEnding) return
  const n = Number(tile.dataset.n)
  if (event.shiftKey && anchor !== undefined) pick(anchor, n, true)
  else pick(n, n, !picked.has(n))
  anchor = n
}, { capture: true })

/** Begins, or goes on; a day's button and a long press pick what they are on. @param {Event} event */
export function start (event) {
  // what was pressed while this file was on its way may have been opened
  if (history.state?.n !== undefined) return
  const day = closest(event, '.day')
  const tile = closest(event, '.tile')
  if (strip.hidden) {
    strip.hidden = false
    // asked now, for a tablet may have got a mouse since
    keep.hidden = !options.zip || !canSave()
    take.hidden = !options.zip || !keep.hidden
    // Back ends it
    history.pushState({ isSelecting: true }, '')
    actions.hidden = true
    document.body.classList.add('selecting')
    if (event.type === 'click') /** @type {HTMLElement} */ (strip.firstChild).focus({ preventScroll: true })
  }
  if (day) pickDay(Number(day.dataset.first), Number(day.dataset.count))
  else if (tile && event.type === 'pointerdown') {
    isPressEnding = true
    anchor = Number(tile.dataset.n)
    pick(anchor, anchor, true)
  } else dressAll()
}

/** All of a day; none, where all are picked already. @param {number} first @param {number} length */
function pickDay (first, length) {
  pick(first, first + length - 1, !isAllPicked(first, length))
}

/** @param {number} first @param {number} length */
const isAllPicked = (first, length) => Array.from({ length }, (_, n) => picked.has(first + n)).every(Boolean)

function stop () {
  picked.clear()
  anchor = undefined
  strip.hidden = true
  actions.hidden = false
  document.body.classList.remove('selecting')
  dressAll()
  document.getElementById('select')?.focus({ preventScroll: true })
  if (history.state?.isSelecting) history.back()
}
addEventListener('popstate', () => { if (!strip.hidden) stop() })

const inOrder = () => [...picked].sort((a, b) => a - b)

addEventListener('keydown', event => {
  const tile = closest(event, 'a.tile')
  if (event.key === 'Escape' && !strip.hidden) stop()
  if (event.key !== ' ' || !tile || strip.hidden) return
  event.preventDefault()
  tile.click()
})
