/** The facts about one item: no date in headers, names only with both permissions, no empty fields. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from '../helpers.ts'
import { addLink, emptyLibrary, photo, video } from '../library.ts'
import { VERSIONS } from '../standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    // even an operator who shows dates sends none in headers
    const run = await start({ version, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { links, library, immich } = run

    test('no header contains a date, and no validator of Immich goes out or in', async () => {
      const videoPath = `/share/video/${links.video.key}/${links.video.assets![0]}`
      const shown = library.albums.get(links.album.album!)!.assets[0]
      const thumbnail = `/share/photo/${links.noMetadata.key}/${shown}/thumbnail`
      const other = await start({ version, library })
      const conditions = { date: 'Mon, 01 Jan 2035 00:00:00 GMT' }
      for (const proxy of [run, other]) for (const path of [videoPath, thumbnail]) {
        const { headers } = await proxy.get(path)
        assert.equal(headers['last-modified'], undefined, path)
        assert.match(headers.etag!, /^"[\w-]{22}"$/)
        const status = async (headers: Record<string, string>) => (await proxy.get(path, { headers })).status
        assert.equal(await status({ 'if-none-match': headers.etag! }), 304)
        assert.equal(await status({ range: 'bytes=0-9', 'if-range': headers.etag! }), 206)
        assert.equal(
          await status({ range: 'bytes=0-9', 'if-range': conditions.date }), 200, 'no date can be tried'
        )
        assert.equal(await status({ 'if-modified-since': conditions.date }), 200)
      }
      const stripping = await start({ version, library, ipp: { stripMetadata: true } })
      const original = `/share/photo/${links.photo.key}/${links.photo.assets![0]}/original`
      assert.notEqual((await run.get(original)).headers.etag, (await stripping.get(original)).headers.etag)
      // the same file under another secret: a tag reveals nothing
      assert.notEqual((await run.get(videoPath)).headers.etag, (await other.get(videoPath)).headers.etag)
      for (const { headers } of immich.asked) assert.ok(!headers['if-modified-since'] && !headers['if-range'])
    })
  })
}

test('.tif stays .tif, and an extension that is wrong for the type is corrected', async () => {
  const library = emptyLibrary()
  const kinds: [string, string, string][] = [
    ['a.tif', 'image/tiff', 'a.tif'],
    ['b.jpeg', 'image/jpeg', 'b.jpeg'],
    ['c.JPG', 'image/jpeg', 'c.JPG'],
    ['d.heic', 'image/jpeg', 'd.jpg'],
    ['COM¹.jpg', 'image/jpeg', '_COM¹.jpg'],
    ['CONIN$.jpg', 'image/jpeg', '_CONIN$.jpg']
  ]
  const assets = kinds.map(([name, mime], n) =>
    photo(n, { name, mime, original: { bytes: Buffer.from('x'), type: mime } })
  )
  const { key } = addLink(library, 'names', {}, [...assets, video(9)])
  const run = await start({ library })
  for (const [n, [, , name]] of kinds.entries()) {
    const { headers } = await run.get(`/share/photo/${key}/${assets[n]!.id}/original`)
    assert.equal(
      decodeURIComponent(/filename\*=UTF-8''(.*)/.exec(headers['content-disposition']!)![1]!), name
    )
  }
})

test('a field that is empty, missing or neither text nor number is left out', async () => {
  const library = emptyLibrary()
  const withExif = (n: number, exif: Record<string, unknown>) => photo(n, { name: '', exif })
  const odd = { make: '', model: null, lensModel: ['a lens'], iso: { value: 100 }, city: true, fNumber: 2.8 }
  const photos = [
    withExif(0, odd), withExif(1, { exifImageWidth: null }), withExif(2, { exifImageHeight: null }),
    withExif(3, { exifImageWidth: 4000, exifImageHeight: 3000, make: 'A camera' })
  ]
  const { key } = addLink(library, 'odd', {}, photos)
  const run = await start({ library, ipp: { showMetadata: { exif: true, location: true } } })
  const factsOf = async (n: number) => {
    const { dateTimeOriginal, fileSizeInByte, timeZone, ...facts } =
      (await run.get(`/share/meta/${key}/${photos[n]!.id}`)).json()
    return facts
  }
  const dimensions = `${photos[0]!.width} × ${photos[0]!.height}`
  assert.deepEqual(await factsOf(0), { dimensions, fNumber: 2.8 })
  assert.deepEqual(await factsOf(1), {})
  assert.deepEqual(await factsOf(2), {})
  assert.deepEqual(await factsOf(3), { make: 'A camera', dimensions: '4000 × 3000' })
})
