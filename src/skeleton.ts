/**
 * What the page's script reads of a photo without asking: how wide it is for its height, in steps of 3 %,
 * whether it is a video, and the version in its address. `static/items.js` and `layout.js` do the same there.
 */
import type { Item } from './immich-json.ts'

/** From 0.2 to 5, each step 3 % more than the one before. */
const STEPS = 100
const NARROWEST = 0.2
const WIDEST = 5

/** The step of a ratio of width to height. */
export const stepOf = (ratio: number): number =>
  Math.round(Math.log(ratio / NARROWEST) / Math.log(WIDEST / NARROWEST) * (STEPS - 1))
const ratioOf = (step: number): number => NARROWEST * (WIDEST / NARROWEST) ** (step / (STEPS - 1))

/** The stylesheet's part: a class for each step. */
export const ratioRules = (): string =>
  Array.from({ length: STEPS }, (_, step) => `.r${step}{--r:${ratioOf(step).toFixed(3)}}`).join('')

/** Of lists that are remembered: every page of a link carries that of the whole. */
const skeletons = new WeakMap<Item[], string>()
/** A character an item: U+0100 + step, + 100 for a video. */
export function skeletonOf (items: Item[]): string {
  const skeleton = skeletons.get(items) ??
    items.map(({ ratio, video }) => String.fromCharCode(0x100 + stepOf(ratio) + (video ? STEPS : 0))).join('')
  skeletons.set(items, skeleton)
  return skeleton
}

/** Changes with the picture, as its thumbhash does; '' where Immich has none yet. */
export function versionOf (thumbhash: string): string {
  let hash = 0
  for (const char of thumbhash) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) | 0
  return thumbhash && (hash >>> 0).toString(36)
}
