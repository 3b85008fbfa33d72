/** The list as JSON, for the page's script. */
import type { Share } from '../gate/gate.ts'
import { Refusal } from '../refusal.ts'
import { clock } from './words.ts'

/** items in one stretch of the list */
export const STRETCH = 500

/** Stretch `n` of the list, counted from 0, in columns. Throws a Refusal (missing) beyond the last. */
export function stretchJson ({ items: all, times, version }: Share, n: number): string {
  const items = all.slice(n * STRETCH, (n + 1) * STRETCH)
  if (items.length === 0) throw new Refusal('missing')
  const shownTimes = times?.slice(n * STRETCH, (n + 1) * STRETCH)
  return JSON.stringify({
    version, id: items.map(({ id }) => id), thumbhash: items.map(({ thumbhash }) => thumbhash),
    duration: items.map(({ duration }) => duration > 0 ? clock(duration) : ''),
    motion: Object.fromEntries(items.flatMap(({ motion }, n) => motion ? [[n, motion]] : [])),
    sphere: items.flatMap(({ isSphere }, n) => isSphere ? [n] : []),
    ...shownTimes && { time: shownTimes.map(time => Math.round(time / 1000)) }
  })
}

/**
 * Four characters per item, by which a browser later recognises photos it has not seen: the first three bytes
 * of each id, which are random.
 */
export function marksJson ({ items, version }: Share): string {
  const marks = Buffer.from(items.map(({ id }) => id.slice(0, 6)).join(''), 'hex').toString('base64')
  return JSON.stringify({ version, marks })
}
