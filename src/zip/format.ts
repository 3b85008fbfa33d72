/**
 * The arithmetic of the ZIP format: the number of bytes that yazl writes, and bytes with a given checksum.
 *
 * Record sizes are those of APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.9, 4.3.12 and 4.3.14 to 4.3.16. yazl's
 * own total is wrong from about 900 entries on, so it is not used.
 */
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import type { Parts } from '../body.ts'

const LOCAL_HEADER_BYTES = 30
const DESCRIPTOR_BYTES = 16
const DIRECTORY_RECORD_BYTES = 46
const END_BYTES = 22
/** Bytes that ZIP64 adds to a data descriptor, a directory record and the end. */
const DESCRIPTOR64_BYTES = 8
const RECORD64_BYTES = 28
const END64_BYTES = 76
/** From here on, values do not fit the old format, where these two mean that ZIP64 has the real value. */
const LARGE_BYTES = 0xffffffff
const MANY_ENTRIES = 0xffff

/** Adds up the size of a zip of stored entries, in the order in which they are written. */
export class Ruler {
  /** bytes of all entries so far: the offset of the next one */
  offset = 0
  #directoryBytes = 0
  #entries = 0

  /** Adds an entry; `nameBytes` is the length of its name in UTF-8. Returns the offset of its data. */
  add (nameBytes: number, size: number): number {
    const isLarge = Math.max(size, this.offset) >= LARGE_BYTES
    const start = this.offset + LOCAL_HEADER_BYTES + nameBytes
    this.offset = start + size + DESCRIPTOR_BYTES + (isLarge ? DESCRIPTOR64_BYTES : 0)
    this.#directoryBytes += DIRECTORY_RECORD_BYTES + nameBytes + (isLarge ? RECORD64_BYTES : 0)
    this.#entries++
    return start
  }

  /** The bytes of the whole zip, if it ends here. */
  total (): number {
    const isLarge = this.#entries >= MANY_ENTRIES ||
      Math.max(this.offset, this.#directoryBytes) >= LARGE_BYTES
    return this.offset + this.#directoryBytes + END_BYTES + (isLarge ? END64_BYTES : 0)
  }

  #copy (): Ruler {
    const copy = new Ruler()
    copy.offset = this.offset
    copy.#directoryBytes = this.#directoryBytes
    copy.#entries = this.#entries
    return copy
  }

  /**
   * The size of one more entry with which the zip has `total` bytes. Undefined if none fits: too little room,
   * or a gap of some bytes where the format changes to ZIP64.
   */
  sizeToFill (total: number, nameBytes: number): number | undefined {
    const totalWith = (size: number) => {
      const ruler = this.#copy()
      ruler.add(nameBytes, size)
      return ruler.total()
    }
    // the first guess is too large if its own size needs ZIP64; the second is right
    let size = total - totalWith(0)
    if (size > 0) size -= totalWith(size) - total
    return size >= 0 && totalWith(size) === total ? size : undefined
  }
}

/** The CRC-32 register after each single byte (ITU-T V.42 section 8.1.1.6.2, lowest bit first). */
const AFTER_BYTE = Array.from({ length: 256 }, (_, n) => (crc32(Buffer.from([n ^ 0xff])) ^ 0xff000000) >>> 0)
/** The byte that leads to a register, by the register's highest byte. */
const BYTE_BEFORE = new Map(AFTER_BYTE.map((register, byte) => [register >>> 24, byte]))

/** The four bytes that take the CRC-32 `from` to the CRC-32 `to`: there is exactly one such word. */
export function bytesBetween (from: number, to: number): Buffer {
  let register = ~to
  for (let n = 0; n < 4; n++) {
    const byte = BYTE_BEFORE.get(register >>> 24) ?? 0
    register = ((register ^ (AFTER_BYTE[byte] ?? 0)) << 8) | byte
  }
  const word = Buffer.alloc(4)
  word.writeUInt32LE((register ^ ~from) >>> 0)
  return word
}

const ZEROS = Buffer.alloc(1024 * 1024)
/** Room for the four bytes that make a checksum right. */
export const MIN_STAND_IN_BYTES = 4

/**
 * A stand-in for the first `size` bytes of a file, whose CRC-32 is `crc`: zeros, and a word that makes the
 * checksum right. Other requests get their turn after each MiB, because nothing else would interrupt it.
 * Throws if `size` is less than `MIN_STAND_IN_BYTES`.
 */
export async function * standIn (size: number, crc: number): Parts {
  if (size < MIN_STAND_IN_BYTES) throw new RangeError('no room for a checksum')
  let own = 0
  for (let left = size - MIN_STAND_IN_BYTES; left > 0; left -= ZEROS.length) {
    const zeros = ZEROS.subarray(0, left)
    own = crc32(zeros, own)
    yield zeros
    await setImmediate()
  }
  yield bytesBetween(own, crc)
}
