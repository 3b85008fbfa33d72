/** The bytes that each address of a file returns, and those that are cached. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { LinkAddress } from '../../src/validate.ts'
import { clock, HTML, start, VISITOR } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, sampleLibrary, video } from '../library.ts'
import { entriesOf } from '../unzip.ts'

const bytes = (size: number, fill = 'x') => ({ bytes: Buffer.alloc(size, fill), type: 'image/jpeg' })

const namesIn = async (zip: Buffer): Promise<string[]> => (await entriesOf(zip)).map(({ name }) => name)

test('a GIF is animated if downloads are allowed; a link with one image answers with the image', async () => {
  const run = await start()
  const gif = readFileSync(new URL('../samples/animated.gif', import.meta.url))
  const response = await run.get(`/share/${run.links.gif.key}`)
  assert.deepEqual([response.status, response.headers['content-type']], [200, 'image/gif'])
  assert.deepEqual(response.body, gif)
  const single = await run.get(`/share/${run.links.photo.key}`)
  assert.equal(single.headers['content-type'], 'image/jpeg')
  assert.equal(single.headers['cross-origin-resource-policy'], 'cross-origin')
  assert.equal(
    (await run.get(`/share/${run.links.video.key}`)).headers['content-type'], 'text/html; charset=utf-8'
  )
  assert.match((await run.get(`/share/${run.links.photoPassword.key}`)).text, /password/)
  const other = await start({ ipp: { singleImageGallery: true, singleVideoGallery: false } })
  assert.match((await other.get(`/share/${other.links.photo.key}`)).headers['content-type']!, /html/)
  assert.equal((await other.get(`/share/${other.links.video.key}`)).headers['content-type'], 'video/mp4')
})

test('a preview of unknown length is streamed, however large it is', async () => {
  const library = emptyLibrary()
  const large = bytes(700_000)
  const { key, assets } = addLink(library, 'one', {}, [photo(1, { preview: large }), photo(2)])
  const run = await start({ library })
  run.immich.chunked = true
  for (let times = 0; times < 2; times++) {
    const { status, body } = await run.get(`/share/photo/${key}/${assets![0]}/preview`)
    assert.equal(status, 200)
    // a difference of this size would take for ever to show
    assert.ok(body.equals(large.bytes))
  }
})

test('previews wait in memory for their visitor, up to a limit; others come from Immich', async () => {
  const library = emptyLibrary()
  const size = 500_000
  const photos = Array.from({ length: 43 }, (_, n) =>
    photo(n, { name: `large ${n}`, preview: bytes(size, String(n)) }))
  for (const more of [0, 1]) {
    const taken = Date.UTC(2001, 1, 1) - more
    photos.push(photo(43 + more, { name: `small ${more}`, preview: bytes(32 * 1024 + more, 'x'), taken }))
  }
  const { key } = addLink(library, 'large', {}, photos)
  const run = await start({ library })
  const { gate } = run.proxy.app
  const share = await gate.open({ key } as LinkAddress, VISITOR)
  const get = (n: number, lane = 'one') => gate.file(share, share.items[n]!, { as: 'preview' }, { lane })
  const asked = () => run.immich.asked.filter(({ path }) => path.endsWith('/thumbnail')).length
  const unread = []
  for (let n = 0; n < 33; n++) unread.push(await get(n))
  assert.equal(asked(), 33)
  for (let n = 33; n < 43; n++) unread.push(await get(n))
  assert.equal(asked(), 33 + 10 * 2, 'each to be cached, then again as a stream')
  const small = await gate.file(share, share.items[0]!, { as: 'thumbnail' }, { lane: 'one' })
  assert.ok(small.bytes, 'a small image takes none of this memory')
  for (const [n, isCounted] of [[43, false], [44, true]] as const) {
    const { body } = await get(n, 'a third')
    assert.equal(body !== undefined, isCounted)
    body?.cancel()
  }
  const other = await get(0, 'another')
  assert.equal(asked(), 56)
  for (const { body } of [...unread, other]) body!.cancel()
  for (let n = 0; n < 40; n++) (await get(n)).body!.cancel()
  assert.equal(asked(), 56)
})

test('files of a zip leave only while its link opens: a password ends a running zip', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const assets = [photo(1), photo(2)]
  for (const link of [addLink(library, 'chosen', {}, assets), addLink(library, 'album', {
    album: addAlbum(library, 'Album', assets)
  })]) {
    const { proxy, immich } = await start({ library })
    const { gate } = proxy.app
    const share = await gate.open({ key: link.key } as LinkAddress, VISITOR)
    const [item] = share.items
    const get = async (as: 'zip' | 'original') => {
      const { body } = await gate.file(share, item!, { as }, { lane: 'one' })
      body?.cancel()
    }
    await get('zip')
    // a request for a single file has just opened its link
    ahead(61_000)
    await get('original')
    assert.equal(immich.count('/api/shared-links/me'), 1)
    link.password = 'set later'
    ahead(-61_000)
    await get('zip')
    ahead(61_000)
    await assert.rejects(get('zip'), { reason: 'locked' })
    link.password = null
    ahead(61_000)
    await get('zip')
    library.links.splice(library.links.indexOf(link), 1)
    ahead(61_000)
    await assert.rejects(get('zip'), { reason: 'missing' })
  }
})

test('a file\'s name depends on its link alone, not on who asked for the picture before', async () => {
  const library = emptyLibrary()
  const assets = [photo(1, { name: 'Anna.jpg' }), photo(2)]
  const album = addAlbum(library, 'Two links', assets)
  const bare = addLink(library, 'bare', { album, showMetadata: false })
  const told = addLink(library, 'told', { album })
  const run = await start({ library, ipp: { maxDownloadQuality: 'preview' } })
  const nameAt = async ({ key }: { key: string }) =>
    String((await run.get(`/share/photo/${key}/${assets[0]!.id}/original`)).headers['content-disposition'])
  assert.doesNotMatch(await nameAt(bare), /Anna/)
  assert.match(await nameAt(told), /Anna_preview/)
  assert.doesNotMatch(await nameAt(bare), /Anna/)
})

test('a download\'s name has no separators, in either form', async () => {
  const library = emptyLibrary()
  const asset = photo(1, { name: '..／..／.bashrc＂x：y.jpg' })
  const { key } = addLink(library, 'wide', {}, [asset, photo(2)])
  const run = await start({ library })
  const { headers } = await run.get(`/share/photo/${key}/${asset.id}/original`)
  const [, plain] = /filename="([^"]*)"/.exec(headers['content-disposition']!) ?? []
  assert.match(plain!, /^[\w ]+[\w. ]*\.jpg$/)
})

test('a file that a browser could execute is an attachment without a type', async () => {
  const library = emptyLibrary()
  const types = [
    'image/svg+xml', 'text/html', 'image/svg+xml; charset=utf-8', 'application/xhtml+xml', 'video/mp4"; x=y'
  ]
  const assets = types.map((type, n) =>
    photo(n, {
      mime: type,
      original: { bytes: Buffer.from('<svg onload="alert(1)"/>'), type },
      preview: { bytes: Buffer.from('<svg/>'), type }
    })
  )
  const { key } = addLink(library, 'svg', {}, assets)
  const run = await start({ library })
  for (const [n, { id }] of assets.entries()) {
    for (const size of ['preview', 'original', 'fullsize']) {
      const { headers, status } = await run.get(`/share/photo/${key}/${id}/${size}`)
      // Immich sends no picture as a text or a video, and no original as a page: that is a login page
      const families = size === 'original' ? ['image/', 'video/'] : ['image/']
      const isImmich = families.some(family => types[n]!.startsWith(family))
      assert.equal(status, isImmich ? 200 : 503, `${size} ${types[n]}`)
      if (!isImmich) continue
      assert.equal(headers['content-type'], 'application/octet-stream')
      assert.match(headers['content-disposition']!, /^attachment/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.match(headers['content-security-policy'] as string, /sandbox/)
    }
  }
})

test('fullsize is a file that browsers show: else Immich\'s own full size, else the preview', async () => {
  const library = emptyLibrary()
  const heic = photo(1, {
    mime: 'image/heic',
    original: { bytes: Buffer.from('heic'), type: 'image/heic' },
    fullsize: { bytes: Buffer.from('full'), type: 'image/jpeg' }
  })
  const tiff = photo(2, { mime: 'image/tiff', original: { bytes: Buffer.from('tiff'), type: 'image/tiff' } })
  const videoAsset = video(3)
  const { key } = addLink(library, 'types', {}, [heic, tiff, videoAsset])
  const run = await start({ library })
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/fullsize`)).text, 'full')
  assert.equal(
    (await run.get(`/share/photo/${key}/${tiff.id}/fullsize`)).headers['content-type'], 'image/jpeg'
  )
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/original`)).text, 'heic')
  // a video has only its preview image, and nothing else is requested
  run.immich.asked.length = 0
  assert.equal(
    (await run.get(`/share/photo/${key}/${videoAsset.id}/fullsize`)).headers['content-type'], 'image/jpeg'
  )
  assert.deepEqual(
    run.immich.asked.map(({ path, query }) => [path, query.get('size')]),
    [[`/api/assets/${videoAsset.id}/thumbnail`, 'preview']]
  )
  // an error does not mean that Immich lacks the file
  run.immich.fault = ({ path }) => path.endsWith('/original') ? { status: 404 } : undefined
  assert.equal(
    (await run.get(`/share/photo/${key}/${heic.id}/original`, { headers: { range: 'bytes=0-9' } })).status,
    404
  )
  run.immich.fault = ({ query }) => query.get('size') === 'fullsize' ? { status: 500 } : undefined
  assert.equal((await run.get(`/share/photo/${key}/${heic.id}/fullsize`)).status, 503)
  run.immich.fault = () => undefined
  const off = await start({ library, ipp: { maxDownloadQuality: 'preview' } })
  assert.equal(
    (await off.get(`/share/photo/${key}/${heic.id}/fullsize`)).headers['content-type'], 'image/jpeg'
  )
  assert.notEqual((await off.get(`/share/photo/${key}/${heic.id}/original`)).text, 'heic')
})

test('videos without a transcode, if the operator does not allow playing originals', async () => {
  const library = emptyLibrary()
  const file = (size: number, type: string) => ({ size, type })
  const videos = [
    video(1, { mime: 'video/mp4', original: file(5000, 'video/mp4'), playback: file(5000, 'video/mp4') }),
    video(2, { mime: 'video/mp4', original: file(5000, 'video/mp4'), playback: file(3000, 'video/mp4') }),
    video(3, {
      mime: 'video/quicktime', original: file(5000, 'video/quicktime'), playback: file(5000, 'video/mp4')
    })
  ]
  const shut = addLink(library, 'shut', { allowDownload: false, showMetadata: false }, videos)
  const told = addLink(library, 'told', { allowDownload: false }, videos)
  const open = addLink(library, 'open', {}, videos)
  const untold = addLink(library, 'untold', { showMetadata: false }, videos)
  const statuses = async (key: string, ipp: object, chunked = false) => {
    const run = await start({ library, ipp: { ...ipp } })
    run.immich.chunked = chunked
    const headers = { range: 'bytes=0-9' }
    return Promise.all(
      videos.map(async ({ id }) => (await run.get(`/share/video/${key}/${id}`, { headers })).status)
    )
  }
  for (const { key } of [shut, told, open]) assert.deepEqual(await statuses(key, {}), [206, 206, 206])
  const strict = { playOriginalVideos: false }
  // without its file size nobody can tell whether a video has a transcode, so it is refused
  assert.deepEqual(await statuses(shut.key, strict), [404, 404, 206])
  assert.deepEqual(await statuses(open.key, strict), [206, 206, 206])
  assert.deepEqual(await statuses(open.key, { ...strict, maxDownloadQuality: 'preview' }), [404, 206, 206])
  // without a length an original could pass for a transcode
  const isChunked = true
  assert.deepEqual(await statuses(told.key, strict), [404, 206, 206])
  assert.deepEqual(await statuses(told.key, strict, isChunked), [404, 404, 206])
  // the proxy may look at the original if downloads are allowed
  assert.deepEqual(await statuses(untold.key, { ...strict, maxDownloadQuality: 'preview' }), [404, 206, 206])
  // looking at the headers alone leaves no slot taken
  const one = await start({ library, ipp: { ...strict, limits: { upstreamStreams: 1 } } })
  for (const n of [1, 2, 1, 2]) {
    assert.equal((await one.get(`/share/video/${told.key}/${videos[n]!.id}`)).status, 200)
  }
  const run = await start({ library, ipp: { ...strict, maxDownloadQuality: 'preview' } })
  const zip = await run.get(`/share/${open.key}/download`)
  assert.deepEqual((await namesIn(zip.body)).filter(name => name.endsWith(' is missing.txt')).length, 1)
  // a zip of unknown length has no ETag and cannot be resumed
  assert.deepEqual(
    [zip.headers.etag, zip.headers['content-length'], zip.headers['accept-ranges']],
    [undefined, undefined, undefined]
  )
})

test('a preview too large to keep is streamed, and leaves no slot taken', async () => {
  const library = emptyLibrary()
  const { key, assets } = addLink(library, 'large preview', {}, [
    photo(1, { preview: { size: 5_000_000, type: 'image/jpeg' } }), photo(2)
  ])
  const run = await start({ library, ipp: { limits: { upstreamRequests: 2, upstreamQueue: 0 } } })
  for (let n = 0; n < 6; n++) {
    const response = await run.get(`/share/photo/${key}/${assets![0]}/preview`)
    assert.deepEqual([response.status, response.body.length, response.complete], [200, 5_000_000, true])
  }
})

test('images are cached within the limit, and requested from Immich once', async () => {
  const sample = sampleLibrary()
  const run = await start({ library: sample.library })
  const { key } = sample.links.album
  const ids = run.library.albums.get(sample.links.album.album!)!.assets
  await run.get(`/share/items/${key}/0`)
  run.immich.asked.length = 0
  run.immich.fault = () => ({ delay: 50 })
  const responses = await Promise.all(
    Array.from({ length: 20 }, () => run.get(`/share/photo/${key}/${ids[0]}/thumbnail`))
  )
  assert.ok(responses.every(({ status, body }) => status === 200 && body.equals(responses[0]!.body)))
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

test('the image cache counts bytes and overhead, and skips an image too large for it', async () => {
  const library = emptyLibrary()
  const sized = (n: number, size: number) =>
    photo(n, { thumbnail: { bytes: Buffer.alloc(size), type: 'image/webp' } })
  const photos = [sized(0, 3 * 1024 * 1024), ...Array.from({ length: 6 }, (_, n) => sized(n + 1, 20_000))]
  const { key } = addLink(library, 'weights', {}, photos)
  // room for four of the six
  const run = await start({ library, ipp: { limits: { imageCacheMiB: 0.09 } } })
  const get = async (n: number) =>
    assert.equal((await run.get(`/share/photo/${key}/${photos[n]!.id}/thumbnail`)).status, 200)
  for (const n of [0, 1, 2, 3, 4, 5, 6]) await get(n)
  run.immich.asked.length = 0
  for (const n of [6, 5, 4, 3]) await get(n)
  assert.equal(run.immich.count(/thumbnail$/), 0)
  await get(1)
  assert.equal(run.immich.count(/thumbnail$/), 1)
})

test('an edited photo gets a new address within the minute, and new bytes under it', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const one = photo(1, { thumbnail: bytes(400, 'a'), thumbhash: 'AAAAAAAAAAAA' })
  const { key } = addLink(library, 'edited', { album: addAlbum(library, 'Edited', [one, photo(2)]) })
  const run = await start({ library })
  const address = async () => {
    const { text } = await run.get(`/share/${key}`, { headers: HTML })
    return new RegExp(`"(/share/photo/${key}/${one.id}/thumbnail\\?v=\\w+)"`).exec(text)![1]!
  }
  const before = await address()
  const first = await run.get(before)
  assert.equal(first.headers['cache-control'], 'public, max-age=2592000')
  Object.assign(library.assets.get(one.id)!, { thumbnail: bytes(400, 'b'), thumbhash: 'BBBBBBBBBBBB' })
  ahead(61_000)
  const now = await address()
  assert.notEqual(now, before)
  assert.ok((await run.get(now)).body.equals(Buffer.alloc(400, 'b')))
  // without the current version in its address, an image is cached for minutes only
  for (const path of [before, before.split('?')[0]!]) {
    assert.match((await run.get(path)).headers['cache-control']!, /max-age=300$/)
  }
})

test('a stale thumbnail is revalidated by its ETag and sent, changed or not', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const one = photo(1, { thumbnail: bytes(400, 'a') })
  const { key } = addLink(library, 'old', {}, [one, photo(2)])
  const run = await start({ library })
  const get = async () => {
    run.immich.asked.length = 0
    const { status, body, headers: { etag } } = await run.get(`/share/photo/${key}/${one.id}/thumbnail`)
    const [asked] = run.immich.asked.filter(({ path }) => path.endsWith('/thumbnail'))
    return { status, body: String(body), etag, asked: asked?.headers['if-none-match'] }
  }
  const first = await get()
  assert.deepEqual([first.status, first.body, first.asked], [200, 'a'.repeat(400), undefined])
  ahead(301_000)
  const same = await get()
  assert.ok(same.asked)
  assert.deepEqual({ ...same, asked: undefined }, first)
  Object.assign(library.assets.get(one.id)!, { thumbnail: bytes(500, 'b') })
  ahead(301_000)
  const changed = await get()
  assert.deepEqual([changed.status, changed.body], [200, 'b'.repeat(500)])
  assert.notEqual(changed.etag, first.etag)
})
