// @ts-check
/** Justified rows for a whole link at once, from nothing but aspect ratios. */

/**
 * @typedef {{ first: number, count: number, group: number, top: number, height: number, left: number,
 *   width: number }} Section
 * @typedef {{ sections: Section[], rowFirst: number[], rowTop: number[], rowHeight: number[],
 *   left: Float32Array, height: number }} Layout `left` of each item
 * @typedef {{ width: number, target: number, gap: number, heading: number, space: number,
 *   isShared: boolean }} Measures in px; whether small groups share a row
 * @typedef {{ group: number, first: number, count: number }} Group the items of a day or month
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

/** px between groups that share a row, and the least that each has for its heading. */
const BETWEEN = 16
const NARROWEST = 124

/** @param {Float32Array} ratio @param {number} first @param {number} end */
function sumOf (ratio, first, end) {
  let sum = 0
  for (let n = first; n < end; n++) sum += ratio[n]
  return sum
}

/**
 * How many of the groups from `at` on have room in one row. @param {Float32Array} ratio
 * @param {Group[]} groups @param {number} at @param {Measures} measures
 */
function countSharing (ratio, groups, at, { width, target, gap, isShared }) {
  let used = 0
  let next = at
  while (isShared && next < groups.length) {
    const { first, count } = groups[next]
    used += Math.max(NARROWEST, sumOf(ratio, first, first + count) * target + gap * (count - 1))
    if (used + BETWEEN * (next - at) > width) break
    next++
  }
  return Math.max(1, next - at)
}

/**
 * Places the items of one row, from `left` on; gives where it ends. @param {Layout} layout
 * @param {Float32Array} ratio @param {{ first: number, end: number, left: number, height: number }} row
 * @param {Measures} measures
 */
function placeRow (layout, ratio, { first, end, left, height }, { gap }) {
  let next = left
  for (let n = first; n < end; n++) {
    layout.left[n] = next
    next += ratio[n] * height + gap
  }
  return next - gap
}

/**
 * One group, over as many rows as it takes. @param {Layout} layout @param {Float32Array} ratio
 * @param {Group} group @param {Measures} measures
 */
function addAlone (layout, ratio, { group, first, count }, measures) {
  const { width, target, gap, heading, space } = measures
  const end = first + count
  const starts = breakRows(ratio, first, end, measures)
  let below = heading
  for (const [k, start] of starts.entries()) {
    const stop = starts[k + 1] ?? end
    const full = (width - gap * (stop - start - 1)) / sumOf(ratio, start, stop)
    const height = stop === end && full > target * TOO_TALL ? target : full
    placeRow(layout, ratio, { first: start, end: stop, left: 0, height }, measures)
    layout.rowFirst.push(start)
    layout.rowTop.push(layout.height + below)
    layout.rowHeight.push(height)
    below += height + gap
  }
  const height = below - gap + space
  layout.sections.push({ first, count, group, top: layout.height, height, left: 0, width })
  layout.height += height
}

/**
 * Small groups beside one another in one row. @param {Layout} layout @param {Float32Array} ratio
 * @param {Group[]} groups @param {Measures} measures
 */
function addShared (layout, ratio, groups, measures) {
  const { width, target, gap, heading, space } = measures
  const [{ first }] = groups
  const end = groups.reduce((end, { count }) => end + count, first)
  const gaps = gap * (end - first - groups.length) + BETWEEN * (groups.length - 1)
  const full = (width - gaps) / sumOf(ratio, first, end)
  // one that is as narrow as its heading has more room than its photos
  const isNarrow = groups.some(({ first, count }) => sumOf(ratio, first, first + count) * target < NARROWEST)
  const height = isNarrow || full > target * TOO_TALL ? target : full
  layout.rowFirst.push(first)
  layout.rowTop.push(layout.height + heading)
  layout.rowHeight.push(height)
  let left = 0
  for (const { group, first, count } of groups) {
    const right = placeRow(layout, ratio, { first, end: first + count, left, height }, measures)
    const own = Math.max(NARROWEST, right - left)
    const box = { top: layout.height, height: heading + height + space, left, width: own }
    layout.sections.push({ first, count, group, ...box })
    left += own + BETWEEN
  }
  layout.height += heading + height + space
}

/**
 * Rows for all items, in sections by `runs` of items of one day or month.
 * @param {Float32Array} ratio
 * @param {[group: number, count: number][]} runs
 * @param {Measures} measures
 * @returns {Layout}
 */
export function layOut (ratio, runs, measures) {
  const left = new Float32Array(ratio.length)
  /** @type {Layout} */
  const layout = { sections: [], rowFirst: [], rowTop: [], rowHeight: [], left, height: 0 }
  let next = 0
  const groups = runs.map(([group, count]) => {
    next += count
    return { group, first: next - count, count }
  })
  for (let at = 0; at < groups.length;) {
    const sharing = groups.slice(at, at + countSharing(ratio, groups, at, measures))
    if (sharing.length > 1) addShared(layout, ratio, sharing, measures)
    else addAlone(layout, ratio, sharing[0], measures)
    at += sharing.length
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
