/** Opening a link: its spellings, its expiry, how often Immich is asked for it, and guessing at links. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clock, HTML, start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'
import { newId, newKey, VERSIONS } from '../standin.ts'

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    const run = await start({ version })
    const { links, library } = run

    test('every spelling of a slug that Immich allows', async () => {
      const encoded = encodeURIComponent(links.slug.slug!)
      for (const path of [
        `/s/${encoded}`,
        `/s/${encoded}/`,
        `/s/${encoded.toLowerCase().replace(/%../g, code => code.toUpperCase())}`
      ]) {
        assert.equal((await run.get(path, { headers: HTML })).status, 200, path)
      }
      assert.equal((await run.get('/s/secret-slu')).status, 404)
      const item = library.albums.get(links.slug.album!)!.assets[0]
      assert.equal((await run.get(`/s/${encoded}/${item}`, { headers: HTML })).status, 200)
    })

    test('every spelling of a key', async () => {
      const { key } = links.album
      const hex = Buffer.from(key, 'base64url').toString('hex')
      for (const spelling of [key, `${key}=`, `${key}%3D`, hex, hex.toUpperCase()]) {
        assert.equal((await run.get(`/share/${spelling}`)).status, 200, spelling)
      }
    })

    test('expired, deleted, empty', async () => {
      assert.equal((await run.get(`/share/${links.expired.key}`)).status, 404)
      assert.equal((await run.get(`/share/${links.deleted.key}`)).status, 404)
      // an expiry that cannot be read is past
      const { key } = addLink(library, 'unreadable', { expiresAt: 'soon' }, [photo(1)])
      assert.equal((await run.get(`/share/${key}`)).status, 404)
      const empty = await run.get(`/share/${links.empty.key}`, { headers: HTML })
      assert.equal(empty.status, 200)
      assert.match(empty.text, /<h2>Nothing here yet/)
    })
  })
}

test('slugs that Immich cannot have are not looked up', async () => {
  const run = await start()
  for (const slug of ['%00', 'a%7F', 'a%C2%85b', '%ED%A0%80']) {
    assert.equal((await run.get(`/s/${slug}`, { headers: HTML })).status, 404, slug)
  }
  // as if text had been pasted whose first line is an address
  assert.equal((await run.get('/s/a%0Ab', { headers: HTML })).headers.location, '/s/a')
  assert.deepEqual(run.immich.asked, [])
})

test('twenty at once for a cold link cost Immich one lookup', async () => {
  const run = await start()
  run.immich.fault = () => ({ delay: 30 })
  const { key } = run.links.album
  const responses = await Promise.all(Array.from({ length: 20 }, () => run.get(`/share/${key}`)))
  assert.ok(responses.every(({ status }) => status === 200))
  assert.equal(run.immich.count('/api/shared-links/me'), 1)
  assert.equal(run.immich.count('/api/timeline/buckets'), 1)
})

test('a failure is never cached', async () => {
  const run = await start()
  const path = `/share/${run.links.album.key}`
  for (const pattern of [/me$/, /buckets$/, /bucket$/]) {
    run.immich.fault = ({ path }) => pattern.test(path) ? { status: 500 } : undefined
    assert.equal((await run.get(path)).status, 503, String(pattern))
    run.immich.fault = () => undefined
    if (pattern.source === 'me$') {
      run.immich.fault = ({ path }) => path.endsWith('buckets') ? { status: 500 } : undefined
    }
  }
  run.immich.fault = () => undefined
  assert.equal((await run.get(path)).status, 200)
})

test('a link expires at its second, and nothing outlives it in a cache', async context => {
  const library = emptyLibrary()
  const now = Date.now()
  const expiresAt = new Date(now + 100_000).toISOString()
  const { key, assets } = addLink(library, 'ends', { expiresAt }, [photo(1), photo(2)])
  const run = await start({ library })
  const path = `/share/photo/${key}/${assets![0]}/thumbnail`
  const seconds = Number(/max-age=(\d+)/.exec((await run.get(path)).headers['cache-control']!)![1])
  // never the exact time, from which the expiry could be told
  assert.equal(seconds, 64)
  // the operator's Cache-Control cannot extend that
  for (const [wanted, given] of [
    ['public', /^public, max-age=64$/],
    ['no-store', /^no-store$/],
    ['Max-Age="99999", immutable', /^max-age=64$/],
    ['public, s-maxage=99999', /^public, max-age=64$/],
    ['max-age=99999, stale-while-revalidate=9', /^max-age=64$/],
    ['max-age=5', /^max-age=5$/],
    ['', /^no-cache$/],
    ['private, max-age=5000', /^private, max-age=64$/]
  ] as const) {
    const other = await start({ library, ipp: { responseHeaders: { 'Cache-Control': wanted } } })
    assert.match((await other.get(path)).headers['cache-control']!, given, wanted)
  }
  // at once if it expires while Immich prepares the picture
  let passed = 0
  context.mock.method(Date, 'now', () => now + passed)
  run.immich.fault = () => {
    passed = 200_000
    return { body: 'a picture', headers: { 'content-type': 'image/webp' } }
  }
  const late = await run.get(`/share/photo/${key}/${assets![1]}/thumbnail`)
  assert.deepEqual([late.status, late.headers['cache-control']], [200, 'public, max-age=0'])
  passed = 100_000
  assert.equal((await run.get(path)).status, 404)
  assert.equal((await run.get(`/share/${key}`)).status, 404)
})

test('within a minute: downloads switched off, and a password set or changed', async context => {
  const ahead = clock(context)
  const library = emptyLibrary()
  const link = addLink(library, 'switches', { album: addAlbum(library, 'Switches', [photo(1), photo(2)]) })
  const run = await start({ library, ipp: { showMetadata: { exif: { dateTimeOriginal: true } } } })
  const page = async (headers = {}) =>
    (await run.get(`/share/${link.key}`, { headers: { ...HTML, ...headers } })).text
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

test('guessing at links ends in 429 and in the log; links opened before stay open', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 1 } } })
  const from = (address: string) => ({ headers: { ...HTML, 'x-forwarded-for': address } })
  const { album, slug, mixed } = run.links
  const opened = `/share/${album.key}`
  assert.equal((await run.get(opened, from('203.0.113.5'))).status, 200)
  const responses = await Promise.all(
    Array.from({ length: 22 }, (_, n) => run.get(`/s/word-${n}`, from('203.0.113.5')))
  )
  assert.equal(responses.filter(({ status }) => status === 404).length, 20)
  assert.equal(responses.filter(({ status }) => status === 429).length, 2)
  const refusals = run.lines.filter(line => line.startsWith('warn unlock refused'))
  assert.ok(refusals.some(line => line.includes('203.0.113.5') && line.includes('unknown links')))
  assert.equal((await run.get(opened, from('203.0.113.5'))).status, 200)
  // a hit looks like a miss, by key, by slug and in the password form
  const slugs = [`/s/${encodeURIComponent(slug.slug!)}`, '/s/word-31']
  for (const path of [`/share/${mixed.key}`, `/share/items/${mixed.key}/0`, ...slugs]) {
    assert.equal((await run.get(path, from('203.0.113.5'))).status, 429, path)
  }
  for (const key of [run.links.password.key, mixed.key]) {
    const { response } = await run.unlock({ key, password: PASSWORD }, { 'x-forwarded-for': '203.0.113.5' })
    assert.equal(response.status, 429)
  }
  assert.equal((await run.get(`/share/${mixed.key}`, from('203.0.113.6'))).status, 200)
  assert.equal((await run.get('/s/word-30', from('203.0.113.6'))).status, 404)
})

test('links by slug can be switched off: Immich is not even asked', async () => {
  const run = await start({ ipp: { allowSlugLinks: false } })
  const { slug, key } = run.links.slug
  const { assets } = run.library.albums.get(run.links.slug.album!)!
  run.immich.asked.length = 0
  for (const path of ['', '/download', `/${assets[0]}`]) {
    const address = `/s/${encodeURIComponent(slug!)}${path}`
    for (const method of ['GET', 'HEAD', ...path === '/download' ? ['POST'] : []]) {
      assert.equal((await run.get(address, { method, headers: HTML })).status, 404, `${method} ${address}`)
    }
  }
  assert.equal((await run.unlock({ slug: slug!, password: 'x' })).response.status, 404)
  assert.deepEqual(run.immich.asked, [])
  assert.equal((await run.get(`/share/${key}`, { headers: HTML })).status, 200)
})

test('only unknown links count as guesses: not locked ones, nor those that Immich fails at', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 1 } } })
  const { password, album } = run.links
  for (let n = 0; n < 25; n++) {
    assert.notEqual((await run.get(`/share/${password.key}`, { headers: HTML })).status, 429)
  }
  run.immich.fault = () => ({ status: 500 })
  for (let n = 0; n < 25; n++) assert.equal((await run.get(`/share/${newKey(`${n}`)}`)).status, 503)
  run.immich.fault = () => undefined
  assert.equal((await run.get(`/share/${album.key}`, { headers: HTML })).status, 200)
})

test('a page of another site that embeds unknown links keeps its reader out of none', async () => {
  const run = await start({ ipp: { limits: { guessesPerVisitor: 1 } } })
  const { key } = run.links.album
  const embed = (site: string, path: string, more = {}) =>
    run.get(path, { headers: { 'sec-fetch-site': site, 'sec-fetch-dest': 'image', ...more } })
  for (const site of ['cross-site', 'same-site']) {
    for (let n = 0; n < 20; n++) {
      await embed(site, `/share/photo/${newKey(`${site} ${n}`)}/${newId('x')}/thumbnail`)
    }
  }
  assert.equal((await embed('cross-site', `/share/items/${key}/0`)).status, 429, 'counted apart, but counted')
  assert.equal((await run.get(`/share/${key}`, { headers: HTML })).status, 200)
  const link = `/share/${run.links.mixed.key}`
  // a frame navigates too, but no visitor has chosen that
  const frame = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }
  assert.equal((await embed('cross-site', link, frame)).status, 429)
  const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  assert.equal((await embed('cross-site', link, navigation)).status, 200)
})

test('a link with a password stays locked, whatever Immich answers', async () => {
  const run = await start()
  const { key } = run.links.password
  const { cookie } = await run.unlock({ key, password: PASSWORD })
  const page = { headers: { ...HTML, cookie } }
  // Immich gives the link without an unlock
  const response = await fetch(`${run.immich.url}/api/shared-links/me?key=${run.links.album.key}`)
  const link = { ...await response.json() as object, key }
  const give = (password: string | null) => ({ path }: { path: string }) =>
    path.endsWith('shared-links/me') ? { body: JSON.stringify({ ...link, password }) } : undefined
  run.immich.fault = give('********')
  assert.match((await run.get(`/share/${key}`, { headers: HTML })).text, /type="password"/)
  // Immich no longer says that it has a password
  run.immich.fault = give(null)
  const { status, headers } = await run.get(`/share/${key}`, page)
  assert.deepEqual([status, headers['cache-control']], [200, 'private, no-store'])
})

test('a month that cannot be read is in the log, once', async () => {
  const run = await start()
  const { key } = run.links.album
  const unread = () => run.lines.filter(line => line.includes('lists a month that cannot be parsed')).length
  assert.equal((await run.get(`/share/items/${key}/0`)).status, 200)
  assert.equal(unread(), 0)
  const other = await start({ library: run.library })
  const months = JSON.stringify([{ timeBucket: '2026-01-01', count: 1 }, { timeBucket: 'BC', count: 1 }])
  other.immich.fault = ({ path }) => path.endsWith('timeline/buckets') ? { body: months } : undefined
  for (const { key } of [run.links.album, run.links.slug]) await other.get(`/share/items/${key}/0`)
  const lines = other.lines.filter(line => line.includes('lists a month that cannot be parsed'))
  assert.equal(lines.length, 1, lines.join('\n'))
})
