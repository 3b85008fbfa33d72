// @ts-check
/**
 * Justified rows for a whole link at once, from nothing but aspect ratios; and placeholders from thumbhashes.
 */

/**
 * @typedef {{ first: number, count: number, group: number, top: number, height: number }} Section
 * @typedef {{ sections: Section[], rowFirst: number[], rowTop: number[], rowHeight: number[],
 *   height: number }} Layout
 */

/**
 * The server writes a character an item: U+0100 + step of the ratio, + 100 for a video (see `STEPS` in
 * render.ts).
 */
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

/**
 * Breaks each run of items into rows whose heights are as near to `target` as can be, by least squares over
 * the run; a last row that would be too tall keeps the target and stays ragged.
 * @param {Float32Array} ratio
 * @param {[group: number, count: number][]} runs
 * @param {{ width: number, target: number, gap: number, heading: number, space: number }} options in px
 * @returns {Layout}
 */
export function layOut (ratio, runs, { width, target, gap, heading, space }) {
  const total = ratio.length
  const cost = new Float64Array(total + 1)
  const from = new Int32Array(total + 1)
  const [rowFirst, rowTop, rowHeight] = /** @type {number[][]} */ ([[], [], []])
  const sections = /** @type {Section[]} */ ([])
  let [top, first] = [0, 0]
  for (const [group, count] of runs) {
    const end = first + count
    cost[first] = 0
    for (let n = first + 1; n <= end; n++) {
      let [best, sum] = [Infinity, 0]
      for (let start = n - 1; start >= first; start--) {
        sum += ratio[start]
        const height = (width - gap * (n - 1 - start)) / sum
        const last = n === end && height > target * 1.3
        const off = last ? 0.35 : height / target - 1
        const value = cost[start] + off * off * (n - start)
        if (value < best) { best = value; from[n] = start }
        if (height < target * 0.6) break
      }
      cost[n] = best
    }
    const starts = /** @type {number[]} */ ([])
    for (let n = end; n > first; n = from[n]) starts.push(from[n])
    const section = { first, count, group, top, height: 0 }
    let y = heading
    starts.reverse().forEach((start, k) => {
      const stop = starts[k + 1] ?? end
      let sum = 0
      for (let n = start; n < stop; n++) sum += ratio[n]
      const full = (width - gap * (stop - start - 1)) / sum
      const height = stop === end && full > target * 1.3 ? target : full
      rowFirst.push(start)
      rowTop.push(top + y)
      rowHeight.push(height)
      y += height + gap
    })
    section.height = y - gap + space
    sections.push(section)
    top += section.height
    first = end
  }
  rowFirst.push(total)
  return { sections, height: top, rowFirst, rowTop, rowHeight }
}

/**
 * The last place in sorted `values` (its first `length`) that is not above `value`, or 0.
 * @param {ArrayLike<number>} values
 * @param {number} value
 */
export function lastAtMost (values, value, length = values.length) {
  let [low, high] = [0, length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (values[middle] <= value) low = middle
    else high = middle - 1
  }
  return low
}

const SIDE = 12
const cosines = new Map()
/** @param {number} count */
const waves = count => {
  const known = cosines.get(count) ?? Float32Array.from({ length: SIDE * count }, (_, n) =>
    Math.cos(Math.PI / SIDE * (Math.floor(n / count) + 0.5) * (n % count)))
  cosines.set(count, known)
  return known
}

/**
 * The picture that a thumbhash stands for, as a BMP of 12 × 12 pixels: small, and no worse when blurred up.
 * After the format's description at evanw.github.io/thumbhash.
 * @param {string} base64
 */
export function placeholder (base64) {
  const bytes = Uint8Array.from(atob(base64), char => char.charCodeAt(0))
  if (bytes.length < 6) return ''
  const head = bytes[0] | bytes[1] << 8 | bytes[2] << 16
  const tail = bytes[3] | bytes[4] << 8
  const [alpha, wide] = [head >> 23, tail >> 15]
  const long = alpha ? 5 : 7
  const [lx, ly] = [Math.max(3, wide ? long : tail & 7), Math.max(3, wide ? tail & 7 : long)]
  let at = alpha ? 12 : 10
  /** @type {(nx: number, ny: number, scale: number) => number[][]} */
  const channel = (nx, ny, scale) => {
    const terms = []
    for (let y = 0; y < ny; y++) {
      for (let x = y ? 0 : 1; x * ny < nx * (ny - y); x++) {
        terms.push([x, y, ((bytes[at >> 1] >> ((at & 1) << 2) & 15) / 7.5 - 1) * scale * 2])
        at++
      }
    }
    return terms
  }
  const mean = means(head)
  const channels = [
    { nx: lx, ny: ly, terms: channel(lx, ly, (head >> 18 & 31) / 31) },
    { nx: 3, ny: 3, terms: channel(3, 3, (tail >> 3 & 63) / 63 * 1.25) },
    { nx: 3, ny: 3, terms: channel(3, 3, (tail >> 9 & 63) / 63 * 1.25) }
  ]
  const row = SIDE * 3
  const bmp = new Uint8Array(54 + row * SIDE)
  const view = new DataView(bmp.buffer)
  bmp[0] = 66; bmp[1] = 77
  const fields = { 2: bmp.length, 10: 54, 14: 40, 18: SIDE, 22: SIDE, 26: 1 | 24 << 16, 34: row * SIDE }
  for (const [offset, value] of Object.entries(fields)) view.setUint32(Number(offset), value, true)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const shown = channels.map(({ nx, ny, terms }, n) => {
        const [across, down] = [waves(nx), waves(ny)]
        let value = mean[n]
        for (const [cx, cy, term] of terms) value += term * across[x * nx + cx] * down[y * ny + cy]
        return value
      })
      bmp.set(toBytes(shown), 54 + (SIDE - 1 - y) * row + x * 3)
    }
  }
  return `data:image/bmp;base64,${btoa(String.fromCharCode(...bmp))}`
}

/** The mean colour of a thumbhash. @param {string} base64 */
export function meanColour (base64) {
  const [a, b, c] = Array.from(atob(base64.slice(0, 4)), char => char.charCodeAt(0))
  return `rgb(${toBytes(means(a | b << 8 | c << 16)).reverse().join(' ')})`
}
/** Luminance, yellow to blue, red to green. @param {number} head */
const means = head => [(head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1]
/** Blue, green and red, as a BMP has them. @param {number[]} channels */
function toBytes ([l, p, q]) {
  const blue = l - 2 / 3 * p
  const red = (3 * l - blue + q) / 2
  return [blue, red - q, red].map(value => Math.round(Math.max(0, Math.min(1, value)) * 255))
}
