/** Addresses that belong to no link, and the answers to errors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HTML, start } from '../helpers.ts'
import { PASSWORD } from '../library.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

test('static files: any version gets the current file, but only its own address is cached', async () => {
  const run = await start()
  const page = (await run.get('/', { headers: HTML })).text
  const [path, version] = /\/share\/static\/([\da-f]{12})\/style\.css/.exec(page)!
  const current = await run.get(path)
  assert.match(current.headers['cache-control']!, /immutable/)
  const other = await run.get(path.replace(version!, '0123456789ab'))
  assert.deepEqual([other.status, other.headers['cache-control'], other.headers['content-type']],
    [200, 'no-cache', 'text/css'])
  assert.ok(other.body.equals(current.body))
  const headers = { 'if-none-match': other.headers.etag! }
  assert.equal((await run.get(path.replace(version!, '0123456789ab'), { headers })).status, 304)
  for (const missing of [`/share/static/${version}/nothing.js`, `/share/static/${version}/..%2fstrings.json`,
    '/share/static/0123456789abc/style.css', '/share/static/latest/style.css']) {
    assert.equal((await run.get(missing)).status, 404, missing)
  }
})

test('icons for programs that do not read the page', async () => {
  const run = await start()
  for (const path of ['/apple-touch-icon.png', '/favicon.ico']) {
    const { status, headers } = await run.get(path)
    assert.deepEqual(
      [status, headers['content-type'], headers['cache-control']], [200, 'image/png', 'no-cache']
    )
  }
})

test('errors have a type and a body: a line for programs and a page for browsers', async () => {
  const run = await start()
  const { key } = run.links.password
  const told = async (path: string, headers = {}, method = 'GET') => {
    const response = await run.get(path, { headers, method })
    return [response.status, response.headers['content-type'], response.text.slice(0, 15)]
  }
  const page = 'text/html; charset=utf-8'
  const line = 'text/plain; charset=utf-8'
  assert.deepEqual(await told('/nowhere'), [404, line, 'not found\n'])
  assert.deepEqual(await told('/nowhere', HTML), [404, page, '<!doctype html>'])
  assert.deepEqual(await told('/nowhere', {}, 'HEAD'), [404, line, ''])
  assert.deepEqual(await told('/nowhere', {}, 'DELETE'), [404, line, 'not found\n'])
  assert.deepEqual(await told(`/share/items/${key}/0`), [404, line, 'not found\n'])
  run.immich.fault = () => ({ status: 502, body: '' })
  assert.deepEqual(await told(`/share/${run.links.album.key}`), [503, line, 'unavailable\n'])
  assert.deepEqual(await told(`/share/${run.links.album.key}`, HTML), [503, page, '<!doctype html>'])
})

test('POST to a link redirects to it, by key and by slug', async () => {
  const run = await start()
  for (const path of [`/share/${run.links.album.key}`, `/s/${encodeURIComponent(run.links.slug.slug!)}`]) {
    const { status, headers } = await run.get(path, { method: 'POST', headers: FORM, body: 'password=x' })
    assert.deepEqual([status, headers.location], [303, path])
  }
  const photos = await run.get(`/share/${run.links.album.key}/photos`, { headers: HTML })
  assert.deepEqual([photos.status, photos.headers.location], [301, `/share/${run.links.album.key}`])
})

test('an unlock redirects to `next`, even if that is not ASCII, and never elsewhere', async () => {
  const run = await start()
  const slug = 'ungewöhnlich 日本'
  const link = { ...run.links.password, key: run.links.photo.key.replace(/^./, 'z'), slug }
  run.library.links.push(link)
  const leads = async (next: string) => {
    const body = JSON.stringify({ slug, password: PASSWORD, next })
    const headers = { 'content-type': 'application/json' }
    const response = await run.get('/share/unlock', { method: 'POST', headers, body })
    return [response.status, response.headers.location]
  }
  const path = `/s/${encodeURIComponent(slug)}`
  assert.deepEqual(await leads(path), [303, path])
  assert.deepEqual(await leads('/s/ungewöhnlich%20日本'), [303, path.replace('%20', '%2520')])
  for (const next of [
    `/s/${slug}`, '/s/anders', '//evil.example', '/s/\ud800', '/share/日本', '\r\nx: y', ''
  ]) {
    assert.deepEqual(await leads(next), [303, path], JSON.stringify(next))
  }
})
