/** Zips with stripMetadata: a JPEG that cannot be blanked becomes its preview or a note. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { start } from '../helpers.ts'
import { addLink, emptyLibrary, photo, video } from '../library.ts'
import { entriesOf } from '../unzip.ts'
import { fetchZip, SERVERS } from './album.ts'

const sound = readFileSync(new URL('../samples/original0.jpg', import.meta.url))
/** Broken JPEGs from real libraries, by their fault. */
const BROKEN: Record<string, Buffer> = {
  'junk after SOI': Buffer.concat([sound.subarray(0, 2), Buffer.from('junk'), sound.subarray(2)]),
  'cut within a header': sound.subarray(0, 30),
  'text named jpg': Buffer.from('This is not a JPEG at all.'),
  empty: Buffer.alloc(0)
}
/** A scan without its end is still a picture. */
const cut = sound.subarray(0, sound.length - 2000)

for (const version of SERVERS) {
  for (const [what, bytes] of Object.entries(BROKEN)) {
    test(`${version}: ${what} is replaced by its preview`, async () => {
      const library = emptyLibrary()
      const originals = [sound, bytes, cut, sound]
      const assets = originals.map((bytes, n) =>
        photo(n, { name: `${n}.jpg`, original: { bytes, type: 'image/jpeg' } })
      )
      const { key } = addLink(library, 'strip', {}, assets)
      const run = await start({ library, version, ipp: { stripMetadata: true } })
      const zip = await fetchZip(run, `/share/${key}/download`)
      assert.deepEqual([zip.status, zip.complete], [200, true])
      const entries = await entriesOf(zip.body)
      assert.deepEqual(entries.map(({ name }) => name), ['0.jpg', '1_preview.jpg', '2.jpg', '3.jpg'])
      assert.equal(entries[2]!.size, cut.length)
      assert.ok(!zip.body.includes('Canon'), 'what the camera wrote is gone')
      const single = await run.get(`/share/photo/${key}/${assets[1]!.id}/original`)
      assert.deepEqual(
        [single.status, single.complete, single.headers['content-type']], [200, true, 'image/jpeg']
      )
      assert.ok(single.body.length > 1000)
    })
  }
}

test('if the preview is missing too, or a video has no transcode, a note says so', async () => {
  const library = emptyLibrary()
  const broken = photo(1, {
    name: '1.jpg', original: { bytes: BROKEN['text named jpg']!, type: 'image/jpeg' }
  })
  delete broken.preview
  const file = { bytes: Buffer.alloc(5000, 'video'), type: 'video/mp4' }
  const raw = video(2, { name: 'raw.mp4', original: file, playback: file })
  const assets = [photo(0, { name: '0.jpg' }), broken, raw]
  const { key } = addLink(library, 'strip', {}, assets)
  const run = await start({ library, ipp: { stripMetadata: true } })
  const zip = await fetchZip(run, `/share/${key}/download`)
  assert.ok(zip.complete)
  const names = (await entriesOf(zip.body)).map(({ name }) => name)
  assert.deepEqual(names, [
    '0.jpg', '1.jpg is missing.txt', 'raw.mp4 is missing.txt', 'Files not included.txt'
  ])
  assert.ok(zip.body.includes('raw.mp4: only its original exists, and originals are not shared here'))
})
