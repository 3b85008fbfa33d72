// @ts-check
/** The server's data about the link: addresses, words, and the shapes of its items. */
import { readSkeleton } from './layout.js'

/**
 * @typedef {{ key: string, home: string, lang: string, group: 'day' | 'month' | false,
 *   stretch: number, version: string, zip: boolean, download: boolean, zoom: boolean, info: boolean,
 *   caption: boolean, map: boolean, autoOpen: boolean, lightGallery: Record<string, unknown>,
 *   t: Record<string, string> }} Options
 */

export const grid = /** @type {HTMLElement} */ (document.getElementById('photos'))
/** @type {Options} */
export const options = JSON.parse(grid.dataset.options ?? '{}')
export const { t, key, home } = options
/** With the server's digits: older Safari has others for Arabic. */
export const lang = `${options.lang}-u-nu-latn`
export const { ratio, video } = readSkeleton(grid.dataset.skeleton ?? '')
/** The day or month of consecutive items, and their number. @type {[number, number][]} */
export const runs = JSON.parse(grid.dataset.runs ?? '[]')
export const total = ratio.length
/** @param {number} n */
export const isVideo = n => video[n] === 1
/** @param {number} n */
export const nameOf = n => `${isVideo(n) ? t.video : t.photo} ${n + 1}`

/** Whether there are headings: photos of a single day have none, because the summary names the day. */
export const isGrouped = options.group !== false && runs.length > 1
export const isByMonth = options.group === 'month'
/** @param {Intl.DateTimeFormatOptions} format */
export const dates = format => new Intl.DateTimeFormat(lang, { timeZone: 'UTC', ...format })
export const month = dates({ year: 'numeric', month: 'long' })
/** Whether the address starts the slideshow at once and hides its controls, as for a picture frame. */
export const isKiosk = new URLSearchParams(location.search).has('play')
/** When a group of the server's begins: a day since 1970, or year × 12 + month. @param {number} group */
export const timeOf = group => isByMonth ? Date.UTC(Math.floor(group / 12), group % 12) : group * 86_400_000
