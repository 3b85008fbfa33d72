// @ts-check
/** The info panel of the lightbox: what the owner and the operator both let be told of a photo. */
import { iconButton, make } from './dom.js'
import { item, load } from './items.js'
import { dates, key, lang, options, t } from './link.js'

export const moment = dates({ dateStyle: 'long', timeStyle: 'short' })
const list = make('dl')
/** Called when the panel is to be closed. @type {() => void} */
let onClose = () => {}
export const panel = make('aside', { className: 'ipp-panel', 'aria-label': t.info, tabIndex: -1 },
  make('div', { className: 'ipp-panel-head' }, make('h2', {}, t.info),
    iconButton(t.close, 'close', () => onClose())), list)

/** Shows the panel in `outer`. @param {Element} outer @param {() => void} close */
export function showPanel (outer, close) {
  onClose = close
  outer.append(panel)
  panel.focus()
}

/** What is told of item `n`. @param {number} n @returns {Promise<Record<string, any>>} */
export async function metaOf (n) {
  await load(n)
  const answer = await fetch(`/share/meta/${key}/${item(n)?.id}`)
  return answer.json()
}

/** Fills the panel with what is known of item `n`, unless another is `current` by then.
 * @param {number} n @param {() => number} current */
export async function fillPanel (n, current) {
  const note = (/** @type {string} */ text) => make('dd', { className: 'ipp-note' }, text)
  list.replaceChildren(note(t.loading))
  try {
    const rows = describe(await metaOf(n)).filter(([, value]) => value).flatMap(([name, value]) =>
      [make('dt', {}, name), make('dd', { dir: 'auto' }, value ?? '')])
    if (n === current()) list.replaceChildren(...rows.length > 0 ? rows : [note(t.noInfo)])
  } catch {
    if (n === current()) list.replaceChildren(note(t.failed))
  }
}

/** @param {number} bytes */
function sizeOf (bytes) {
  const isLarge = bytes > 1e6
  const unit = isLarge ? 'megabyte' : 'kilobyte'
  const format = new Intl.NumberFormat(lang, { style: 'unit', unit, maximumFractionDigits: 1 })
  return format.format(bytes / (isLarge ? 1e6 : 1e3))
}

/** A link to a map elsewhere, which is asked for when it is followed. @param {Record<string, any>} meta */
function mapOf ({ latitude, longitude }) {
  if (!options.map || typeof latitude !== 'number' || typeof longitude !== 'number') return undefined
  const place = `?mlat=${latitude}&mlon=${longitude}#map=14/${latitude}/${longitude}`
  const href = `https://www.openstreetmap.org/${place}`
  return make('a', { href, target: '_blank', rel: 'noreferrer' }, t.map)
}

/** @param {Record<string, any>} meta @returns {[string, string | Node | undefined][]} */
function describe (meta) {
  const { fNumber, exposureTime, focalLength, iso, make: brand, model } = meta
  const exposure = [fNumber && `ƒ/${fNumber}`, exposureTime && `${exposureTime} s`,
    focalLength && `${focalLength} mm`, iso && `ISO ${iso}`]
  const map = mapOf(meta)
  const taken = meta.dateTimeOriginal && moment.format(meta.dateTimeOriginal)
  const size = meta.fileSizeInByte && sizeOf(meta.fileSizeInByte)
  return [
    [t.description, meta.description],
    [t.taken, [taken, meta.timeZone].filter(Boolean).join(' ')],
    [t.place, [meta.city, meta.state, meta.country].filter(Boolean).join(', ')],
    [map ? '' : t.place, map],
    [t.camera, model?.startsWith(brand) ? model : [brand, model].filter(Boolean).join(' ')],
    [t.lens, meta.lensModel],
    [t.exposure, exposure.filter(Boolean).join(' · ')],
    [t.file, meta.originalFileName],
    [t.size, [size, meta.dimensions].filter(Boolean).join(' · ')]
  ]
}
