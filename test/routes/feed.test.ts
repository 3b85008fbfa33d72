/** The JSON feed of a link. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HTML, start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'

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
