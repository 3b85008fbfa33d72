// @ts-check
/**
 * Fingers, mouse and wheel on a slide: swipe to the next photo or down to the grid, pinch, wheel and
 * double tap to zoom, drag what is zoomed, tap to hide the controls. At the edge of a zoomed photo a
 * swipe goes on.
 */
import { closest } from './dom.js'
import { AHEAD, unblock } from './lightgallery-fixes.js'
import { lg, outer, own } from './slides.js'
import { canPan, isZoomed, panBy, toggleZoom, zoomBy } from './zoom.js'

/** px from which a press is a movement; ms within which it is a tap, and two taps are a double tap. */
const MOVED = 8
const TAP_MS = 300
/** px at the bottom of a video that its own controls take. */
const VIDEO_CONTROLS = 80
/** Pixels of the wheel that double the size. */
const WHEEL_DOUBLES = 300
/** px of a line, for browsers whose wheel counts lines. */
const LINE = 16

/** @typedef {{ x: number, y: number }} Point */

const hand = {
  /** Where each finger is. @type {Map<number, Point>} */
  fingers: new Map(),
  /** Where and when the first came down. */
  start: { x: 0, y: 0, at: 0 },
  /** @type {'' | 'swipe' | 'pan' | 'pinch'} */
  does: '',
  lastTap: { x: 0, y: 0, at: 0 },
  /** Whether the last press moved; the click that follows it is then ignored. */
  hasMoved: false
}

/** @param {Point} a @param {Point} b */
const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y)
/** @param {Point} point */
const paged = ({ x, y }) => ({ pageX: AHEAD * x, pageY: y })

/** Px from the middle of the slide. @param {Point} point */
function fromMiddle ({ x, y }) {
  const box = lg.$content.get().getBoundingClientRect()
  return { x: x - box.left - box.width / 2, y: y - box.top - box.height / 2 }
}

/** @param {PointerEvent} event */
function isOnSlide (event) {
  const video = closest(event, 'video')
  const isOnControls = video && event.clientY > video.getBoundingClientRect().bottom - VIDEO_CONTROLS
  return event.button === 0 && !isOnControls && closest(event, '.lg-item')
}

/** @param {PointerEvent} event */
function onDown (event) {
  unblock()
  if (event.isPrimary) {
    hand.fingers.clear()
    hand.hasMoved = false
  }
  if (!isOnSlide(event)) return
  const at = { x: event.clientX, y: event.clientY }
  hand.fingers.set(event.pointerId, at)
  if (hand.fingers.size === 1) {
    hand.start = { ...at, at: event.timeStamp }
    hand.does = ''
  } else {
    if (hand.does === 'swipe') endSwipe(hand.start, event)
    hand.does = 'pinch'
    hand.hasMoved = true
  }
}

/** Decides what a finger that starts to move does. @param {Point} at @param {string} pointerType */
function begin (at, pointerType) {
  hand.hasMoved = true
  const isPan = isZoomed() && canPan(at.x - hand.start.x, at.y - hand.start.y)
  if (isPan) return 'pan'
  if (own[pointerType === 'mouse' ? 'enableDrag' : 'enableSwipe'] === false) return ''
  lg.manageSwipeClass()
  // the swipe that closed the lightbox leaves its direction behind
  lg.swipeDirection = undefined
  return 'swipe'
}

/** @param {PointerEvent} event */
function onMove (event) {
  const before = hand.fingers.get(event.pointerId)
  if (!before) return
  const at = { x: event.clientX, y: event.clientY }
  if (!hand.hasMoved && distance(at, hand.start) > MOVED) hand.does = begin(at, event.pointerType)
  if (hand.does === 'pinch') pinch(event.pointerId, before, at)
  if (hand.does === 'pan') panBy(at.x - before.x, at.y - before.y)
  if (hand.does === 'swipe') lg.touchMove(paged(hand.start), paged(at))
  hand.fingers.set(event.pointerId, at)
}

/** @param {number} id @param {Point} before @param {Point} at */
function pinch (id, before, at) {
  const other = [...hand.fingers].find(([finger]) => finger !== id)?.[1]
  if (!other) return
  const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 }
  zoomBy(distance(at, other) / Math.max(1, distance(before, other)), fromMiddle(middle))
  if (isZoomed()) panBy((at.x - before.x) / 2, (at.y - before.y) / 2)
}

/** @param {Point} at @param {Event} event */
const endSwipe = (at, event) => lg.touchEnd(paged(at), paged(hand.start), event)

/** @param {PointerEvent} event */
function onUp (event) {
  if (!hand.fingers.delete(event.pointerId)) return
  const at = { x: event.clientX, y: event.clientY }
  const isOver = event.type === 'pointercancel'
  if (hand.does === 'swipe') endSwipe(isOver ? hand.start : at, event)
  // a finger left down after a pinch does nothing
  hand.does = ''
  if (!hand.hasMoved && !isOver && event.timeStamp - hand.start.at < TAP_MS) tap(at, event)
}

/** @param {Point} at @param {PointerEvent} event */
function tap (at, event) {
  if (closest(event, 'video, button, a')) return
  outer.classList.toggle('ipp-bare')
  const isSecond = event.timeStamp - hand.lastTap.at < TAP_MS && distance(at, hand.lastTap) < 4 * MOVED
  hand.lastTap = { ...at, at: isSecond ? 0 : event.timeStamp }
  if (isSecond) toggleZoom(fromMiddle(at))
}

/** @param {WheelEvent} event */
function onWheel (event) {
  if (!closest(event, '.lg-item')) return
  event.preventDefault()
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1
  const pixels = event.deltaY * lines * (event.ctrlKey ? 4 : 1)
  zoomBy(2 ** (-pixels / WHEEL_DOUBLES), fromMiddle({ x: event.clientX, y: event.clientY }))
}

/** Starts listening to fingers, mouse and wheel. */
export function startGestures () {
  outer.addEventListener('pointerdown', onDown, { capture: true })
  addEventListener('pointermove', onMove)
  for (const name of /** @type {const} */ (['pointerup', 'pointercancel'])) addEventListener(name, onUp)
  outer.addEventListener('wheel', onWheel, { passive: false })
  outer.addEventListener('dragstart', event => event.preventDefault())
  outer.addEventListener('click', event => {
    if (!hand.hasMoved || !closest(event, '.lg-item')) return
    event.stopPropagation()
    event.preventDefault()
  }, { capture: true })
}
