/**
 * JPEGs without metadata (`stripMetadata`): same length and same picture, but every segment that is not
 * needed to show it is filled with zeros.
 *
 * Segments are those of ITU-T T.81 annex B; Exif and its Orientation are of CIPA DC-008 section 4.5.
 */

/** Second bytes of markers; the first is always 0xff. */
const MARKER = { SOI: 0xd8, EOI: 0xd9, SOS: 0xda, APP0: 0xe0, APP1: 0xe1, APP2: 0xe2, APP14: 0xee }
/** the Exif tag of the orientation, and how many tags are searched for it */
const ORIENTATION = 0x0112
const MAX_TAGS = 200

/** The Orientation of an Exif segment's payload, 1 to 8; 0 if it has none. */
function orientationOf (payload: Buffer): number {
  const isLittleEndian = payload.toString('latin1', 6, 8) === 'II'
  const read = (offset: number, size: 2 | 4): number => {
    if (offset + size > payload.length) return 0
    return isLittleEndian ? payload.readUIntLE(offset, size) : payload.readUIntBE(offset, size)
  }
  const directory = 6 + read(10, 4)
  for (let n = 0; n < Math.min(read(directory, 2), MAX_TAGS); n++) {
    const entry = directory + 2 + n * 12
    const value = read(entry + 8, 2)
    if (read(entry, 2) === ORIENTATION && value <= 8) return value
  }
  return 0
}

/** The beginning of a segment's payload that may stay. */
function keptPart (marker: number, payload: Buffer): Buffer {
  const startsWith = (text: string): boolean => payload.toString('latin1', 0, text.length) === text
  // the density stays, an embedded thumbnail does not
  if (marker === MARKER.APP0 && startsWith('JFIF\0')) return payload.subarray(0, 12)
  const orientation = marker === MARKER.APP1 && startsWith('Exif\0\0') ? orientationOf(payload) : 0
  // Exif with nothing but the orientation: one directory with one entry, a SHORT
  const entry = `0112000300000001000${orientation}`.padEnd(32, '0')
  const exif = Buffer.from(`4578696600004d4d002a000000080001${entry}`, 'hex')
  if (orientation > 1 && payload.length >= exif.length) return exif
  // the colour transform; nothing belongs after it
  if (marker === MARKER.APP14 && startsWith('Adobe')) return payload.subarray(0, 12)
  const isColourProfile = marker === MARKER.APP2 && startsWith('ICC_PROFILE\0')
  // tables, frames and restart intervals; everything else is about the picture, not part of it
  const isPicture = marker < MARKER.APP0
  return payload.subarray(0, isColourProfile || isPicture ? payload.length : 0)
}

/** Where the scan that starts at `from` ends: at the next marker that is not part of it, or at the end. */
function endOfScan (jpeg: Buffer, from: number): number {
  for (let at = jpeg.indexOf(0xff, from); at >= 0; at = jpeg.indexOf(0xff, at + 1)) {
    // a file that ends in 0xff is treated as if a stuffed zero followed
    const second = jpeg[at + 1] ?? 0
    // a stuffed zero, fill bytes and restart markers belong to the scan
    const isRestart = second >= 0xd0 && second <= 0xd7
    const isWithin = second === 0 || second === 0xff || isRestart
    if (!isWithin) return at
  }
  return jpeg.length
}

/**
 * Blanks a JPEG in place and returns whether that worked; if it did not, the bytes must not leave. A file
 * that ends within a scan is accepted, since its picture is all there is.
 */
export function blankJpeg (jpeg: Buffer): boolean {
  if (jpeg.length < 4 || jpeg.readUInt16BE() !== 0xff00 + MARKER.SOI) return false
  for (let at = 2; at < jpeg.length;) {
    if (jpeg[at] !== 0xff) return false
    const marker = jpeg[at + 1] ?? 0
    // a fill byte
    if (marker === 0xff) { at++; continue }
    if (marker === MARKER.EOI) {
      // whatever follows the picture is not part of it
      jpeg.fill(0, at + 2)
      return true
    }
    const hasLength = marker >= 0xc0 && (marker < 0xd0 || marker >= MARKER.SOS)
    if (!hasLength || at + 4 > jpeg.length) return false
    const end = at + 2 + jpeg.readUInt16BE(at + 2)
    if (end < at + 4 || end > jpeg.length) return false
    const kept = Buffer.from(keptPart(marker, jpeg.subarray(at + 4, end)))
    jpeg.fill(0, at + 4, end)
    kept.copy(jpeg, at + 4)
    at = marker === MARKER.SOS ? endOfScan(jpeg, end) : end
    if (marker === MARKER.SOS && at === jpeg.length) return true
  }
  return false
}
