// @ts-check
/** The name and size of originals, before any of them is fetched. */
import { fetchFacts, imagePath, load } from './items.js'
import { nameOf, options } from './link.js'

/** Requests at a time. */
const AT_ONCE = 4
/** The largest selection whose items are looked up one by one. */
const MAX_LOOKUPS = 100

/**
 * Calls `look` for each, a few at a time. Results are in order.
 * @template T @param {number[]} numbers @param {(n: number) => Promise<T>} look
 */
async function lookUp (numbers, look) {
  /** @type {T[]} */
  const results = []
  for (let from = 0; from < numbers.length; from += AT_ONCE) {
    results.push(...await Promise.all(numbers.slice(from, from + AT_ONCE).map(look)))
  }
  return results
}

/** Bytes at an address, by its Content-Length; NaN where it has none or cannot be reached.
 * @param {string} address @param {AbortSignal} [signal] */
export async function sizeAt (address, signal) {
  const response = await fetch(address, { method: 'HEAD', signal }).catch(() => undefined)
  return response?.ok && Number(response.headers.get('content-length')) || NaN
}

/** Sizes that are known or being fetched. @type {Map<number, Promise<number>>} */
const sizes = new Map()
/** @param {number} n */
async function sizeOf (n) {
  const coming = sizes.get(n) ?? load(n).then(item => sizeAt(imagePath(item, 'original')))
  sizes.set(n, coming)
  if (!await coming) sizes.delete(n)
  return coming
}

/**
 * Bytes of all these originals; NaN if one is unknown, there are more than 100, or it is aborted.
 * @param {number[]} numbers @param {AbortSignal} signal
 */
export async function measure (numbers, signal) {
  if (numbers.length > MAX_LOOKUPS) return NaN
  const sizes = await lookUp(numbers, async n => signal.aborted ? NaN : sizeOf(n))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/**
 * File names where they are shared, else "Photo 12". @param {number[]} numbers @returns {Promise<string[]>}
 */
export async function namesOf (numbers) {
  const areShared = options.info && numbers.length <= MAX_LOOKUPS
  const facts = areShared ? await lookUp(numbers, n => fetchFacts(n).catch(() => undefined)) : []
  return numbers.map((n, at) => facts[at]?.originalFileName || nameOf(n))
}
