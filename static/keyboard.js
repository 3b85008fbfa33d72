// @ts-check
/** Arrow keys, Home and End in the grid; + and - make its rows taller and shorter. */
import { closest } from './dom.js'
import { focusTile, relayout } from './grid.js'
import { lastAtMost } from './layout.js'
import { grid, total } from './link.js'
import { rowOf, scaleRows, view } from './positions.js'

/** The step of the right arrow: back where text runs from right to left. */
const FORWARD = document.dir === 'rtl' ? -1 : 1

const STEP = 1.25

/** The item of a row that is above or below item `n`. @param {number} row @param {number} n */
function besideIn (row, n) {
  const { layout } = view
  const isRow = row >= 0 && row < layout.rowFirst.length - 1
  if (!isRow) return n
  const middle = layout.left[n] + layout.ratio[n] * layout.rowHeight[rowOf(n)] / 2
  const first = layout.rowFirst[row]
  return first + lastAtMost(layout.left.subarray(first, layout.rowFirst[row + 1]), middle)
}

/** @param {KeyboardEvent} event */
function moveFocus (event) {
  const tile = closest(event, '.tile')
  if (!tile || event.altKey || event.ctrlKey || event.metaKey) return
  const n = Number(tile.dataset.n)
  const factor = { '+': STEP, '=': STEP, '-': 1 / STEP }[event.key]
  if (factor) {
    scaleRows(factor)
    relayout()
    return focusTile(n)
  }
  const to = {
    ArrowRight: n + FORWARD, ArrowLeft: n - FORWARD, Home: 0, End: total - 1,
    ArrowDown: besideIn(rowOf(n) + 1, n), ArrowUp: besideIn(rowOf(n) - 1, n)
  }[event.key]
  if (to === undefined || to < 0 || to >= total) return
  event.preventDefault()
  // the title shows too
  if (to === 0) scrollTo(0, 0)
  focusTile(to)
}

export const startKeyboard = () => grid.addEventListener('keydown', moveFocus)
