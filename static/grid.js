// @ts-check
/**
 * The grid: the tiles near the viewport, for a link of any length. `startGrid` takes over the server's tiles,
 * `relayout` follows a change of the page, `focusTile` scrolls to a photo, `listeners` are told of changes.
 */
import { icon, make } from './dom.js'
import { item, load } from './items.js'
import { lastAtMost, yearOf } from './layout.js'
import { dates, grid, isByMonth, isGrouped, month, t, timeOf, total } from './link.js'
import { isFew, isLong, isSeen, measure, rowAt, rowOf, topOf, view } from './positions.js'
import { fillTile, imageOf, loadPicture, makeTile } from './tile.js'

/** How far beyond the viewport tiles are drawn, in viewport heights. */
const BEYOND = 0.6
/**
 * px per ms: faster than READING, placeholders are plain colours; faster than FAST, tiles get no pictures;
 * faster than TOO_FAST, none are drawn.
 */
const READING = 1
const FAST = 2.5
const TOO_FAST = 10
/** How long after a fast scroll the tiles are drawn. */
const SETTLE_MS = 110
/** Tiles and pictures outside the viewport to start per frame, at rest and while scrolling; each costs ms. */
const AT_REST = 6
const SCROLLING = { tiles: 2, pictures: 1 }

/** Called for each tile placed, each new layout, and each frame scrolled. */
export const listeners = {
  /** @type {((tile: HTMLAnchorElement, n: number) => void)[]} */
  tile: [],
  /** @type {(() => void)[]} */
  layout: [],
  /** @type {((y: number) => void)[]} */
  scroll: []
}

/** The tiles on the page by item. @type {Map<number, HTMLAnchorElement>} */
export const tiles = new Map()
/** Those of them whose picture is not there yet. @type {Set<number>} */
const unfinished = new Set()
/** The sections on the page by index. @type {Map<number, HTMLElement>} */
const sections = new Map()

const pace = {
  spareTiles: AT_REST,
  sparePictures: AT_REST,
  /** whether a tile waits for a frame in which it may be given its picture */
  isWaiting: false,
  isReading: true,
  isFast: false,
  isQueued: false,
  lastY: 0,
  lastAt: 0,
  settling: 0
}

/** Lays the grid out again after the window or the page above it changed; what was in view stays in view. */
export function relayout () {
  const isWithin = tiles.size > 0 && scrollY > view.top
  const anchor = isWithin ? view.layout.rowFirst[rowAt(scrollY)] : 0
  const below = isWithin ? scrollY - topOf(anchor) : 0
  if (measure()) {
    // the page's new height may have brought a scrollbar, which takes some of the width
    measure()
    for (const section of sections.values()) section.remove()
    sections.clear()
    tiles.clear()
    unfinished.clear()
  }
  if (isWithin) scrollTo(0, topOf(anchor) + below)
  draw()
  for (const listener of listeners.layout) listener()
}

/** Takes over the grid that the server made, and follows the scrolling. */
export function startGrid () {
  grid.classList.add('laid-out')
  grid.classList.toggle('few', isFew)
  grid.classList.toggle('single', total === 1)
  grid.replaceChildren()
  measure()
  // on a desktop the photos make room for the scrubber
  document.body.classList.toggle('dated', isLong())
  relayout()
  addEventListener('scroll', queueFrame, { passive: true })
  addEventListener('resize', relayout)
  grid.addEventListener('focusin', draw)
}

/** Focuses the tile of item `n`, scrolling there if need be. @param {number} n */
export function focusTile (n) {
  const top = topOf(n)
  const height = view.layout.rowHeight[rowOf(n)]
  const isInView = top >= scrollY + 110 && top + height <= scrollY + innerHeight
  if (!isInView) scrollTo(0, Math.max(0, top - (innerHeight - height) / 2))
  draw()
  tiles.get(n)?.focus({ preventScroll: true })
}

// ------------------------------------------------------------------------------------------------ sections

const day = dates({ weekday: 'short', day: 'numeric', month: 'short' })
const dayOfYear = dates({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })

/**
 * The heading of a day or month as the server words it: a day shows its year where that of the day before
 * was another. @param {number} group @param {number} [before] the group before
 */
function headingOf (group, before) {
  if (isByMonth) return month.format(timeOf(group))
  const isSameYear = before !== undefined && yearOf(before) === yearOf(group)
  return (isSameYear ? day : dayOfYear).format(timeOf(group))
}

/** @param {number} index */
function makeSection (index) {
  const { top, height, left, width, first, count, group } = view.layout.sections[index]
  const style = `top:${top}px;height:${height}px;--left:${left}px;width:${width}px`
  const section = make('section', { style, className: left > 0 ? 'beside' : '' })
  if (isGrouped) {
    const named = headingOf(group, view.layout.sections[index - 1]?.group)
    const fields = { type: 'button', className: 'day', ariaLabel: t.selectDay.replace('{day}', named) }
    const button = make('button', fields, icon('tick'), icon('dash'))
    Object.assign(button.dataset, { first, count })
    section.append(make('h2', { ariaLabel: named }, button, make('span', {}, named)))
  }
  // placed among its neighbours, so that Tab follows the order on the screen
  const next = Math.min(...[...sections.keys()].filter(other => other > index))
  grid.insertBefore(section, sections.get(next) ?? null)
  sections.set(index, section)
  return section
}

// --------------------------------------------------------------------------------------------- what is drawn

/** @param {number} n @param {boolean} isInView */
function fill (n, isInView) {
  const tile = /** @type {HTMLAnchorElement} */ (tiles.get(n))
  if (imageOf(tile).classList.contains('in')) {
    unfinished.delete(n)
    return
  }
  const src = fillTile(n, tile, isInView && pace.isReading)
  if (!src) return
  if (pace.isFast || pace.sparePictures <= 0) {
    pace.isWaiting = true
    return
  }
  pace.sparePictures--
  loadPicture(n, tile, src)
}

/** Draws the tiles near the viewport and removes the others, except one that has the focus. */
function draw () {
  const { rowFirst, rowTop } = view.layout
  view.seenFrom = scrollY - view.top
  view.seenTo = view.seenFrom + innerHeight
  const to = view.seenTo + innerHeight * BEYOND
  const wanted = new Set()
  const firstRow = lastAtMost(rowTop, view.seenFrom - innerHeight * BEYOND)
  for (let row = firstRow; row < rowTop.length && rowTop[row] < to; row++) {
    const isInView = isSeen(row)
    for (let n = rowFirst[row]; n < rowFirst[row + 1]; n++) {
      wanted.add(n)
      drawTile(n, row, isInView)
    }
  }
  removeAllBut(wanted)
  pace.isWaiting = false
  // those in view come first
  for (const isInView of [true, false]) {
    for (const n of unfinished) if (isSeen(rowOf(n)) === isInView) fill(n, isInView)
  }
  if (!pace.isFast && (pace.isWaiting || pace.spareTiles < 0)) queueFrame()
}

/** @param {number} n @param {number} row @param {boolean} isInView */
function drawTile (n, row, isInView) {
  if (tiles.has(n) || (!isInView && pace.spareTiles-- <= 0)) return
  const { layout, sectionFirsts } = view
  const index = lastAtMost(sectionFirsts, n)
  const section = sections.get(index) ?? makeSection(index)
  const { left, top } = layout.sections[index]
  const height = layout.rowHeight[row]
  const place = `inset-inline-start:${layout.left[n] - left}px;top:${layout.rowTop[row] - top}px`
  const tile = makeTile(n, `${place};width:${layout.ratio[n] * height}px;height:${height}px`)
  const before = tiles.get(n - 1)
  const after = before?.parentNode === section ? before.nextSibling
    : Array.from(section.querySelectorAll('a')).find(other => Number(other.dataset.n) > n)
  section.insertBefore(tile, after ?? null)
  tiles.set(n, tile)
  unfinished.add(n)
  for (const listener of listeners.tile) listener(tile, n)
  if (!item(n)) load(n).then(queueFrame)
}

/** @param {Set<number>} wanted */
function removeAllBut (wanted) {
  for (const [n, tile] of tiles) {
    if (wanted.has(n) || tile === document.activeElement) continue
    const img = imageOf(tile)
    // cancel a picture that is still loading
    if (!img.complete) img.removeAttribute('src')
    tile.remove()
    tiles.delete(n)
    unfinished.delete(n)
  }
  for (const [index, section] of sections) {
    if (section.querySelector('a') || section.contains(document.activeElement)) continue
    section.remove()
    sections.delete(index)
  }
}

function queueFrame () {
  if (!pace.isQueued) requestAnimationFrame(frame)
  pace.isQueued = true
}

/** @param {number} now */
function frame (now) {
  pace.isQueued = false
  clearTimeout(pace.settling)
  const speed = Math.abs(scrollY - pace.lastY) / Math.max(1, now - pace.lastAt)
  pace.isReading = speed < READING
  pace.isFast = speed > FAST
  pace.spareTiles = speed > 0 ? SCROLLING.tiles : AT_REST
  pace.sparePictures = speed > 0 ? SCROLLING.pictures : AT_REST
  pace.lastY = scrollY
  pace.lastAt = now
  // nobody sees a tile that is gone within a frame or two
  if (speed < TOO_FAST) draw()
  if (!pace.isReading) pace.settling = window.setTimeout(queueFrame, SETTLE_MS)
  if (speed > 0) for (const listener of listeners.scroll) listener(pace.lastY)
}
