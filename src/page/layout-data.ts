/**
 * The data from which the page's script lays out all photos without a request: the ratio of each, in steps of
 * 4 %, and whether it is a video. `static/link.js` and `static/layout.js` read it; a test runs both sides on
 * the same input.
 */
import type { Item, Share } from '../gate/gate.ts'

/** steps from 0.2 to 5, each 4 % more than the one before; as many as follow FIRST in ASCII */
const STEPS = 84
/** the character of step 0; with this one, no common ratio is a character that HTML escapes */
const FIRST = '+'.charCodeAt(0)
/** added to the character of a video */
const VIDEO = 0x80
const NARROWEST = 0.2
const WIDEST = 5

/** The step of a ratio of width to height. */
export const stepOf = (ratio: number): number =>
  Math.round(Math.log(ratio / NARROWEST) / Math.log(WIDEST / NARROWEST) * (STEPS - 1))
const ratioOf = (step: number): number => NARROWEST * (WIDEST / NARROWEST) ** (step / (STEPS - 1))

/** Style rules: a class for each step. */
export const ratioRules = (): string =>
  Array.from({ length: STEPS }, (_, step) => `.r${step}{--r:${ratioOf(step).toFixed(3)}}`).join('')

/** A day or month, and the number of consecutive items in it. */
type Run = [day: number, count: number]
export function runsOf (days: readonly number[] | undefined, count: number): Run[] {
  if (!days) return [[0, count]]
  const runs: Run[] = []
  for (const day of days) {
    const last = runs.at(-1)
    if (last?.[0] === day) last[1]++
    else runs.push([day, 1])
  }
  return runs
}

/**
 * `skeleton`: one character per item, for its step and kind. `runs`: how many consecutive items each day or
 * month has, and the same as JSON. `positions`: the index of each item. `videos`: their number.
 */
type LayoutData = {
  skeleton: string, runs: Run[], runsJson: string, positions: Map<Item, number>, videos: number
}
const made = new WeakMap<Share, LayoutData>()

/** The layout data of a share, made once. */
export function layoutData (share: Share): LayoutData {
  const known = made.get(share)
  if (known) return known
  const { items, days } = share
  const codes = items.map(({ ratio, isVideo }) => FIRST + stepOf(ratio) + (isVideo ? VIDEO : 0))
  const runs = runsOf(days, items.length)
  const data = {
    skeleton: Buffer.from(codes).toString('latin1'), runs, runsJson: JSON.stringify(runs),
    positions: new Map(items.map((item, n) => [item, n])),
    videos: items.filter(({ isVideo }) => isVideo).length
  }
  made.set(share, data)
  return data
}
