/**
 * JPEGs that do not tell where, when and with what they were taken (`stripMetadata`): blanked in place, same
 * length, same image bytes, but every segment that is not needed to show the picture holds zeros.
 *
 * Segments are those of ITU-T T.81 annex B; Exif and its Orientation are of CIPA DC-008 section 4.5.
 */
const [SOI, EOI, SOS, APP0, APP1, APP2, APP14] = [0xd8, 0xd9, 0xda, 0xe0, 0xe1, 0xe2, 0xee]
const begins = (bytes: Buffer, text: string): boolean => bytes.toString('latin1', 0, text.length) === text

/** The Orientation of an Exif segment's payload, 1 to 8; 1 where it says none. */
function orientation (payload: Buffer): number {
  const little = payload.toString('latin1', 6, 8) === 'II'
  const at = (offset: number, size: 2 | 4): number => {
    if (offset < 6 || offset + size > payload.length) return 0
    return little ? payload.readUIntLE(offset, size) : payload.readUIntBE(offset, size)
  }
  const ifd = 6 + at(10, 4)
  for (let n = 0; n < Math.min(at(ifd, 2), 200); n++) {
    const [tag, value] = [at(ifd + 2 + n * 12, 2), at(ifd + 10 + n * 12, 2)]
    if (tag === 0x0112 && value <= 8) return value || 1
  }
  return 1
}

/** What may stay of a segment's payload, and zeros for the rest. */
function cleaned (marker: number, payload: Buffer): Buffer {
  const keep = (bytes: Buffer) => Buffer.concat([bytes], payload.length)
  // the picture's density stays, a thumbnail in it does not
  if (marker === APP0 && begins(payload, 'JFIF\0')) return keep(payload.subarray(0, 12))
  const value = marker === APP1 && begins(payload, 'Exif\0\0') ? orientation(payload) : 1
  const entry = `0112000300000001000${value}`.padEnd(32, '0')
  const exif = Buffer.from(`4578696600004d4d002a000000080001${entry}`, 'hex')
  if (value > 1 && payload.length >= exif.length) return keep(exif)
  const colours = (marker === APP2 && begins(payload, 'ICC_PROFILE\0')) ||
    (marker === APP14 && begins(payload, 'Adobe'))
  // tables, frames, restart intervals; anything else says something about the picture that is not the picture
  const needed = (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xda && marker <= 0xdf)
  return keep(payload.subarray(0, colours || needed ? payload.length : 0))
}

/** The bytes of a JPEG, blanked; holds one segment at a time. Throws at what it cannot parse. */
export async function * blank (body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const parts = body[Symbol.asyncIterator]()
  const read = async (): Promise<Buffer | undefined> => (await parts.next()).value
  let held: Buffer = Buffer.alloc(0)
  const hold = async (bytes: number): Promise<void> => {
    for (let chunk; held.length < bytes; held = held.length ? Buffer.concat([held, chunk]) : chunk) {
      chunk = await read()
      if (!chunk) throw new Error('a JPEG that ends in the middle')
    }
  }
  const take = (bytes: number): Buffer => {
    const taken = held.subarray(0, bytes)
    held = held.subarray(bytes)
    return taken
  }
  // a stuffed zero and the restart markers belong to the picture
  const within = (next = -1): boolean => next === 0 || (next & 0xf8) === 0xd0
  await hold(2)
  if (held.readUInt16BE() !== 0xff00 + SOI) throw new Error('not a JPEG')
  yield take(2)
  for (let marker = SOI; marker !== EOI;) {
    // up to the marker that ends a scan
    for (let at = marker === SOS ? -1 : 0; at !== 0;) {
      await hold(2)
      at = held.indexOf(0xff)
      while (at >= 0 && within(held[at + 1])) at = held.indexOf(0xff, at + 2)
      if (at !== 0) yield take(at < 0 ? held.length : at)
    }
    await hold(2)
    marker = held[1]!
    if (held[0] !== 0xff || marker < 0xc0 || (marker >= 0xd0 && marker <= SOI)) throw new Error('no marker')
    // one fill byte before a marker, or the end
    if (marker === 0xff || marker === EOI) { yield take(marker === EOI ? 2 : 1); continue }
    await hold(4)
    const length = held.readUInt16BE(2)
    if (length < 2) throw new Error('a segment of no length')
    await hold(2 + length)
    yield take(4)
    yield cleaned(marker, take(length - 2))
  }
  yield Buffer.alloc(held.length)
  for (let chunk; (chunk = await read());) yield Buffer.alloc(chunk.length)
}
