/** `check LINK` with a public address: it should lead here, and nowhere else. */
import assert from 'node:assert/strict'
import { createServer, request, type IncomingMessage } from 'node:http'
import { after, test } from 'node:test'
import { check as checkSettings } from '../../src/config/check.ts'
import { listen, ROOT, start } from '../helpers.ts'

const run = await start()
const { links, immich, base } = run

/** The target of a request at a reverse proxy, with additional headers; or the proxy's own answer. */
type Way =
  { to: string, headers?: Record<string, string>, without?: RegExp }
  | { status: number, location?: string, body?: string }
async function front (wayOf: (path: string) => Way): Promise<string> {
  const server = createServer((incoming: IncomingMessage, response) => {
    const way = wayOf(incoming.url!)
    if (!('to' in way)) {
      response.writeHead(way.status, way.location ? { location: way.location } : {}).end(way.body)
      return
    }
    const kept = Object.entries(incoming.headers).filter(([name]) => !way.without?.test(name))
    // unlike Immich, the stand-in reads no key from a header
    const name =
      way.to === immich.url &&
      ['key', 'slug'].find(name => kept.some(([header]) => header === `x-immich-share-${name}`))
    const query = name ? `?${name}=${incoming.headers[`x-immich-share-${name}`]}` : ''
    const out = request(
      way.to + incoming.url + query,
      { headers: { ...Object.fromEntries(kept), ...way.headers } },
      answer => {
        response.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(response)
      }
    )
    incoming.pipe(out)
  })
  after(() => { server.close(); server.closeAllConnections() })
  return listen(server)
}

async function check (origin: string, { key, slug }: { key: string, slug?: string | null }) {
  const address = slug ? `${origin}/s/${encodeURIComponent(slug)}` : `${origin}/share/${key}`
  const { report, status } = await checkSettings({ IMMICH_URL: immich.url, CONFIG: '{}' }, ROOT, address)
  return { status, text: report }
}

const OPEN = /^WRONG Immich's own API opens links at \S+\/api, so no password protects them/m
const toProxy = (path: string): Way =>
  path.startsWith('/api') ? { status: 404, body: '<h1>nginx</h1>' } : { to: base }

test('an address that leads here and nowhere else', async () => {
  const origin = await front(toProxy)
  for (const link of [links.album, links.password]) {
    const { status, text } = await check(origin, link)
    assert.match(text, new RegExp(`^ok {4}${origin} leads to this program$`, 'm'))
    assert.doesNotMatch(text, /WRONG/)
    assert.equal(status, 0)
  }
  assert.match(
    (await check(origin, links.album)).text,
    new RegExp(`^ok {4}scheme and host arrive here as ${origin}$`, 'm')
  )
})

test('an address that leads elsewhere', async () => {
  const cases: [(path: string) => Way, RegExp][] = [
    [
      () => ({ status: 404, body: 'nginx' }),
      /WRONG \S+\/share does not lead to this program \(\/share\/alive answered 404\)\n {6}→ let/
    ],
    [() => ({ status: 401 }), /WRONG .*answered 401\)\n {6}→ exempt \/share and \/s from a login page/],
    [() => ({ status: 502 }), /WRONG .*answered 502\)\n {6}→ the reverse proxy does not reach it/],
    [
      () => ({ status: 200, body: '<title>Immich</title>' }),
      /WRONG \S+\/share does not lead to this program \(\/share\/alive answered 200\)/
    ],
    [
      () => ({ status: 302, location: 'https://login.example/?x=1' }),
      /WRONG \S+ redirects visitors to https:\/\/login\.example\n/
    ]
  ]
  for (const [way, expected] of cases) {
    const { status, text } = await check(await front(way), links.album)
    assert.match(text, expected)
    assert.equal(status, 1)
  }
})

test('a scheme or host that is not passed on', async () => {
  const withHeaders = (headers: Record<string, string>) => (path: string): Way => {
    const way = toProxy(path)
    return 'to' in way ? { ...way, headers } : way
  }
  const scheme = await check(await front(withHeaders({ 'x-forwarded-proto': 'https' })), links.album)
  assert.match(scheme.text, /WRONG visitors use http:\S+, but the proxy sees https:\S+\n {6}→ let/)
  assert.match(scheme.text, / {6}→ let the reverse proxy send X-Forwarded-Proto/)
  assert.equal(scheme.status, 1)
  const host = await check(await front(withHeaders({ host: 'inside.example' })), links.album)
  assert.match(host.text, /note {2}previews in chats name http:\/\/inside\.example instead of http:/)
  assert.equal(host.status, 0)
})

test("Immich's own API at the same address, closed as in the examples, and open", async () => {
  const toImmich = (without?: RegExp) => (path: string): Way =>
    path.startsWith('/api') ? { to: immich.url, ...without && { without } } : { to: base }
  const isGuarded = (path: string): Way =>
    /[?&](key|slug)=/.test(path) ? { status: 404 } : toImmich(/^x-immich-share-/)(path)
  const ways: [string, (path: string) => Way, boolean][] = [
    ['open', toImmich(), true],
    ['guarded', isGuarded, false],
    ['guarded in the query alone', path => path.includes('?') ? { status: 404 } : toImmich()(path), true]
  ]
  for (const [name, way, isOpen] of ways) {
    const origin = await front(way)
    await Promise.all([links.album, links.password, links.slug].map(async link => {
      const { text, status } = await check(origin, link)
      assert.deepEqual([OPEN.test(text), status], [isOpen, isOpen ? 1 : 0], `${name}: ${text}`)
    }))
  }
})

test("Immich's own API, closed to every key but one that a parser drops", async () => {
  const way = (path: string): Way => {
    if (!path.startsWith('/api')) return { to: base }
    // as Go reads a query
    const isFound = /[?&](?:key|slug)=(?:[\w+.-]|%[\da-f]{2})*(?:&|$)/i.test(path)
    return isFound ? { status: 404 } : { to: immich.url, without: /^x-immich-share-/ }
  }
  const origin = await front(way)
  for (const link of [links.album, links.password]) assert.match((await check(origin, link)).text, OPEN)
  assert.doesNotMatch((await check(origin, links.slug)).text, OPEN)
})

test("an address that cannot be tested, and Immich's own", async () => {
  const { status, text } = await check('http://photos.invalid', links.album)
  assert.match(text, /note {2}http:\/\/photos\.invalid could not be tested from here: getaddrinfo E/)
  assert.equal(status, 0)
  for (const origin of ['http://127.0.0.1:2', 'http://localhost:2']) {
    const nothing = await check(origin, links.album)
    assert.match(nothing.text, new RegExp(`WRONG nothing listens at ${origin}\n`))
    assert.equal(nothing.status, 1)
  }
  const own = await check(immich.url, links.album)
  assert.match(own.text, /note {2}this is the address of Immich, not one for visitors\n/)
  assert.equal(own.status, 0)
})

test('the server never requests its public address', async () => {
  let count = 0
  const origin = await front(path => { count++; return toProxy(path) })
  const served = await start({ env: { PUBLIC_BASE_URL: origin } })
  for (const path of [`/share/${links.album.key}`, '/healthcheck', '/share']) await served.get(path)
  assert.equal(count, 0)
})
