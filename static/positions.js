// @ts-check
/**
 * Where each photo stands on the page: the layout for the window's current size. `measure` makes it;
 * everything else reads it.
 */
import { FEW, lastAtMost, layOut } from './layout.js'
import { grid, isGrouped, options, ratio, runs, total } from './link.js'

/** The height of a heading, and the space below a section. */
const HEADING_PX = 44
const SPACE_PX = 12
/** Screens of dated photos above which there is a scrubber. */
const LONG = 2.5

/** The height of rows that the visitor has chosen, as a share of the usual one. */
const SHARE = 'row height'
const LOWEST = 0.5
const HIGHEST = 1.6
let share = 1
// a browser may refuse its storage
try { share = Number(localStorage.getItem(SHARE)) || 1 } catch {}

/** Makes rows taller or shorter from the next `measure` on, and remembers it. @param {number} factor */
export function scaleRows (factor) {
  const next = share * factor
  if (next < LOWEST || next > HIGHEST) return
  share = next
  try { localStorage.setItem(SHARE, String(share)) } catch {}
}

/** All in px. `width` and `target` are what the layout was made for. */
export const view = {
  /** @type {import('./layout.js').Layout} */
  layout: layOut(ratio, [], { width: 1, target: 1, gap: 0, heading: 0, space: 0, isShared: false }),
  /** The first item of each section. @type {number[]} */
  sectionFirsts: [],
  /** The page above the grid. */
  top: 0,
  width: 0,
  target: 0,
  /** What the viewport shows of the grid. */
  seenFrom: 0,
  seenTo: 0
}

/** Lays out all photos for the window. Returns false if neither width nor row height has changed. */
export function measure () {
  const { paddingLeft, paddingRight, minHeight } = getComputedStyle(grid)
  const whole = grid.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)
  const target = parseFloat(minHeight) * share
  // a single photo is as large as the window allows
  const width = total === 1 ? Math.min(whole, target * ratio[0]) : whole
  view.top = grid.getBoundingClientRect().top + scrollY
  if (width === view.width && target === view.target) return false
  const gap = parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--gap'))
  const heading = isGrouped ? HEADING_PX : 0
  const space = isGrouped ? SPACE_PX : 0
  const isShared = isGrouped && options.group === 'day'
  const layout = layOut(ratio, runs, { width, gap, target, heading, space, isShared })
  const sectionFirsts = layout.sections.map(({ first }) => first)
  Object.assign(view, { layout, sectionFirsts, width, target })
  grid.style.height = `${layout.height}px`
  return true
}

export const isFew = total <= FEW
/** Whether there are enough dated photos for a scrubber. */
export const isLong = () => isGrouped && view.layout.height > innerHeight * LONG

/** @param {number} n */
export const rowOf = n => lastAtMost(view.layout.rowFirst, n, view.layout.rowFirst.length - 1)
/** The row at `y` px of the page. @param {number} y */
export const rowAt = y => lastAtMost(view.layout.rowTop, y - view.top)
/** px of the page above item `n`. @param {number} n */
export const topOf = n => view.top + view.layout.rowTop[rowOf(n)]

/** @param {number} row */
export function isSeen (row) {
  const top = view.layout.rowTop[row]
  return top + view.layout.rowHeight[row] > view.seenFrom && top < view.seenTo
}

/** The first item that is wholly in view. */
export function firstInView () {
  const { rowFirst } = view.layout
  const row = scrollY < view.top ? 0 : rowAt(scrollY + 60) + 1
  return rowFirst[Math.min(rowFirst.length - 2, row)]
}
