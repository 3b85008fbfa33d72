/** Originals without their metadata, through the proxy and checked with exiftool. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { addLink, emptyLibrary, gif, photo, video } from '../library.ts'
import { start, until } from '../helpers.ts'
import { without } from '../tools.ts'
import { entriesOf } from '../unzip.ts'
import { blanked, ORIGINAL as original, PREVIEW as preview, segment } from './jpegs.ts'

const folder = mkdtempSync(join(tmpdir(), 'ipp-strip-'))
after(() => rmSync(folder, { recursive: true }))
const skip = without('exiftool', 'libimage-exiftool-perl')

/** The blanked file. Throws if it cannot be blanked. */
function strip (bytes: Buffer): Buffer {
  const copy = blanked(bytes)
  assert.ok(copy, 'not a JPEG')
  return copy
}
/** The fields that exiftool finds in each file, in all groups it knows, and inside trailers and previews. */
function tags (files: Buffer[]): string[][] {
  const paths = files.map((bytes, n) => {
    const path = join(folder, `${n}.jpg`)
    writeFileSync(path, bytes)
    return path
  })
  const args = ['-q', '-j', '-G1', '-a', '-u', '-ee3', '-api', 'largefilesupport=1', ...paths]
  const found: object[] = JSON.parse(execFileSync('exiftool', args, { maxBuffer: 1e8 }).toString())
  const ofFile = /^(SourceFile|ExifTool|System|File|Composite|ICC|JFIF|Adobe)/
  return found.map(fields => Object.keys(fields).filter(name => !ofFile.test(name)))
}
const scan = (bytes: Buffer) =>
  bytes.subarray(bytes.indexOf(Buffer.from([0xff, 0xda])), bytes.lastIndexOf(Buffer.from([0xff, 0xd9])))

/** A file with everything in it that could reveal something. */
function telling (orientation: number): Buffer {
  const file = join(folder, 'telling.jpg')
  writeFileSync(file, preview)
  execFileSync('exiftool', [
    '-q', '-overwrite_original', `-Orientation#=${orientation}`, '-GPSLatitude=52.5', '-GPSLongitude=13.4',
    '-Make=Canon', '-Model=R5', '-XMP-dc:Creator=Ann', '-IPTC:City=Berlin', '-Comment=secret comment',
    '-Photoshop:URL=http://secret', '-DateTimeOriginal=2026:01:01 10:00:00', '-UserComment=secret',
    '-SerialNumber=12345', file
  ])
  const bytes = readFileSync(file)
  const extended = Buffer.concat([
    Buffer.from('http://ns.adobe.com/xmp/extension/\0' + 'A'.repeat(32)),
    Buffer.from('00001000000000000', 'hex'),
    Buffer.from('<secret/>'.repeat(100))
  ])
  const second = Buffer.concat([Buffer.from('Exif\0\0'), bytes.subarray(30, 2000)])
  const mpf = Buffer.concat([
    Buffer.from('MPF\0'), Buffer.from('4d4d002a00000008', 'hex'), Buffer.alloc(60, 1)
  ])
  const extra = [
    segment(0xe1, extended),
    segment(0xe1, second),
    segment(0xe2, mpf),
    segment(0xe3, Buffer.from('Meta\0secret')),
    segment(0xe0, Buffer.from('JFXX\0\x10secret thumbnail')),
    segment(0xfe, Buffer.from('secret comment two')),
    segment(0xeb, Buffer.from('HDR_RI ver=11 secret')),
    segment(0xef, Buffer.from('secret'))
  ]
  return Buffer.concat([
    bytes.subarray(0, 2), ...extra, bytes.subarray(2), original, Buffer.from('ftypmp42 secret video')
  ])
}

test('only the orientation is left; the picture and the length are unchanged', { skip }, async () => {
  const before = [1, 2, 3, 4, 5, 6, 7, 8].map(telling)
  for (const found of tags(before)) assert.ok(found.length > 10)
  const stripped = before.map(strip)
  for (const [n, bytes] of stripped.entries()) {
    assert.equal(bytes.length, before[n]!.length)
    assert.ok(!bytes.includes('secret') && !bytes.includes('Canon') && !bytes.includes('Berlin'))
    assert.ok(bytes.includes(scan(preview)), 'the image bytes')
  }
  const [upright, ...turned] = tags(stripped)
  assert.deepEqual(upright, [])
  for (const found of turned) assert.deepEqual(found, ['IFD0:Orientation'])
  assert.deepEqual(tags([strip(original)]), [['IFD0:Orientation']])
  assert.ok(strip(original).includes(scan(original)))
})

test('a visitor who reads nothing holds a part of the memory, and keeps nobody out', async () => {
  const library = emptyLibrary()
  const bytes = Buffer.concat([original.subarray(0, -2), Buffer.alloc(10 * 1024 * 1024, 1)])
  const photos = Array.from({ length: 10 }, (_, n) => photo(n, { original: { bytes, type: 'image/jpeg' } }))
  const { key } = addLink(library, 'strip', {}, photos)
  const run = await start({ library, ipp: { stripMetadata: true } })
  const paths = photos.map(({ id }) => `/share/photo/${key}/${id}/original`)
  const greedy = paths.map(path => {
    const socket = run.socket().on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n`)
    socket.pause()
    return socket
  })
  const from = (visitor: number) => ({ headers: { 'x-forwarded-for': `203.0.113.${visitor}` } })
  await until(async () => (await run.get(paths[0]!, from(1))).status === 503, 'a quarter to be held')
  for (const path of paths.slice(0, 3)) assert.equal((await run.get(path, from(2))).body.length, bytes.length)
  const zip = await run.get(`/share/${key}/download`, from(3))
  assert.ok(zip.complete)
  assert.equal((await entriesOf(zip.body)).length, photos.length)
  for (const socket of greedy) socket.destroy()
  await until(async () => (await run.get(paths[0]!, from(1))).status === 200, 'the memory to be free again')
})

test('through the proxy: alone, by range, in a zip; for other types a preview or transcode', async () => {
  const library = emptyLibrary()
  const jpeg = photo(1, { name: 'place.jpg', original: { bytes: original, type: 'image/jpeg' } })
  const png = photo(2, {
    name: 'scan.png', mime: 'image/png', original: { bytes: Buffer.from('png with text'), type: 'image/png' }
  })
  const moving = gif(3)
  const transcoded = video(4, {
    name: 'a.mov',
    original: { bytes: Buffer.from('the original'), type: 'video/quicktime', modified: 1e12 },
    playback: { bytes: Buffer.from('the transcode, longer'), type: 'video/mp4' }
  })
  const raw = video(5, { name: 'b.mp4' })
  const { key } = addLink(library, 'strip', {}, [jpeg, png, moving, transcoded, raw])
  const run = await start({ library, ipp: { stripMetadata: true } })
  const get = (id: string, size = 'original', headers = {}) =>
    run.get(`/share/photo/${key}/${id}/${size}`, { headers })
  const response = await get(jpeg.id)
  assert.ok(response.status === 200 && response.complete)
  assert.equal(response.headers['content-length'], String(original.length))
  assert.ok(response.body.equals(strip(original)))
  assert.match(response.headers['content-disposition']!, /place\.jpg/)
  assert.ok((await get(jpeg.id, 'fullsize')).body.equals(strip(original)))
  // a preview made by Immich has no metadata to remove
  run.immich.asked.length = 0
  assert.notDeepEqual((await get(jpeg.id, 'thumbnail')).body, strip(original))
  assert.equal(run.immich.count(/original$/), 0)
  const part = await get(jpeg.id, 'original', { range: 'bytes=100-70000' })
  // the file is stripped as a stream, so a range request gets the whole
  assert.deepEqual([part.status, part.headers['content-range']], [200, undefined])
  assert.ok(part.body.equals(strip(original)))
  const other = await get(png.id)
  assert.equal(other.headers['content-type'], 'image/jpeg')
  assert.match(other.headers['content-disposition']!, /scan_preview\.jpg/)
  assert.equal((await get(moving.id)).headers['content-type'], 'image/jpeg')
  assert.equal((await get(transcoded.id)).text, 'the transcode, longer')
  assert.equal((await get(raw.id)).status, 404)
  assert.ok(run.lines.some(line => line.includes('no transcode of this video')))
  const zip = await run.get(`/share/${key}/download`)
  assert.ok(zip.complete && zip.headers['content-length'] === undefined)
  const names = (await entriesOf(zip.body)).map(({ name }) => name)
  assert.equal(names.filter(name => name.endsWith(' is missing.txt')).length, 1)
  assert.equal(names.filter(name => !name.endsWith('.txt')).length, 4)
  assert.ok(!zip.body.includes('Canon') && zip.body.includes('the transcode'))
  // a file that only claims to be a JPEG is replaced by its preview
  const liar = addLink(library, 'liar', {}, [
    photo(6, { original: { bytes: Buffer.from('not a JPEG at all'), type: 'image/jpeg' } }), photo(7)
  ])
  const instead = await run.get(`/share/photo/${liar.key}/${liar.assets![0]}/original`)
  assert.deepEqual([instead.status, instead.complete], [200, true])
  assert.ok(!instead.text.includes('not a JPEG') && instead.body.length > 10_000)
})
