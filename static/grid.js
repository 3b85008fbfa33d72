// @ts-check
/** The grid: the tiles that are near the viewport, of a link of any length. */
import { icon, make } from './dom.js'
import { imagePath, item, load, onStretch } from './items.js'
import { lastAtMost, layOut } from './layout.js'
import { dates, grid, home, isByMonth, isVideo, month, nameOf, options, ratio, t, timeOf } from './link.js'
import { retry } from './retry.js'

/** px of a heading, and below a section. */
const HEADING = 44
const SPACE = 8
/** Screens of dated photos from which on there is a scrubber. */
const LONG = 2.5
/** What is drawn beyond the viewport, in heights of it. */
const BEYOND = 0.6
/** px a ms: above, a tile is not seen well enough for a picture; above, not at all. */
const FAST = 2.5
const TOO_FAST = 10
/** ms after which a fast scroll that ended is drawn. */
const SETTLE = 110

/** What else wants to know of the grid: the scrubber, the selection. */
export const listeners = {
  /** @type {((tile: HTMLAnchorElement, n: number) => void)[]} */
  tile: [],
  /** @type {(() => void)[]} */
  layout: [],
  /** @type {((y: number) => void)[]} */
  scroll: []
}

/** @type {import('./layout.js').Layout} */
export let layout
/** The first item of each section. @type {number[]} */
let sectionFirsts = []
/** px of the page above the grid */
let gridTop = 0
let gridWidth = 0
let gap = 0
/** Where the grid is in the viewport, from and to, in px of the grid. */
let seenFrom = 0
let seenTo = 0
/** How many unseen tiles, and pictures, may begin in this frame: each costs a phone some ms. */
let spareTiles = 6
let sparePictures = 6
/** whether a tile waits for its picture */
let isUnfilled = true
let isFast = false

/** @type {Map<number, HTMLElement>} */
const sections = new Map()
/** @type {Map<number, HTMLAnchorElement>} */
export const tiles = new Map()
/**
 * Nodes that the server made, taken over when their place is drawn. @type {Map<number, HTMLAnchorElement>}
 */
const adopted = new Map(Array.from(grid.querySelectorAll('a'), tile => [Number(tile.dataset.n), tile]))
const date = dates({ dateStyle: 'long' })
const day = dates({ weekday: 'short', day: 'numeric', month: 'short' })
const dayOfYear = dates({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })

// ------------------------------------------------------------------------------------------ where things are

/** @param {number} n */
export const rowOf = n => lastAtMost(layout.rowFirst, n, layout.rowFirst.length - 1)
/** The row at `y` px of the page. @param {number} y */
const rowAt = y => lastAtMost(layout.rowTop, y - gridTop)
/** px of the page above item `n`. @param {number} n */
export const topOf = n => gridTop + layout.rowTop[rowOf(n)]
/** @param {number} row */
const isSeen = row => layout.rowTop[row] + layout.rowHeight[row] > seenFrom && layout.rowTop[row] < seenTo

/** The first item that is wholly in view. */
export function firstInView () {
  const row = scrollY < gridTop ? 0 : rowAt(scrollY + 60) + 1
  return layout.rowFirst[Math.min(layout.rowFirst.length - 2, row)]
}

function measure () {
  const style = getComputedStyle(document.documentElement)
  const { paddingLeft, paddingRight } = getComputedStyle(grid)
  gridWidth = grid.clientWidth
  gap = parseFloat(style.getPropertyValue('--gap'))
  const width = gridWidth - parseFloat(paddingLeft) - parseFloat(paddingRight)
  const target = Number(style.getPropertyValue('--row'))
  const isGrouped = options.group !== false
  const heading = isGrouped ? HEADING : 0
  const space = isGrouped ? SPACE : 0
  const isShared = options.group === 'day'
  layout = layOut(ratio, options.runs, { width, gap, target, heading, space, isShared })
  sectionFirsts = layout.sections.map(({ first }) => first)
  grid.style.height = `${layout.height}px`
  gridTop = grid.getBoundingClientRect().top + scrollY
}

/** Lays out all anew, where the width or what is above the grid has changed; what was in view stays there. */
export function relayout () {
  const isWithin = layout && scrollY > gridTop
  const anchor = isWithin ? layout.rowFirst[rowAt(scrollY)] : 0
  const below = isWithin ? scrollY - topOf(anchor) : 0
  for (const section of sections.values()) section.remove()
  sections.clear()
  tiles.clear()
  measure()
  if (isWithin) scrollTo(0, topOf(anchor) + below)
  draw()
  for (const listener of listeners.layout) listener()
}

/** Whether there is so much of it that there is a scrubber. */
export const isLong = () => options.group !== false && layout.height > innerHeight * LONG

/** After a change of the window's size. */
function resize () {
  if (gridWidth !== grid.clientWidth) relayout()
  else for (const listener of listeners.layout) listener()
}

// ---------------------------------------------------------------------------------------- sections and tiles

/**
 * The heading of a section: a day has its year where that of the one before was another.
 * @param {number} index
 */
function headingOf (index) {
  const time = timeOf(layout.sections[index].group)
  if (isByMonth) return month.format(time)
  const yearOf = (/** @type {number} */ time) => new Date(time).getUTCFullYear()
  const isSameYear = index > 0 && yearOf(timeOf(layout.sections[index - 1].group)) === yearOf(time)
  return (isSameYear ? day : dayOfYear).format(time)
}

/** @param {number} index */
function makeSection (index) {
  const { top, height, left, width, first, count } = layout.sections[index]
  const style = `top:${top}px;height:${height}px;--left:${left}px;width:${width}px`
  const section = make('section', { style })
  section.classList.toggle('beside', left > 0)
  if (options.group) {
    const named = headingOf(index)
    const label = t.selectDay.replace('{day}', named)
    const button = make('button', {
      type: 'button', className: 'day', hidden: !options.zip, ariaLabel: label,
      'data-first': first, 'data-count': count
    }, icon('tick'))
    section.append(make('h2', { ariaLabel: named }, button, named))
  }
  // placed among its neighbours, so that the order of the keyboard is the order of the eyes
  const next = Math.min(...[...sections.keys()].filter(other => other > index))
  grid.insertBefore(section, sections.get(next) ?? null)
  sections.set(index, section)
  return section
}

const blankTile = /** @type {HTMLAnchorElement} */ (make('a', {}, make('img', { decoding: 'async' })))

/** @param {number} n @param {string} place */
function makeTile (n, place) {
  const tile = adopted.get(n) ?? /** @type {HTMLAnchorElement} */ (blankTile.cloneNode(true))
  adopted.delete(n)
  tile.className = 'tile'
  tile.dataset.n = String(n)
  tile.style.cssText = place
  const img = imageOf(tile)
  img.alt ||= nameOf(n)
  if (img.loading === 'lazy') img.loading = 'eager'
  if (img.complete && img.naturalWidth) img.classList.add('in')
  // one that failed before this script ran
  else if (img.complete && img.getAttribute('src')) onError(img)
  tiles.set(n, tile)
  return tile
}

/** @param {HTMLAnchorElement} tile */
const imageOf = tile => /** @type {HTMLImageElement} */ (tile.firstChild)

/** @param {number} n @param {HTMLAnchorElement} tile */
function placeTile (n, tile) {
  const index = lastAtMost(sectionFirsts, n)
  const section = sections.get(index) ?? makeSection(index)
  const before = tiles.get(n - 1)
  const after = before?.parentNode === section ? before.nextSibling
    : Array.from(section.querySelectorAll('a')).find(other => Number(other.dataset.n) > n)
  section.insertBefore(tile, after ?? null)
  for (const listener of listeners.tile) listener(tile, n)
}

/** @param {HTMLImageElement} img */
function onLoad (img) {
  const tile = /** @type {HTMLElement} */ (img.parentElement)
  // what nobody sees need not fade, which would cost frames
  img.classList.toggle('fade', isSeen(rowOf(Number(tile.dataset.n))))
  img.classList.add('in')
  tile.classList.remove('failed')
  tile.title = ''
}

/** @param {HTMLImageElement} img */
function onError (img) {
  const tile = /** @type {HTMLElement} */ (img.parentElement)
  if (!img.getAttribute('src')) return
  tile.classList.add('failed')
  tile.title = t.failed
  retry(img)
}

/** What is in a corner of a tile. @param {number} n @param {import('./items.js').Item} known */
function pillsOf (n, known) {
  const pill = (/** @type {string} */ title, /** @type {(Node | string)[]} */ ...inner) =>
    make('span', { className: 'pill', title }, ...inner)
  if (isVideo(n)) return [pill('', icon('play'), known.duration)]
  if (known.motion) return [pill(t.motion, icon('motion'))]
  return known.sphere ? [pill(t.sphere, '360°')] : []
}

/** What stands for the picture; its colour alone where nobody sees more. @param {HTMLElement} tile
 * @param {string} thumbhash @param {boolean} isWhole */
async function paint (tile, thumbhash, isWhole) {
  const { meanColour, placeholder } = await import('./thumbhash.js')
  tile.style.backgroundColor ||= meanColour(thumbhash)
  if (isWhole) tile.style.backgroundImage ||= `url(${placeholder(thumbhash)})`
}

/** Gives a tile what is known of its item, with its picture where that can be seen.
 * @param {number} n @param {HTMLAnchorElement} tile @param {boolean} isInView */
function fill (n, tile, isInView) {
  const img = imageOf(tile)
  // each frame comes by here with all that are seen, and most have their picture
  const known = img.classList.contains('in') ? undefined : item(n)
  if (!known) return
  if (!tile.getAttribute('href')) {
    tile.href = `${home}/${known.id}`
    if (known.time !== undefined) img.alt += `, ${date.format(known.time * 1000)}`
    tile.append(...pillsOf(n, known))
  }
  const isWhole = isInView && !isFast
  const isPainted = isWhole ? tile.style.backgroundImage : tile.style.backgroundColor
  if (known.thumbhash && !isPainted) paint(tile, known.thumbhash, isWhole)
  if (img.getAttribute('src') || tile.classList.contains('failed')) return
  if (isFast || sparePictures <= 0) {
    isUnfilled = true
    return
  }
  sparePictures--
  img.src = imagePath(known, 'thumbnail')
}

// --------------------------------------------------------------------------------------------- what is drawn

/** Draws what is near the viewport and takes away what is not, but never the tile that has the focus. */
function draw () {
  seenFrom = scrollY - gridTop
  seenTo = seenFrom + innerHeight
  const to = seenTo + innerHeight * BEYOND
  const wanted = new Set()
  const rows = layout.rowFirst.length - 1
  const firstRow = lastAtMost(layout.rowTop, seenFrom - innerHeight * BEYOND)
  for (let row = firstRow; row < rows && layout.rowTop[row] < to; row++) drawRow(row, wanted)
  removeAllBut(wanted)
  if (isUnfilled) {
    isUnfilled = false
    for (const [n, tile] of tiles) fill(n, tile, isSeen(rowOf(n)))
  }
  if (!isFast && (isUnfilled || spareTiles < 0)) queueFrame()
}

/** @param {number} row @param {Set<number>} wanted */
function drawRow (row, wanted) {
  const isInView = isSeen(row)
  const height = layout.rowHeight[row]
  for (let n = layout.rowFirst[row]; n < layout.rowFirst[row + 1]; n++) {
    let tile = tiles.get(n)
    wanted.add(n)
    if (!tile && (isInView || spareTiles-- > 0)) {
      const section = layout.sections[lastAtMost(sectionFirsts, n)]
      const start = layout.left[n] - section.left
      const top = layout.rowTop[row] - section.top
      const size = `width:${layout.ratio[n] * height}px;height:${height}px`
      tile = makeTile(n, `inset-inline-start:${start}px;top:${top}px;${size}`)
      placeTile(n, tile)
      load(n)
      fill(n, tile, isInView)
    } else if (tile && isInView) fill(n, tile, isInView)
  }
}

/** @param {Set<number>} wanted */
function removeAllBut (wanted) {
  for (const [n, tile] of tiles) {
    if (wanted.has(n) || tile === document.activeElement) continue
    const img = imageOf(tile)
    // what is still on its way is not wanted any more
    if (!img.complete) img.removeAttribute('src')
    tile.remove()
    tiles.delete(n)
  }
  for (const [index, section] of sections) {
    if (section.querySelector('a') || section.contains(document.activeElement)) continue
    section.remove()
    sections.delete(index)
  }
}

let isQueued = false
let lastY = 0
let lastAt = 0
let settling = 0
function queueFrame () {
  if (!isQueued) requestAnimationFrame(frame)
  isQueued = true
}

/** @param {number} now */
function frame (now) {
  isQueued = false
  clearTimeout(settling)
  const speed = Math.abs(scrollY - lastY) / Math.max(1, now - lastAt)
  isFast = speed > FAST
  spareTiles = speed > 0 ? 2 : 6
  sparePictures = speed > 0 ? 1 : 6
  lastY = scrollY
  lastAt = now
  // nobody can see a tile that is gone within a frame or two
  if (speed < TOO_FAST) draw()
  if (isFast) settling = window.setTimeout(queueFrame, SETTLE)
  if (speed > 0) for (const listener of listeners.scroll) listener(lastY)
}

/** Takes over the grid that the server made, and follows the scrolling. */
export function startGrid () {
  grid.classList.add('laid-out')
  grid.replaceChildren()
  relayout()
  if (isLong()) {
    // on a desk the scrubber has room of its own, which the photos give
    document.body.classList.add('dated')
    resize()
  }
  onStretch.push(() => {
    isUnfilled = true
    queueFrame()
  })
  addEventListener('scroll', queueFrame, { passive: true })
  addEventListener('resize', resize)
  grid.addEventListener('focusin', draw)
  // neither of them bubbles, and a drawing loads too
  const hear = (/** @type {string} */ name, /** @type {(image: HTMLImageElement) => void} */ handle) =>
    grid.addEventListener(name, ({ target }) => {
      if (target instanceof HTMLImageElement) handle(target)
    }, true)
  hear('load', onLoad)
  hear('error', onError)
}

/** Puts the keyboard on item `n`, wherever it is. @param {number} n */
export function focusTile (n) {
  const top = topOf(n)
  const height = layout.rowHeight[rowOf(n)]
  const isInView = top >= scrollY + 110 && top + height <= scrollY + innerHeight
  if (!isInView) scrollTo(0, Math.max(0, top - (innerHeight - height) / 2))
  draw()
  tiles.get(n)?.focus({ preventScroll: true })
}
