/** Images and videos over HTTP: ranges, validators, HEAD. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { start, until } from '../helpers.ts'
import { addLink, video as videoOf } from '../library.ts'
import { VERSIONS } from '../standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    // Last-Modified goes out only where the time of a photo may be shown
    const run = await start({ version, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { links, library, immich } = run
    const video = library.assets.get(links.video.assets![0]!)!
    const bytes = readFileSync(video.original.path!)
    const path = `/share/video/${links.video.key}/${video.id}`
    const range = (range: string, headers = {}) => run.get(path, { headers: { range, ...headers } })

    test('ranges of RFC 9110', async () => {
      const whole = await run.get(path)
      assert.deepEqual(
        [whole.status, whole.headers['accept-ranges'], whole.headers['content-type']],
        [200, 'bytes', 'video/mp4']
      )
      assert.deepEqual(whole.body, bytes)
      const size = bytes.length
      for (const [asked, from, to] of [
        ['bytes=0-0', 0, 0],
        ['bytes=-500', size - 500, size - 1],
        ['bytes=5-', 5, size - 1],
        ['bytes=10-19', 10, 19],
        [`bytes=${size - 5}-${size + 100}`, size - 5, size - 1],
        [`bytes=-${size + 100}`, 0, size - 1],
        ['BYTES = 1 - 2', 1, 2]
      ] as const) {
        const response = await range(asked)
        assert.equal(response.status, 206, asked)
        assert.equal(response.headers['content-range'], `bytes ${from}-${to}/${size}`, asked)
        assert.equal(response.headers['content-length'], String(to - from + 1), asked)
        assert.deepEqual(response.body, bytes.subarray(from, to + 1), asked)
      }
      for (const asked of [`bytes=${size}-`, 'bytes=-0', 'bytes=9-5']) {
        const { status, headers, text } = await range(asked)
        assert.deepEqual([status, headers['content-range'], text], [416, `bytes */${size}`, ''], asked)
      }
      for (const asked of ['bytes=0-1,5-9', 'items=0-5', 'bytes=abc', 'bytes', 'bytes=-', 'bytes=1-2-3']) {
        const response = await range(asked)
        assert.equal(response.status, 200, asked)
        assert.deepEqual(response.body, bytes, asked)
      }
    })

    test('a part of an older version is sent whole, and the part is cancelled at Immich', async () => {
      const size = 30_000_000
      const large = videoOf(7, {
        name: 'large.mp4', original: { size, type: 'video/mp4' }, playback: { size, type: 'video/mp4' }
      })
      const { key } = addLink(library, 'large', {}, [large])
      const headers = { range: 'bytes=1-', 'if-range': '"other"' }
      const { status, body } = await run.get(`/share/video/${key}/${large.id}`, { headers })
      assert.deepEqual([status, body.length], [200, size])
      await until(() => immich.open === 0)
      // so is one that the visitor has already
      const path = `/share/video/${key}/${large.id}`
      const { headers: { etag } } = await run.get(path, { method: 'HEAD' })
      assert.equal((await run.get(path, { headers: { 'if-none-match': etag! } })).status, 304)
      await until(() => immich.open === 0)
    })

    test('If-Range and validators', async () => {
      const { headers } = await run.get(path)
      assert.equal((await range('bytes=0-9', { 'if-range': headers.etag! })).status, 206)
      assert.equal((await range('bytes=0-9', { 'if-range': 'Mon, 01 Jan 2035 00:00:00 GMT' })).status, 200)
      assert.equal((await range('bytes=0-9', { 'if-range': '"other"' })).status, 200)
      // a file that has become shorter since
      assert.equal((await range('bytes=999999999-', { 'if-range': '"other"' })).status, 200)
      for (const target of [
        path, `/share/photo/${links.album.key}/${library.albums.get(links.album.album!)!.assets[0]}/thumbnail`
      ]) {
        const { headers } = await run.get(target)
        for (const [name, value] of [
          ['if-none-match', headers.etag!],
          ['if-none-match', `"x", ${headers.etag}`],
          ['if-none-match', '*']
        ] as const) {
          const given = { [name]: value }
          const response = await run.get(target, { headers: given })
          const { status, body, headers: { etag } } = response
          assert.deepEqual([status, body.length, etag], [304, 0, headers.etag], JSON.stringify(given))
          assert.ok(response.headers['cache-control'])
        }
        assert.equal((await run.get(target, { headers: { 'if-none-match': '"other"' } })).status, 200)
      }
    })

    test('HEAD has the headers of GET, and no body is fetched for it', async () => {
      for (const target of [
        path,
        `/share/photo/${links.photo.key}/${links.photo.assets![0]}/original`,
        `/share/photo/${links.photo.key}/${links.photo.assets![0]}/preview`
      ]) {
        immich.asked.length = 0
        const head = await run.get(target, { method: 'HEAD' })
        const asked = immich.asked.filter(({ path }) => /original|playback|thumbnail/.test(path))
        assert.ok(asked.every(({ method }) => method === 'HEAD'), target)
        const get = await run.get(target)
        assert.equal(head.text, '')
        assert.deepEqual({ ...head.headers, date: 0 }, { ...get.headers, date: 0 }, target)
      }
    })
  })
}
