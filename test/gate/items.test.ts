/** The list of a link, its order, and how soon it shows a change at Immich. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseKey } from '../../src/validate.ts'
import { clock, HTML, start, until, VISITOR } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { VERSIONS } from '../standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    const run = await start({ version, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { links, library } = run
    const ids = async (key: string) => (await run.get(`/share/items/${key}/0`)).json().id as string[]

    test('an album lists everything, in its own order', async () => {
      const album = library.albums.get(links.album.album!)!
      const taken = (id: string) => library.assets.get(id)!.taken
      assert.deepEqual([...await ids(links.album.key)].sort(), [...album.assets].sort())
      const newest = (await ids(links.album.key)).map(taken)
      assert.deepEqual(newest, [...newest].sort((a, b) => b - a))
      const oldest = (await ids(links.slug.key)).map(taken)
      assert.deepEqual(oldest, [...oldest].sort((a, b) => a - b))
    })

    test('times are local and durations in seconds, whatever format the version uses', async () => {
      const { id, time, duration } = (await run.get(`/share/items/${links.album.key}/0`)).json()
      id.forEach((id: string, n: number) => {
        const asset = library.assets.get(id)!
        assert.equal(time[n], Math.round((asset.taken + asset.offsetHours * 3_600_000) / 1000))
        const seconds = Math.round((asset.duration ?? 0) / 1000)
        const told = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
        assert.equal(duration[n], seconds ? told : '')
      })
    })

    test('360° photos are recognised, in albums and among chosen photos', async () => {
      const around = photo(700, { exif: { projectionType: 'EQUIRECTANGULAR' } })
      const chosen = [photo(701), around]
      for (const link of [
        addLink(library, 'around', { album: addAlbum(library, 'Around', chosen) }),
        addLink(library, 'around chosen', {}, chosen)
      ]) {
        const { id, sphere } = (await run.get(`/share/items/${link.key}/0`)).json()
        assert.deepEqual(sphere.map((n: number) => id[n]), [around.id])
        assert.match(
          (await run.get(`/share/${link.key}`, { headers: HTML })).text, /title="360° photo">360°</
        )
      }
    })

    test('an album of 3,000', async () => {
      const library = emptyLibrary()
      const album = addAlbum(
        library, 'big', Array.from({ length: 3000 }, (_, n) => photo(n, { name: `big${n}` }))
      )
      const { key } = addLink(library, 'big', { album })
      const big = await start({ version, library })
      assert.equal((await big.get(`/share/${key}`, { headers: HTML })).status, 200)
      const seen = new Set()
      for (let n = 0; n < 6; n++) {
        for (const id of (await big.get(`/share/items/${key}/${n}`)).json().id) seen.add(id)
      }
      assert.equal(seen.size, 3000)
      assert.equal((await big.get(`/share/items/${key}/6`)).status, 404)
    })
  })
}

for (const version of VERSIONS) {
  describe(`Immich ${version}`, () => {
    test('months are requested with time and zone, whatever the zone of the database session', async () => {
      const run = await start({ version })
      run.immich.zone = 2
      assert.equal((await run.get(`/share/items/${run.links.album.key}/0`)).json().id.length, 97)
      for (const { path, query } of run.immich.asked) if (path.endsWith('timeline/bucket')) {
        assert.match(query.get('timeBucket')!, /^\d{4}-\d\d-01T00:00:00\.000Z$/)
      }
    })
  })
}

test('an album whose order alone has changed shows it', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  // one photo a month, so that no month differs
  const assets = [1, 2, 3].map(month => photo(month, { taken: Date.UTC(2020, month, 1) }))
  const album = addAlbum(library, 'Turned', assets)
  const { key } = addLink(library, 'turned', { album })
  const run = await start({ library })
  const ids = async () => (await run.get(`/share/items/${key}/0`)).json().id as string[]
  const first = await ids()
  library.albums.get(album)!.order = 'asc'
  ahead(61_000)
  assert.deepEqual(await ids(), first.toReversed())
})

test('a link that has not changed keeps its share, so that nothing is made again from it', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const assets = [photo(1), photo(2), photo(3, { taken: Date.UTC(2020, 1, 1) })]
  const album = addAlbum(library, 'Unchanged', assets)
  const ofAlbum = addLink(library, 'unchanged', { album })
  const chosen = addLink(library, 'chosen', {}, assets)
  for (const link of [ofAlbum, chosen]) {
    const run = await start({ library })
    const open = () => run.proxy.app.gate.open({ key: parseKey(link.key)! }, VISITOR)
    const first = await open()
    const lookups = () => run.immich.asked.filter(({ path, closed }) => closed && path.endsWith('/me')).length
    ahead(61_000)
    assert.equal(await open(), first)
    assert.equal(lookups(), 2)
    link.description = 'another'
    ahead(61_000)
    const second = await open()
    assert.notEqual(second, first)
    if (link === ofAlbum) assert.equal(second.items, first.items)
    // the only photo of its month, whose absence changes no other month
    library.assets.get(assets[2]!.id)!.trashed = true
    ahead(61_000)
    assert.equal((await open()).items.length, 2)
    library.assets.get(assets[2]!.id)!.trashed = false
    ahead(61_000)
    library.albums.get(album)!.order = 'asc'
    const ascending = (await open()).items.map(({ id }) => id)
    if (link !== ofAlbum) continue
    assert.notDeepEqual(ascending, first.items.map(({ id }) => id))
    // a photo in place of another: as many as before, of the same days
    const other = photo(4, { taken: Date.UTC(2020, 1, 1) })
    library.assets.set(other.id, other)
    library.albums.get(album)!.assets.splice(2, 1, other.id)
    ahead(61_000)
    assert.ok((await open()).items.some(({ id }) => id === other.id))
  }
})

test('a change at Immich shows within a minute, and unchanged months cost nothing', async context => {
  context.mock.timers.enable({ apis: ['Date'] })
  const real = performance.now.bind(performance)
  let ahead = 0
  context.mock.method(performance, 'now', () => real() + ahead)
  const library = emptyLibrary()
  const assets = Array.from({ length: 40 }, (_, n) => photo(n, { taken: Date.UTC(2026, n % 8, 10, 0, n) }))
  const album = addAlbum(library, 'months', assets)
  const { key } = addLink(library, 'months', { album })
  const run = await start({ library })
  const count = async () => (await run.get(`/share/items/${key}/0`)).json().id.length
  assert.equal(await count(), 40)
  assert.equal(run.immich.count('/api/timeline/bucket'), 8)
  library.assets.get(assets[0]!.id)!.trashed = true
  ahead += 20_000
  assert.equal(await count(), 40, 'twenty seconds old is fresh')
  assert.equal(run.immich.count('/api/shared-links/me'), 1)
  ahead += 20_000
  run.immich.asked.length = 0
  assert.equal(await count(), 40, 'forty seconds old serves while a new one loads')
  await until(
    () => run.immich.count('/api/timeline/bucket') === 8 && run.immich.asked.every(({ closed }) => closed)
  )
  assert.equal(await count(), 39)
  assert.equal((await run.get(`/share/photo/${key}/${assets[0]!.id}/thumbnail`)).status, 404)
  const buckets = run.immich.asked.filter(({ path }) => path.endsWith('/bucket'))
  assert.ok(buckets.every(({ headers }) => headers['if-none-match']))
  // revoked: within the minute at the latest
  library.links.length = 0
  ahead += 61_000
  assert.equal((await run.get(`/share/${key}`)).status, 404)
})

test('a chosen photo that is removed or locked is gone within a minute', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const { key, assets } = addLink(library, 'removed', {}, [photo(1), photo(2), photo(3)])
  const gone = assets!.slice(0, 2)
  const run = await start({ library })
  const count = async () => (await run.get(`/share/items/${key}/0`)).json().id.length
  assert.equal(await count(), 3)
  ahead(29_000)
  assert.equal(await count(), 3)
  library.assets.get(assets![0]!)!.visibility = 'locked'
  library.links[0]!.assets!.splice(1, 1)
  ahead(32_000)
  assert.equal(await count(), 1)
  for (const id of gone) assert.equal((await run.get(`/share/photo/${key}/${id}/thumbnail`)).status, 404)
})

test('a failed month: the page shows the others with a notice, and there is no zip', async () => {
  const library = emptyLibrary()
  const taken = (n: number) => ({ taken: Date.UTC(2026, n % 4, 3) })
  const album = addLink(library, 'months', {
    album: addAlbum(library, 'Months', Array.from({ length: 12 }, (_, n) => photo(n, taken(n))))
  })
  const single = addLink(library, 'single', { album: addAlbum(library, 'One', [photo(20), photo(21)]) })
  const run = await start({ library })
  const months: string[] = []
  let isFailing = true
  run.immich.fault = ({ path, query }) => {
    if (!path.endsWith('timeline/bucket')) return undefined
    months.push(query.get('timeBucket')!)
    return isFailing && query.get('timeBucket') === months[0] ? { status: 500 } : undefined
  }
  const { key } = album
  const page = await run.get(`/share/${key}`, { headers: HTML })
  assert.equal(page.status, 200)
  assert.match(page.text, /role="status">Some photos can’t be shown just now/)
  const { id } = (await run.get(`/share/items/${key}/0`)).json()
  assert.equal(id.length, 9)
  assert.equal((await run.get(`/share/${key}/download`)).status, 503)
  assert.equal((await run.get(`/share/photo/${key}/${id[0]}/thumbnail`)).status, 200)
  assert.equal(new Set(months).size, months.length, 'none is asked for again by each picture')
  const warnings = run.lines.filter(line => line.startsWith('warn Immich failed to list a month'))
  assert.deepEqual(warnings.map(line => line.includes(months[0]!)), [true])
  // if every month fails, there is no album to show
  isFailing = false
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { status: 500 } : undefined
  assert.equal((await run.get(`/share/${single.key}`, { headers: HTML })).status, 503)
  // nor if its JSON is invalid
  for (const body of ['{}', '[]', 'null', '{"id":{}}', '{"id":["x"]}', '<html>']) {
    run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { body } : undefined
    assert.equal((await run.get(`/share/${single.key}`, { headers: HTML })).status, 503, body)
  }
  // nor if Immich says that a month has not changed which it never gave
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { status: 304, body: '' } : undefined
  assert.equal((await run.get(`/share/${single.key}`, { headers: HTML })).status, 503)
  // Immich stops answering halfway
  const other = await start({ library })
  let count = 0
  other.immich.fault = ({ path }) =>
    path.endsWith('timeline/bucket') && count++ > 0 ? { status: 503 } : undefined
  assert.equal((await other.get(`/share/${key}`, { headers: HTML })).status, 503)
})

test('an endless month, or an endless list of months, does not hold it up', async () => {
  const run = await start()
  const months = JSON.stringify(
    Array.from({ length: 20_000 }, () => ({ timeBucket: '2026-01-01', count: 1 }))
  )
  run.immich.fault = ({ path }) => path.endsWith('timeline/buckets') ? { body: months } : undefined
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 503)
  assert.equal(run.immich.count(/timeline\/bucket$/), 0)
})

test('a cover that is in the trash or in another album is replaced by the first photo', async () => {
  const run = await start()
  const album = run.library.albums.get(run.links.visibility.album!)!
  for (const cover of [run.assets.trashed.id, run.assets.hidden.id, run.assets.notShared.id]) {
    album.cover = cover
    const other = await start({ library: run.library })
    const { text } = await other.get(`/share/${run.links.visibility.key}`, {
      headers: { ...HTML, host: 'p.example' }
    })
    const image = /og:image" content="http:\/\/p\.example([^"]*)"/.exec(text)![1]!
    assert.equal((await other.get(image)).status, 200)
  }
})

test('years and offsets out of range cause no error', async () => {
  const library = emptyLibrary()
  const { key } = addLink(library, 'old', { album: addAlbum(library, 'Old', [photo(1), photo(2)]) })
  const run = await start({ library, ipp: { groupByDate: 'day' } })
  const body = JSON.stringify({
    id: [...library.assets.keys()], isImage: [true, true], ratio: [1, 1],
    fileCreatedAt: ['+275760-09-13T00:00:00', '-271821-04-20T00:00:00'],
    localOffsetHours: [1e300, -99], thumbhash: ['ab_-', 7]
  })
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { body } : undefined
  const page = await run.get(`/share/${key}`, { headers: HTML })
  assert.equal(page.status, 200)
  assert.deepEqual((await run.get(`/share/items/${key}/0`)).json().thumbhash, ['', ''])
})

test('marks: four characters per item, in the list\'s order, with its version', async () => {
  const run = await start()
  const { id, version } = (await run.get(`/share/items/${run.links.album.key}/0`)).json()
  const marks = (await run.get(`/share/marks/${run.links.album.key}`)).json()
  const expected = id.map((id: string) => Buffer.from(id.slice(0, 6), 'hex').toString('base64')).join('')
  assert.deepEqual(marks, { version, marks: expected })
  assert.equal((await run.get(`/share/marks/${run.links.password.key}`)).status, 404)
})
