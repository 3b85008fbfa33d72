/** The addresses of zips: whole links, selections, HEAD and ranges; slots and permissions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ask, hold, HTML, start, until } from '../helpers.ts'
import { addLink, emptyLibrary, photo, video } from '../library.ts'
import { newId } from '../standin.ts'
import { choose, fetchZip, namesIn, PATHS, photosOf, SERVERS, shareZip } from '../zip/album.ts'

for (const version of SERVERS) {
  for (const name of PATHS) {
    test(`${version}, ${name}: a selection from the form is the same when resumed by GET`, async () => {
      const { library, assets, pathOf } = shareZip(photosOf(12))
      const run = await start({ library, version })
      const wanted = [assets[3]!, assets[7]!, assets[8]!]
      const path = await choose(run, pathOf(name), wanted.map(({ id }) => id))
      assert.match(path, /\/download\?of=[\w.-]+$/)
      const zip = await fetchZip(run, path)
      assert.deepEqual(await namesIn(zip.body), wanted.map(({ name }) => name))
      const repeated = await fetchZip(run, path, { range: 'bytes=40000-' })
      // an album of Immich 2.x has no length in advance, so its zip starts again
      const hasLength = version === '3.1.0' || name.startsWith('chosen')
      assert.equal(repeated.status, hasLength ? 206 : 200)
      const from = hasLength ? 40_000 : 0
      assert.ok(repeated.body.equals(zip.body.subarray(from)))
    })
  }
}

test('the form of a selection counts as a zip while it is read, and has few fields', async () => {
  const { library, assets, path } = shareZip(photosOf(40))
  const run = await start({ library })
  const from = (visitor: number) => ({ 'x-forwarded-for': `203.0.113.${visitor}` })
  const ids = JSON.stringify([assets[0]!.id])
  // two forms of one visitor whose last byte does not come
  const slow = [0, 1].map(() => {
    const socket = run.socket().on('error', () => {})
    const headers = 'Host: x\r\nX-Forwarded-For: 203.0.113.1\r\nContent-Length: 60'
    socket.write(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\nassets=`)
    return socket
  })
  const post = (visitor: number, body = `assets=${encodeURIComponent(ids)}`) =>
    run.get(path, { method: 'POST', headers: from(visitor), body }).then(({ status }) => status)
  await until(async () => await post(1) === 503, 'both slots of this visitor to be taken')
  assert.equal(await post(2), 303)
  for (const socket of slow) socket.destroy()
  await until(async () => await post(1) === 303, 'the slots to be free again')
  assert.equal(await post(1, `${'&'.repeat(400)}assets=${encodeURIComponent(ids)}`), 404)
  for (const nested of [`{"assets":${'['.repeat(900)}`, `{"assets":[${ids}]}`]) {
    const headers = { 'content-type': 'application/json' }
    assert.equal((await run.get(path, { method: 'POST', headers, body: nested })).status, 404)
  }
  assert.equal(await post(1, `assets=${'['.repeat(900)}${']'.repeat(900)}`), 404)
  assert.ok(!run.lines.some(line => line.includes('unexpected')))
})

test('the plan of a selection is made once for all requests for it', async () => {
  const { library, assets, path } = shareZip(photosOf(6))
  const run = await start({ library })
  const chosen = await choose(run, path, [assets[1]!.id, assets[4]!.id])
  for (let n = 0; n < 3; n++) assert.equal((await run.get(chosen, { method: 'HEAD' })).status, 200)
  const zip = await fetchZip(run, chosen)
  assert.ok((await fetchZip(run, chosen, { range: 'bytes=20000-' })).body.equals(zip.body.subarray(20_000)))
  assert.equal(run.immich.count('/api/download/info'), 1)
  // who has it already gets nothing, and Immich is not asked for a file
  run.immich.asked.length = 0
  const { headers } = await fetchZip(run, chosen, { 'if-none-match': zip.headers.etag! })
  assert.deepEqual([headers['content-length'], run.immich.asked.length], [undefined, 0])
})

test('a selection from a list that has changed since is not found', async () => {
  const { library, assets, path, album } = shareZip(photosOf(6))
  const run = await start({ library })
  const chosen = await choose(run, path, [assets[1]!.id])
  const other = await start({ library })
  assert.equal((await fetchZip(other, chosen)).status, 200, 'at any replica')
  library.albums.get(album.album!)!.assets.shift()
  const changed = await start({ library })
  assert.equal((await fetchZip(changed, chosen)).status, 404)
})

test('a selection in JSON works too; photos that are not in the link are not found', async () => {
  const { library, assets, path } = shareZip(photosOf(5))
  const run = await start({ library })
  const two = [assets[3]!.id, assets[1]!.id]
  const post = (assets: unknown) => run.get(path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ assets })
  })
  assert.equal((await post(two)).status, 303)
  for (const wrong of [[], ['x'], [...two, newId('other')], {}, null, 'x']) {
    assert.equal((await post(wrong)).status, 404, JSON.stringify(wrong))
  }
  // a damaged choice is never taken for all of them; what a chat adds to an address does no harm
  const { headers: { location } } = await post(two)
  for (const name of ['of=', 'of=x', 'of=0123456789.AAAA', 'a=b&of=x', `of=${'a'.repeat(9000)}`]) {
    assert.equal((await run.get(`${path}?${name}`)).status, 404, name.slice(0, 20))
  }
  const added = await fetchZip(run, `${location}&utm_source=x`)
  assert.equal((await namesIn(added.body)).length, 2)
})

for (const version of SERVERS) {
  test(`${version}: HEAD gives the length if a GET has one, and fetches no file`, async () => {
    const { library, pathOf } = shareZip(photosOf(8))
    const run = await start({ library, version })
    for (const name of PATHS) {
      const head = await run.get(pathOf(name), { method: 'HEAD' })
      assert.equal(head.status, 200)
      assert.equal(run.immich.count(/original$/), 0)
      const zip = await fetchZip(run, pathOf(name))
      const hasLength = version === '3.1.0' || name.startsWith('chosen')
      assert.equal(head.headers['content-length'], hasLength ? String(zip.body.length) : undefined)
      assert.equal(head.headers.etag, zip.headers.etag)
      assert.equal(zip.headers['cache-control'], 'no-store')
      run.immich.asked.length = 0
    }
  })
}

test('HEAD holds no slot: any number of them leaves room for a zip, and they share one plan', async () => {
  const { library, path } = shareZip(photosOf(300))
  const run = await start({ library, ipp: { limits: { zips: 1 } } })
  for (let n = 0; n < 10; n++) assert.equal((await run.get(path, { method: 'HEAD' })).status, 200)
  assert.equal((await fetchZip(run, path)).status, 200)
  assert.equal(run.immich.count('/api/download/info'), 1)
})

test('a visitor who leaves while a plan is being made does not end it for another', async () => {
  const { library, path } = shareZip(photosOf(5))
  const run = await start({ library, ipp: { limits: { zips: 8 } } })
  const release = hold(run, /download\/info$/)
  const leaver = run.socket()
  leaver.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.1\r\n\r\n`)
  await until(() => run.immich.count('/api/download/info') === 1, 'the plan')
  const stays = ask(run.base, path, { headers: { 'x-forwarded-for': '203.0.113.2' } })
  leaver.destroy()
  await new Promise(resolve => setTimeout(resolve, 50))
  release()
  const zip = await stays
  assert.deepEqual([zip.status, zip.complete], [200, true])
  assert.equal(run.immich.count('/api/download/info'), 1)
})

test('no more zips at once than allowed, and everything ends when the visitor leaves', async () => {
  const library = emptyLibrary()
  const original = { size: 50_000_000, type: 'image/jpeg' }
  const { key } = addLink(library, 'large', {}, Array.from({ length: 20 }, (_, n) => photo(n, { original })))
  const run = await start({ library, ipp: { limits: { zips: 2 } } })
  const path = `/share/${key}/download`
  const sockets = [1, 2].map(n => {
    const socket = run.socket()
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.${n}\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open >= 4, 'two zips')
  const third = await run.get(path, { headers: { ...HTML, 'x-forwarded-for': '203.0.113.3' } })
  assert.equal(third.status, 503)
  assert.ok(Number(third.headers['retry-after']) > 0)
  assert.ok(run.immich.open <= 4, 'opened as the visitor takes bytes')
  for (const socket of sockets) socket.destroy()
  await until(() => run.immich.open === 0, 'Immich to be freed')
  const part = await ask(run.base, path, { headers: { range: 'bytes=0-9' } })
  assert.equal(part.body.length, 10)
  await until(() => run.immich.open === 0, 'Immich to be freed after a part')
})

test('a visitor who leaves before the zip begins takes no slot', async () => {
  const { library, path } = shareZip(photosOf(5))
  const run = await start({ library, ipp: { limits: { zips: 1 } } })
  const release = hold(run, /shared-links\/me$/)
  const socket = run.socket()
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await until(() => run.immich.asked.length === 1, 'the lookup')
  socket.destroy()
  release()
  await until(async () => (await fetchZip(run, path, { range: 'bytes=0-9' })).status === 206, 'a free slot')
})

for (const [quality, names] of [
  ['original', ['0.jpg', '1.heic', 'film.mp4', 'moving.mp4']],
  ['fullsize', ['0.jpg', '1.webp', 'film.mp4', 'moving.mp4']],
  ['preview', ['0_preview.jpg', '1_preview.jpg', 'film.mp4', 'moving.mp4']]
] as const) {
  test(`a zip in ${quality} quality gives its files the extensions of their types`, async () => {
    const part = video(1, { id: newId('moving part'), name: 'moving.mp4', visibility: 'hidden' })
    const [shown, raw] = photosOf(2)
    const heic = {
      name: '1.heic',
      mime: 'image/heic',
      motion: part.id,
      original: { bytes: Buffer.from('raw'), type: 'image/heic' },
      fullsize: { bytes: Buffer.from('full size'), type: 'image/webp' }
    }
    const assets = [shown!, { ...raw!, ...heic }, video(2, { name: 'film.mp4' })]
    const { library, pathOf } = shareZip(assets, [part])
    const run = await start({ library, ipp: { maxDownloadQuality: quality } })
    for (const path of [pathOf('album by key'), pathOf('chosen photos by key')]) {
      const found = await namesIn((await fetchZip(run, path)).body)
      assert.deepEqual(found.map(name => name.replace('.jpeg', '.jpg')).sort(), names)
    }
  })
}

test('a link without downloads, or an operator without zips, has none', async () => {
  const { library, path, album } = shareZip(photosOf(2))
  assert.equal((await fetchZip(await start({ library, ipp: { allowDownloadAll: 0 } }), path)).status, 404)
  album.allowDownload = false
  assert.equal((await fetchZip(await start({ library }), path)).status, 404)
})
