/** Links of every kind, their lists, their pages, and how often Immich is asked for them. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo, video } from './library.ts'
import { HTML, start, until } from './helpers.ts'
import { VERSIONS } from './standin.ts'

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

    test('times are local, durations in seconds, whatever the version writes', async () => {
      const { id, time, duration } = (await run.get(`/share/items/${links.album.key}/0`)).json()
      id.forEach((id: string, n: number) => {
        const asset = library.assets.get(id)!
        assert.equal(time[n], Math.round((asset.taken + asset.offsetHours * 3_600_000) / 1000))
        const seconds = Math.round((asset.duration ?? 0) / 1000)
        assert.equal(duration[n], seconds ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}` : '')
      })
    })

    test('photos that look all around are told apart, in albums and among chosen ones', async () => {
      const around = photo(700, { exif: { projectionType: 'EQUIRECTANGULAR' } })
      const chosen = [photo(701), around]
      for (const link of [addLink(library, 'around', { album: addAlbum(library, 'Around', chosen) }), addLink(library, 'around chosen', {}, chosen)]) {
        const { id, sphere } = (await run.get(`/share/items/${link.key}/0`)).json()
        assert.deepEqual(sphere.map((n: number) => id[n]), [around.id])
        assert.match((await run.get(`/share/${link.key}`, { headers: HTML })).text, /title="360° photo">360°</)
      }
    })

    test('every spelling of a slug that Immich allows', async () => {
      const encoded = encodeURIComponent(links.slug.slug!)
      for (const path of [`/s/${encoded}`, `/s/${encoded}/`, `/s/${encoded.toLowerCase().replace(/%../g, code => code.toUpperCase())}`]) {
        assert.equal((await run.get(path, { headers: HTML })).status, 200, path)
      }
      assert.equal((await run.get('/s/secret-slu')).status, 404)
      assert.equal((await run.get(`/s/${encoded}/${library.albums.get(links.slug.album!)!.assets[0]}`, { headers: HTML })).status, 200)
    })

    test('every spelling of a key', async () => {
      const { key } = links.album
      const hex = Buffer.from(key, 'base64url').toString('hex')
      for (const spelling of [key, `${key}=`, `${key}%3D`, hex, hex.toUpperCase()]) assert.equal((await run.get(`/share/${spelling}`)).status, 200, spelling)
    })

    test('expired, deleted, empty', async () => {
      assert.equal((await run.get(`/share/${links.expired.key}`)).status, 404)
      assert.equal((await run.get(`/share/${links.deleted.key}`)).status, 404)
      const empty = await run.get(`/share/${links.empty.key}`, { headers: HTML })
      assert.equal(empty.status, 200)
      assert.match(empty.text, /Nothing here yet/)
    })

    test('an album of 3,000', async () => {
      const library = emptyLibrary()
      const album = addAlbum(library, 'big', Array.from({ length: 3000 }, (_, n) => photo(n, { name: `big${n}` })))
      const { key } = addLink(library, 'big', { album })
      const big = await start({ version, library })
      assert.equal((await big.get(`/share/${key}`, { headers: HTML })).status, 200)
      const seen = new Set()
      for (let n = 0; n < 6; n++) for (const id of (await big.get(`/share/items/${key}/${n}`)).json().id) seen.add(id)
      assert.equal(seen.size, 3000)
      assert.equal((await big.get(`/share/items/${key}/6`)).status, 404)
    })
  })
}

test('twenty at once for a cold link cost Immich one lookup', async () => {
  const run = await start()
  run.immich.fault = () => ({ delay: 30 })
  const { key } = run.links.album
  const answers = await Promise.all(Array.from({ length: 20 }, () => run.get(`/share/${key}`)))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(run.immich.count('/api/shared-links/me'), 1)
  assert.equal(run.immich.count('/api/timeline/buckets'), 1)
})

test('a failure is never kept', async () => {
  const run = await start()
  const path = `/share/${run.links.album.key}`
  for (const pattern of [/me$/, /buckets$/, /bucket$/]) {
    run.immich.fault = ({ path }) => pattern.test(path) ? { status: 500 } : undefined
    assert.equal((await run.get(path)).status, 503, String(pattern))
    run.immich.fault = () => undefined
    if (pattern.source === 'me$') run.immich.fault = ({ path }) => path.endsWith('buckets') ? { status: 500 } : undefined
  }
  run.immich.fault = () => undefined
  assert.equal((await run.get(path)).status, 200)
})

test('the list as it is now: what changed at Immich is there within the minute, unchanged months cost nothing', async context => {
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
  await until(() => run.immich.count('/api/timeline/bucket') === 8 && run.immich.asked.every(({ closed }) => closed))
  assert.equal(await count(), 39)
  assert.equal((await run.get(`/share/photo/${key}/${assets[0]!.id}/thumbnail`)).status, 404)
  assert.ok(run.immich.asked.filter(({ path }) => path.endsWith('/bucket')).every(({ headers }) => headers['if-none-match']))
  // revoked: within the minute at the latest
  library.links.length = 0
  ahead += 61_000
  assert.equal((await run.get(`/share/${key}`)).status, 404)
})

test('an expired link ends at its second, and nothing outlives it in a cache', async context => {
  const library = emptyLibrary()
  const now = Date.now()
  const { key, assets } = addLink(library, 'ends', { expiresAt: new Date(now + 100_000).toISOString() }, [photo(1), photo(2)])
  const run = await start({ library })
  const path = `/share/photo/${key}/${assets![0]}/thumbnail`
  const seconds = Number(/max-age=(\d+)/.exec((await run.get(path)).headers['cache-control']!)![1])
  assert.ok(seconds > 90 && seconds <= 100)
  // whatever the operator wants of caches, no more than that
  for (const [wanted, given] of [
    ['public', /^public, max-age=\d\d0?$/], ['no-store', /^no-store, max-age=\d\d0?$/], ['Max-Age="99999", immutable', /^Max-Age=\d\d0?$/],
    ['public, s-maxage=99999', /^public, s-maxage=\d\d0?, max-age=\d\d0?$/], ['max-age=99999, stale-while-revalidate=9', /^max-age=\d\d0?$/], ['max-age=5', /^max-age=5$/],
    ['', /^no-cache, max-age=\d\d0?$/]
  ] as const) {
    const other = await start({ library, ipp: { responseHeaders: { 'Cache-Control': wanted } } })
    assert.match((await other.get(path)).headers['cache-control']!, given, wanted)
  }
  context.mock.method(Date, 'now', () => now + 100_000)
  assert.equal((await run.get(path)).status, 404)
  assert.equal((await run.get(`/share/${key}`)).status, 404)
})

test('pages: what is on them, in the visitor\'s language', async () => {
  const run = await start({ ipp: { groupByDate: 'day', showGalleryDescription: true, showExpiryDate: true } })
  const page = async (key: string, language = 'en', path = '') => (await run.get(`/share/${key}${path}`, { headers: { ...HTML, 'accept-language': language, host: 'p.example' } })).text
  const english = await page(run.links.ending.key)
  assert.match(english, /<h1 dir="auto">Summer at the lake<\/h1>/)
  assert.match(english, /97 photos and videos · Oct 2025/)
  assert.match(english, /Available until December 31, 2100/)
  assert.match(english, /Two weeks\nby the &#60;water&#62; &#38; more/)
  assert.match(english, /<h2>Sat, Oct 18, 2025<\/h2>[^]*<h2>Fri, Oct 17<\/h2>/)
  assert.match(await page(run.links.album.key, 'de-DE,de;q=0.9,en;q=0.8'), /<html lang="de-DE" dir="ltr">[\s\S]*97 Fotos und Videos[\s\S]*Sa\., 18\. Okt\. 2025/)
  assert.match(await page(run.links.album.key, 'en-GB'), /Sat,? 18 Oct 2025/)
  assert.match(await page(run.links.album.key, 'xx, ja;q=0.5'), /写真と動画97点/)
  assert.match(await page(run.links.album.key, '<script>, ;;;q=x'), /lang="en"/)
  for (const language of ['fr', 'es', 'it', 'nl', 'pt', 'pl', 'sv', 'cs', 'zh']) {
    const text = await page(run.links.album.key, language)
    assert.match(text, new RegExp(`<html lang="${language}"`))
    assert.ok(!text.includes('photos and videos') && !text.includes('undefined'), language)
  }
  assert.match(english, /<meta property="og:title" content="Summer at the lake">/)
  assert.match(english, /<meta property="og:image" content="http:\/\/p\.example\/share\/photo\/[\w-]{67}\/[\da-f-]{36}\/preview\?v=[\da-z]{1,8}">/)
  const tiles = [...english.matchAll(/<a class="tile r\d+" href="(\/share\/[\w-]{67}\/[\da-f-]{36})"/g)].map(match => match[1]!)
  assert.equal(tiles.length, 60)
  const second = await page(run.links.album.key, 'en', '?page=2')
  assert.equal([...second.matchAll(/<a class="tile/g)].length, 37)
  assert.match(second, /rel="prev"/)
  assert.equal((await run.get(`/share/${run.links.album.key}?page=3`, { headers: HTML })).status, 404)
  const one = (await run.get(tiles[1]!, { headers: { ...HTML, host: 'p.example' } })).text
  assert.match(one, /rel="prev" href="\/share\/[\w-]{67}\/[\da-f-]{36}"/)
  assert.match(one, /rel="next"/)
  assert.match(one, /2 of 97/)
  assert.match(one, new RegExp(`<meta property="og:url" content="http://p\\.example${tiles[1]}">`))
})

test('absolute addresses come from where they may', async () => {
  const run = await start()
  const url = async (headers: Record<string, string>, on = run) => /og:url" content="([^"]*)\/share/.exec((await on.get(`/share/${on.links.album.key}`, { headers: { ...HTML, ...headers } })).text)?.[1]
  assert.equal(await url({ host: 'a.example' }), 'http://a.example')
  assert.equal(await url({ host: 'a.example', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'b.example' }), 'https://b.example')
  assert.equal(await url({ host: 'a.example', publicbaseurl: 'https://c.example/' }), 'https://c.example')
  assert.equal(await url({ host: 'a.example', publicbaseurl: 'javascript:alert(1)' }), 'http://a.example')
  const fixed = await start({ env: { PUBLIC_BASE_URL: 'https://photos.example.com' }, ipp: { trustedProxies: [] } })
  assert.equal(await url({ host: 'a.example', publicbaseurl: 'https://evil.example', 'x-forwarded-host': 'evil.example' }, fixed), 'https://photos.example.com')
})

test('validators and encodings of pages', async () => {
  const run = await start()
  const path = `/share/${run.links.album.key}`
  const first = await run.get(path, { headers: HTML })
  assert.equal(first.headers['cache-control'], 'no-cache')
  const again = await run.get(path, { headers: { ...HTML, 'if-none-match': first.headers.etag! } })
  assert.deepEqual([again.status, again.text], [304, ''])
  for (const encoding of ['br', 'gzip']) {
    const packed = await run.get(path, { headers: { ...HTML, 'accept-encoding': encoding } })
    assert.equal(packed.headers['content-encoding'], encoding)
    assert.ok(packed.body.length < first.body.length / 3)
    const unpacked = encoding === 'br' ? brotliDecompressSync(packed.body) : gunzipSync(packed.body)
    assert.ok(unpacked.equals(first.body))
    // where there is nothing to gain, nothing is done
    assert.equal((await run.get('/robots.txt', { headers: { 'accept-encoding': encoding } })).headers['content-encoding'], undefined)
    assert.match(packed.headers.vary!, /accept-encoding/)
  }
  assert.equal((await run.get(path, { headers: { ...HTML, 'accept-encoding': 'br;q=0' } })).headers['content-encoding'], undefined)
})

test('a video has a player, a motion photo its own button', async () => {
  const library = emptyLibrary()
  const part = video(1, { visibility: 'hidden' })
  library.assets.set(part.id, part)
  const { key, assets } = addLink(library, 'x', {}, [photo(1, { motion: part.id }), video(2)])
  const run = await start({ library })
  assert.match((await run.get(`/share/${key}/${assets![1]}`, { headers: HTML })).text, new RegExp(`<video src="/share/video/${key}/${assets![1]}\\?v=\\w+"[^>]* preload="none"`))
  assert.match((await run.get(`/share/${key}/${assets![0]}`, { headers: HTML })).text, new RegExp(`href="/share/video/${key}/${part.id}\\?v=\\w+"`))
  assert.equal((await run.get(`/share/${key}/${part.id}`)).status, 404)
})

test('a page in the making is made and compressed once, for all who ask, and of many on one connection one after another', async () => {
  const library = emptyLibrary()
  const album = addAlbum(library, 'cold', Array.from({ length: 4000 }, (_, n) => photo(n, { name: `cold ${n}` })))
  const { key } = addLink(library, 'cold', { album })
  const run = await start({ library })
  let release = () => {}
  const held = new Promise<void>(resolve => { release = resolve })
  run.immich.fault = ({ path }) => path.includes('timeline/bucket') ? { until: held } : undefined
  const say = `GET /share/${key} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nAccept-Encoding: br\r\n\r\n`
  const sockets = Array.from({ length: 4 }, () => run.socket())
  const answered = sockets.map(socket => new Promise<number>(resolve => {
    let text = ''
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      const count = text.split('HTTP/1.1 200 OK').length - 1
      if (count === 250) resolve(count)
    })
  }))
  const before = process.memoryUsage().rss
  for (const socket of sockets) socket.write(say.repeat(250))
  await until(() => run.immich.count(/timeline\/buckets$/) === 1)
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.ok(process.memoryUsage().rss - before < 100e6, `${(process.memoryUsage().rss - before) / 1e6} MB for 1,000 that wait`)
  release()
  assert.deepEqual(await Promise.all(answered), [250, 250, 250, 250])
  for (const socket of sockets) socket.destroy()
  assert.equal(run.immich.count('/api/shared-links/me'), 1)
})

test('a feed for frames and readers: every photo by absolute addresses, a stretch at a time, and none of what has a password', async () => {
  const library = emptyLibrary()
  const assets = Array.from({ length: 501 }, (_, n) => photo(n, { name: `feed ${n}`, taken: Date.UTC(2026, 0, 1) - n * 60_000 }))
  const { key } = addLink(library, 'feed', { album: addAlbum(library, 'A feed', assets), slug: 'a feed' })
  const shut = addLink(library, 'shut feed', { album: addAlbum(library, 'Shut', [photo(1)]), password: PASSWORD })
  const run = await start({ library, env: { PUBLIC_BASE_URL: 'https://photos.example' } })
  const page = await run.get(`/share/${key}`, { headers: HTML })
  assert.match(page.text, new RegExp(`<link rel="alternate" type="application/feed\\+json" title="A feed" href="/share/${key}/feed.json">`))
  const first = await run.get(`/share/${key}/feed.json`)
  assert.match(first.headers['content-type']!, /^application\/feed\+json/)
  assert.equal(first.headers['cache-control'], 'no-cache')
  assert.equal((await run.get(`/share/${key}/feed.json`, { headers: { 'if-none-match': first.headers.etag! } })).status, 304)
  const { version, title, next_url: next, items } = first.json()
  assert.deepEqual([version, title, items.length], ['https://jsonfeed.org/version/1.1', 'A feed', 500])
  const rest = (await run.get(new URL(next).pathname + new URL(next).search)).json()
  assert.deepEqual([rest.items.length, rest.next_url], [1, undefined])
  assert.deepEqual([...items, ...rest.items].map(({ id }: { id: string }) => id), assets.map(({ id }) => id))
  for (const { url, image, date_published: date } of items) {
    assert.ok(url.startsWith(`https://photos.example/share/${key}/`) && /^https:\/\/photos\.example\/share\/photo\/.+\/preview\?v=\w+$/.test(image))
    assert.equal(date, undefined, 'times need two yeses')
  }
  const { pathname, search } = new URL(items[0].image)
  assert.equal((await run.get(pathname + search)).headers['content-type'], 'image/jpeg')
  assert.equal((await run.get(`/share/${key}/feed.json?page=3`)).status, 404)
  assert.equal((await run.get('/s/a%20feed/feed.json')).json().feed_url, 'https://photos.example/s/a%20feed/feed.json')
  const { cookie } = await run.unlock({ key: shut.key, password: PASSWORD })
  for (const headers of [HTML, { cookie }]) assert.equal((await run.get(`/share/${shut.key}/feed.json`, { headers: headers as Record<string, string> })).status, 404)
  assert.ok(!(await run.get(`/share/${shut.key}`, { headers: { ...HTML, cookie } })).text.includes('feed'))
  const told = await start({ library, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
  assert.equal((await told.get(`/share/${key}/feed.json`)).json().items[0].date_published, new Date(assets[0]!.taken + 7_200_000).toISOString())
})

test('marks: four characters an item, in the list\'s order, with its version', async () => {
  const run = await start()
  const { id, version } = (await run.get(`/share/items/${run.links.album.key}/0`)).json()
  const marks = (await run.get(`/share/marks/${run.links.album.key}`)).json()
  assert.deepEqual(marks, { version, marks: id.map((id: string) => Buffer.from(id.slice(0, 6), 'hex').toString('base64')).join('') })
  assert.equal((await run.get(`/share/marks/${run.links.password.key}`)).status, 404)
})

test('every language has all the words, with what is filled into them, and is found by its names', async () => {
  const strings: Record<string, Record<string, string>> = JSON.parse(readFileSync(new URL('../static/strings.json', import.meta.url), 'utf8'))
  const { en = {} } = strings
  const blanks = (text = '') => (text.match(/\{\w+\}/g) ?? []).join()
  for (const [lang, words] of Object.entries(strings)) {
    const forms = new Intl.PluralRules(lang).resolvedOptions().pluralCategories
    for (const [name, text] of Object.entries(en)) {
      const wanted = name.replace(/_one$/, '_other')
      assert.equal(blanks(words[wanted]), blanks(text), `${lang} ${wanted}`)
      assert.ok(words[wanted], `${lang} ${wanted}`)
    }
    for (const name of Object.keys(words)) {
      const [plain = '', form] = name.split('_')
      assert.ok(form === undefined ? Object.hasOwn(en, name) : Object.hasOwn(en, `${plain}_other`) && forms.includes(form as Intl.LDMLPluralRule), `${lang} ${name}`)
    }
  }
  const run = await start()
  const asked = { ...Object.fromEntries(Object.keys(strings).map(lang => [lang, lang])), 'nb-NO': 'no', nn: 'no', 'de-AT,en;q=0.5': 'de', 'tlh, he;q=0.3': 'he', xx: 'en', 'zh-CN': 'zh', 'zh-SG': 'zh', 'zh-Hans-HK': 'zh', 'zh-TW': 'zh-Hant', 'zh-HK,en;q=0.5': 'zh-Hant', 'zh-MO': 'zh-Hant', 'zh-Hant-HK': 'zh-Hant' }
  for (const [language, lang] of Object.entries(asked)) {
    const { text } = await run.get('/', { headers: { ...HTML, 'accept-language': language } })
    assert.match(text, new RegExp(`<html lang="${lang.split('-')[0]}(-Han[st])?(-[A-Z]+)?" dir="${['ar', 'he'].includes(lang) ? 'rtl' : 'ltr'}">`), language)
    assert.ok(text.includes(strings[lang]!.homeTitle!), language)
  }
})
