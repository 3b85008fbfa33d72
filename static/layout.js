// @ts-check
/** Justified rows for a whole link at once, from nothing but aspect ratios. */

/**
 * @typedef {{ first: number, count: number, group: number, top: number, height: number }} Section
 * @typedef {{ sections: Section[], rowFirst: number[], rowTop: number[], rowHeight: number[],
 *   height: number }} Layout
 * @typedef {{ width: number, target: number, gap: number, heading: number, space: number }} Measures in px
 */

/** The server writes a character an item: U+0100 + step of the ratio, + 100 for a video (src/skeleton.ts). */
const STEPS = 100

/**
 * @param {string} skeleton
 * @returns {{ ratio: Float32Array, video: Uint8Array }}
 */
export function readSkeleton (skeleton) {
  const codes = Array.from(skeleton, char => char.charCodeAt(0) - 0x100)
  const ratio = Float32Array.from(codes, code => 0.2 * 25 ** (code % STEPS / (STEPS - 1)))
  return { ratio, video: Uint8Array.from(codes, code => Number(code >= STEPS)) }
}

/** A last row that would be taller than this times the target keeps the target, and stays ragged. */
const TOO_TALL = 1.3
/** Rows lower than this times the target are not tried. */
const TOO_LOW = 0.6
/** What a ragged last row costs, as if it were so far off the target. */
const RAGGED = 0.35

/**
 * Where rows of items `first` to `end` begin, so that their heights are as near to the target as can be, by
 * least squares over the run. @param {Float32Array} ratio @param {number} first @param {number} end @param
 * {Measures} measures
 */
function breakRows (ratio, first, end, { width, target, gap }) {
  const cost = new Float64Array(end - first + 1)
  const from = new Int32Array(end - first + 1)
  for (let n = first + 1; n <= end; n++) {
    let best = Infinity
    let sum = 0
    for (let start = n - 1; start >= first; start--) {
      sum += ratio[start]
      const height = (width - gap * (n - 1 - start)) / sum
      const isRagged = n === end && height > target * TOO_TALL
      const off = isRagged ? RAGGED : height / target - 1
      const value = cost[start - first] + off * off * (n - start)
      if (value < best) {
        best = value
        from[n - first] = start
      }
      if (height < target * TOO_LOW) break
    }
    cost[n - first] = best
  }
  const starts = []
  for (let n = end; n > first; n = from[n - first]) starts.push(from[n - first])
  return starts.reverse()
}

/**
 * Rows for all items, in sections by `runs` of items of one day or month.
 * @param {Float32Array} ratio
 * @param {[group: number, count: number][]} runs
 * @param {Measures} measures
 * @returns {Layout}
 */
export function layOut (ratio, runs, measures) {
  const { width, target, gap, heading, space } = measures
  /** @type {Layout} */
  const layout = { sections: [], rowFirst: [], rowTop: [], rowHeight: [], height: 0 }
  let first = 0
  for (const [group, count] of runs) {
    const end = first + count
    const starts = breakRows(ratio, first, end, measures)
    let below = heading
    for (const [k, start] of starts.entries()) {
      const stop = starts[k + 1] ?? end
      let sum = 0
      for (let n = start; n < stop; n++) sum += ratio[n]
      const full = (width - gap * (stop - start - 1)) / sum
      const height = stop === end && full > target * TOO_TALL ? target : full
      layout.rowFirst.push(start)
      layout.rowTop.push(layout.height + below)
      layout.rowHeight.push(height)
      below += height + gap
    }
    const height = below - gap + space
    layout.sections.push({ first, count, group, top: layout.height, height })
    layout.height += height
    first = end
  }
  layout.rowFirst.push(ratio.length)
  return layout
}

/**
 * The last place in sorted `values` (its first `length`) that is not above `value`, or 0.
 * @param {ArrayLike<number>} values
 * @param {number} value
 */
export function lastAtMost (values, value, length = values.length) {
  let low = 0
  let high = length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (values[middle] <= value) low = middle
    else high = middle - 1
  }
  return low
}
