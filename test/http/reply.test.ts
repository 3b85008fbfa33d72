/** The only writer of answers: headers, caching, validators, compression. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { createText, createTextCache, encode, PLAIN } from '../../src/http/compression.ts'
import { clock, countRequests, hold, HTML, start, until } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'

test('texts in memory: each counts with what it takes beside its bytes, and the oldest are dropped', () => {
  const texts = createTextCache(100_000)
  let made = 0
  const read = (n: number) => texts(`name ${n}`, () => { made++; return createText(PLAIN, '{}') })
  for (let n = 0; n < 200; n++) read(n)
  // a tenth of a megabyte holds at most a hundred of these, however short they are
  for (let n = 199; n >= 110; n--) read(n)
  assert.equal(made, 200)
  for (let n = 99; n >= 0; n--) read(n)
  assert.equal(made, 300)
})

test('a compressed text holds no more memory than its bytes', async () => {
  const text = createText(PLAIN, 'a text like others '.repeat(40))
  for (const encoding of ['br', 'gzip']) {
    const { body } = await encode(text, encoding, '203.0.113.1')
    assert.ok(body.length < text.raw.length)
    assert.equal(body.buffer.byteLength, body.length)
  }
})

test('texts in memory: one that is requested again stays longer than one that is not', () => {
  const texts = createTextCache(10_000)
  let made = 0
  const read = (name: string) => texts(name, () => { made++; return createText(PLAIN, '{}') })
  for (let n = 0; n < 50; n++) { read('popular'); read(`other ${n}`) }
  assert.equal(made, 51)
})

test('one visitor who has many texts compressed does not leave others without', async () => {
  const text = () => createText(PLAIN, 'a text like others '.repeat(400))
  const encodings = (texts: ReturnType<typeof text>[], visitor: string) =>
    Promise.all(texts.map(async text => (await encode(text, 'br', visitor)).encoding ?? 'none'))
  const flood = Array.from({ length: 200 }, text)
  const [greedy, other] = await Promise.all([
    encodings(flood, '203.0.113.1'), encodings([text(), text()], '203.0.113.2')
  ])
  assert.deepEqual(other, ['br', 'br'])
  // one at once, and a quarter of the waiting room
  assert.equal(greedy.filter(name => name === 'br').length, 26)
  assert.deepEqual(await encodings(flood.slice(-1), '203.0.113.1'), ['br'], 'later it is compressed')
})

test('If-None-Match: any of its tags, weak or not, of any number', async () => {
  const run = await start()
  const path = `/share/${run.links.album.key}`
  const { etag = '' } = (await run.get(path, { headers: HTML })).headers
  const status = async (tags: string) =>
    (await run.get(path, { headers: { ...HTML, 'if-none-match': tags } })).status
  const strong = etag.replace('W/', '')
  const many = '"x",'.repeat(3000)
  for (const tags of [etag, strong, '*', ` ${etag} `, `"x", ${etag}`, `${many}${strong}`]) {
    assert.equal(await status(tags), 304, tags.slice(-40))
  }
  const inside = strong.slice(1, -1)
  for (const tags of ['"x"', 'W/"x"', inside, `"x${inside}"`, `"${inside}x"`, '**', '']) {
    assert.equal(await status(tags), 200, tags)
  }
})

test('every header of every kind of answer', async () => {
  const run = await start()
  const { album, password } = run.links
  const id = run.library.albums.get(album.album!)!.assets[0]!
  const page = await run.get(`/share/${album.key}`, { headers: HTML })
  const asset = /"(\/share\/static\/[^"]*\/style\.css)"/.exec(page.text)![1]!
  const image = new RegExp(`"(/share/photo/${album.key}/[^"]*thumbnail[^"]*)"`).exec(page.text)![1]!
  const { cookie } = await run.unlock({ key: password.key, password: PASSWORD })
  const always = {
    'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff', 'x-robots-tag': 'noindex, nofollow'
  }
  const policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; " +
    "connect-src 'self'; font-src 'self'; base-uri 'none'; " +
    "frame-ancestors 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types default"
  const pages = {
    ...always,
    'content-security-policy': policy,
    'cross-origin-opener-policy': 'same-origin',
    'x-frame-options': 'DENY',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    vary: 'accept, accept-encoding, accept-language, cookie',
    'cross-origin-resource-policy': 'same-origin'
  }
  const data = {
    ...always,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    vary: 'accept-encoding, cookie',
    'cross-origin-resource-policy': 'same-origin'
  }
  const media = {
    ...always,
    'content-security-policy':
      "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
  }
  const open = { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' }
  const shut = {
    'access-control-allow-origin': undefined,
    'cross-origin-resource-policy': 'same-origin',
    'last-modified': undefined
  }
  const uncached = { etag: undefined, 'access-control-allow-origin': undefined }
  const table: [string, Record<string, unknown>, Record<string, string>?][] = [
    [`/share/${album.key}`, { ...pages, 'cache-control': 'no-cache', etag: page.headers.etag }, HTML],
    [
      `/share/${password.key}`,
      { ...pages, ...uncached, 'cache-control': 'private, no-store' },
      { ...HTML, cookie }
    ],
    [`/share/${password.key}`, { ...pages, ...uncached, 'cache-control': 'no-store' }, HTML],
    ['/nowhere', { ...pages, 'cache-control': 'no-store', etag: undefined }, HTML],
    [`/share/items/${album.key}/0`, { ...data, 'cache-control': 'no-cache' }],
    [
      `/share/items/${password.key}/0`,
      { ...data, ...uncached, 'cache-control': 'private, no-store' },
      { cookie }
    ],
    [
      image,
      { ...media, ...open, 'cache-control': 'public, max-age=2592000', 'content-disposition': undefined }
    ],
    [image.split('?')[0]!, { ...media, ...open, 'cache-control': 'public, max-age=300' }],
    [
      `/share/photo/${password.key}/${id}/thumbnail`,
      { ...media, ...shut, 'cache-control': 'private, max-age=300' },
      { cookie }
    ],
    [
      `/share/photo/${album.key}/${id}/original`,
      {
        ...media, ...shut, 'cache-control': 'no-store', 'content-range': /^bytes \*\/\d+$/,
        etag: /^"[\w-]+"$/, 'content-type': undefined, 'content-length': '0'
      },
      { range: 'bytes=999999999-' }
    ],
    [
      asset,
      {
        ...always, 'content-security-policy': "default-src 'none'", vary: 'accept-encoding',
        'cache-control': 'public, max-age=31536000, immutable', 'cross-origin-resource-policy': 'same-origin'
      }
    ]
  ]
  for (const [path, expected, headers = {}] of table) {
    const response = await run.get(path, { headers })
    for (const [name, value] of Object.entries(expected)) {
      if (value instanceof RegExp) assert.match(String(response.headers[name]), value, `${name} of ${path}`)
      else assert.equal(response.headers[name], value, `${name} of ${path}`)
    }
  }
  // the host, the answer's age and the visitor's headers change none of these
  const at = (headers: Record<string, string>) =>
    run.get(`/share/photo/${album.key}/${id}`, { headers }).then(({ headers }) => headers['cache-control'])
  assert.equal(await at({ 'cache-control': 'no-cache', pragma: 'no-cache' }), 'public, max-age=300')
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
    // a tiny text is not compressed
    const tiny = await run.get('/robots.txt', { headers: { 'accept-encoding': encoding } })
    assert.equal(tiny.headers['content-encoding'], undefined)
    assert.match(packed.headers.vary!, /accept-encoding/)
  }
  const refused = await run.get(path, { headers: { ...HTML, 'accept-encoding': 'br;q=0' } })
  assert.equal(refused.headers['content-encoding'], undefined)
})

test('concurrent requests for a page render and compress it once', async () => {
  const library = emptyLibrary()
  const photos = Array.from({ length: 4000 }, (_, n) => photo(n, { name: `cold ${n}` }))
  const { key } = addLink(library, 'cold', { album: addAlbum(library, 'cold', photos) })
  const run = await start({ library })
  const { gallery } = run.proxy.app.renderer
  let made = 0
  run.proxy.app.renderer.gallery = (...given) => {
    made++
    return gallery.apply(run.proxy.app.renderer, given)
  }
  const release = hold(run, /timeline\/bucket/)
  const headers = { ...HTML, 'accept-encoding': 'br' }
  const come = countRequests(run)
  const responses = Array.from({ length: 100 }, () => run.get(`/share/${key}`, { headers }))
  await until(() => come() === 100)
  release()
  const [first, ...others] = await Promise.all(responses)
  assert.deepEqual([first!.status, first!.headers['content-encoding'], made], [200, 'br', 1])
  assert.ok(others.every(({ body }) => body.equals(first!.body)))
  assert.equal(run.immich.count('/api/shared-links/me'), 1)
})

test('invented hosts and languages: 16 pages a minute have a preview, the rest share one', async context => {
  const ahead = clock(context)
  const run = await start()
  const page = async (host: string, language = 'en') => {
    const headers = { ...HTML, host, 'accept-language': language }
    return (await run.get(`/share/${run.links.album.key}`, { headers })).text
  }
  const pages = await Promise.all(Array.from({ length: 40 }, (_, n) => page(`h${n}.example`, 'en-GB')))
  const tell = pages.filter(text => text.includes('og:url'))
  assert.equal(tell.length, 16)
  assert.equal(new Set(pages).size, 17, 'all others get the same')
  assert.match(pages.find(text => !text.includes('og:url'))!, /<html lang="en"[^]*97 photos and videos/)
  const known = /og:url" content="http:\/\/(h\d+\.example)/.exec(tell[0]!)![1]!
  assert.match(await page(known, 'en-GB'), /og:url/)
  assert.match(await page('h99.example', 'zh-TW'), /<html lang="zh-Hant"/)
  assert.match(await page('h99.example', 'zh-CN'), /<html lang="zh"/)
  ahead(61_000)
  assert.match(await page('another.example', 'zh-TW'), /<html lang="zh-TW"[^]*og:url/)
})

test('headers for other caches go out with media of links that never expire alone', async () => {
  const library = emptyLibrary()
  const assets = [photo(1), photo(2)]
  const forever = addLink(library, 'forever', {}, assets)
  const ends = addLink(library, 'ends', { expiresAt: new Date(Date.now() + 60_000).toISOString() }, assets)
  const cached = {
    'CDN-Cache-Control': 'max-age=99', 'Surrogate-Control': 'max-age=99', Expires: 'never',
    'X-Accel-Expires': '99', 'Edge-Control': 'max-age=99'
  }
  const run = await start({ library, ipp: { responseHeaders: { ...cached, 'X-Own': 'yes' } } })
  const sent = async ({ key }: { key: string }, isMedia: boolean) => {
    const path = isMedia ? `/share/photo/${key}/${assets[0]!.id}/thumbnail` : `/share/${key}`
    const { headers } = await run.get(path)
    assert.equal(headers['x-own'], 'yes')
    return Object.keys(cached).filter(name => name.toLowerCase() in headers)
  }
  assert.deepEqual(await sent(forever, true), Object.keys(cached))
  assert.deepEqual(await sent(forever, false), [])
  assert.deepEqual(await sent(ends, true), [])
  assert.deepEqual(await sent(ends, false), [])
})

test('HEAD describes the whole file, whatever range it names', async () => {
  const run = await start()
  const { album } = run.links
  const { assets } = run.library.albums.get(album.album!)!
  const [picture] = assets
  const video = assets.find(id => run.library.assets.get(id)!.type === 'VIDEO')
  for (const path of [
    `/share/photo/${album.key}/${picture}/original`, `/share/photo/${album.key}/${picture}/thumbnail`,
    `/share/video/${album.key}/${video}`, `/share/${album.key}/download`
  ]) {
    const headers = { range: 'bytes=1-2' }
    const { status, headers: described } = await run.get(path, { method: 'HEAD', headers })
    assert.deepEqual([status, described['content-range']], [200, undefined], path)
    assert.ok(Number(described['content-length']) > 100, path)
    assert.equal((await run.get(path, { headers })).status, 206, path)
  }
})

test('an address for invalid requests may have a name beyond ASCII', async () => {
  const run = await start({ ipp: { customInvalidResponse: 'https://例え.jp/fort' } })
  const { status, headers } = await run.get('/nowhere')
  assert.deepEqual([status, headers.location], [302, 'https://xn--r8jz45g.jp/fort'])
})
