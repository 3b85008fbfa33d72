// @ts-check
/**
 * The date scrubber at the edge of the page. With a mouse it is a rail of years and months beside the photos.
 * For fingers it is a grip that appears while the page scrolls; at rest, taps and swipes reach the photos.
 */
import { addStyle, closest, icon, make } from './dom.js'
import { listeners } from './grid.js'
import { lastAtMost } from './layout.js'
import { grid, month, t, timeOf } from './link.js'
import { isLong, topOf, view } from './positions.js'

/** How long the grip stays after the last scroll. */
const LINGER_MS = 1500
/** px between years, and between the dots of months. */
const YEAR_ROOM = 22
const DOT_ROOM = 10
/** px from the label within which a year hides while the grip is held. */
const LABEL_ROOM = 34
/** px of the viewport that the bar and a heading cover. */
const COVERED = 100

const grip = make('span', { className: 'scrub-grip' }, icon('updown'))
const label = make('span', { className: 'scrub-label' })
const scrubber = make('div', {
  className: 'scrubber', role: 'slider', tabIndex: 0,
  ariaLabel: t.dates, ariaOrientation: 'vertical', ariaValueMin: '0'
}, grip, label)

const state = {
  /**
   * Each month, and px of the page above its first item.
   * @type {{ name: string, year: number, top: number }[]}
   */
  stops: [],
  /** @type {number[]} */
  tops: [],
  /** Scrollable px and px of the rail, kept because reading them while scrolling forces a layout. */
  range: 1,
  rail: 0,
  hiding: 0
}

export async function startScrubber () {
  await addStyle('scrubber.css')
  grid.after(scrubber)
  scrubber.addEventListener('pointerdown', hold)
  scrubber.addEventListener('pointermove', drag)
  scrubber.addEventListener('lostpointercapture', () => scrubber.classList.remove('held'))
  scrubber.addEventListener('keydown', step)
  listeners.layout.push(layOutStops)
  listeners.scroll.push(onScroll)
  layOutStops()
}

function layOutStops () {
  scrubber.hidden = !isLong()
  if (scrubber.hidden) return
  const { stops } = state
  stops.length = 0
  for (const { first, group } of view.layout.sections) {
    const name = month.format(timeOf(group))
    const year = new Date(timeOf(group)).getUTCFullYear()
    if (stops[stops.length - 1]?.name !== name) stops.push({ name, year, top: topOf(first) })
  }
  scrubber.setAttribute('aria-valuemax', String(stops.length - 1))
  scrubber.replaceChildren(grip, label)
  state.tops = stops.map(({ top }) => top)
  state.range = Math.max(1, document.documentElement.scrollHeight - innerHeight)
  state.rail = scrubber.clientHeight
  drawMarks()
  move(scrollY)
}

function drawMarks () {
  let yearAt = -YEAR_ROOM
  let dotAt = -DOT_ROOM
  let lastYear = 0
  const [first] = state.tops
  for (const { year, top } of state.stops) {
    // the first mark is at the top of the rail
    const at = top === first ? 0 : Math.max(0, Math.min(1, (top - COVERED) / state.range)) * state.rail
    const isNewYear = year !== lastYear
    if (at - (isNewYear ? yearAt : dotAt) < (isNewYear ? YEAR_ROOM : DOT_ROOM)) continue
    const className = isNewYear ? 'scrub-year' : 'scrub-dot'
    scrubber.append(make('span', { className, style: `top:${at}px` }, isNewYear ? String(year) : ''))
    dotAt = at
    if (!isNewYear) continue
    yearAt = at
    lastYear = year
  }
}

/** @param {number} y */
function move (y) {
  if (scrubber.hidden || state.stops.length === 0) return
  const now = lastAtMost(state.tops, y + COVERED + 20)
  const at = Math.round(Math.min(1, y / state.range) * state.rail)
  // each change costs a frame some ms, and most are under a pixel
  if (`${at}px` !== grip.style.top) grip.style.top = label.style.top = `${at}px`
  if (scrubber.classList.contains('held')) {
    const years = /** @type {NodeListOf<HTMLElement>} */ (scrubber.querySelectorAll('.scrub-year'))
    for (const year of years) {
      year.classList.toggle('under', Math.abs(parseFloat(year.style.top) - at) < LABEL_ROOM)
    }
  }
  const { name } = state.stops[now]
  if (label.textContent === name) return
  label.textContent = name
  scrubber.setAttribute('aria-valuenow', String(now))
  scrubber.setAttribute('aria-valuetext', name)
}

/** @param {number} y */
function onScroll (y) {
  move(y)
  scrubber.classList.add('moving')
  clearTimeout(state.hiding)
  state.hiding = window.setTimeout(() => scrubber.classList.remove('moving'), LINGER_MS)
}

/** @param {PointerEvent} event */
function hold (event) {
  const isOnGrip = closest(event, '.scrub-grip')
  // a finger must hold the grip; a mouse may press anywhere on the rail
  if (event.pointerType !== 'mouse' && !isOnGrip) return
  event.preventDefault()
  scrubber.setPointerCapture(event.pointerId)
  scrubber.classList.add('held')
  if (isOnGrip) move(scrollY)
  else drag(event)
}

/** @param {PointerEvent} event */
function drag ({ clientY }) {
  if (!scrubber.classList.contains('held')) return
  const { top, height } = scrubber.getBoundingClientRect()
  scrollTo(0, Math.max(0, Math.min(1, (clientY - top) / height)) * state.range)
}

/** @param {KeyboardEvent} event */
function step (event) {
  const by = {
    ArrowDown: 1, ArrowRight: 1, PageDown: 6, End: Infinity,
    ArrowUp: -1, ArrowLeft: -1, PageUp: -6, Home: -Infinity
  }[event.key]
  if (by === undefined) return
  event.preventDefault()
  const now = Number(scrubber.getAttribute('aria-valuenow'))
  const to = Math.max(0, Math.min(state.stops.length - 1, now + by))
  scrollTo(0, to === 0 ? 0 : state.tops[to] - COVERED)
}
