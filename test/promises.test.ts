/** The ten promises of docs/audit.md, each with a test that fails if it is broken. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { PASSWORD } from './library.ts'
import { HTML, ROOT, start, type Answer } from './helpers.ts'
import { VERSIONS } from './standin.ts'

const ALLOWED = new RegExp(
  '^(GET|HEAD) /api/(server/ping|server/version|shared-links/me|timeline/buckets?|' +
    'assets/[0-9a-f-]{36}(/(thumbnail|original|video/playback))?)$|' +
    '^POST /api/(shared-links/login|download/info|search/metadata)$'
)
/**
 * The only headers that Immich ever sees. Those in `FIXED` are fetch's own, with one value each. Bodies have
 * a Content-Length, because not every reverse proxy in front of Immich accepts them without.
 */
const FIXED = {
  accept: '*/*', 'accept-language': '*', 'sec-fetch-mode': 'cors', 'user-agent': 'node', pragma: 'no-cache',
  'cache-control': 'max-age=0'
}
const HEADERS = [
  'accept-encoding', 'connection', 'content-length', 'content-type', 'cookie', 'host', 'if-none-match',
  'range', ...Object.keys(FIXED)
]

/** The files of src/ without their comments. */
const SOURCES = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => {
    const source = readFileSync(new URL(`src/${file}`, ROOT), 'utf8')
    return [file, source.replace(/\/\*[^]*?\*\/|\/\/.*/g, '')] as const
  })

/** Every address that a link has. */
const addresses = (key: string, id: string, motion: string) => [
  `/share/${key}`, `/share/${key}/`, `/share/${key}/${id}`, `/share/${key}/download`, `/share/${key}?page=2`,
  `/share/items/${key}/0`, `/share/meta/${key}/${id}`, `/share/photo/${key}/${id}`,
  ...['thumbnail', 'preview', 'fullsize', 'original'].map(size => `/share/photo/${key}/${id}/${size}`),
  `/share/video/${key}/${id}`, `/share/video/${key}/${motion}`
]

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    const run = await start({
      version, ipp: { showMetadata: { description: true, exif: true, location: true } }
    })
    const { links, library, assets, immich } = run
    const album = library.albums.get(links.album.album!)!
    const [first] = album.assets as [string]

    test('1: only the calls in the table are ever made', async () => {
      for (const link of Object.values(links)) {
        for (const path of addresses(link.key, first, assets.part.id)) await run.get(path, { headers: HTML })
      }
      await run.unlock({ key: links.password.key, password: PASSWORD })
      await run.get('/share/healthcheck')
      assert.ok(immich.asked.length > 50)
      for (const { method, path, headers, body } of immich.asked) {
        assert.match(`${method} ${path}`, ALLOWED)
        assert.deepEqual(Object.keys(headers).filter(name => !HEADERS.includes(name)), [], path)
        for (const [name, value] of Object.entries(FIXED)) {
          assert.ok(headers[name] === undefined || headers[name] === value, name)
        }
        assert.equal(headers.host, new URL(immich.url).host)
        assert.equal(headers['content-length'], body ? `${Buffer.byteLength(body)}` : undefined)
      }
    })

    test('2: a protected link serves nothing without its unlock', async () => {
      const title = album.name
      const allowed = await run.unlock({ key: links.photoPassword.key, password: PASSWORD })
      for (const link of [links.password, links.slugPassword]) {
        const paths = [
          ...addresses(link.key, first, assets.part.id),
          ...link.slug ? [`/s/${link.slug}`, `/s/${link.slug}/${first}`, `/s/${link.slug}/download`] : []
        ]
        for (const cookie of ['', allowed.cookie, 'ipp_x=y', `immich_shared_link_token=x`]) {
          immich.asked.length = 0
          for (const path of paths) {
            const response = await run.get(path, { headers: { ...HTML, cookie } })
            // only browsers get the form, even in place of a file, but never in place of a list
            const page = /^\/(share\/[\w-]{67}|s\/[\w-]+)(\/|\/[\da-f-]{36}|\/download)?(\?|$)/
            const form = page.test(path) || /^\/share\/(photo|video)\//.test(path)
            assert.equal(response.status, form ? 200 : 404, path)
            assert.equal(response.text.includes('<form'), form, path)
            assert.ok(!response.text.includes(title), path)
            assert.doesNotMatch(response.text, /og:|97 photos/, path)
            assert.match(response.headers['cache-control']!, /no-store/)
          }
          assert.ok(
            immich.asked.every(({ path }) => path === '/api/shared-links/me'),
            'Immich was asked for more than the link'
          )
        }
      }
    })

    test('3: only what the link lists is served, and nothing trashed, hidden or locked', async () => {
      const { key } = links.visibility
      for (const id of [assets.hidden.id, assets.locked.id, assets.trashed.id, assets.notShared.id, first]) {
        for (const path of addresses(key, id, id).filter(path => path.includes(id))) {
          assert.equal((await run.get(path)).status, 404, path)
        }
      }
      const items = (await run.get(`/share/items/${key}/0`)).json()
      assert.equal(items.id.length, 2)
      assert.ok(items.id.includes(assets.archived.id))
      assert.equal((await run.get(`/share/photo/${key}/${assets.archived.id}/thumbnail`)).status, 200)
      const other = (await run.get(`/share/items/${links.lockedLater.key}/0`))
      assert.equal(other.json().id.length, 1, 'an asset locked after it was shared')
      // the video of a motion photo is reachable as a video only
      assert.equal((await run.get(`/share/video/${links.mixed.key}/${assets.part.id}`)).status, 200)
      for (const size of ['thumbnail', 'preview', 'fullsize', 'original']) {
        assert.equal((await run.get(`/share/photo/${links.mixed.key}/${assets.part.id}/${size}`)).status, 404)
      }
    })

    test('2 and 3 hold even if Immich is careless', async () => {
      const careless = await start({ version, library })
      careless.immich.careless = true
      for (const path of addresses(links.password.key, first, assets.part.id)) {
        const { status, headers, text } = await careless.get(path, { headers: HTML })
        assert.ok(!text.includes(album.name) && headers['cache-control'] === 'no-store', path)
        const form = /^\/share\/([\w-]{67}(\/|\/[\da-f-]{36}|\/download)?(\?|$)|(photo|video)\/)/.test(path)
        assert.ok(form ? text.includes('<form') : status === 404, path)
      }
      const chosen = {
        ...links.visibility,
        key: `${links.visibility.key.slice(0, -4)}CARE`,
        assets: library.albums.get(links.visibility.album!)!.assets
      }
      delete (chosen as { album?: string }).album
      library.links.push(chosen)
      for (const { key } of [links.visibility, chosen]) {
        const { id } = (await careless.get(`/share/items/${key}/0`)).json()
        assert.equal(id.length, 2)
        for (const asset of [assets.hidden, assets.locked, assets.trashed]) assert.ok(!id.includes(asset.id))
      }
      library.links.pop()
    })

    test('4: nothing else from the visitor reaches Immich, and nothing unnamed comes back', async () => {
      immich.asked.length = 0
      const secret = 'visitor-secret'
      const headers = {
        ...HTML, cookie: `session=${secret}`, authorization: `Bearer ${secret}`, 'x-api-key': secret,
        'x-immich-share-key': secret, 'user-agent': secret, 'x-forwarded-for': secret, origin: secret,
        'x-secret': secret
      }
      const responses: Answer[] = []
      const query = `isTrashed=true&visibility=hidden&password=${secret}`
      for (const path of addresses(links.album.key, first, assets.part.id)) {
        responses.push(await run.get(`${path}?${query}`, { headers }))
      }
      for (const asked of immich.asked) {
        for (const sent of [JSON.stringify(asked.headers), asked.query.toString(), asked.body]) {
          assert.ok(!sent.includes(secret))
        }
        for (const name of ['isTrashed', 'visibility', 'password']) assert.ok(!asked.query.has(name))
        assert.match(asked.headers['accept-encoding'] as string, /^identity(, identity)?$/)
      }
      for (const response of responses) {
        for (const name of ['x-powered-by', 'x-immich-cid', 'x-correlation-id', 'location']) {
          assert.equal(response.headers[name], undefined)
        }
        for (const leak of ['/data/upload', 'originalPath', 'checksum', 'ownerId', 'admin@example.com']) {
          assert.ok(!response.text.includes(leak))
        }
      }
      const redirected = await run.get(`/share/photo/${links.noDownload.key}/${first}/fullsize`)
      assert.equal(redirected.status, 200)
    })

    test('5: metadata needs the owner and the operator', async () => {
      const withExif = [...library.assets.values()].find(
        asset => asset.exif.make && album.assets.includes(asset.id)
      )!
      const meta = (await run.get(`/share/meta/${links.album.key}/${withExif.id}`)).json()
      assert.equal(meta.make, 'Canon')
      assert.equal(meta.city, 'Berlin')
      assert.deepEqual((await run.get(`/share/meta/${links.noMetadata.key}/${withExif.id}`)).json(), {})
      const items = (await run.get(`/share/items/${links.noMetadata.key}/0`)).json()
      assert.equal(items.time, undefined)
      for (const path of [
        `/share/${links.noMetadata.key}`, `/share/${links.noMetadata.key}/${withExif.id}`
      ]) {
        const { text } = await run.get(path, { headers: HTML })
        assert.ok(!/2025|October|Canon|Berlin|dawn|original0/.test(text), path)
      }
      const download = await run.get(`/share/photo/${links.noMetadata.key}/${withExif.id}/original`)
      assert.ok(!download.headers['content-disposition']!.includes('original0'))
      const original = await run.get(`/share/photo/${links.album.key}/${withExif.id}/original`)
      assert.match(original.headers['content-disposition']!, /original0\.jpg/)
    })

    test('6: downloads need the owner and the operator, checked on the bytes', async () => {
      const big = [...library.assets.values()].find(
        asset => asset.name === 'original0.jpg' && album.assets.includes(asset.id)
      )!
      const original = await run.get(`/share/photo/${links.album.key}/${big.id}/original`)
      const full = await run.get(`/share/photo/${links.album.key}/${big.id}/fullsize`)
      const preview = await run.get(`/share/photo/${links.album.key}/${big.id}/preview`)
      assert.deepEqual(full.body, original.body)
      assert.notDeepEqual(preview.body, original.body)
      assert.deepEqual(
        (await run.get(`/share/photo/${links.noDownload.key}/${big.id}/fullsize`)).body, preview.body
      )
      assert.equal((await run.get(`/share/photo/${links.noDownload.key}/${big.id}/original`)).status, 404)
      assert.equal((await run.get(`/share/${links.noDownload.key}/download`)).status, 404)
    })

    test('7: every invalid request gets the same 404, and an unreachable Immich the same 503', async () => {
      const known = links.album.key
      const wrong = known.slice(0, -4) + 'AAAA'
      const paths = [
        `/share/${wrong}`, `/share/${links.expired.key}`, `/share/${links.deleted.key}`, '/share/%00',
        '/share/..%2f..', '/nowhere', '/share/a/b/c/d/e/f', `/share/photo/${known}/${assets.notShared.id}`,
        `/share/photo/${known}/not-an-id`, `/s/no-such-slug`, `/s/%E0%A4%A`, `/share/${known}/xyz`,
        `/share/photo/${known}/${first}/huge`, '/share/static/x/../../package.json',
        '/share/static/1/style.css'
      ]
      const bodies = new Set<string>()
      for (const path of paths) {
        const page = await run.get(path, { headers: HTML })
        assert.equal(page.status, 404, path)
        assert.equal(page.headers['cache-control'], 'no-store', path)
        bodies.add(page.text + JSON.stringify({ ...page.headers, date: '' }))
        assert.equal((await run.get(path)).text, 'not found\n', path)
      }
      assert.equal(bodies.size, 1)
      for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        assert.equal((await run.get(`/share/${known}`, { method })).status, 404)
      }
      immich.fault = () => ({ reset: true })
      const down = new Set<string>()
      for (const path of [`/share/${wrong}`, `/s/whatever`, `/share/photo/${wrong}/${first}`]) {
        const response = await run.get(path, { headers: HTML })
        assert.equal(response.status, 503, path)
        assert.ok(Number(response.headers['retry-after']) > 0)
        down.add(response.text)
      }
      assert.equal(down.size, 1)
      immich.fault = () => undefined
    })

    test('8: no third party, a strict policy, no referrer', async () => {
      for (const path of [
        '/', `/share/${links.album.key}`, `/share/${links.album.key}/${first}`,
        `/share/${links.password.key}`, '/nowhere'
      ]) {
        const { headers, text } = await run.get(path, { headers: { ...HTML, host: 'photos.example.com' } })
        const csp = headers['content-security-policy'] as string
        assert.match(csp, /default-src 'none'/)
        assert.ok(!csp.includes('unsafe-inline') && !/https?:|\*/.test(csp))
        assert.equal(headers['referrer-policy'], 'no-referrer')
        assert.equal(headers['x-robots-tag'], 'noindex, nofollow')
        const visible = text.replace(/<meta [^>]*>/g, '')
        assert.ok(!/(src|href|action)="(https?:)?\/\//.test(visible), path)
        assert.ok(
          !/ style=| on\w+="|<style|<script(?! type="module" src="\/share\/static\/)/.test(visible), path
        )
      }
    })
  })
}

test('9: no source file writes to disk or keeps state outside memory', () => {
  for (const [file, source] of SOURCES) {
    assert.doesNotMatch(
      source, /createWriteStream|appendFile|mkdir|worker_threads|node:sqlite|node:fs\//, file
    )
    for (const [, names] of source.matchAll(/import (.*) from 'node:fs'/g)) {
      assert.equal(names, '{ readFileSync }')
    }
  }
})

test('9: an unlock works on every replica with the same IPP_SECRET, and on no other', async () => {
  const env = { IPP_SECRET: 'a secret of sixteen or more' }
  const [one, two, other] = [await start({ env }), await start({ env }), await start()]
  const { cookie } = await one.unlock({ key: one.links.password.key, password: PASSWORD })
  const path = `/share/items/${one.links.password.key}/0`
  assert.equal((await one.get(path, { headers: { cookie } })).status, 200)
  assert.equal((await two.get(path, { headers: { cookie } })).status, 200)
  assert.equal((await other.get(path, { headers: { cookie } })).status, 404)
})

test('10: every limit has a default', async () => {
  const { settings } = await start()
  for (const [name, value] of Object.entries(settings.limits)) assert.ok(Number.isFinite(value), name)
})

test('10: every limit of the configuration is set by a test', () => {
  const { limits } = JSON.parse(readFileSync(new URL('config.json', ROOT), 'utf8')).ipp
  const files = readdirSync(new URL('test/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
  const tests = files.map(name => readFileSync(new URL(`test/${name}`, ROOT), 'utf8')).join('')
  for (const name of Object.keys(limits)) assert.match(tests, new RegExp(`\\b${name}\\b: [\\d.]`), name)
})

test('the shapes: one door, one writer of headers', () => {
  const where = (pattern: RegExp) =>
    SOURCES.flatMap(([file, source]) => [...source.matchAll(pattern)].map(() => file))
  // only the command `check` requests a link's public address
  assert.deepEqual(where(/\bfetch\s*\(/g).toSorted(), ['config/public-address.ts', 'immich.ts', 'immich.ts'])
  const writers = where(/\bwriteHead\s*\(|\bsetHeader\s*\(|\.writeEarlyHints|\.statusCode\s*=/g)
  assert.deepEqual(writers, ['http/reply.ts'])
  assert.deepEqual(where(/node:https/g), [])
  assert.deepEqual(where(/from 'undici'|\bXMLHttpRequest\b|\bWebSocket\b/g), [])
  assert.deepEqual(where(/x-api-key|apiKey|Authorization/gi), [])
})
