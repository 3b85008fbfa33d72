/**
 * Originals that do not tell where, when and with what they were taken (`stripMetadata`). A JPEG is blanked
 * in place: same length, same image bytes, but every segment that is not needed to show it holds zeros.
 * Nothing else is parsed: other images are given as Immich's preview, videos as its transcode.
 *
 * Segments are those of ITU-T T.81 annex B; Exif and its Orientation are of CIPA DC-008 section 4.5.
 */
import { Refusal, type Body, type Caller, type Immich, type Link, type Media } from './immich.ts'
import type { Item } from './validate.ts'

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

/**
 * An Exif payload that says the orientation and nothing else, as long as `length`; zeros where it has no
 * room.
 */
function onlyOrientation (value: number, length: number): Buffer {
  const payload = Buffer.alloc(length)
  const entry = '0112000300000001'.padEnd(32, '0')
  const exif = Buffer.from(`4578696600004d4d002a000000080001${entry}`, 'hex')
  exif.writeUInt16BE(value, 24)
  if (length >= exif.length) exif.copy(payload)
  return payload
}

/** What may stay of a segment's payload. */
function cleaned (marker: number, payload: Buffer): Buffer {
  if (marker === APP0 && begins(payload, 'JFIF\0')) {
    // the picture's density stays, a thumbnail in it does not
    const kept = Buffer.alloc(payload.length)
    payload.copy(kept, 0, 0, 12)
    return kept
  }
  if (marker === APP1 && begins(payload, 'Exif\0\0')) {
    const value = orientation(payload)
    return value > 1 ? onlyOrientation(value, payload.length) : Buffer.alloc(payload.length)
  }
  if (marker === APP2 && begins(payload, 'ICC_PROFILE\0')) return payload
  if (marker === APP14 && begins(payload, 'Adobe')) return payload
  // tables, frames, restart intervals; anything else says something about the picture that is not the picture
  const needed = (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xda && marker <= 0xdf)
  return needed ? payload : Buffer.alloc(payload.length)
}

/** A JPEG's blanking, chunk by chunk; holds one segment at a time. Throws at what it cannot parse. */
export function createJpegFilter () {
  let held: Buffer = Buffer.alloc(0)
  let state: 'start' | 'marker' | 'scan' | 'after' = 'start'
  /** Parts that are ready, taken off the front of `held`. */
  function * ready (): Generator<Buffer> {
    while (true) {
      if (state === 'after') {
        if (held.length) yield Buffer.alloc(held.length)
        held = Buffer.alloc(0)
        return
      }
      if (state === 'scan') {
        let at = held.indexOf(0xff)
        // a stuffed zero and the restart markers belong to the picture
        const within = (next = -1) => next === 0 || (next & 0xf8) === 0xd0
        while (at >= 0 && within(held[at + 1])) at = held.indexOf(0xff, at + 2)
        const end = at < 0 ? held.length : at
        if (end) yield held.subarray(0, end)
        held = held.subarray(end)
        if (held.length < 2) return
        state = 'marker'
      }
      if (held.length < 2) return
      const marker = held[1]!
      if (held[0] !== 0xff || (state === 'start' && marker !== SOI)) throw new Error('not a JPEG')
      if (marker === 0xff || marker === SOI || marker === EOI) {
        // fill bytes before a marker are allowed, one at a time
        const length = marker === 0xff ? 1 : 2
        if (marker === SOI && state !== 'start') throw new Error('a JPEG within a JPEG')
        yield held.subarray(0, length)
        held = held.subarray(length)
        state = marker === EOI ? 'after' : 'marker'
        continue
      }
      if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd7)) throw new Error('a marker out of place')
      if (held.length < 4) return
      const length = held.readUInt16BE(2)
      if (length < 2) throw new Error('a segment of no length')
      if (held.length < 2 + length) return
      const payload = held.subarray(4, 2 + length)
      yield held.subarray(0, 4)
      yield cleaned(marker, payload)
      held = held.subarray(2 + length)
      state = marker === SOS ? 'scan' : 'marker'
    }
  }
  return {
    /** What can be sent of the file so far, of which `chunk` is the next piece. */
    push (chunk: Uint8Array): Buffer {
      held = Buffer.concat([held, chunk])
      return Buffer.concat([...ready()])
    },
    /** Throws where the file ended in the middle. */
    end (): void { if (state !== 'after') throw new Error('a JPEG that ends in the middle') }
  }
}

function filtered (body: Body): Body {
  const filter = createJpegFilter()
  return {
    cancel: body.cancel,
    async read () {
      try {
        for (let chunk; (chunk = await body.read());) {
          const out = filter.push(chunk)
          if (out.length) return out
        }
        filter.end()
        return undefined
      } catch (error) {
        body.cancel()
        throw error
      }
    }
  }
}

/**
 * The original without its metadata, whole and from its beginning: a blanked JPEG, else Immich's preview of
 * an image, else its transcode of a video. Throws a Refusal where there is none.
 */
export async function strippedOriginal (
  immich: Immich, link: Link, item: Item, caller: Caller, head = false
): Promise<Media> {
  if (item.video) {
    const [original, playback] = await Promise.all((['original', 'playback'] as const)
      .map(kind => immich.media(kind, link, item, {}, caller, true)))
    if (original!.length === playback!.length && original!.modified === playback!.modified) {
      throw new Refusal('missing', 'stripMetadata: Immich has no transcode of this video')
    }
    return { ...await immich.media('playback', link, item, {}, caller, head), name: original!.name }
  }
  const media = await immich.media('original', link, item, {}, caller, head)
  const body = media.body && 'read' in media.body ? media.body : undefined
  if (media.type === 'image/jpeg') return body ? { ...media, body: filtered(body) } : media
  body?.cancel()
  return { ...await immich.media('preview', link, item, {}, caller, head), name: media.name }
}
