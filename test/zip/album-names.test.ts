/** How a zip gets the names and edited sizes of an album in advance, and its form without them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clock, start } from '../helpers.ts'
import { video } from '../library.ts'
import { newId } from '../standin.ts'
import { choose, fetchZip, namesIn, photosOf, SERVERS, shareZip } from './album.ts'

const edited = (n: number) => n % 2 ? { edited: true, announced: 5 } : {}

for (const name of ['album by key', 'chosen photos by key'] as const) {
  test(`3.1.0, ${name}: edited photos have their size at once, so the first zip is right`, async () => {
    const { library, assets, pathOf } = shareZip(photosOf(10, edited))
    const run = await start({ library })
    const zip = await fetchZip(run, pathOf(name))
    assert.deepEqual([zip.complete, zip.headers['content-length']], [true, String(zip.body.length)])
    assert.deepEqual(await namesIn(zip.body), assets.map(({ name }) => name))
  })
}

test('more than 1,000 names are requested page by page, and only for the link\'s album', async () => {
  const { library, path, album } = shareZip(
    photosOf(1002, n => ({ original: { size: 10, type: 'image/jpeg' }, name: `${n}.jpg` }))
  )
  const run = await start({ library })
  const head = await run.get(path, { method: 'HEAD' })
  assert.ok(Number(head.headers['content-length']) > 0)
  const calls = run.immich.asked.filter(({ path }) => path === '/api/search/metadata')
  assert.deepEqual(calls.map(({ body }) => JSON.parse(body)), [1, 2].map(page =>
    ({ albumIds: [album.album], size: 1000, page })))
  assert.ok(calls.every(({ method, query }) => method === 'POST' && query.get('key') === album.key))
})

test('names are read once for all selections from an album', async () => {
  const { library, assets, path } = shareZip(photosOf(6))
  const run = await start({ library })
  for (const { id, name } of assets) {
    const chosen = await choose(run, path, [id])
    assert.ok(Number((await run.get(chosen, { method: 'HEAD' })).headers['content-length']) > 0)
    assert.deepEqual(await namesIn((await fetchZip(run, chosen)).body), [name])
  }
  assert.equal(run.immich.count('/api/search/metadata'), 1)
})

test('names are requested only for open links, and only for links with downloads', async () => {
  const { library, path, album } = shareZip(photosOf(3))
  album.password = 'secret'
  const run = await start({ library })
  assert.notEqual((await fetchZip(run, path)).status, 200)
  album.password = null
  album.allowDownload = false
  const other = await start({ library })
  assert.equal((await fetchZip(other, path)).status, 404)
  assert.equal(run.immich.count('/api/search/metadata') + other.immich.count('/api/search/metadata'), 0)
})

test('if Immich does not give names, a zip has no length', async () => {
  const { library, assets, path } = shareZip(photosOf(6, edited))
  for (const status of [400, 403, 404, 500]) {
    const run = await start({ library })
    run.immich.fault = ({ path }) => path === '/api/search/metadata' ? { status } : undefined
    const zip = await fetchZip(run, path)
    assert.deepEqual([zip.status, zip.complete, zip.headers['content-length']], [200, true, undefined])
    assert.deepEqual(await namesIn(zip.body), assets.map(({ name }) => name))
  }
})

test('an Immich that goes on giving names is asked for a bounded number of pages', async () => {
  const { library, path } = shareZip(photosOf(3))
  const run = await start({ library })
  let pages = 0
  run.immich.fault = ({ path }) => {
    if (path !== '/api/search/metadata') return undefined
    return { body: JSON.stringify({ assets: { items: [], nextPage: ++pages < 300 ? '2' : null } }) }
  }
  assert.equal((await run.get(path, { method: 'HEAD' })).status, 200)
  assert.equal(run.immich.count('/api/search/metadata'), 250)
})

test('edited photos whose sizes do not come in time leave the zip without a length', async context => {
  const ahead = clock(context)
  const { library, assets, path } = shareZip(photosOf(40, edited))
  const run = await start({ library })
  const asked = () => run.immich.asked.filter(({ method }) => method === 'HEAD').length
  // each takes a second, four at a time, so after five there is no time for the rest
  run.immich.fault = ({ method }) => { if (method === 'HEAD') ahead(1000); return undefined }
  const head = await run.get(path, { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length']], [200, undefined])
  assert.ok(asked() >= 5 && asked() < assets.length / 2, `${asked()} sizes`)
})

test('2.7.5: an album with edited photos is whole at the first try, without a length', async () => {
  const { library, assets, path } = shareZip(photosOf(10, edited))
  const zip = await fetchZip(await start({ library, version: '2.7.5' }), path)
  assert.deepEqual(
    [zip.complete, zip.headers['content-length'], zip.headers.etag], [true, undefined, undefined]
  )
  assert.deepEqual(await namesIn(zip.body), assets.map(({ name }) => name))
})

test('a wrong size from Immich breaks one zip; the next has no length and is whole', async () => {
  const { library, path } = shareZip(photosOf(8, n => n === 4 ? { announced: 12 } : {}))
  const run = await start({ library })
  assert.equal((await fetchZip(run, path)).complete, false)
  const second = await fetchZip(run, path)
  assert.deepEqual([second.complete, second.headers['content-length']], [true, undefined])
  assert.equal((await namesIn(second.body)).length, 8)
})

for (const version of SERVERS) {
  test(`${version}: names that may not be shown are ids, unique and the same at each try`, async () => {
    const part = video(1, { id: newId('part'), name: 'secret.mp4', visibility: 'hidden' })
    const assets = photosOf(5, n => n === 1 ? { name: 'secret.jpg', motion: part.id } : {})
    const { library, pathOf, album, chosen } = shareZip(assets, [part])
    album.showMetadata = false
    chosen.showMetadata = false
    for (const name of ['album by key', 'chosen photos by key'] as const) {
      const run = await start({ library, version })
      const [first, second] = [await fetchZip(run, pathOf(name)), await fetchZip(run, pathOf(name))]
      const names = await namesIn(first.body)
      assert.deepEqual(await namesIn(second.body), names)
      assert.equal(new Set(names).size, 6)
      for (const name of names) assert.match(name, /^[\da-f-]{36}\.(jpg|mp4)$/)
    }
  })
}
