// @ts-check
/**
 * One tile of the grid: its link, picture, badges and placeholder, and the handling of pictures that fail.
 */
import { icon, make } from './dom.js'
import { imagePath, item } from './items.js'
import { dates, grid, home, isVideo, nameOf, t } from './link.js'
import { isFew, isSeen, rowOf } from './positions.js'
import { isMissing, lazily, retry } from './retry.js'

/**
 * The server's tiles, reused when their place is drawn. @type {Map<number, HTMLAnchorElement>}
 */
const served = new Map(Array.from(grid.querySelectorAll('a'), tile => [Number(tile.dataset.n), tile]))
/** It takes the focus even before it has an address. */
const blank = make('a', { tabIndex: 0 }, make('img', { decoding: 'async' }))
const date = dates({ dateStyle: 'long' })
const loadThumbhash = lazily(() => import('./thumbhash.js'))
/** How the placeholder of each tile is painted. @type {WeakMap<HTMLElement, 'mean colour' | 'whole'>} */
const painted = new WeakMap()

/** From this many screen pixels per pixel a picture looks soft. */
const SOFT = 1.4

/** @param {HTMLAnchorElement} tile */
export const imageOf = tile => /** @type {HTMLImageElement} */ (tile.firstChild)

/** The tile of item `n` without its picture. @param {number} n @param {string} place its style */
export function makeTile (n, place) {
  const tile = served.get(n) ?? /** @type {HTMLAnchorElement} */ (blank.cloneNode(true))
  served.delete(n)
  tile.className = 'tile'
  tile.dataset.n = String(n)
  tile.style.cssText = place
  const img = imageOf(tile)
  img.onload = () => onLoad(img)
  img.onerror = () => onError(img)
  if (img.loading === 'lazy') img.loading = 'eager'
  if (img.complete && img.naturalWidth) show(img)
  // it failed before this script ran
  else if (img.complete && img.getAttribute('src')) onError(img)
  return tile
}

/**
 * Completes a tile from its item, except for the picture, whose address it returns if it is still needed.
 * `isWhole` paints the whole placeholder rather than its mean colour.
 * @param {number} n @param {HTMLAnchorElement} tile @param {boolean} isWhole
 */
export function fillTile (n, tile, isWhole) {
  const img = imageOf(tile)
  const known = item(n)
  if (!known) return undefined
  if (!tile.getAttribute('href')) {
    tile.href = `${home}/${known.id}`
    tile.append(...badgesOf(n, known))
  }
  const isPainted = isWhole ? painted.get(tile) === 'whole' : painted.has(tile)
  if (known.thumbhash && !isPainted) paint(tile, known.thumbhash, isWhole)
  if (img.getAttribute('src') || tile.classList.contains('failed')) return undefined
  const src = imagePath(known, 'thumbnail')
  if (!isMissing(src)) return src
  describe(n, img)
  mark(tile, 'clock')
  return undefined
}

/**
 * Begins to load the picture of a tile. Its text comes with it and not before: Chromium lays out the text of
 * each image that has no address. @param {number} n @param {HTMLAnchorElement} tile @param {string} src
 */
export function loadPicture (n, tile, src) {
  const img = imageOf(tile)
  describe(n, img)
  img.src = src
}

/** @param {number} n @param {HTMLImageElement} img */
function describe (n, img) {
  const time = item(n)?.time
  img.alt ||= nameOf(n) + (time === undefined ? '' : `, ${date.format(time * 1000)}`)
}

/** @param {number} n @param {import('./items.js').Item} known */
function badgesOf (n, { motion, sphere, duration }) {
  if (isVideo(n)) return [make('span', { className: 'badge video' }, icon('play'), duration)]
  if (motion) {
    const fields = { className: 'badge round', role: 'img', title: t.motion, ariaLabel: t.motion }
    return [make('span', fields, icon('motion'))]
  }
  return sphere ? [make('span', { className: 'badge', title: t.sphere }, '360°')] : []
}

/** @param {HTMLElement} tile @param {string} thumbhash @param {boolean} isWhole */
async function paint (tile, thumbhash, isWhole) {
  painted.set(tile, isWhole ? 'whole' : 'mean colour')
  const made = await loadThumbhash().catch(() => undefined)
  if (!made) return
  if (isWhole) tile.style.backgroundImage = `url(${made.placeholder(thumbhash)})`
  else tile.style.backgroundColor = made.meanColour(thumbhash)
}

/** @param {HTMLImageElement} img */
function onLoad (img) {
  const tile = /** @type {HTMLElement} */ (img.parentElement)
  // a fade outside the viewport would cost frames
  img.classList.toggle('fade', isSeen(rowOf(Number(tile.dataset.n))))
  if (tile.classList.contains('failed')) mark(tile, '')
  show(img)
}

/**
 * Shows a picture that is loaded. A thumbnail that looks soft in the large tile of a short album is replaced
 * by the preview, which the lightbox uses too. @param {HTMLImageElement} img
 */
async function show (img) {
  img.classList.add('in')
  const pixels = parseFloat(img.parentElement?.style.height ?? '') * devicePixelRatio
  const src = img.src.replace('/thumbnail?', '/preview?')
  if (!isFew || src === img.src || pixels < img.naturalHeight * SOFT) return
  await Object.assign(new Image(), { src }).decode().then(() => { img.src = src }, () => {})
}

/** @param {HTMLImageElement} img */
async function onError (img) {
  const tile = img.parentElement
  if (!tile || !img.getAttribute('src')) return
  if (!isMissing(img.src)) mark(tile, 'retry')
  if (!await retry(img)) mark(tile, 'clock')
}

/**
 * Shows that a picture has failed: 'retry' while it is tried again, 'clock' if there is none yet.
 * @param {HTMLElement} tile @param {'retry' | 'clock' | ''} sign
 */
function mark (tile, sign) {
  tile.querySelector('.sign')?.remove()
  tile.classList.toggle('failed', sign !== '')
  tile.title = { retry: t.failed, clock: t.noPicture, '': '' }[sign]
  if (sign) tile.append(make('span', { className: 'sign' }, icon(sign)))
}
