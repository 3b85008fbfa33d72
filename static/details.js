// @ts-check
/** The details panel of a photo, with the facts that both the owner and the operator share. */
import { icon, iconButton, make } from './dom.js'
import { fetchFacts } from './items.js'
import { dates, options, t } from './link.js'
import { keepTrying, lazily } from './retry.js'
import { lg, outer } from './slides.js'
import { sizeText } from './words.js'

export const moment = dates({ dateStyle: 'long', timeStyle: 'short' })
const day = dates({ dateStyle: 'long' })
const clock = dates({ weekday: 'long', hour: 'numeric', minute: '2-digit' })
/** How far a finger pulls the sheet down to close it. */
const CLOSING_PX = 80

const list = make('div', { className: 'ipp-facts' })
const panel = make('aside', { className: 'ipp-panel', ariaLabel: t.info, tabIndex: -1 },
  make('div', { className: 'ipp-panel-head' }, make('h2', {}, t.info),
    iconButton(t.close, 'close', toggleDetails)), list)

/** The button for the toolbar. */
export const detailsButton = iconButton(t.info, 'details', toggleDetails, 'ipp-info')
detailsButton.hidden = !options.info
/** Whether the panel is open. */
export const isDetailed = () => panel.isConnected

/** Opens the panel, if details are shared, or closes it. */
export function toggleDetails () {
  // pressed while the lightbox closes, it would open with the next photo
  if (!options.info || !document.documentElement.classList.contains('lg-on')) return
  const isOpening = !isDetailed()
  showDetails(isOpening)
  if (!isOpening) return detailsButton.focus()
  panel.focus({ preventScroll: true })
  fillDetails()
}

/** Opens or closes the panel, and leaves the focus where it is. @param {boolean} isShown */
export function showDetails (isShown) {
  if (isShown) outer.append(panel)
  else panel.remove()
  outer.classList.toggle('ipp-aside', isShown)
  detailsButton.ariaPressed = String(isShown)
}

/** The latest request, shared by the caption and the panel. */
let last = { n: -1, facts: lazily(async () => ({})) }

/**
 * The shared facts of item `n`, by Immich's field names. Tries again until they come; undefined if
 * `isWanted` has become false. `onFailure` is called after each failure.
 * @param {number} n @param {() => boolean} isWanted @returns {Promise<Record<string, any> | undefined>}
 */
export function describe (n, isWanted, onFailure = () => {}) {
  if (last.n !== n) last = { n, facts: lazily(() => fetchFacts(n)) }
  return keepTrying(last.facts, onFailure, isWanted)
}

/** Fills the panel with the facts of the shown item. */
export async function fillDetails () {
  const n = lg.index
  const note = (/** @type {string} */ text) =>
    list.replaceChildren(make('p', { className: 'ipp-note' }, text))
  note(t.loading)
  const facts = await describe(n, () => isDetailed() && lg.index === n, () => note(t.failed))
  if (!facts) return
  const parts = draw(facts)
  if (parts.length > 0) list.replaceChildren(...parts)
  else note(t.noInfo)
}

/**
 * A link to a map on another site; nothing is loaded from there until it is followed.
 * @param {Record<string, any>} facts
 */
function mapOf ({ latitude, longitude }) {
  if (!options.map || typeof latitude !== 'number' || typeof longitude !== 'number') return undefined
  const place = `?mlat=${latitude}&mlon=${longitude}#map=14/${latitude}/${longitude}`
  const href = `https://www.openstreetmap.org/${place}`
  return make('a', { href, target: '_blank', rel: 'noreferrer' }, t.map)
}

/** @param {unknown[]} parts */
const joined = (...parts) => parts.filter(Boolean).join(' · ')

/** The facts as rows: an icon, a label for screen readers, and lines. @param {Record<string, any>} facts */
function rowsOf (facts) {
  const { fNumber, exposureTime, focalLength, iso, make: brand, model, dateTimeOriginal: time } = facts
  const camera = model?.startsWith(brand) ? model : [brand, model].filter(Boolean).join(' ')
  const exposure = joined(fNumber && `ƒ/${fNumber}`, exposureTime && `${exposureTime} s`,
    focalLength && `${focalLength} mm`, iso && `ISO ${iso}`)
  const bytes = facts.fileSizeInByte
  /** @type {[string, string, unknown[]][]} */
  const rows = [
    // the camera's own clock, whose time zone is unknown
    ['calendar', t.taken, time ? [day.format(time), clock.format(time)] : []],
    ['camera', t.camera, [camera, facts.lensModel, exposure]],
    ['photo', t.file, [facts.originalFileName, joined(facts.dimensions, bytes && sizeText(bytes))]],
    ['pin', t.place, [facts.city, [facts.state, facts.country].filter(Boolean).join(', '), mapOf(facts)]]
  ]
  return rows.map(([name, label, lines]) => ({ name, label, lines: lines.filter(Boolean) }))
    .filter(({ lines }) => lines.length > 0)
}

/** @param {Record<string, any>} facts */
function draw (facts) {
  const rows = rowsOf(facts).flatMap(({ name, label, lines }) => [
    make('dt', {}, icon(name), make('span', {}, label)),
    make('dd', {}, ...lines.map(line => make('div', { dir: 'auto' }, /** @type {Node | string} */ (line))))
  ])
  const { description } = facts
  return [
    ...description ? [make('p', { className: 'ipp-description', dir: 'auto' }, description)] : [],
    ...rows.length > 0 ? [make('dl', {}, ...rows)] : []
  ]
}

// on a phone the panel is a sheet that can be pulled down to close it
let from = 0
let pulled = 0
panel.addEventListener('touchstart', ({ touches }) => { from = touches[0].clientY }, { passive: true })
panel.addEventListener('touchmove', event => {
  const way = event.touches[0].clientY - from
  const isSheet = panel.offsetTop > 0
  if (!isSheet || (pulled === 0 && (panel.scrollTop > 0 || way <= 0)) || !event.cancelable) return
  event.preventDefault()
  pulled = Math.max(1, way)
  panel.classList.add('ipp-pulled')
  panel.style.translate = `0 ${pulled}px`
}, { passive: false })
for (const name of /** @type {const} */ (['touchend', 'touchcancel'])) {
  panel.addEventListener(name, () => {
    panel.classList.remove('ipp-pulled')
    panel.style.translate = ''
    if (name === 'touchend' && pulled > CLOSING_PX) toggleDetails()
    pulled = 0
  })
}
// on a phone the photo stands above the sheet, whatever its height
new ResizeObserver(() => outer.style.setProperty('--sheet', `${panel.offsetHeight}px`)).observe(panel)
