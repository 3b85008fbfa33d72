/** Which bytes of a JPEG stay where metadata is stripped. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { blankJpeg } from '../../src/gate/jpeg.ts'
import { blanked, ORIGINAL, PREVIEW, segment } from './jpegs.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const [SOI, EOI] = [hex('ffd8'), hex('ffd9')]
/** A scan with its header; stuffed zeros, fill bytes and restart markers are part of it. */
const SCAN = Buffer.concat([segment(0xda, 'header'), hex('11 ff00 22 ffd0 33 ffd7 44 ffff00 55')])
const jpegOf = (...parts: Buffer[]) => Buffer.concat([SOI, ...parts, SCAN, EOI])

/** An Exif payload whose directory holds these tags, each a SHORT. */
function exifOf (tags: [tag: number, value: number][], { order = 'MM', at = 8, count = tags.length } = {}) {
  const bytes = Buffer.alloc(6 + at + 2 + tags.length * 12 + 4)
  const put = (value: number, offset: number, size: number) =>
    order === 'II' ? bytes.writeUIntLE(value, offset, size) : bytes.writeUIntBE(value, offset, size)
  bytes.write(`Exif\0\0${order}`, 'latin1')
  put(42, 8, 2)
  put(at, 10, 4)
  put(count, 6 + at, 2)
  for (const [n, [tag, value]] of tags.entries()) {
    const entry = 8 + at + n * 12
    put(tag, entry, 2)
    put(3, entry + 2, 2)
    put(1, entry + 4, 4)
    put(value, entry + 8, 2)
  }
  return bytes
}
const ORIENTATION = 0x0112
/** The Exif that is left: nothing but the orientation. */
const turned = (value: number) =>
  hex(`457869660000 4d4d002a00000008 0001 0112 0003 00000001 000${value} 0000 00000000`)

describe('what stays of a segment; the rest of it is zeros', () => {
  const exif = (value: number, options = {}) => exifOf([[ORIENTATION, value]], options)
  const JFIF = 'JFIF\0\x01\x02\0\0H\0H'
  const others = (count: number) => Array.from({ length: count }, (_, n): [number, number] => [0x9000 + n, 6])
  const rows: [string, number, Buffer | string, Buffer | string][] = [
    ['a JFIF header, without its thumbnail', 0xe0, `${JFIF}\x02\x02pixels`, JFIF],
    ['JFIF in another segment', 0xe1, JFIF, ''],
    ['a JFIF extension', 0xe0, 'JFXX\0\x10pixels', ''],
    ['a name that only begins like JFIF', 0xe0, 'JFIF2 text', ''],
    ...[2, 3, 4, 5, 6, 7, 8].flatMap((value): [string, number, Buffer, Buffer][] => [
      [`orientation ${value}, big-endian`, 0xe1, exif(value), turned(value)],
      [`orientation ${value}, little-endian`, 0xe1, exif(value, { order: 'II' }), turned(value)]
    ]),
    ['an upright orientation', 0xe1, exif(1), ''],
    ['an orientation of 0', 0xe1, exif(0), ''],
    ['an orientation of 9', 0xe1, exif(9), ''],
    ['a valid orientation after a 9', 0xe1, exifOf([[ORIENTATION, 9], [ORIENTATION, 6]]), turned(6)],
    ['an orientation after other tags', 0xe1, exifOf([...others(3), [ORIENTATION, 6]]), turned(6)],
    ['the 200th tag', 0xe1, exifOf([...others(199), [ORIENTATION, 6]]), turned(6)],
    ['the 201st tag', 0xe1, exifOf([...others(200), [ORIENTATION, 6]]), ''],
    ['a tag after its directory', 0xe1, exifOf([...others(1), [ORIENTATION, 6]], { count: 1 }), ''],
    ['a directory elsewhere', 0xe1, exif(6, { at: 30 }), turned(6)],
    ['a directory beyond the segment', 0xe1, exif(6).fill('\0\0\x40\0', 10, 14, 'latin1'), ''],
    ['a directory that is cut off', 0xe1, exif(6, { at: 20 }).subarray(0, 6 + 20 + 2 + 9), ''],
    ['one that ends with its value', 0xe1, exif(6, { at: 20 }).subarray(0, 6 + 20 + 2 + 10), turned(6)],
    ['Exif with room for an orientation', 0xe1, exif(6).subarray(0, 32), turned(6)],
    ['Exif without that room', 0xe1, exif(6).subarray(0, 31), ''],
    ['Exif in another segment', 0xe2, exif(6), ''],
    ['an orientation without the word Exif', 0xe1, exif(6).fill('X', 0, 4), ''],
    ['a colour profile', 0xe2, 'ICC_PROFILE\0\x01\x01colours', 'ICC_PROFILE\0\x01\x01colours'],
    ['a colour profile in another segment', 0xe1, 'ICC_PROFILE\0\x01\x01colours', ''],
    ['another APP2', 0xe2, 'MPF\0MM', ''],
    ['the colour transform of Adobe', 0xee, 'Adobe\0d\0\0\0\0\x01', 'Adobe\0d\0\0\0\0\x01'],
    ['text after it', 0xee, 'Adobe\0d\0\0\0\0\x01Jane Doe', 'Adobe\0d\0\0\0\0\x01'],
    ['Adobe in another segment', 0xed, 'Adobe\0d', ''],
    ['another APP14', 0xee, 'text', ''],
    ['a comment', 0xfe, 'text', ''],
    ['an extension of JPEG', 0xf0, 'text', ''],
    ...[0xc0, 0xc4, 0xcf, 0xdb, 0xdd, 0xdf].map((marker): [string, number, string, string] =>
      [`the picture's ${marker.toString(16)}`, marker, 'tables', 'tables'])
  ]
  for (const [name, marker, before, after] of rows) {
    test(name, () => {
      const { length } = Buffer.from(before as string, 'latin1')
      const expected = Buffer.alloc(length)
      Buffer.from(after as string, 'latin1').copy(expected)
      const bytes = blanked(jpegOf(segment(marker, before)))
      assert.deepEqual(bytes, jpegOf(segment(marker, expected)))
    })
  }
})

test('what stands between two scans and after the picture is blanked, too', () => {
  const bytes = Buffer.concat([SOI, SCAN, segment(0xfe, 'text'), SCAN, EOI, Buffer.from('a video')])
  const expected = Buffer.concat([SOI, SCAN, segment(0xfe, '\0\0\0\0'), SCAN, EOI, Buffer.alloc(7)])
  assert.deepEqual(blanked(bytes), expected)
})

describe('a file that cannot be parsed is refused', () => {
  const scanAt = ORIGINAL.indexOf(hex('ffda'))
  const refused = {
    nothing: Buffer.alloc(0),
    'a text': Buffer.from('not a JPEG at all'),
    'a start alone': SOI,
    'a start and half a marker': hex('ffd8ff'),
    'junk after the start': Buffer.concat([SOI, Buffer.from('junk'), PREVIEW.subarray(2)]),
    'no start': Buffer.concat([hex('0000'), SCAN, EOI]),
    'no marker between segments': Buffer.concat([SOI, segment(0xfe, 'text').fill(0, 0, 1), SCAN, EOI]),
    'cut within a segment': ORIGINAL.subarray(0, scanAt - 5),
    'cut before the scan': ORIGINAL.subarray(0, scanAt),
    'cut within the length of a scan': hex('ffd8 ffda 00'),
    'cut within the header of a scan': hex('ffd8 ffda 0003'),
    'a scan of length 0': Buffer.concat([hex('ffd8 ffda 0000'), EOI]),
    'a scan of length 1': Buffer.concat([hex('ffd8 ffda 0001'), EOI]),
    'a segment of length 0': Buffer.concat([hex('ffd8 ffe1 0000'), SCAN, EOI]),
    'a segment of length 1': Buffer.concat([hex('ffd8 ffe1 0001'), SCAN, EOI]),
    'an unknown marker within the scan': Buffer.concat([SOI, SCAN, hex('ff01'), EOI]),
    'another start within the scan': Buffer.concat([SOI, SCAN, SOI, EOI]),
    ...Object.fromEntries([0x00, 0x01, 0xbf, 0xd0, 0xd7, 0xd8].map(marker =>
      [`marker ${marker.toString(16)} outside a scan`, jpegOf(segment(marker, 'text'))]))
  }
  for (const [name, bytes] of Object.entries(refused)) {
    test(name, () => assert.equal(blanked(bytes), undefined))
  }
})

describe('a file that is complete enough is accepted unchanged', () => {
  const scanAt = ORIGINAL.indexOf(hex('ffda'))
  const head = blanked(ORIGINAL)!.subarray(0, scanAt)
  const accepted = {
    'a start and an end': hex('ffd8 ffd9'),
    'fill bytes before a marker': Buffer.concat([SOI, hex('ffff'), SCAN, EOI]),
    'an empty segment': Buffer.concat([hex('ffd8 fffe 0002'), SCAN, EOI]),
    'one that ends within its scan': Buffer.concat([head, ORIGINAL.subarray(scanAt, scanAt + 5000)]),
    'one that ends with half a marker': Buffer.concat([SOI, SCAN, hex('ff')]),
    'one that ends with the header of its scan': Buffer.concat([SOI, segment(0xda, 'header')]),
    'one that ends with the length of its scan': hex('ffd8 ffda 0002')
  }
  for (const [name, bytes] of Object.entries(accepted)) {
    test(name, () => assert.deepEqual(blanked(bytes), bytes))
  }
})

/** Checks that each APPn or COM segment before the picture is zeros, or one of the permitted few. */
function assertBlank (bytes: Buffer): void {
  let at = 2
  while (at + 4 <= bytes.length) {
    if (bytes[at + 1] === 0xff) { at++; continue }
    const marker = bytes[at + 1]!
    if (marker === 0xda || marker === 0xd9) break
    const payload = bytes.subarray(at + 4, at + 2 + bytes.readUInt16BE(at + 2))
    const kept = ['JFIF\0', 'ICC_PROFILE\0', 'Adobe']
      .some(name => payload.subarray(0, name.length).equals(Buffer.from(name)))
    const turned =
      payload.subarray(0, 6).equals(Buffer.from('Exif\0\0')) && payload.subarray(26).every(byte => byte === 0)
    if ((marker >= 0xe0 && marker <= 0xef) || marker === 0xfe) {
      assert.ok(kept || turned || payload.every(byte => byte === 0), marker.toString(16))
    }
    at += 2 + bytes.readUInt16BE(at + 2)
  }
}

test('mutated files: no crash, no hang, no field; a file that cannot be parsed is not sent', () => {
  // a marker that stands in the metadata and nowhere in the picture
  const secret = Buffer.from('SECRET-PLACE-52.5163-13.3777')
  const base = Buffer.concat([
    PREVIEW.subarray(0, 2),
    segment(0xe1, Buffer.concat([Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01'), secret])),
    segment(0xed, secret),
    segment(0xfe, secret),
    PREVIEW.subarray(2),
    secret
  ])
  const header = base.indexOf(Buffer.from([0xff, 0xda]))
  const runs = Number(process.env.FUZZ_RUNS ?? 3000)
  const changes = fc.array(fc.tuple(fc.nat(header + 20), fc.nat(255)), { minLength: 1, maxLength: 12 })
  fc.assert(fc.property(changes, changed => {
    const bytes = Buffer.from(base)
    for (const [at, value] of changed) bytes[at] = value
    const { length } = bytes
    if (!blankJpeg(bytes)) return
    assert.equal(bytes.length, length)
    assertBlank(bytes)
  }), { numRuns: runs, seed: 42 })
})
