/** The JSON that the parsers accept from Immich. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clock, HTML, start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { entriesOf } from '../unzip.ts'

test('JSON that differs from the recordings is rejected', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const assets = [photo(1), photo(2), photo(3)]
  const ids = assets.map(({ id }) => id)
  const chosen = addLink(library, 'chosen', {}, assets).key
  const album = addLink(library, 'album', {
    album: addAlbum(library, 'Album', assets, { cover: ids[2]! })
  }).key
  const run = await start({ library, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
  const recorded = async (key: string) =>
    await (await fetch(`${run.immich.url}/api/shared-links/me?key=${key}`)).json() as Record<string, any>
  /** The listed ids, or the status, where Immich answers a call with `answer`. */
  const listed = async (key: string, call: string, value: unknown) => {
    ahead(61_000)
    run.immich.fault = ({ path }) => path.endsWith(call) ? { body: JSON.stringify(value) } : undefined
    const response = await run.get(`/share/items/${key}/0`)
    return response.status === 200 ? response.json().id : response.status
  }
  const [link, own] = [await recorded(chosen), await recorded(album)]
  const [first, second, third] = link.assets
  const choose = async (assets: unknown[], more = {}) =>
    (await listed(chosen, 'shared-links/me', { ...link, assets, ...more })).sort(
      (a: string, b: string) => ids.indexOf(a) - ids.indexOf(b)
    )
  assert.deepEqual(await choose([first, null, 'x', 7, [], third]), [ids[0], ids[2]])
  for (const wrong of [
    { type: 'AUDIO' }, { type: undefined }, { id: '../x' }, { id: undefined },
    { isTrashed: true }, { visibility: 'locked' }
  ]) {
    assert.deepEqual(
      await choose([first, { ...second, ...wrong }, third]), [ids[0], ids[2]], JSON.stringify(wrong)
    )
  }
  assert.deepEqual(await choose([first], { album: own.album }), [ids[0]])
  for (const wrong of [
    null, [], 'x', {}, { ...link, type: 'OTHER' }, { ...link, key: 'a b' }, { ...link, key: undefined }
  ]) {
    assert.equal(await listed(chosen, 'shared-links/me', wrong), 503, JSON.stringify(wrong)?.slice(0, 60))
  }
  for (const wrong of [{ album: null }, { album: { ...own.album, id: '../x' } }, { type: undefined }]) {
    assert.equal(
      await listed(album, 'shared-links/me', { ...own, ...wrong }), 503, JSON.stringify(wrong).slice(0, 60)
    )
  }
  const month = { timeBucket: '2026-01-01', count: 1 }
  for (const wrong of [
    null, {}, { length: 0 }, [null], [{}], [{ timeBucket: '2026-01' }],
    Array.from({ length: 5001 }, () => month)
  ]) {
    assert.equal(await listed(album, 'timeline/buckets', wrong), 503, JSON.stringify(wrong).slice(0, 60))
  }
  assert.equal(run.immich.count(/timeline\/bucket$/), 0)
  // an unreadable month costs that month only
  run.immich.fault = () => undefined
  const buckets = `${run.immich.url}/api/timeline/buckets?key=${album}&albumId=${own.album.id}`
  const [known] = await (await fetch(buckets)).json()
  for (const wrong of [null, {}, { timeBucket: '2026-01' }, { timeBucket: '-0044-03-15' }]) {
    const shown = await listed(album, 'timeline/buckets', [known, wrong])
    assert.ok(Array.isArray(shown), String(shown))
    assert.deepEqual(shown.toSorted(), ids.toSorted(), JSON.stringify(wrong))
    run.immich.fault = () => undefined
    // the page's script has these words too
    const { text } = await run.get(`/share/${album}`, { headers: HTML })
    assert.match(text, /role="status">Some photos can’t be shown/)
  }
  for (const archives of [undefined, null, 7]) {
    run.immich.fault = ({ path }) =>
      path.endsWith('download/info') ? { status: 201, body: JSON.stringify({ archives }) } : undefined
    assert.equal((await run.get(`/share/${chosen}/download`)).status, 503, String(archives))
  }
  for (const wrong of [null, [], {}, { id: 7 }]) {
    run.immich.fault = ({ path }) => path.endsWith(ids[0]!) ? { body: JSON.stringify(wrong) } : undefined
    assert.equal((await run.get(`/share/meta/${chosen}/${ids[0]}`)).status, 503, JSON.stringify(wrong))
  }
  // with invalid sizes the zip has no length, but all its files
  const sizes = ['x', null, 1.5, 1e99].map(size => ids.map(id => ({ assetIds: [id], size })))
  for (const archives of [
    ...sizes, [{ assetIds: ids, size: 12 }], [{ assetIds: ['x'], size: 12 }], [null], []
  ]) {
    const other = await start({ library })
    other.immich.fault = ({ path }) =>
      path.endsWith('download/info') ? { status: 201, body: JSON.stringify({ archives }) } : undefined
    const zip = await other.get(`/share/${chosen}/download`)
    const given = [zip.status, zip.headers['content-length'], (await entriesOf(zip.body)).length]
    assert.deepEqual(given, [200, undefined, 3], JSON.stringify(archives))
  }
  // a missing column does not cost the others
  ahead(61_000)
  run.immich.fault = ({ path }) =>
    path.endsWith('timeline/bucket')
      ? { body: JSON.stringify({ id: [ids[0]], fileCreatedAt: ['2026-01-02T03:04:05.000'] }) }
      : undefined
  const { time } = (await run.get(`/share/items/${album}/0`)).json()
  assert.deepEqual(time, [Date.UTC(2026, 0, 2, 3, 4, 5) / 1000])
  // valid JSON is accepted: the owner's own cover
  run.immich.fault = () => undefined
  ahead(61_000)
  const { text } = await run.get(`/share/${album}`, { headers: { ...HTML, host: 'p.example' } })
  assert.ok(text.includes(`og:image" content="http://p.example/share/photo/${album}/${ids[2]}/preview`))
})
