/** The pages of a link: their contents and their addresses. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HTML, start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { VERSIONS } from '../standin.ts'

test('the contents of the pages, in the visitor\'s language', async () => {
  const run = await start({ ipp: { groupByDate: 'day', showGalleryDescription: true, showExpiryDate: true } })
  const page = async (key: string, language = 'en', path = '') => {
    const headers = { ...HTML, 'accept-language': language, host: 'p.example' }
    return (await run.get(`/share/${key}${path}`, { headers })).text
  }
  const english = await page(run.links.ending.key)
  assert.match(english, /<h1 dir="auto">Summer at the lake<\/h1>/)
  assert.match(english, /97 photos and videos · Oct 2025/)
  assert.match(english, /Available until December 31, 2100/)
  assert.match(english, /Two weeks\nby the &#60;water&#62; &#38; more/)
  assert.match(english, /<h2>Sat, Oct 18, 2025<\/h2>[^]*<h2>Fri, Oct 17<\/h2>/)
  assert.match(
    await page(run.links.album.key, 'de-DE,de;q=0.9,en;q=0.8'),
    /<html lang="de-DE" dir="ltr">[\s\S]*97 Fotos und Videos[\s\S]*Sa\., 18\. Okt\. 2025/
  )
  assert.match(await page(run.links.album.key, 'en-GB'), /Sat,? 18 Oct 2025/)
  assert.match(await page(run.links.album.key, 'xx, ja;q=0.5'), /写真と動画97点/)
  assert.match(await page(run.links.album.key, '<script>, ;;;q=x'), /lang="en"/)
  for (const language of ['fr', 'es', 'it', 'nl', 'pt', 'pl', 'sv', 'cs', 'zh']) {
    const text = await page(run.links.album.key, language)
    assert.match(text, new RegExp(`<html lang="${language}"`))
    assert.ok(!text.includes('photos and videos') && !text.includes('undefined'), language)
  }
  assert.match(english, /<meta property="og:title" content="Summer at the lake">/)
  const [, preview] = /<meta property="og:image" content="([^"]*)">/.exec(english)!
  assert.match(
    preview!, /^http:\/\/p\.example\/share\/photo\/[\w-]{67}\/[\da-f-]{36}\/preview\?v=[\w-]{12}$/
  )
  const tiles = [...english.matchAll(/<a class="tile r\d+" href="(\/share\/[\w-]{67}\/[\da-f-]{36})"/g)]
    .map(match => match[1]!)
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

for (const version of VERSIONS) {
  describe(`Immich ${version}`, () => {
    test('each day has one heading, in albums and among chosen photos', async () => {
      const library = emptyLibrary()
      const day = Date.UTC(2026, 6, 1)
      // in order by UTC; by their own clocks 2, 1, 2 July
      const assets = [[23, 2], [23.5, -10], [23.6, 2], [10, 0]].map(([hour, offsetHours], n) =>
        photo(n, { taken: day + hour! * 3_600_000, offsetHours: offsetHours! })
      )
      const run = await start({ version, library, ipp: { groupByDate: 'day' } })
      const links = [
        addLink(library, 'chosen', {}, assets),
        addLink(library, 'album', { album: addAlbum(library, 'Days', assets) })
      ]
      for (const { key } of links) {
        const { text } = await run.get(`/share/${key}`, { headers: HTML })
        const headings = [...text.matchAll(/<h2>([^<]*)/g)].map(([, name]) => name!.trim())
        assert.deepEqual(headings, ['Thu, Jul 2, 2026', 'Wed, Jul 1'])
      }
    })
  })
}

test('absolute addresses come only from trusted sources', async () => {
  const run = await start()
  const url = async (headers: Record<string, string>, on = run) => {
    const { text } = await on.get(`/share/${on.links.album.key}`, { headers: { ...HTML, ...headers } })
    return /og:url" content="([^"]*)\/share/.exec(text)?.[1]
  }
  assert.equal(await url({ host: 'a.example' }), 'http://a.example')
  assert.equal(
    await url({ host: 'a.example', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'b.example' }),
    'https://b.example'
  )
  assert.equal(await url({ host: 'a.example', publicbaseurl: 'https://c.example/' }), 'https://c.example')
  assert.equal(await url({ host: 'a.example', publicbaseurl: 'javascript:alert(1)' }), 'http://a.example')
  const fixed = await start({
    env: { PUBLIC_BASE_URL: 'https://photos.example.com' }, ipp: { trustedProxies: [] }
  })
  const forged = {
    host: 'a.example', publicbaseurl: 'https://evil.example', 'x-forwarded-host': 'evil.example'
  }
  assert.equal(await url(forged, fixed), 'https://photos.example.com')
})

test('previews in chats: sizes, and the video if the link shares just one', async () => {
  const library = emptyLibrary()
  const wide = addLink(library, 'wide', {
    album: addAlbum(library, 'Wide', [photo(1, { width: 3000, height: 2000 }), photo(2)])
  })
  const videoLink = addLink(library, 'film', {}, [video(3, { width: 1000, height: 2000 })])
  const run = await start({ library })
  const tags = async (key: string) => {
    const { text } = await run.get(`/share/${key}`, { headers: HTML })
    const found = [...text.matchAll(/property="([^"]*)" content="([^"]*)"/g)]
    return Object.fromEntries(found.map(([, name, value]) => [name, value]))
  }
  const album = await tags(wide.key)
  assert.deepEqual(
    [album['og:image:width'], album['og:image:height'], album['og:type'], album['og:video']],
    ['2160', '1440', 'website', undefined]
  )
  const one = await tags(videoLink.key)
  assert.deepEqual(
    [one['og:image:width'], one['og:image:height'], one['og:type']], ['1440', '2880', 'video.other']
  )
  assert.equal((await run.get(new URL(one['og:video']!).pathname)).headers['content-type'], 'video/mp4')
  const { text } = await run.get(`/share/${wide.key}`, { headers: HTML })
  const [icon] = /\/share\/static\/[^"]*icon\.png/.exec(text)!
  const { body, headers } = await run.get(icon)
  assert.deepEqual([body.subarray(1, 4).toString(), headers['content-type']], ['PNG', 'image/png'])
})

test('a video has a player, a motion photo its own button', async () => {
  const library = emptyLibrary()
  const part = video(1, { visibility: 'hidden' })
  library.assets.set(part.id, part)
  const { key, assets } = addLink(library, 'x', {}, [photo(1, { motion: part.id }), video(2)])
  const run = await start({ library })
  assert.match(
    (await run.get(`/share/${key}/${assets![1]}`, { headers: HTML })).text,
    new RegExp(`<video src="/share/video/${key}/${assets![1]}\\?v=\\w+"[^>]* preload="none"`)
  )
  assert.match(
    (await run.get(`/share/${key}/${assets![0]}`, { headers: HTML })).text,
    new RegExp(`href="/share/video/${key}/${part.id}\\?v=\\w+"`)
  )
  assert.equal((await run.get(`/share/${key}/${part.id}`)).status, 404)
})

test('a photo without a preview yet has its page, and can be downloaded', async () => {
  const library = emptyLibrary()
  const fresh = photo(1, { name: 'fresh.jpg', thumbhash: null })
  delete fresh.preview
  delete fresh.thumbnail
  const { key } = addLink(library, 'fresh', {}, [fresh])
  const run = await start({ library })
  assert.equal(
    (await run.get(`/share/${key}`, { headers: HTML })).headers['content-type'], 'text/html; charset=utf-8'
  )
  const page = (await run.get(`/share/${key}/${fresh.id}`, { headers: HTML })).text
  assert.match(page, /The preview isn’t ready yet\.[^]*\/original\?/)
  assert.match((await run.get(`/share/${key}`, { headers: HTML })).text, /role="status">The preview isn’t/)
  // an address without a version is not one of this version, though the photo has none either
  assert.equal(
    (await run.get(`/share/photo/${key}/${fresh.id}/original`)).headers['cache-control'],
    'public, max-age=300'
  )
  library.links[0]!.allowDownload = false
  const plain = await start({ library })
  assert.doesNotMatch((await plain.get(`/share/${key}/${fresh.id}`, { headers: HTML })).text, /\/original\?/)
})

test('a caption that has changed is on the page of its photo at once', async () => {
  const library = emptyLibrary()
  const shared = photo(1, { exif: { description: 'At noon' } })
  const { key } = addLink(library, 'caption', {}, [shared, photo(2)])
  const run = await start({ library, ipp: { showMetadata: { description: true } } })
  const page = async () => (await run.get(`/share/${key}/${shared.id}`, { headers: HTML })).text
  assert.match(await page(), /At noon/)
  shared.exif.description = 'At dusk'
  const changed = await page()
  assert.match(changed, /At dusk/)
  assert.doesNotMatch(changed, /At noon/)
})

test('an owner\'s description is the title of chosen photos, and below an album\'s name', async () => {
  const library = emptyLibrary()
  const chosen = addLink(library, 'words', { description: 'For grandma' }, [photo(1), photo(2)])
  const album = addLink(library, 'words 2', {
    description: 'For grandma', album: addAlbum(library, 'Wedding', [photo(3), photo(4)])
  })
  const run = await start({ library, ipp: { showGalleryDescription: true } })
  const [one, other] = await Promise.all(
    [chosen, album].map(async ({ key }) => (await run.get(`/share/${key}`, { headers: HTML })).text)
  )
  assert.match(one!, /og:title" content="For grandma"[^]*<h1[^>]*>For grandma</)
  assert.doesNotMatch(one!, /class="about"/)
  assert.match(other!, /<h1[^>]*>Wedding<[^]*class="about"[^>]*>For grandma</)
  const zip = await run.get(`/share/${chosen.key}/download`, { method: 'HEAD' })
  assert.match(zip.headers['content-disposition']!, /For grandma\.zip/)
})

test('an address with the punctuation that chats and mails add leads to the link', async () => {
  const library = emptyLibrary()
  const { key, assets } = addLink(library, 'pasted', { slug: 'summer' }, [photo(1), photo(2)])
  addLink(library, 'ends so', { slug: 'really...' }, [photo(3), photo(4)])
  const run = await start({ library })
  const id = assets![0]!
  const leads = async (path: string) => {
    const { status, headers } = await run.get(path, { headers: HTML })
    return status === 301 ? headers.location : status
  }
  for (const after of ['.', ')', ',', '%3E', '*', '%E2%80%A6', '%20', '%E2%80%8B', '%C2%A0', '%22)', '**.']) {
    assert.equal(await leads(`/share/${key}${after}`), `/share/${key}`, after)
    assert.equal(await leads(`/s/summer${after}`), '/s/summer', after)
    assert.equal(await leads(`/share/${key}/${id}${after}`), `/share/${key}/${id}`, after)
  }
  for (const [path, to] of [
    [`/Share/${key}`, `/share/${key}`],
    [`/SHARE/${key}`, `/share/${key}`],
    ['/S/summer', '/s/summer'],
    [`//share/${key}`, `/share/${key}`],
    [`/share/${key}/photos/${id}`, `/share/${key}/${id}`],
    // "Link: …\nPassword: …", as Immich's dialog copies it
    [`/share/${key}%0APassword:%20a/b%c`, `/share/${key}`],
    [`/share/${key}%20Passwort:%20ab`, `/share/${key}`],
    [`/share/${key}Password:%20ab`, `/share/${key}`],
    ['/s/summer%0AWachtwoord:%20a/b', '/s/summer'],
    ['/s/summer%20Password:%20ab', '/s/summer']
  ]) {
    assert.equal(await leads(path!), to, path)
  }
  assert.equal(await leads('/s/really...'), 200, 'a slug that ends so')
  assert.equal(await leads('/share/../x'), 404)
  assert.equal(await leads('/s/nothing'), 404)
  assert.equal((await run.get(`/share/${key}`, { method: 'POST' })).headers.location, `/share/${key}`)
  assert.equal((await run.get(`/share/video/${key}/${id}/x`)).status, 404)
})
