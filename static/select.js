// @ts-check
/** Picking photos: by click, long press, shift for a range, a day by its heading; then one zip of them. */
import { actions, home, hooks, ICONS, iconButton, item, lang, load, make, say, t } from './gallery.js'

/** @type {Set<number>} */
const picked = new Set()
let anchor = -1
const rules = new Intl.PluralRules(lang)

const count = make('p', { className: 'pick-count', role: 'status' })
const download = iconButton(t.download, ICONS.download, send)
const strip = make('div', { className: 'pick-bar', role: 'toolbar', 'aria-label': t.select, hidden: true },
  iconButton(t.cancel, ICONS.close, stop), count, download)
actions.before(strip)

/** @param {HTMLAnchorElement} tile @param {number} n */
function dress (tile, n) {
  const selecting = !strip.hidden
  tile.classList.toggle('picked', selecting && picked.has(n))
  tile.role = selecting ? 'checkbox' : null
  tile.ariaChecked = selecting ? String(picked.has(n)) : null
}
function dressAll () {
  const tiles = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll('a.tile'))
  for (const tile of tiles) dress(tile, Number(tile.dataset.n))
  const words = t[`selected_${rules.select(picked.size)}`] ?? t.selected_other
  count.textContent = words.replace('{n}', picked.size.toLocaleString(lang))
  download.toggleAttribute('disabled', picked.size === 0)
}

/** @param {number} from @param {number} to @param {boolean} on */
function pick (from, to, on) {
  for (let n = Math.min(from, to); n <= Math.max(from, to); n++) picked[on ? 'add' : 'delete'](n)
  dressAll()
}

hooks.tile = dress
hooks.click = (n, event) => {
  if (strip.hidden) return false
  if (suppressed) { suppressed = false; return true }
  if (event.shiftKey && anchor >= 0) pick(anchor, n, true)
  else pick(n, n, !picked.has(n))
  anchor = n
  return true
}
/** The click that ends the long press which began the selection. */
let suppressed = false

/** Begins, or goes on; a day's button and a long press pick what they are on. @param {Event} event */
export function start (event) {
  const target = /** @type {Element} */ (event.target)
  const day = /** @type {HTMLElement | null} */ (target.closest('.day'))
  const tile = /** @type {HTMLElement | null} */ (target.closest('.tile'))
  if (strip.hidden) {
    strip.hidden = false
    actions.hidden = true
    document.body.classList.add('selecting')
    if (event.type === 'click') /** @type {HTMLElement} */ (strip.firstChild).focus({ preventScroll: true })
  }
  if (day) {
    const [first, count] = [Number(day.dataset.first), Number(day.dataset.count)]
    const all = Array.from({ length: count }, (_, n) => picked.has(first + n)).every(Boolean)
    return pick(first, first + count - 1, !all)
  }
  if (tile && event.type === 'pointerdown') {
    suppressed = true
    anchor = Number(tile.dataset.n)
    return pick(anchor, anchor, true)
  }
  dressAll()
}

function stop () {
  picked.clear()
  anchor = -1
  strip.hidden = true
  actions.hidden = false
  document.body.classList.remove('selecting')
  dressAll()
  document.getElementById('select')?.focus({ preventScroll: true })
}

async function send () {
  say(t.loading, false)
  const numbers = [...picked].sort((a, b) => a - b)
  for (const n of numbers) if (!item(n)) await load(n)
  const form = make('form', { method: 'post', action: `${home}/download`, hidden: true },
    make('input', { name: 'assets', value: JSON.stringify(numbers.map(n => item(n)?.id)) }))
  document.body.append(form)
  HTMLFormElement.prototype.submit.call(form)
  form.remove()
}

addEventListener('keydown', event => {
  const tile = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.('a.tile'))
  if (event.key === 'Escape' && !strip.hidden) stop()
  if (event.key !== ' ' || !tile || strip.hidden) return
  event.preventDefault()
  tile.click()
})
