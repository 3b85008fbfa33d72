/** When and under which name a photo was taken, in headers: told with both yeses only. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from '../helpers.ts'
import { addLink, emptyLibrary, photo, video } from '../library.ts'
import { VERSIONS } from '../standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    // who may be told when a photo was taken is told by Last-Modified too
    const run = await start({ version, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { links, library, immich } = run
    const film = library.assets.get(links.video.assets![0]!)!
    const path = `/share/video/${links.video.key}/${film.id}`

    test('a date goes out with two yeses only, and no validator of Immich\'s ever', async () => {
      const thumbnail = `/share/photo/${links.noMetadata.key}/${library.albums.get(links.album.album!)!.assets[0]}/thumbnail`
      const silent = await start({ version, library })
      for (const [proxy, target, told] of [[run, path, true], [run, thumbnail, false], [silent, path, false], [silent, thumbnail, false]] as const) {
        const { headers } = await proxy.get(target)
        assert.equal(headers['last-modified'] !== undefined, told, target)
        assert.match(headers.etag!, /^"[\w-]{22}"$/)
        assert.equal((await proxy.get(target, { headers: { 'if-none-match': headers.etag! } })).status, 304)
        if (!told && target === path) assert.equal((await proxy.get(target, { headers: { range: 'bytes=0-9', 'if-range': (await run.get(target)).headers['last-modified']! } })).status, 200, 'no date to be tried')
        if (!told) assert.equal((await proxy.get(target, { headers: { 'if-modified-since': new Date().toUTCString() } })).status, 200)
        assert.equal((await proxy.get(target, { headers: { range: 'bytes=0-9', 'if-range': headers.etag! } })).status, 206)
      }
      const stripping = await start({ version, library, ipp: { stripMetadata: true, showMetadata: { exif: { dateTimeOriginal: true } } } })
      const original = `/share/photo/${links.photo.key}/${links.photo.assets![0]}/original`
      const [plain, blanked] = [await run.get(original), await stripping.get(original)]
      assert.equal(blanked.headers['last-modified'], undefined)
      assert.notEqual(plain.headers.etag, blanked.headers.etag)
      // the same file under another secret: a tag tells nothing
      assert.notEqual((await run.get(path)).headers.etag, (await silent.get(path)).headers.etag)
      for (const { headers } of immich.asked) assert.ok(!headers['if-modified-since'] && !headers['if-range'])
    })
  })
}

test('.tif stays .tif, and an extension that is wrong for the type is put right', async () => {
  const library = emptyLibrary()
  const kinds: [string, string, string][] = [['a.tif', 'image/tiff', 'a.tif'], ['b.jpeg', 'image/jpeg', 'b.jpeg'], ['c.JPG', 'image/jpeg', 'c.JPG'], ['d.heic', 'image/jpeg', 'd.jpg'], ['COM¹.jpg', 'image/jpeg', '_COM¹.jpg'], ['CONIN$.jpg', 'image/jpeg', '_CONIN$.jpg']]
  const assets = kinds.map(([name, mime], n) => photo(n, { name, mime, original: { bytes: Buffer.from('x'), type: mime } }))
  const { key } = addLink(library, 'names', {}, [...assets, video(9)])
  const run = await start({ library })
  for (const [n, [, , name]] of kinds.entries()) {
    const { headers } = await run.get(`/share/photo/${key}/${assets[n]!.id}/original`)
    assert.equal(decodeURIComponent(/filename\*=UTF-8''(.*)/.exec(headers['content-disposition']!)![1]!), name)
  }
})
