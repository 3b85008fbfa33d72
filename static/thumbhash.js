// @ts-check
/** A placeholder for a picture, made from its thumbhash (evanw.github.io/thumbhash). */

/** Pixels per side; more would look no better when blurred up. */
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
 * The picture that a thumbhash describes, as a BMP of 12 × 12 pixels in a data: address.
 * @param {string} base64
 */
export function placeholder (base64) {
  const bytes = Uint8Array.from(atob(base64), char => char.charCodeAt(0))
  if (bytes.length < 6) return ''
  const head = bytes[0] | bytes[1] << 8 | bytes[2] << 16
  const tail = bytes[3] | bytes[4] << 8
  const hasAlpha = head >> 23 === 1
  const isWide = tail >> 15 === 1
  const long = hasAlpha ? 5 : 7
  const short = Math.max(3, tail & 7)
  let at = hasAlpha ? 12 : 10
  /** @type {(nx: number, ny: number, scale: number) => { nx: number, ny: number, terms: number[][] }} */
  const channel = (nx, ny, scale) => {
    const terms = []
    for (let y = 0; y < ny; y++) {
      for (let x = y ? 0 : 1; x * ny < nx * (ny - y); x++) {
        terms.push([x, y, ((bytes[at >> 1] >> ((at & 1) << 2) & 15) / 7.5 - 1) * scale * 2])
        at++
      }
    }
    return { nx, ny, terms }
  }
  const mean = means(head)
  const channels = [
    channel(isWide ? long : short, isWide ? short : long, (head >> 18 & 31) / 31),
    channel(3, 3, (tail >> 3 & 63) / 63 * 1.25),
    channel(3, 3, (tail >> 9 & 63) / 63 * 1.25)
  ]
  const row = SIDE * 3
  const bmp = new Uint8Array(54 + row * SIDE)
  const view = new DataView(bmp.buffer)
  // by offset; the first is "BM"
  const fields =
    { 0: 19778, 2: bmp.length, 10: 54, 14: 40, 18: SIDE, 22: SIDE, 26: 1 | 24 << 16, 34: row * SIDE }
  for (const [offset, value] of Object.entries(fields)) view.setUint32(Number(offset), value, true)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const shown = channels.map(({ nx, ny, terms }, n) => {
        const across = waves(nx)
        const down = waves(ny)
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
  const bytes = Array.from(atob(base64.slice(0, 4)), char => char.charCodeAt(0))
  return `rgb(${toBytes(means(bytes[0] | bytes[1] << 8 | bytes[2] << 16)).reverse().join(' ')})`
}
/** Luminance, yellow to blue, red to green. @param {number} head */
const means = head => [(head & 63) / 63, (head >> 6 & 63) / 31.5 - 1, (head >> 12 & 63) / 31.5 - 1]
/** Blue, green and red, in a BMP's order. @param {number[]} channels */
function toBytes ([light, yellowBlue, redGreen]) {
  const blue = light - 2 / 3 * yellowBlue
  const red = (3 * light - blue + redGreen) / 2
  return [blue, red - redGreen, red].map(value => Math.round(Math.max(0, Math.min(1, value)) * 255))
}
