// @ts-check
/**
 * Fingers, mouse and wheel on a slide: swipe to the next photo or down to the grid, pinch, wheel and
 * double tap to zoom, drag what is zoomed, tap to hide the controls. At the edge of a zoomed photo a
 * swipe goes on.
 */
import { closest } from './dom.js'
import { AHEAD } from './lightgallery-fixes.js'
import { lg, outer, own } from './slides.js'
import { canPan, isZoomed, panBy, toggleZoom, zoomBy } from './zoom.js'

/** px from which a press is a movement; ms within which it is a tap, and two taps are a double tap. */
const MOVED = 8
const TAP_MS = 300
/** px at the bottom of a video that its own controls take. */
const VIDEO_CONTROLS = 80
/** Pixels of the wheel that double the size. */
const WHEEL_DOUBLES = 300

/** @typedef {{ x: number, y: number }} Point */

const hand = {
  /** Where each finger is. @type {Map<number, Point>} */
  fingers: new Map(),
  /** Where and when the first came down. */
  start: { x: 0, y: 0, timeStamp: 0 },
  /** @type {'' | 'swipe' | 'pan' | 'pinch'} */
  does: '',
  lastTap: { x: 0, y: 0, timeStamp: 0 },
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
  if (event.isPrimary) {
    hand.fingers.clear()
    hand.hasMoved = false
  }
  if (!isOnSlide(event)) return
  hand.fingers.set(event.pointerId, event)
  if (hand.fingers.size === 1) {
    hand.start = event
    hand.does = ''
  } else {
    if (hand.does === 'swipe') endSwipe(hand.start, event)
    hand.does = 'pinch'
    hand.hasMoved = true
  }
}

/** Decides what a finger that starts to move does. @param {PointerEvent} event */
function begin ({ x, y, pointerType }) {
  hand.hasMoved = true
  if (isZoomed() && canPan(x - hand.start.x, y - hand.start.y)) return 'pan'
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
  if (!hand.hasMoved && distance(event, hand.start) > MOVED) hand.does = begin(event)
  if (hand.does === 'pinch') pinch(event.pointerId, before, event)
  if (hand.does === 'pan') panBy(event.x - before.x, event.y - before.y)
  if (hand.does === 'swipe') lg.touchMove(paged(hand.start), paged(event))
  hand.fingers.set(event.pointerId, event)
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
  const isOver = event.type === 'pointercancel'
  if (hand.does === 'swipe') endSwipe(isOver ? hand.start : event, event)
  // a finger left down after a pinch does nothing
  hand.does = ''
  if (!hand.hasMoved && !isOver && event.timeStamp - hand.start.timeStamp < TAP_MS) tap(event)
}

/** @param {PointerEvent} event */
function tap (event) {
  if (closest(event, 'video, button, a')) return
  outer.classList.toggle('ipp-bare')
  const { x, y, timeStamp } = event
  const isSecond = timeStamp - hand.lastTap.timeStamp < TAP_MS && distance(event, hand.lastTap) < 4 * MOVED
  hand.lastTap = { x, y, timeStamp: isSecond ? 0 : timeStamp }
  if (isSecond) toggleZoom(fromMiddle(event))
}

/** @param {WheelEvent} event */
function onWheel (event) {
  if (!closest(event, '.lg-item')) return
  event.preventDefault()
  // in px: they are lines in Firefox only if deltaMode is read first
  const pixels = event.deltaY * (event.ctrlKey ? 4 : 1)
  zoomBy(2 ** (-pixels / WHEEL_DOUBLES), fromMiddle(event))
}

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
