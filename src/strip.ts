/**
 * JPEGs that do not tell where, when and with what they were taken (`stripMetadata`): blanked in place, same
 * length, same image bytes, but every segment that is not needed to show the picture holds zeros.
 *
 * Segments are those of ITU-T T.81 annex B; Exif and its Orientation are of CIPA DC-008 section 4.5.
 */
import type { Parts } from './body.ts'

/** Second bytes of markers; the first is always 0xff. */
const MARKER = { SOI: 0xd8, EOI: 0xd9, SOS: 0xda, APP0: 0xe0, APP1: 0xe1, APP2: 0xe2, APP14: 0xee }
/** The tag of the orientation in Exif, and how many tags are looked through for it. */
const ORIENTATION = 0x0112
const MOST_TAGS = 200

/** The Orientation of an Exif segment's payload, 1 to 8; 1 where it says none. */
function orientationOf (payload: Buffer): number {
  const isLittle = payload.toString('latin1', 6, 8) === 'II'
  const read = (offset: number, size: 2 | 4): number => {
    if (offset < 6 || offset + size > payload.length) return 0
    return isLittle ? payload.readUIntLE(offset, size) : payload.readUIntBE(offset, size)
  }
  const directory = 6 + read(10, 4)
  for (let n = 0; n < Math.min(read(directory, 2), MOST_TAGS); n++) {
    const entry = directory + 2 + n * 12
    const value = read(entry + 8, 2)
    if (read(entry, 2) === ORIENTATION && value <= 8) return value || 1
  }
  return 1
}

/** What may stay of a segment's payload, at its beginning. */
function keptOf (marker: number, payload: Buffer): Buffer {
  const begins = (text: string): boolean => payload.toString('latin1', 0, text.length) === text
  // the picture's density stays, a thumbnail in it does not
  if (marker === MARKER.APP0 && begins('JFIF\0')) return payload.subarray(0, 12)
  const orientation = marker === MARKER.APP1 && begins('Exif\0\0') ? orientationOf(payload) : 1
  // Exif that says nothing but the orientation: one directory with one entry, a SHORT
  const entry = `0112000300000001000${orientation}`.padEnd(32, '0')
  const exif = Buffer.from(`4578696600004d4d002a000000080001${entry}`, 'hex')
  if (orientation > 1 && payload.length >= exif.length) return exif
  const isColours = (marker === MARKER.APP2 && begins('ICC_PROFILE\0')) ||
    (marker === MARKER.APP14 && begins('Adobe'))
  // tables, frames, restart intervals; anything else says something about the picture that is not the picture
  const isNeeded = (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xda && marker <= 0xdf)
  return payload.subarray(0, isColours || isNeeded ? payload.length : 0)
}

/** Reads a body by as many bytes as are wanted. */
class Reader {
  held: Buffer = Buffer.alloc(0)
  parts: AsyncIterator<Uint8Array>
  constructor (parts: Parts) { this.parts = parts[Symbol.asyncIterator]() }

  /** The next part as it comes; undefined at the end. */
  async next (): Promise<Buffer | undefined> {
    const { value, done } = await this.parts.next()
    return done ? undefined : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  }

  /** Holds at least so many bytes. Throws where there are no more. */
  async hold (bytes: number): Promise<void> {
    while (this.held.length < bytes) {
      const part = await this.next()
      if (!part) throw new Error('a JPEG that ends in the middle')
      this.held = this.held.length > 0 ? Buffer.concat([this.held, part]) : part
    }
  }

  take (bytes: number): Buffer {
    const taken = this.held.subarray(0, bytes)
    this.held = this.held.subarray(bytes)
    return taken
  }
}

/** How much is held of a scan, which ends at a marker, or half of one, that is none of its own. */
function lengthOfScan (held: Buffer): number {
  for (let at = held.indexOf(0xff); at >= 0; at = held.indexOf(0xff, at + 2)) {
    const second = held[at + 1]
    // a stuffed zero and the restart markers belong to the picture
    const isWithin = second === 0 || (second !== undefined && second >= 0xd0 && second <= 0xd7)
    if (!isWithin) return at
  }
  return held.length
}

/** The bytes of a JPEG, blanked; holds one segment at a time. Throws at what it cannot parse. */
export async function * blank (parts: Parts): Parts {
  const reader = new Reader(parts)
  await reader.hold(2)
  if (reader.held.readUInt16BE() !== 0xff00 + MARKER.SOI) throw new Error('not a JPEG')
  yield reader.take(2)
  let marker = MARKER.SOI
  while (marker !== MARKER.EOI) {
    yield * fill(reader)
    marker = markerOf(reader.held)
    if (marker === MARKER.EOI) yield reader.take(2)
    else yield * segment(reader, marker)
    if (marker === MARKER.SOS) yield * scan(reader)
  }
  // what comes after the picture is none of it
  yield Buffer.alloc(reader.held.length)
  for (let rest = await reader.next(); rest; rest = await reader.next()) yield Buffer.alloc(rest.length)
}

/** What may stand before a marker; then that is held. */
async function * fill (reader: Reader): Parts {
  await reader.hold(2)
  while (reader.held.readUInt16BE() === 0xffff) {
    yield reader.take(1)
    await reader.hold(2)
  }
}

/** The second byte of the marker that is held. Throws where it is none, or one without a segment. */
function markerOf (held: Buffer): number {
  const marker = held.readUInt8(1)
  const isMarker = held[0] === 0xff && marker >= 0xc0 && (marker < 0xd0 || marker > MARKER.SOI)
  if (!isMarker) throw new Error('no marker')
  return marker
}

/** A segment with its marker and length, its payload blanked to the same length. */
async function * segment (reader: Reader, marker: number): Parts {
  await reader.hold(4)
  const length = reader.held.readUInt16BE(2)
  if (length < 2) throw new Error('a segment of no length')
  await reader.hold(2 + length)
  yield reader.take(4)
  yield Buffer.concat([keptOf(marker, reader.take(length - 2))], length - 2)
}

/** The coded picture that follows the start of a scan; then the marker after it is held. */
async function * scan (reader: Reader): Parts {
  for (;;) {
    await reader.hold(2)
    const length = lengthOfScan(reader.held)
    if (length === 0) return
    yield reader.take(length)
  }
}
