/** Images and videos: ranges, validators, HEAD, streams and what happens when Immich or the visitor goes away. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { addLink, emptyLibrary, photo, sampleLibrary, video } from './library.ts'
import { start, until } from './helpers.ts'
import { VERSIONS } from './standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    // who may be told when a photo was taken is told by Last-Modified too
    const run = await start({ version, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { links, library, immich } = run
    const film = library.assets.get(links.video.assets![0]!)!
    const bytes = readFileSync(film.original.path!)
    const path = `/share/video/${links.video.key}/${film.id}`
    const range = (range: string, headers = {}) => run.get(path, { headers: { range, ...headers } })

    test('ranges of RFC 9110', async () => {
      const whole = await run.get(path)
      assert.deepEqual([whole.status, whole.headers['accept-ranges'], whole.headers['content-type']], [200, 'bytes', 'video/mp4'])
      assert.deepEqual(whole.body, bytes)
      const size = bytes.length
      for (const [asked, from, to] of [
        ['bytes=0-0', 0, 0], ['bytes=-500', size - 500, size - 1], ['bytes=5-', 5, size - 1], ['bytes=10-19', 10, 19],
        [`bytes=${size - 5}-${size + 100}`, size - 5, size - 1], [`bytes=-${size + 100}`, 0, size - 1], ['BYTES = 1 - 2', 1, 2]
      ] as const) {
        const answer = await range(asked)
        assert.equal(answer.status, 206, asked)
        assert.equal(answer.headers['content-range'], `bytes ${from}-${to}/${size}`, asked)
        assert.equal(answer.headers['content-length'], String(to - from + 1), asked)
        assert.deepEqual(answer.body, bytes.subarray(from, to + 1), asked)
      }
      for (const asked of [`bytes=${size}-`, 'bytes=-0', 'bytes=9-5']) {
        const answer = await range(asked)
        assert.deepEqual([answer.status, answer.headers['content-range'], answer.text], [416, `bytes */${size}`, ''], asked)
      }
      for (const asked of ['bytes=0-1,5-9', 'items=0-5', 'bytes=abc', 'bytes', 'bytes=-', 'bytes=1-2-3']) {
        const answer = await range(asked)
        assert.equal(answer.status, 200, asked)
        assert.deepEqual(answer.body, bytes, asked)
      }
    })

    test('If-Range and validators', async () => {
      const { headers } = await run.get(path)
      assert.equal((await range('bytes=0-9', { 'if-range': headers.etag! })).status, 206)
      assert.equal((await range('bytes=0-9', { 'if-range': headers['last-modified']! })).status, 206)
      assert.equal((await range('bytes=0-9', { 'if-range': '"other"' })).status, 200)
      for (const target of [path, `/share/photo/${links.album.key}/${library.albums.get(links.album.album!)!.assets[0]}/thumbnail`]) {
        const { headers } = await run.get(target)
        for (const [name, value] of [['if-none-match', headers.etag!], ['if-none-match', `"x", ${headers.etag}`], ['if-none-match', '*'], ['if-modified-since', headers['last-modified']!]] as const) {
          const given = { [name]: value }
          const answer = await run.get(target, { headers: given })
          assert.deepEqual([answer.status, answer.body.length, answer.headers.etag], [304, 0, headers.etag], JSON.stringify(given))
          assert.ok(answer.headers['cache-control'])
        }
        assert.equal((await run.get(target, { headers: { 'if-none-match': '"other"' } })).status, 200)
      }
    })

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

    test('HEAD has the headers of GET, and no body is fetched for it', async () => {
      for (const target of [path, `/share/photo/${links.photo.key}/${links.photo.assets![0]}/original`, `/share/photo/${links.photo.key}/${links.photo.assets![0]}/preview`]) {
        immich.asked.length = 0
        const head = await run.get(target, { method: 'HEAD' })
        assert.ok(immich.asked.filter(({ path }) => /original|playback|thumbnail/.test(path)).every(({ method }) => method === 'HEAD'), target)
        const get = await run.get(target)
        assert.equal(head.text, '')
        assert.deepEqual({ ...head.headers, date: 0 }, { ...get.headers, date: 0 }, target)
      }
    })
  })
}

test('a GIF moves, where downloads are allowed; a single image answers with itself', async () => {
  const run = await start()
  const gif = readFileSync(new URL('./samples/animated.gif', import.meta.url))
  const answer = await run.get(`/share/${run.links.gif.key}`)
  assert.deepEqual([answer.status, answer.headers['content-type']], [200, 'image/gif'])
  assert.deepEqual(answer.body, gif)
  const single = await run.get(`/share/${run.links.photo.key}`)
  assert.equal(single.headers['content-type'], 'image/jpeg')
  assert.equal(single.headers['cross-origin-resource-policy'], 'cross-origin')
  assert.equal((await run.get(`/share/${run.links.video.key}`)).headers['content-type'], 'text/html; charset=utf-8')
  assert.match((await run.get(`/share/${run.links.photoPassword.key}`)).text, /password/)
  const other = await start({ ipp: { singleImageGallery: true, singleVideoGallery: false } })
  assert.match((await other.get(`/share/${other.links.photo.key}`)).headers['content-type']!, /html/)
  assert.equal((await other.get(`/share/${other.links.video.key}`)).headers['content-type'], 'video/mp4')
})

test('what a browser could execute is an attachment of no type', async () => {
  const library = emptyLibrary()
  const types = ['image/svg+xml', 'text/html', 'image/svg+xml; charset=utf-8', 'application/xhtml+xml', 'video/mp4"; x=y']
  const assets = types.map((type, n) => photo(n, { mime: type, original: { bytes: Buffer.from('<svg onload="alert(1)"/>'), type }, preview: { bytes: Buffer.from('<svg/>'), type } }))
  const { key } = addLink(library, 'svg', {}, assets)
  const run = await start({ library })
  for (const { id } of assets) {
    for (const size of ['preview', 'original', 'fullsize']) {
      const { headers, status } = await run.get(`/share/photo/${key}/${id}/${size}`)
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'application/octet-stream')
      assert.match(headers['content-disposition']!, /^attachment/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.match(headers['content-security-policy'] as string, /sandbox/)
    }
  }
})

test('fullsize is what a browser can show: else the server\'s own full size, else the preview', async () => {
  const library = emptyLibrary()
  const heic = photo(1, { mime: 'image/heic', original: { bytes: Buffer.from('heic'), type: 'image/heic' }, fullsize: { bytes: Buffer.from('full'), type: 'image/jpeg' } })
  const tiff = photo(2, { mime: 'image/tiff', original: { bytes: Buffer.from('tiff'), type: 'image/tiff' } })
  const film = video(3)
  const { key } = addLink(library, 'types', {}, [heic, tiff, film])
  const run = await start({ library })
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/fullsize`)).text, 'full')
  assert.equal((await run.get(`/share/photo/${key}/${tiff.id}/fullsize`)).headers['content-type'], 'image/jpeg')
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/original`)).text, 'heic')
  // of a video there is no more than its picture, and nothing else is asked for
  run.immich.asked.length = 0
  assert.equal((await run.get(`/share/photo/${key}/${film.id}/fullsize`)).headers['content-type'], 'image/jpeg')
  assert.deepEqual(run.immich.asked.map(({ path, query }) => [path, query.get('size')]), [[`/api/assets/${film.id}/thumbnail`, 'preview']])
  // a failure is not the lack of it
  run.immich.fault = ({ path }) => path.endsWith('/original') ? { status: 404 } : undefined
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/original`, { headers: { range: 'bytes=0-9' } })).status, 404)
  run.immich.fault = ({ query }) => query.get('size') === 'fullsize' ? { status: 500 } : undefined
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/fullsize`)).status, 503)
  run.immich.fault = () => undefined
  const off = await start({ library, ipp: { maxDownloadQuality: 'preview' } })
  assert.equal((await off.get(`/share/photo/${key}/${heic.id}/fullsize`)).headers['content-type'], 'image/jpeg')
  assert.notEqual((await off.get(`/share/photo/${key}/${heic.id}/original`)).text, 'heic')
})

function bigVideo () {
  const library = emptyLibrary()
  const film = video(0, { original: { size: 300 * 1024 * 1024, type: 'video/mp4' } })
  const { key } = addLink(library, 'big', {}, [film])
  return { library, path: `/share/video/${key}/${film.id}` }
}

test('a slow visitor is waited for, and one who leaves frees Immich', async () => {
  const { library, path } = bigVideo()
  const run = await start({ library })
  await run.get(path, { headers: { range: 'bytes=0-0' } })
  const before = process.memoryUsage().rss
  const sockets = Array.from({ length: 10 }, () => {
    const socket = run.socket()
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open === 10, 'ten streams')
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.ok(process.memoryUsage().rss - before < 150 * 1024 * 1024, 'bodies are piling up')
  sockets.forEach(socket => socket.destroy())
  await until(() => run.immich.open === 0, 'Immich to be freed')
})

test('a visitor who pauses for longer than Immich may be silent loses nothing', async () => {
  const library = emptyLibrary()
  const bytes = Buffer.alloc(12_000_000, Buffer.from(Array.from({ length: 251 }, (_, n) => n)))
  const film = video(1, { name: 'pause.mp4', original: { bytes, type: 'video/mp4' }, playback: { bytes, type: 'video/mp4' } })
  const { key } = addLink(library, 'pause', {}, [film])
  const run = await start({ library, ipp: { limits: { upstreamTimeout: 3 } } })
  const socket = run.socket()
  const chunks: Buffer[] = []
  socket.write(`GET /share/video/${key}/${film.id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  socket.on('data', chunk => chunks.push(chunk))
  await until(() => chunks.length > 0, 'the first bytes')
  socket.pause()
  await new Promise(resolve => setTimeout(resolve, 4500))
  socket.resume()
  await new Promise(resolve => socket.on('close', resolve))
  const got = Buffer.concat(chunks)
  assert.ok(got.subarray(got.indexOf('\r\n\r\n') + 4).equals(bytes))
})

test('many at once, fast and slow, on connections that are used again: each gets its own bytes', async () => {
  const library = emptyLibrary()
  const films = Array.from({ length: 24 }, (_, n) => {
    const bytes = Buffer.from(Array.from({ length: 400_000 + n * 7919 }, (_, at) => (at * (2 * n + 1) + (at >> 8)) & 0xff))
    return { bytes, film: video(n, { name: `${n}.mp4`, original: { bytes, type: 'video/mp4' }, playback: { bytes, type: 'video/mp4' } }) }
  })
  const { key } = addLink(library, 'own bytes', {}, films.map(({ film }) => film))
  const run = await start({ library })
  await Promise.all(Array.from({ length: 8 }, async (_, visitor) => {
    for (const [n, { film, bytes }] of films.entries()) {
      if (n % 8 === visitor) run.immich.fault = () => ({ drip: [30_000 + visitor * 5000, 1] })
      const { body } = await run.get(`/share/video/${key}/${film.id}`)
      assert.ok(body.equals(bytes), `film ${n} of visitor ${visitor}`)
    }
  }))
})

test('a visitor who leaves before Immich answers frees it too', async () => {
  const { library, path } = bigVideo()
  const run = await start({ library })
  await run.get(path, { headers: { range: 'bytes=0-0' } })
  for (const hanging of [/playback/, /original/]) {
    run.immich.asked.length = 0
    run.immich.fault = ({ path }) => hanging.test(path) ? { hang: true } : undefined
    const socket = run.socket()
    socket.write(`GET ${hanging.source === 'playback' ? path : path.replace('video', 'photo') + '/original'} HTTP/1.1\r\nhost: x\r\n\r\n`)
    await until(() => run.immich.asked.length === 1, 'the request')
    socket.destroy()
    await until(() => run.immich.asked[0]!.closed, 'the request to be given up')
  }
})

test('where Immich dies in the middle, the transfer visibly fails', async () => {
  const run = await start()
  const id = run.links.photo.assets![0]!
  for (const [what, pattern] of [['original', /original$/], ['preview', /thumbnail$/], ['thumbnail', /thumbnail$/]] as const) {
    run.immich.fault = ({ path }) => pattern.test(path) ? { dieAfter: 1000 } : undefined
    const answer = await run.get(`/share/photo/${run.links.photo.key}/${id}/${what}`)
    assert.ok(what === 'original' ? answer.status === 200 && !answer.complete : answer.status === 503, what)
    run.immich.fault = () => undefined
    const again = await run.get(`/share/photo/${run.links.photo.key}/${id}/${what}`)
    assert.ok(again.status === 200 && again.complete, 'nothing that failed is kept')
  }
})

test('a preview too large to keep is streamed, and leaves no place taken', async () => {
  const library = emptyLibrary()
  const { key, assets } = addLink(library, 'large preview', {}, [photo(1, { preview: { size: 5_000_000, type: 'image/jpeg' } }), photo(2)])
  const run = await start({ library, ipp: { limits: { upstreamRequests: 2, upstreamQueue: 0 } } })
  for (let n = 0; n < 6; n++) {
    const answer = await run.get(`/share/photo/${key}/${assets![0]}/preview`)
    assert.deepEqual([answer.status, answer.body.length, answer.complete], [200, 5_000_000, true])
  }
})

test('a silent Immich has a limit, before and in the middle of an answer', async () => {
  const run = await start({ ipp: { limits: { upstreamTimeout: 0.3 } } })
  const id = run.links.photo.assets![0]!
  run.immich.fault = () => ({ hang: true })
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 503)
  run.immich.fault = ({ path }) => path.endsWith('original') ? { hang: true } : undefined
  assert.equal((await run.get(`/share/photo/${run.links.photo.key}/${id}/original`)).status, 503)
  run.immich.fault = ({ path }) => path.endsWith('original') ? { silentAfter: 1000 } : undefined
  const answer = await run.get(`/share/photo/${run.links.photo.key}/${id}/original`)
  assert.deepEqual([answer.status, answer.complete], [200, false])
  assert.equal(run.settings.limits.upstreamTimeout < 20, true)
  assert.ok((await start()).settings.limits.upstreamTimeout <= 19)
})

test('images are kept within their bound, checked again when old, and asked for once', async () => {
  const sample = sampleLibrary()
  const run = await start({ library: sample.library })
  const { key } = sample.links.album
  const ids = run.library.albums.get(sample.links.album.album!)!.assets
  await run.get(`/share/items/${key}/0`)
  run.immich.asked.length = 0
  run.immich.fault = () => ({ delay: 50 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => run.get(`/share/photo/${key}/${ids[0]}/thumbnail`)))
  assert.ok(answers.every(({ status, body }) => status === 200 && body.equals(answers[0]!.body)))
  assert.equal(run.immich.count(/thumbnail$/), 1)
  await run.get(`/share/photo/${key}/${ids[0]}/thumbnail`)
  assert.equal(run.immich.count(/thumbnail$/), 1)
  run.immich.fault = () => undefined
  const none = await start({ library: sample.library, ipp: { limits: { imageCacheMiB: 0 } } })
  for (let n = 0; n < 3; n++) await none.get(`/share/photo/${key}/${ids[0]}/thumbnail`)
  assert.equal(none.immich.count(/thumbnail$/), 3)
  const small = await start({ library: sample.library, ipp: { limits: { imageCacheMiB: 0.01 } } })
  for (const id of [...ids.slice(0, 10), ids[0]]) await small.get(`/share/photo/${key}/${id}/thumbnail`)
  assert.equal(small.immich.count(/thumbnail$/), 11)
})

test('what is kept of an image is its bytes and what it takes beside them; one too large to keep counts too', async () => {
  const library = emptyLibrary()
  const sized = (n: number, size: number) => photo(n, { thumbnail: { bytes: Buffer.alloc(size), type: 'image/webp' } })
  const photos = [sized(0, 3 * 1024 * 1024), ...Array.from({ length: 6 }, (_, n) => sized(n + 1, 20_000))]
  const { key } = addLink(library, 'weights', {}, photos)
  // room for four of the six
  const run = await start({ library, ipp: { limits: { imageCacheMiB: 0.09 } } })
  const get = async (n: number) => assert.equal((await run.get(`/share/photo/${key}/${photos[n]!.id}/thumbnail`)).status, 200)
  for (const n of [0, 1, 2, 3, 4, 5, 6]) await get(n)
  run.immich.asked.length = 0
  for (const n of [6, 5, 4, 3]) await get(n)
  assert.equal(run.immich.count(/thumbnail$/), 0)
  await get(1)
  assert.equal(run.immich.count(/thumbnail$/), 1)
})
