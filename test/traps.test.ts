/** What real Immich servers and pasted links do that one would not expect; see `immich-api/README.md` of the design. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { addAlbum, addLink, emptyLibrary, photo, video } from './library.ts'
import { HTML, start } from './helpers.ts'
import { VERSIONS } from './standin.ts'
import { entriesOf } from './unzip.ts'

const namesIn = async (zip: Buffer): Promise<Record<string, number>> =>
  Object.fromEntries((await entriesOf(zip)).map(({ name, size }) => [name, size]))
const bytes = (size: number, fill = 'x') => ({ bytes: Buffer.alloc(size, fill), type: 'image/jpeg' })
/** A clock that can be put ahead. */
function clock (context: { mock: { method: (object: any, name: any, by: any) => unknown } }) {
  const real = performance.now.bind(performance)
  let ahead = 0
  context.mock.method(performance, 'now', () => real() + ahead)
  return (ms: number) => { ahead += ms }
}

for (const version of VERSIONS) {
  describe(`Immich ${version}`, () => {
    test('months are asked for with their time and zone, whatever the zone of the database session', async () => {
      const run = await start({ version })
      run.immich.zone = 2
      assert.equal((await run.get(`/share/items/${run.links.album.key}/0`)).json().id.length, 97)
      for (const { path, query } of run.immich.asked) if (path.endsWith('timeline/bucket')) assert.match(query.get('timeBucket')!, /^\d{4}-\d\d-01T00:00:00\.000Z$/)
    })

    test('each day has one heading, in albums and among chosen photos', async () => {
      const library = emptyLibrary()
      const day = Date.UTC(2026, 6, 1)
      // by UTC one after another; by their own clocks 2, 1, 2 July
      const assets = [[23, 2], [23.5, -10], [23.6, 2], [10, 0]].map(([hour, offsetHours], n) => photo(n, { taken: day + hour! * 3_600_000, offsetHours: offsetHours! }))
      const run = await start({ version, library, ipp: { groupByDate: 'day' } })
      const links = [addLink(library, 'chosen', {}, assets), addLink(library, 'album', { album: addAlbum(library, 'Days', assets) })]
      for (const { key } of links) {
        const { text } = await run.get(`/share/${key}`, { headers: HTML })
        assert.deepEqual([...text.matchAll(/<h2>([^<]*)/g)].map(([, name]) => name!.trim()), ['Thu, Jul 2, 2026', 'Wed, Jul 1'])
      }
    })
  })
}

test('what Immich packs although it was asked not to is not believed', async () => {
  const run = await start()
  const body = gzipSync(JSON.stringify({ res: 'pong' }))
  run.immich.fault = ({ path }) => path.endsWith('/ping') ? { body, headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' } } : undefined
  assert.equal((await run.get('/healthcheck')).status, 503)
  run.immich.fault = ({ path }) => path.endsWith('/ping') ? { body: '{"res":"pong"}', headers: { 'content-type': 'application/json' } } : undefined
  assert.equal((await run.get('/healthcheck')).status, 200)
})

test('slugs that Immich cannot have are not asked for', async () => {
  const run = await start()
  for (const slug of ['a%0Ab', '%00', 'a%7F', 'a%C2%85b', '%ED%A0%80']) assert.equal((await run.get(`/s/${slug}`, { headers: HTML })).status, 404, slug)
  assert.deepEqual(run.immich.asked, [])
})

test('a month that gives less than it announces is said once', async () => {
  const sound = await start()
  await sound.get(`/share/${sound.links.album.key}`)
  assert.deepEqual(sound.lines.filter(line => line.startsWith('warn')), [])
  const run = await start()
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { body: JSON.stringify({ id: [] }) } : undefined
  for (const link of [run.links.album, run.links.slug]) await run.get(`/share/${link.key}`)
  assert.equal(run.lines.filter(line => line.startsWith('warn Immich gives less of a month than it announces')).length, 1)
})

test('a month at which Immich fails: the others are shown, with a notice, and no zip pretends to be all', async () => {
  const library = emptyLibrary()
  const taken = (n: number) => ({ taken: Date.UTC(2026, n % 4, 3) })
  const album = addLink(library, 'months', { album: addAlbum(library, 'Months', Array.from({ length: 12 }, (_, n) => photo(n, taken(n)))) })
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
  assert.match(page.text, /role="status">Some photos cannot be shown just now/)
  const { id } = (await run.get(`/share/items/${key}/0`)).json()
  assert.equal(id.length, 9)
  assert.equal((await run.get(`/share/${key}/download`)).status, 503)
  assert.equal((await run.get(`/share/photo/${key}/${id[0]}/thumbnail`)).status, 200)
  assert.equal(new Set(months).size, months.length, 'none is asked for again by each picture')
  // all of them: that is no album any more
  isFailing = false
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { status: 500 } : undefined
  assert.equal((await run.get(`/share/${single.key}`, { headers: HTML })).status, 503)
  // nor is what is no month
  for (const body of ['{}', '[]', 'null', '{"id":{}}', '{"id":["x"]}', '<html>']) {
    run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { body } : undefined
    assert.equal((await run.get(`/share/${single.key}`, { headers: HTML })).status, 503, body)
  }
  // Immich gone in the middle of it
  const other = await start({ library })
  let count = 0
  other.immich.fault = ({ path }) => path.endsWith('timeline/bucket') && count++ > 0 ? { status: 503 } : undefined
  assert.equal((await other.get(`/share/${key}`, { headers: HTML })).status, 503)
})

test('previews in chats: sizes, and a film where the link is one', async () => {
  const library = emptyLibrary()
  const wide = addLink(library, 'wide', { album: addAlbum(library, 'Wide', [photo(1, { width: 3000, height: 2000 }), photo(2)]) })
  const film = addLink(library, 'film', {}, [video(3, { width: 1000, height: 2000 })])
  const run = await start({ library })
  const tags = async (key: string) => Object.fromEntries([...(await run.get(`/share/${key}`, { headers: HTML })).text.matchAll(/property="([^"]*)" content="([^"]*)"/g)].map(([, name, value]) => [name, value]))
  const album = await tags(wide.key)
  assert.deepEqual([album['og:image:width'], album['og:image:height'], album['og:type'], album['og:video']], ['2160', '1440', 'website', undefined])
  const one = await tags(film.key)
  assert.deepEqual([one['og:image:width'], one['og:image:height'], one['og:type']], ['1440', '2880', 'video.other'])
  assert.equal((await run.get(new URL(one['og:video']!).pathname)).headers['content-type'], 'video/mp4')
  const [icon] = /\/share\/static\/[^"]*icon\.png/.exec((await run.get(`/share/${wide.key}`, { headers: HTML })).text)!
  assert.deepEqual([(await run.get(icon)).body.subarray(1, 4).toString(), (await run.get(icon)).headers['content-type']], ['PNG', 'image/png'])
})

test('videos of which Immich has no transcode, where those are not to be played', async () => {
  const library = emptyLibrary()
  const file = (size: number, type: string) => ({ size, type })
  const films = [
    video(1, { mime: 'video/mp4', original: file(5000, 'video/mp4'), playback: file(5000, 'video/mp4') }),
    video(2, { mime: 'video/mp4', original: file(5000, 'video/mp4'), playback: file(3000, 'video/mp4') }),
    video(3, { mime: 'video/quicktime', original: file(5000, 'video/quicktime'), playback: file(5000, 'video/mp4') })
  ]
  const shut = addLink(library, 'shut', { allowDownload: false, showMetadata: false }, films)
  const told = addLink(library, 'told', { allowDownload: false }, films)
  const open = addLink(library, 'open', {}, films)
  const untold = addLink(library, 'untold', { showMetadata: false }, films)
  const statuses = async (key: string, ipp: object) => {
    const run = await start({ library, ipp: { ...ipp } })
    return Promise.all(films.map(async ({ id }) => (await run.get(`/share/video/${key}/${id}`, { headers: { range: 'bytes=0-9' } })).status))
  }
  for (const { key } of [shut, told, open]) assert.deepEqual(await statuses(key, {}), [206, 206, 206])
  const strict = { playOriginalVideos: false }
  // without the file's size nobody can tell; when in doubt, less is given
  assert.deepEqual(await statuses(shut.key, strict), [404, 404, 206])
  assert.deepEqual(await statuses(open.key, strict), [206, 206, 206])
  assert.deepEqual(await statuses(open.key, { ...strict, downloadOriginalPhoto: false }), [404, 206, 206])
  // the original itself may be looked at where downloads are allowed
  assert.deepEqual(await statuses(untold.key, { ...strict, downloadOriginalPhoto: false }), [404, 206, 206])
  // what is looked at only for its headers keeps no place
  const one = await start({ library, ipp: { ...strict, limits: { upstreamStreams: 1 } } })
  for (const n of [1, 2, 1, 2]) assert.equal((await one.get(`/share/video/${told.key}/${films[n]!.id}`)).status, 200)
  const run = await start({ library, ipp: { ...strict, downloadOriginalPhoto: false } })
  const zip = await run.get(`/share/${open.key}/download`)
  assert.deepEqual(Object.keys(await namesIn(zip.body)).filter(name => name.startsWith('not included')).length, 1)
  // one whose length nobody knew is another each time
  assert.deepEqual([zip.headers.etag, zip.headers['content-length'], zip.headers['accept-ranges']], [undefined, undefined, undefined])
})

test('a month without end, or months without end, do not hold it up', async () => {
  const run = await start()
  const months = JSON.stringify(Array.from({ length: 20_000 }, () => ({ timeBucket: '2026-01-01', count: 1 })))
  run.immich.fault = ({ path }) => path.endsWith('timeline/buckets') ? { body: months } : undefined
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 503)
  assert.equal(run.immich.count(/timeline\/bucket$/), 0)
})

test('of what is not as recorded nothing is believed', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const assets = [photo(1), photo(2), photo(3)]
  const ids = assets.map(({ id }) => id)
  const chosen = addLink(library, 'chosen', {}, assets).key
  const album = addLink(library, 'album', { album: addAlbum(library, 'Album', assets, { cover: ids[2]! }) }).key
  const run = await start({ library, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
  const recorded = async (key: string) => await (await fetch(`${run.immich.url}/api/shared-links/me?key=${key}`)).json() as Record<string, any>
  /** What is listed where Immich answers a call so: ids, or a status. */
  const listed = async (key: string, call: string, value: unknown) => {
    ahead(61_000)
    run.immich.fault = ({ path }) => path.endsWith(call) ? { body: JSON.stringify(value) } : undefined
    const answer = await run.get(`/share/items/${key}/0`)
    return answer.status === 200 ? answer.json().id : answer.status
  }
  const [link, own] = [await recorded(chosen), await recorded(album)]
  const [first, second, third] = link.assets
  const choose = async (assets: unknown[], more = {}) =>
    (await listed(chosen, 'shared-links/me', { ...link, assets, ...more })).sort((a: string, b: string) => ids.indexOf(a) - ids.indexOf(b))
  assert.deepEqual(await choose([first, null, 'x', 7, [], third]), [ids[0], ids[2]])
  for (const wrong of [{ type: 'AUDIO' }, { type: undefined }, { id: '../x' }, { id: undefined }, { isTrashed: true }, { visibility: 'locked' }]) {
    assert.deepEqual(await choose([first, { ...second, ...wrong }, third]), [ids[0], ids[2]], JSON.stringify(wrong))
  }
  assert.deepEqual(await choose([first], { album: own.album }), [ids[0]])
  for (const wrong of [null, [], 'x', {}, { ...link, type: 'OTHER' }, { ...link, key: 'a b' }, { ...link, key: undefined }]) {
    assert.equal(await listed(chosen, 'shared-links/me', wrong), 503, JSON.stringify(wrong)?.slice(0, 60))
  }
  for (const wrong of [{ album: null }, { album: { ...own.album, id: '../x' } }, { type: undefined }]) {
    assert.equal(await listed(album, 'shared-links/me', { ...own, ...wrong }), 503, JSON.stringify(wrong).slice(0, 60))
  }
  const month = { timeBucket: '2026-01-01', count: 1 }
  for (const wrong of [null, {}, { length: 0 }, [null], [month, {}], [month, { timeBucket: '2026-01' }], Array.from({ length: 5001 }, () => month)]) {
    assert.equal(await listed(album, 'timeline/buckets', wrong), 503, JSON.stringify(wrong).slice(0, 60))
  }
  assert.equal(run.immich.count(/timeline\/bucket$/), 0)
  for (const archives of [undefined, null, 7]) {
    run.immich.fault = ({ path }) => path.endsWith('download/info') ? { status: 201, body: JSON.stringify({ archives }) } : undefined
    assert.equal((await run.get(`/share/${chosen}/download`)).status, 503, String(archives))
  }
  for (const wrong of [null, [], {}, { id: 7 }]) {
    run.immich.fault = ({ path }) => path.endsWith(ids[0]!) ? { body: JSON.stringify(wrong) } : undefined
    assert.equal((await run.get(`/share/meta/${chosen}/${ids[0]}`)).status, 503, JSON.stringify(wrong))
  }
  // sizes that are none: the zip has no length, and all that is wanted
  const sizes = ['x', null, 1.5, 1e99].map(size => ids.map(id => ({ assetIds: [id], size })))
  for (const archives of [...sizes, [{ assetIds: ids, size: 12 }], [{ assetIds: ['x'], size: 12 }], [null], []]) {
    const other = await start({ library })
    other.immich.fault = ({ path }) => path.endsWith('download/info') ? { status: 201, body: JSON.stringify({ archives }) } : undefined
    const zip = await other.get(`/share/${chosen}/download`)
    const given = [zip.status, zip.headers['content-length'], (await entriesOf(zip.body)).length]
    assert.deepEqual(given, [200, undefined, 3], JSON.stringify(archives))
  }
  // a column that is missing is no reason to lose the others
  ahead(61_000)
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket') ? { body: JSON.stringify({ id: [ids[0]], fileCreatedAt: ['2026-01-02T03:04:05.000'] }) } : undefined
  assert.deepEqual((await run.get(`/share/items/${album}/0`)).json().time, [Date.UTC(2026, 0, 2, 3, 4, 5) / 1000])
  // and what is as recorded is believed: the owner's own cover
  run.immich.fault = () => undefined
  ahead(61_000)
  const { text } = await run.get(`/share/${album}`, { headers: { ...HTML, host: 'p.example' } })
  assert.ok(text.includes(`og:image" content="http://p.example/share/photo/${album}/${ids[2]}/preview`))
})

test('years and offsets out of range are no error', async () => {
  const library = emptyLibrary()
  const { key } = addLink(library, 'old', { album: addAlbum(library, 'Old', [photo(1), photo(2)]) })
  const run = await start({ library, ipp: { groupByDate: 'day' } })
  run.immich.fault = ({ path }) => path.endsWith('timeline/bucket')
    ? { body: JSON.stringify({ id: [...library.assets.keys()], isImage: [true, true], ratio: [1, 1], fileCreatedAt: ['+275760-09-13T00:00:00', '-271821-04-20T00:00:00'], localOffsetHours: [1e300, -99], thumbhash: ['ab_-', 7] }) } : undefined
  const page = await run.get(`/share/${key}`, { headers: HTML })
  assert.equal(page.status, 200)
  assert.deepEqual((await run.get(`/share/items/${key}/0`)).json().thumbhash, ['', ''])
})

test('an edited photo is seen at the next visit after a minute: its address has changed, and so has what is kept', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const one = photo(1, { thumbnail: bytes(400, 'a'), thumbhash: 'AAAAAAAAAAAA' })
  const { key } = addLink(library, 'edited', { album: addAlbum(library, 'Edited', [one, photo(2)]) })
  const run = await start({ library })
  const address = async () => new RegExp(`"(/share/photo/${key}/${one.id}/thumbnail\\?v=\\w+)"`).exec((await run.get(`/share/${key}`, { headers: HTML })).text)![1]!
  const before = await address()
  const first = await run.get(before)
  assert.equal(first.headers['cache-control'], 'public, max-age=2592000')
  Object.assign(library.assets.get(one.id)!, { thumbnail: bytes(400, 'b'), thumbhash: 'BBBBBBBBBBBB' })
  ahead(61_000)
  const now = await address()
  assert.notEqual(now, before)
  assert.ok((await run.get(now)).body.equals(Buffer.alloc(400, 'b')))
  // an address without a version, or with another, is for minutes only
  for (const path of [before, before.split('?')[0]!]) assert.match((await run.get(path)).headers['cache-control']!, /max-age=300$/)
})

test('a small image that is old is asked for again by its tag, and sent on whether it has changed or not', async context => {
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

test('within the minute: a chosen photo that is removed or locked is gone, for list and link are one reading', async context => {
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

test('within the minute: what the owner switches off, and a password that is set or changed', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const link = addLink(library, 'switches', { album: addAlbum(library, 'Switches', [photo(1), photo(2)]) })
  const run = await start({ library, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
  const page = async (headers = {}) => (await run.get(`/share/${link.key}`, { headers: { ...HTML, ...headers } })).text
  assert.match(await page(), /&#34;download&#34;:true[^]*&#34;info&#34;:true/)
  Object.assign(link, { allowDownload: false, showMetadata: false })
  ahead(61_000)
  assert.match(await page(), /&#34;download&#34;:false[^]*&#34;info&#34;:false/)
  assert.equal((await run.get(`/share/${link.key}/download`)).status, 404)
  link.password = 'first'
  ahead(61_000)
  assert.match(await page(), /<form/)
  const { cookie } = await run.unlock({ key: link.key, password: 'first' })
  assert.doesNotMatch(await page({ cookie }), /<form/)
  link.password = 'second'
  ahead(61_000)
  assert.match(await page({ cookie }), /<form/)
})

test('a cover that is in the trash or of another album is not shown: the first photo is', async () => {
  const run = await start()
  const album = run.library.albums.get(run.links.visibility.album!)!
  for (const cover of [run.assets.trashed.id, run.assets.hidden.id, run.assets.notShared.id]) {
    album.cover = cover
    const other = await start({ library: run.library })
    const { text } = await other.get(`/share/${run.links.visibility.key}`, { headers: { ...HTML, host: 'p.example' } })
    const image = /og:image" content="http:\/\/p\.example([^"]*)"/.exec(text)![1]!
    assert.equal((await other.get(image)).status, 200)
  }
})

test('a photo without a preview yet gets its page, and may be taken home', async () => {
  const library = emptyLibrary()
  const fresh = photo(1, { name: 'fresh.jpg', thumbhash: null })
  delete fresh.preview
  delete fresh.thumbnail
  const { key } = addLink(library, 'fresh', {}, [fresh])
  const run = await start({ library })
  assert.equal((await run.get(`/share/${key}`, { headers: HTML })).headers['content-type'], 'text/html; charset=utf-8')
  const page = (await run.get(`/share/${key}/${fresh.id}`, { headers: HTML })).text
  assert.match(page, /The preview isn’t ready yet\.[^]*\/original\?/)
  assert.match((await run.get(`/share/${key}`, { headers: HTML })).text, /The preview isn’t ready yet/)
  // an address without a version is not one of this version, though the photo has none either
  assert.equal((await run.get(`/share/photo/${key}/${fresh.id}/original`)).headers['cache-control'], 'public, max-age=300')
  library.links[0]!.allowDownload = false
  assert.doesNotMatch((await (await start({ library })).get(`/share/${key}/${fresh.id}`, { headers: HTML })).text, /\/original\?/)
})

test('an owner\'s words for chosen photos are their title; of an album they stand below its name', async () => {
  const library = emptyLibrary()
  const chosen = addLink(library, 'words', { description: 'For grandma' }, [photo(1), photo(2)])
  const album = addLink(library, 'words 2', { description: 'For grandma', album: addAlbum(library, 'Wedding', [photo(3), photo(4)]) })
  const run = await start({ library, ipp: { showGalleryDescription: true } })
  const [one, other] = await Promise.all([chosen, album].map(async ({ key }) => (await run.get(`/share/${key}`, { headers: HTML })).text))
  assert.match(one!, /og:title" content="For grandma"[^]*<h1[^>]*>For grandma</)
  assert.doesNotMatch(one!, /class="about"/)
  assert.match(other!, /<h1[^>]*>Wedding<[^]*class="about"[^>]*>For grandma</)
  assert.match((await run.get(`/share/${chosen.key}/download`, { method: 'HEAD' })).headers['content-disposition']!, /For grandma\.zip/)
})

describe('zips', () => {
  function shared (count: number, more: (n: number) => object = () => ({})) {
    const library = emptyLibrary()
    const assets = Array.from({ length: count }, (_, n) => photo(n, { name: `${n}.jpg`, original: bytes(30_000 + n, String(n % 10)), ...more(n) }))
    return { library, assets, album: addLink(library, 'zip', { album: addAlbum(library, 'Zip', assets) }) }
  }

  test('of chosen photos that were edited: right at the first try, for the link says which', async () => {
    const { library, assets } = shared(10, n => n % 2 ? { edited: true, announced: 5 } : {})
    const { key } = addLink(library, 'chosen', {}, assets)
    const run = await start({ library })
    const zip = await run.get(`/share/${key}/download`)
    assert.ok(zip.complete && zip.headers['content-length'] !== undefined)
    assert.equal(Object.keys(await namesIn(zip.body)).length, 10)
  })

  test('of an album with many edited photos: at most one failure, then right', async () => {
    const { library, album } = shared(10, n => n % 2 ? { edited: true, announced: 5 } : {})
    const run = await start({ library })
    const tries = [await run.get(`/share/${album.key}/download`), await run.get(`/share/${album.key}/download`)]
    assert.deepEqual(tries.map(({ complete }) => complete), [false, true])
    assert.equal(Object.keys(await namesIn(tries[1]!.body)).length, 10)
  })

  test('with an original that is gone: the others, and words in its place', async () => {
    for (const count of [3, 1]) {
      const { library, assets, album } = shared(count)
      const run = await start({ library })
      run.immich.fault = ({ path }) => path.includes(`${assets[0]!.id}/original`) ? { status: 404 } : undefined
      const zip = await run.get(`/share/${album.key}/download`)
      assert.ok(zip.complete)
      const names = Object.keys(await namesIn(zip.body))
      assert.equal(names.length, count)
      assert.ok(names.includes(`not included ${assets[0]!.id}.txt`))
      assert.match(zip.body.toString('latin1'), /This photo is not included, because it is missing on the server/)
      assert.ok(run.lines.some(line => line.startsWith('warn not in a zip') && line.includes(assets[0]!.id)))
    }
  })

  test('while Immich is busy: tried again', async () => {
    const { library, assets, album } = shared(3)
    const run = await start({ library })
    for (const status of [429, 408, 425, 503]) {
      let failures = 1
      run.immich.fault = ({ path }) => path.includes(`${assets[1]!.id}/original`) && failures-- > 0 ? { status } : undefined
      assert.equal(Object.keys(await namesIn((await run.get(`/share/${album.key}/download`)).body)).length, 3, String(status))
    }
  })

  test('a resume near the end asks for what is after it alone', async () => {
    const { library, album } = shared(40, n => ({ original: bytes(2_000_000 + n) }))
    const run = await start({ library })
    const path = `/share/${album.key}/download`
    const whole = await run.get(path)
    const size = whole.body.length
    for (const part of [0.9, 0.5, 0.31]) {
      const from = Math.floor(size * part)
      run.immich.asked.length = 0
      const rest = await run.get(path, { headers: { range: `bytes=${from}-`, 'if-range': whole.headers.etag! } })
      assert.ok(rest.status === 206 && rest.body.equals(whole.body.subarray(from)), String(part))
      const asked = run.immich.count(/original$/)
      assert.ok(asked <= Math.ceil(40 * (1 - part)) + 1, `${asked} of 40 at ${part}`)
    }
    const other = await start({ library })
    const cold = await other.get(path, { headers: { range: `bytes=${Math.floor(size * 0.9)}-` } })
    assert.ok(cold.body.equals(whole.body.subarray(Math.floor(size * 0.9))))
    assert.equal(other.immich.count(/original$/), 40, 'where nothing is remembered all is asked for')
  })

  test('small files are asked for further ahead than large ones, within so many bytes', async () => {
    for (const [size, least, most] of [[3000, 9, 17], [700_000, 2, 3]] as const) {
      const { library, album } = shared(60, n => ({ original: bytes(size + n) }))
      const run = await start({ library })
      let open = 0
      run.immich.fault = ({ path }) => {
        if (!path.endsWith('/original')) return undefined
        open = Math.max(open, run.immich.asked.filter(one => one.path.endsWith('/original') && !one.closed).length)
        return { delay: 5 }
      }
      assert.equal(Object.keys(await namesIn((await run.get(`/share/${album.key}/download`)).body)).length, 60)
      assert.ok(open >= least && open <= most, `${open} at ${size}`)
    }
  })

  test('HEAD of a large one is planned once', async () => {
    const { library, album } = shared(2000)
    const run = await start({ library })
    for (let n = 0; n < 20; n++) assert.equal((await run.get(`/share/${album.key}/download`, { method: 'HEAD' })).status, 200)
    assert.equal(run.immich.count('/api/download/info'), 1)
  })
})

test('what chats and mails put around an address leads to it', async () => {
  const library = emptyLibrary()
  const { key, assets } = addLink(library, 'pasted', { slug: 'summer' }, [photo(1), photo(2)])
  addLink(library, 'ends so', { slug: 'really...' }, [photo(3), photo(4)])
  const run = await start({ library })
  const id = assets![0]!
  const leads = async (path: string) => { const { status, headers } = await run.get(path, { headers: HTML }); return status === 301 ? headers.location : status }
  for (const after of ['.', ')', ',', '%3E', '*', '%E2%80%A6', '%20', '%E2%80%8B', '%C2%A0', '%22)', '**.']) {
    assert.equal(await leads(`/share/${key}${after}`), `/share/${key}`, after)
    assert.equal(await leads(`/s/summer${after}`), '/s/summer', after)
    assert.equal(await leads(`/share/${key}/${id}${after}`), `/share/${key}/${id}`, after)
  }
  for (const [path, to] of [[`/Share/${key}`, `/share/${key}`], [`/SHARE/${key}`, `/share/${key}`], ['/S/summer', '/s/summer'], [`//share/${key}`, `/share/${key}`], [`/share/${key}/photos/${id}`, `/share/${key}/${id}`]]) {
    assert.equal(await leads(path!), to, path)
  }
  assert.equal(await leads('/s/really...'), 200, 'a slug that ends so')
  assert.equal(await leads('/share/../x'), 404)
  assert.equal(await leads('/s/nothing'), 404)
  assert.deepEqual([(await run.get(`/share/${key}`, { method: 'POST' })).headers.location, (await run.get(`/share/video/${key}/${id}/x`)).status], [`/share/${key}`, 404])
})

test('two Host headers are refused', async () => {
  const run = await start()
  const socket = run.socket()
  let text = ''
  socket.on('data', chunk => { text += chunk })
  socket.write(`GET /share/${run.links.album.key} HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`)
  await new Promise(resolve => socket.on('close', resolve))
  assert.match(text, /^HTTP\/1\.1 4\d\d/)
})

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
