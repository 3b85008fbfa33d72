// @ts-check
/** Justified rows for a whole link at once, from nothing but aspect ratios. */

/**
 * @typedef {{ first: number, count: number, group: number, top: number, height: number, left: number,
 *   width: number }} Section
 * @typedef {{ sections: Section[], rowFirst: number[], rowTop: number[], rowHeight: number[],
 *   ratio: Float32Array, left: Float32Array, height: number }} Layout the ratio as shown, and the left edge,
 *   of each item
 * @typedef {{ width: number, target: number, gap: number, heading: number, space: number,
 *   isShared: boolean }} Measures in px; whether small groups share a row
 * @typedef {{ group: number, first: number, count: number }} Group the items of a day or month
 */

/** The server sends a character per item: "+" is step 0 of the ratio, and a video has the highest bit. */
const STEPS = 84
const FIRST = '+'.charCodeAt(0)

/**
 * @param {string} skeleton
 * @returns {{ ratio: Float32Array, video: Uint8Array }}
 */
export function readSkeleton (skeleton) {
  const codes = Array.from(skeleton, char => char.charCodeAt(0))
  const ratio = Float32Array.from(codes, code => 0.2 * 25 ** (((code & 0x7f) - FIRST) / (STEPS - 1)))
  return { ratio, video: Uint8Array.from(codes, code => code >> 7) }
}

/**
 * A last row that would be taller than this times the target keeps the target, and stays ragged. A photo
 * alone in its row may be taller: on a phone a landscape photo then fills the width.
 */
const TOO_TALL = 1.5
const TOO_TALL_ALONE = 2.25
/**
 * Rows shorter than this times the target are not tried; nor are rows of several days below the second, or
 * of two days below the third.
 */
const TOO_LOW = 0.6
const TOO_LOW_SHARED = 0.8
const TOO_LOW_PAIR = 0.7
/** Up to this many photos get taller rows. More than three in one low row would leave the page empty. */
export const FEW = 8
/** The cost of a ragged row's empty share, in the unit of one photo's squared deviation from the target. */
const RAGGED = 3
/** The cost of a few photos in one low row, in the same unit. */
const THIN = 1.5

/**
 * Whether a last row of `count` photos stays ragged. @param {number} height that fills the width
 * @param {number} target @param {number} count
 */
const isTooTall = (height, target, count) => height > target * (count === 1 ? TOO_TALL_ALONE : TOO_TALL)

/**
 * Breaks items `first` to `end` into rows as near to the target height as possible, by least squares over the
 * run. Returns the first item of each row. @param {Float32Array} ratio @param {number} first
 * @param {number} end @param {Measures} measures
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
      const isRagged = n === end && isTooTall(height, target, n - start)
      const isWhole = n - start === end - first && n - start > 3
      const thin = isWhole && ratio.length <= FEW && height < target * TOO_LOW_SHARED ? THIN : 0
      const off = height / target - 1
      const added = isRagged ? RAGGED * (1 - target / height) : off * off * (n - start) + thin
      const value = cost[start - first] + added
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

/** px between groups that share a row. */
const BETWEEN = 16
/** The least width in px of a day's only photo, for its heading without or with the year. */
const NARROWEST_DAY = 124
const NARROWEST_DAY_OF_YEAR = 180
/** The least width in px of any photo, to be tapped. */
const NARROWEST_TILE = 44

/** @param {Float32Array} ratio @param {number} first @param {number} end */
function sumOf (ratio, first, end) {
  let sum = 0
  for (let n = first; n < end; n++) sum += ratio[n]
  return sum
}

/** @param {number} group a day since 1970 */
export const yearOf = group => new Date(group * 86_400_000).getUTCFullYear()

/**
 * The ratios as shown: a photo too narrow to be tapped, or to carry its day's heading, is cropped.
 * @param {Float32Array} ratio @param {Group[]} groups @param {Measures} measures
 */
function widen (ratio, groups, { target, isShared }) {
  const narrowest = NARROWEST_TILE / (target * TOO_LOW)
  const shown = ratio.map(value => Math.max(value, narrowest))
  let year = NaN
  for (const { group, first, count } of isShared ? groups : []) {
    const px = yearOf(group) === year ? NARROWEST_DAY : NARROWEST_DAY_OF_YEAR
    if (count === 1) shown[first] = Math.max(shown[first], px / (target * TOO_LOW_SHARED))
    year = yearOf(group)
  }
  return shown
}

/**
 * Counts the groups from `at` on that fit in one row. @param {Float32Array} ratio
 * @param {Group[]} groups @param {number} at @param {Measures} measures
 */
function countSharing (ratio, groups, at, { width, target, gap, isShared }) {
  let sum = 0
  let gaps = -BETWEEN
  let next = at
  while (isShared && next < groups.length) {
    const { first, count } = groups[next]
    const lowest = next === at + 1 ? TOO_LOW_PAIR : TOO_LOW_SHARED
    sum += sumOf(ratio, first, first + count)
    gaps += gap * (count - 1) + BETWEEN
    if (sum * target * lowest + gaps > width) break
    next++
  }
  return Math.max(1, next - at)
}

/**
 * Places the items of one row, from `left` on; returns where it ends. @param {Layout} layout
 * @param {{ first: number, end: number, left: number, height: number }} row @param {Measures} measures
 */
function placeRow (layout, { first, end, left, height }, { gap }) {
  let next = left
  for (let n = first; n < end; n++) {
    layout.left[n] = next
    next += layout.ratio[n] * height + gap
  }
  return next - gap
}

/**
 * One group, over as many rows as it takes. @param {Layout} layout @param {Group} group
 * @param {Measures} measures
 */
function addAlone (layout, { group, first, count }, measures) {
  const { ratio } = layout
  const { width, target, gap, heading, space } = measures
  const end = first + count
  const starts = breakRows(ratio, first, end, measures)
  let below = heading
  for (const [k, start] of starts.entries()) {
    const stop = starts[k + 1] ?? end
    const full = (width - gap * (stop - start - 1)) / sumOf(ratio, start, stop)
    const height = stop === end && isTooTall(full, target, stop - start) ? target : full
    placeRow(layout, { first: start, end: stop, left: 0, height }, measures)
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
 * Small groups beside one another in one row. @param {Layout} layout @param {Group[]} groups
 * @param {Measures} measures
 */
function addShared (layout, groups, measures) {
  const { width, target, gap, heading, space } = measures
  const [{ first }] = groups
  const end = groups.reduce((end, { count }) => end + count, first)
  const gaps = gap * (end - first - groups.length) + BETWEEN * (groups.length - 1)
  const room = width - gaps
  // in a low row, too, a day's only photo has the width of its heading
  for (const { first: n, count } of groups) {
    if (count > 1) continue
    const others = sumOf(layout.ratio, first, end) - layout.ratio[n]
    layout.ratio[n] = Math.max(layout.ratio[n], NARROWEST_DAY * others / (room - NARROWEST_DAY))
  }
  const full = room / sumOf(layout.ratio, first, end)
  const height = full > target * TOO_TALL ? target : full
  layout.rowFirst.push(first)
  layout.rowTop.push(layout.height + heading)
  layout.rowHeight.push(height)
  let left = 0
  for (const { group, first, count } of groups) {
    const right = placeRow(layout, { first, end: first + count, left, height }, measures)
    const box = { top: layout.height, height: heading + height + space, left, width: right - left }
    layout.sections.push({ first, count, group, ...box })
    left = right + BETWEEN
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
  let next = 0
  const groups = runs.map(([group, count]) => {
    next += count
    return { group, first: next - count, count }
  })
  const shown = widen(ratio, groups, measures)
  const left = new Float32Array(ratio.length)
  /** @type {Layout} */
  const layout = { sections: [], rowFirst: [], rowTop: [], rowHeight: [], ratio: shown, left, height: 0 }
  for (let at = 0; at < groups.length;) {
    const sharing = groups.slice(at, at + countSharing(shown, groups, at, measures))
    if (sharing.length > 1) addShared(layout, sharing, measures)
    else addAlone(layout, sharing[0], measures)
    at += sharing.length
  }
  layout.rowFirst.push(ratio.length)
  return layout
}

/**
 * The last index in sorted `values` (within its first `length`) whose value is at most `value`, or 0.
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
