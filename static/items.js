// @ts-check
/** The items of the link, loaded a stretch at a time, and the addresses of their pictures. */
import { say } from './dom.js'
import { home, isKiosk, key, options, t } from './link.js'
import { keepTrying } from './retry.js'

/**
 * @typedef {{ id: string[], thumbhash: string[], duration: string[], motion: Record<number, string>,
 *   sphere: number[], time?: number[], version: string }} Stretch
 * @typedef {{ id: string, thumbhash: string, duration: string, motion?: string, sphere: boolean,
 *   time?: number }} Item
 */

/** The shortest time between two reloads of the page. */
const RELOAD_PAUSE_MS = 60_000

/** @type {Map<number, Stretch>} */
const stretches = new Map()
/** The requests for them, which end only when they are loaded. @type {Map<number, Promise<void>>} */
const loading = new Map()

/**
 * Item `n`, once its stretch is loaded, which is tried for as long as it takes.
 * @param {number} n @returns {Promise<Item>}
 */
export async function load (n) {
  const number = Math.floor(n / options.stretch)
  const coming = loading.get(number) ?? keepTrying(() => fetchStretch(number), () => say(t.failed))
  loading.set(number, coming)
  await coming
  return /** @type {Item} */ (item(n))
}

/** @param {number} number */
async function fetchStretch (number) {
  const response = await fetch(`/share/items/${key}/${number}`)
  const stretch = response.ok ? /** @type {Stretch} */ (await response.json()) : undefined
  // the unlock or the link has expired, or the list has changed: the page must be reloaded
  const isOver = response.status === 404 || (stretch && stretch.version !== options.version)
  if (isOver) await reload()
  if (isOver || !stretch) throw new Error(String(response.status))
  stretches.set(number, stretch)
}

/** Reloads the page, but not soon after another reload, so that it cannot loop. */
async function reload () {
  const [arrival] = performance.getEntriesByType('navigation')
  const isReloaded = /** @type {PerformanceNavigationTiming | undefined} */ (arrival)?.type === 'reload'
  if (isReloaded && performance.now() < RELOAD_PAUSE_MS) return
  location.reload()
  await new Promise(() => {})
}

/**
 * Item `n`, or undefined until its stretch is loaded. @param {number} n @returns {Item | undefined}
 */
export function item (n) {
  const stretch = stretches.get(Math.floor(n / options.stretch))
  const at = n % options.stretch
  if (!stretch) return undefined
  return {
    id: stretch.id[at], thumbhash: stretch.thumbhash[at], duration: stretch.duration[at],
    motion: stretch.motion[at], sphere: stretch.sphere.includes(at), time: stretch.time?.[at]
  }
}

/** JSON of the server, or `none` where it has nothing. Rejects if it cannot be fetched.
 * @param {string} path @param {any} none */
export async function fetchJson (path, none) {
  const response = await fetch(path)
  if (response.status === 404) return none
  if (!response.ok) throw new Error(String(response.status))
  return response.json()
}

/**
 * The shared facts of item `n`, by Immich's field names. Rejects if they cannot be fetched.
 * @param {number} n @returns {Promise<Record<string, any>>}
 */
export const fetchFacts = async n => fetchJson(`/share/meta/${key}/${(await load(n)).id}`, {})

/**
 * The page's address while item `n` is shown; in kiosk mode (`?play`) it stays the same.
 * @param {number} n
 */
export const addressOf = n => isKiosk ? `${home}?play` : `${home}/${item(n)?.id}`

/** Changes with the picture, like `imageVersion` in src/urls.ts. @param {string} thumbhash */
const versionOf = thumbhash =>
  thumbhash.slice(0, 12).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/** @param {Item} of @param {'thumbnail' | 'preview' | 'fullsize' | 'original'} size */
export const imagePath = ({ id, thumbhash }, size) =>
  `/share/photo/${key}/${id}/${size}?v=${versionOf(thumbhash)}`
/** The path of a video, or of the video part of a motion photo. @param {Item} of */
export const videoPath = ({ id, thumbhash }, part = id) =>
  `/share/video/${key}/${part}?v=${versionOf(thumbhash)}`
