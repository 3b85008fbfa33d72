// @ts-check
/**
 * The date scrubber: at the right edge the years, and a grip that appears while the page scrolls and can be
 * dragged. At rest it takes no touch, so that a tap or a swipe there is one on the photos.
 */
import { make } from './dom.js'
import { grid, month, t, timeOf } from './link.js'
import { lastAtMost } from './layout.js'
import { isLong, layout, listeners, topOf } from './grid.js'

/** ms for which the grip stays after the last scroll. */
const LINGER = 1500
/** px between years, and between the ticks of months. */
const YEAR_ROOM = 22
const TICK_ROOM = 10

const grip = make('span', { className: 'scrub-grip' })
const label = make('span', { className: 'scrub-label' })
const scrubber = make('div', {
  className: 'scrubber', role: 'slider', tabIndex: 0,
  ariaLabel: t.dates, ariaOrientation: 'vertical', ariaValueMin: '0'
}, grip, label)

/** The first item of each month. @type {{ first: number, name: string, year: number }[]} */
let stops = []
/** px of the page above each of them. @type {number[]} */
let stopTops = []
/** px that can be scrolled, and px of the scrubber: each would cost a layout to ask for while scrolling. */
let range = 1
let track = 0
let hiding = 0

function layOutStops () {
  stops = []
  for (const { first, group } of layout.sections) {
    const name = month.format(timeOf(group))
    const year = new Date(timeOf(group)).getUTCFullYear()
    if (stops[stops.length - 1]?.name !== name) stops.push({ first, name, year })
  }
  scrubber.hidden = !isLong()
  scrubber.setAttribute('aria-valuemax', String(stops.length - 1))
  scrubber.replaceChildren(grip, label)
  range = Math.max(1, document.documentElement.scrollHeight - innerHeight)
  track = scrubber.clientHeight
  stopTops = stops.map(({ first }) => topOf(first))
  drawMarks()
  move(scrollY)
}

function drawMarks () {
  /** The mark that was drawn last. @type {{ year: number, top: number } | undefined} */
  let last
  for (const [n, { year }] of stops.entries()) {
    const at = Math.min(1, (stopTops[n] - 110) / range) * track
    const isNewYear = year !== last?.year
    const room = isNewYear ? YEAR_ROOM : TICK_ROOM
    if (last && at - last.top < room) continue
    const className = isNewYear ? 'scrub-year' : 'scrub-tick'
    const style = `top:${Math.max(0, at)}px`
    scrubber.append(make('span', { className, style }, isNewYear ? String(year) : ''))
    last = { year, top: at }
  }
}

/** @param {number} y */
function move (y) {
  if (scrubber.hidden || stops.length === 0) return
  const now = lastAtMost(stopTops, y + 120)
  const at = `${Math.round(Math.min(1, y / range) * track)}px`
  // each change costs a frame some ms, and most are of less than a pixel
  if (at !== grip.style.top) grip.style.top = label.style.top = at
  const { name } = stops[now]
  if (label.textContent === name) return
  label.textContent = name
  scrubber.setAttribute('aria-valuenow', String(now))
  scrubber.setAttribute('aria-valuetext', name)
}

/** @param {number} y */
function onScroll (y) {
  move(y)
  scrubber.classList.add('moving')
  clearTimeout(hiding)
  hiding = window.setTimeout(() => scrubber.classList.remove('moving'), LINGER)
}

/** @param {PointerEvent} event */
function hold (event) {
  // a finger only by the grip; a mouse anywhere, for it cannot be meant for a photo there
  if (event.pointerType !== 'mouse' && event.target !== grip) return
  event.preventDefault()
  const drag = (/** @type {PointerEvent} */ { clientY }) => {
    const { top, height } = scrubber.getBoundingClientRect()
    scrollTo(0, Math.max(0, Math.min(1, (clientY - top) / height)) * range)
  }
  const release = () => {
    scrubber.onpointermove = null
    scrubber.classList.remove('held')
  }
  scrubber.setPointerCapture(event.pointerId)
  scrubber.classList.add('held')
  scrubber.onpointermove = drag
  scrubber.onpointerup = release
  scrubber.onpointercancel = release
  if (event.target !== grip) drag(event)
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
  const to = Math.max(0, Math.min(stops.length - 1, now + by))
  scrollTo(0, to === 0 ? 0 : stopTops[to] - 100)
}

export function startScrubber () {
  grid.after(scrubber)
  scrubber.addEventListener('pointerdown', hold)
  scrubber.addEventListener('keydown', step)
  listeners.layout.push(layOutStops)
  listeners.scroll.push(onScroll)
  layOutStops()
}
