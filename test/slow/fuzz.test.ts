/**
 * Random and mutated input at every entry point: path, query, headers, cookies, range, form, configuration,
 * and Immich's JSON. Runs for 3 seconds per test, or for SECONDS with `npm run fuzz`. Each finding becomes a
 * test of its own.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import * as immichJson from '../../src/gate/immich-json.ts'
import { ConfigError, loadSettings } from '../../src/config/settings.ts'
import { preferred } from '../../src/accept-headers.ts'
import { mendPath, parsePastedLink } from '../../src/pasted-address.ts'
import { fill } from '../../src/page/template.ts'
import { parseForm, parseReturnPath } from '../../src/form.ts'
import * as validate from '../../src/validate.ts'
import { ask, HTML, ROOT, start } from '../helpers.ts'
import { PASSWORD } from '../library.ts'

const SECONDS = Number(process.env.SECONDS ?? 3)
/**
 * Runs for SECONDS, or until it finds something, which fast-check shrinks and prints with its seed.
 * `test:all` tries the same inputs each time, so that it fails by a change alone; `npm run fuzz` tries
 * others.
 */
const hold = (property: fc.IRawProperty<any>) => fc.assert(property, {
  interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false, numRuns: 1e9,
  seed: Number(process.env.SEED ?? 1)
} as fc.Parameters<any>)

const showMetadata = { description: true, exif: true, location: true }
const run = await start({
  ipp: { showMetadata, limits: { upstreamTimeout: 1, guessesPerVisitor: 1000, guessesPerLink: 100_000 } }
})
const { links, assets } = run
/** Promises 1 and 4: the only calls to Immich, and their query parameters. */
const ALLOWED: [method: RegExp, path: RegExp, query: string[]][] = [
  [/^GET$/, /^\/api\/server\/(ping|version)$/, []],
  [/^GET$/, /^\/api\/shared-links\/me$/, ['key', 'slug', 'password']],
  [/^POST$/, /^\/api\/shared-links\/login$/, ['key', 'slug']],
  [/^GET$/, /^\/api\/timeline\/buckets$/, ['albumId', 'order', 'key']],
  [/^GET$/, /^\/api\/timeline\/bucket$/, ['albumId', 'order', 'timeBucket', 'key']],
  [/^GET$/, /^\/api\/assets\/[\da-f-]{36}$/, ['key']],
  [/^GET$|^HEAD$/, /^\/api\/assets\/[\da-f-]{36}\/(thumbnail|original|video\/playback)$/, ['size', 'key']],
  [/^POST$/, /^\/api\/(download\/info|search\/metadata)$/, ['key']]
]
const HEADERS = new Set([
  'host', 'connection', 'accept', 'accept-encoding', 'accept-language', 'cache-control', 'sec-fetch-mode',
  'user-agent', 'content-type', 'content-length', 'cookie', 'range', 'if-none-match', 'pragma'
])
function checkAsked () {
  for (const { method, path, query, headers } of run.immich.asked.splice(0)) {
    const allowed = ALLOWED.find(([methods, paths]) => methods.test(method) && paths.test(path))
    assert.ok(allowed, `asked ${method} ${path}`)
    for (const name of query.keys()) assert.ok(allowed[2].includes(name), `asked ${path} with ${name}`)
    for (const name of Object.keys(headers)) assert.ok(HEADERS.has(name), `sent ${name}`)
    if (headers.cookie) assert.match(headers.cookie, /^immich_shared_link_token=[^;]+$/)
    assert.doesNotMatch(String(headers['user-agent']), /FUZZ/)
  }
}
type Got = Awaited<ReturnType<typeof ask>>
const ALWAYS = [
  'content-security-policy', 'x-content-type-options', 'referrer-policy', 'cache-control',
  'cross-origin-resource-policy'
]
function checkAnswer (response: Got, what: string, most = 499) {
  assert.ok(response.status <= most, `${response.status} for ${what}`)
  if (!/image|video|octet|zip/.test(String(response.headers['content-type']))) {
    assert.doesNotMatch(response.text, /\n {4}at |node:internal|\/src\/|TypeError|ReferenceError/, what)
  }
  if (response.status === 400 || response.status === 431) return
  for (const name of ALWAYS) assert.ok(response.headers[name], `${name} for ${what}`)
}
/** Errors of requests that node:http refuses to send, or that the server's parser refuses. */
const UNSENDABLE = new RegExp('ERR_INVALID_CHAR|ERR_UNESCAPED|ERR_INVALID_HTTP_TOKEN|ECONNRESET|' +
  'socket hang up|Parse Error|HPE_')
/** Sends a request to the proxy; undefined if it could not be sent. */
const send = async (path: string, options: Parameters<typeof ask>[2] = {}) => {
  try { return await run.get(path, options) } catch (error) {
    if (UNSENDABLE.test(`${(error as NodeJS.ErrnoException).code} ${error}`)) return undefined
    throw error
  }
}
const ids = [...run.library.assets.keys()].slice(0, 5)
const keys = Object.values(links).flatMap(({ key, slug }) => [key, encodeURIComponent(slug ?? '')])
const nasty = fc.constantFrom(
  '..', '.', '%2e%2e', '%2f', '%00', '%', '%zz', '\\', '//', '?', '#', '%0d%0a', '__proto__', 'constructor',
  ' ', '%F0%9F%98%80', 'é', '\u202e', '%c0%af', ';', ':', '@', '*', ':key', ':id'
)
const segment = fc.oneof(fc.constantFrom(
  'share', 's', 'photo', 'video', 'meta', 'items', 'marks', 'static', 'download', 'unlock', 'healthcheck',
  'thumbnail', 'preview', 'fullsize', 'original', '0', '999999', '-1', ...keys, ...ids, assets.notShared.id
), nasty, fc.string({ maxLength: 12 }).map(encodeURIComponentSafe))
function encodeURIComponentSafe (text: string) { return encodeURIComponent(text.toWellFormed()) }
const path = fc.oneof(
  { weight: 3, arbitrary: fc.array(segment, { maxLength: 6 }).map(parts => '/' + parts.join('/')) },
  { weight: 1, arbitrary: fc.string({ maxLength: 30 }).map(text => '/' + encodeURI(text.toWellFormed())) }
)
const text = fc.string({ maxLength: 60 }).map(value => value.replace(/[^\x20-\x7e]/g, ''))
const joined = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map(parts => parts.join(''))
const bound = fc.oneof(fc.constant(''), fc.nat().map(String))
const firstBound = fc.oneof(bound, fc.constantFrom('99999999999999999999', '-1'))
const spans = fc.array(joined(firstBound, fc.constantFrom('-', '--', ''), bound), { maxLength: 3 })
const unit = fc.constantFrom('bytes', 'items', 'BYTES', '')
const range = fc.oneof(text,
  joined(unit, fc.constantFrom('=', ' =', ''), spans.map(parts => parts.join(','))))
const header = fc.record({
  cookie: fc.oneof(text, text.map(value => `ipp_${value}=${value}`)), range,
  accept: fc.constantFrom('text/html', '*/*', ''), 'accept-language': text,
  'accept-encoding': fc.oneof(text, fc.constantFrom('br', 'gzip', 'br;q=0', 'identity')),
  'if-none-match': text, 'if-modified-since': text, 'if-range': text,
  'x-forwarded-for': fc.oneof(text, fc.ipV4(), fc.ipV6()), 'x-forwarded-host': text,
  'x-forwarded-proto': text, publicbaseurl: fc.oneof(text, fc.webUrl()),
  'user-agent': fc.constant('FUZZ'), authorization: text, 'x-api-key': text, referer: text
}, { requiredKeys: [] })

describe('fuzzing', () => {
  after(() => run.stop())
  test('paths, queries and headers', async () => {
    const method = fc.constantFrom(
      'GET', 'HEAD', 'GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND')
    const query = fc.option(text)
    await hold(fc.asyncProperty(path, query, header, method, async (path, query, headers, method) => {
      const response = await send(path + (query === null ? '' : `?${encodeURI(query)}`), { method, headers })
      if (response) checkAnswer(response, `${method} ${path}`)
      checkAsked()
    }))
  })
  test('headers and ranges at existing addresses', async () => {
    const { album, mixed, slug } = links
    const there = [
      `/share/${album.key}`, `/share/photo/${album.key}/${ids[0]}/thumbnail`, `/share/items/${album.key}/0`,
      `/share/meta/${album.key}/${ids[0]}`, `/share/photo/${mixed.key}/${mixed.assets![0]}/original`,
      `/share/video/${mixed.key}/${mixed.assets![2]}`, `/share/${mixed.key}/download`,
      `/s/${encodeURIComponent(slug.slug!)}`
    ]
    await hold(fc.asyncProperty(fc.constantFrom(...there), header, range, async (path, headers, range) => {
      const response = await send(path, { headers: { ...headers, range } })
      if (!response) return
      checkAnswer(response, path)
      assert.ok([200, 206, 304, 404, 416].includes(response.status), `${response.status} for ${path}`)
      if (response.status === 206) assert.match(response.headers['content-range']!, /^bytes \d+-\d+\/\d+$/)
      const length = response.headers['content-length']
      if (length && response.status < 300) assert.equal(Number(length), response.body.length)
      assert.doesNotMatch(JSON.stringify(response.headers), /FUZZ/)
      checkAsked()
    }))
  })
  test('forms', async () => {
    const value = fc.oneof(text, fc.json(), fc.constantFrom(
      ...keys, PASSWORD, JSON.stringify(ids), '[]', '["x"]', 'null', `["${ids[0]}",{}]`))
    const path = fc.constantFrom(
      '/share/unlock', `/share/${links.album.key}/download`, `/share/${links.password.key}/download`)
    const name = fc.constantFrom('key', 'slug', 'password', 'assets', '__proto__', 'x')
    const type = fc.constantFrom(
      'application/x-www-form-urlencoded', 'application/json', 'multipart/form-data', 'text/plain', '')
    const raw = fc.option(fc.string({ maxLength: 40 }))
    const fields = fc.dictionary(name, value)
    await hold(fc.asyncProperty(path, fields, type, raw, async (path, fields, type, raw) => {
      const isJson = type === 'application/json'
      const body = raw ?? (isJson ? JSON.stringify(fields) : new URLSearchParams(fields).toString())
      const response = await send(path, { method: 'POST', body, headers: { ...HTML, 'content-type': type } })
      if (response) checkAnswer(response, `${path} ${body}`)
      checkAsked()
    }))
  })
  test('answers of Immich', async () => {
    const text = readFileSync(new URL('test/recordings/3.1.0.json', ROOT), 'utf8')
    const recordings = JSON.parse(text) as { json?: unknown }[]
    const samples = recordings.map(({ json }) => json)
      .filter(json => json !== undefined && JSON.stringify(json).length < 20_000)
    // a leaf or a branch of a real answer is replaced by something else
    const mutate = (value: unknown, at: number, by: unknown): unknown => {
      let count = 0
      const walk = (value: unknown): unknown => {
        if (count++ === at) return by
        if (Array.isArray(value)) return value.map(walk)
        if (typeof value !== 'object' || value === null) return value
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, walk(inner)]))
      }
      return walk(value)
    }
    const other = await start({ library: run.library, ipp: { showMetadata, limits: { upstreamTimeout: 1 } } })
    const key = () =>
      validate.parseKey(Buffer.from(crypto.getRandomValues(new Uint8Array(50))).toString('base64url'))!
    const strange = fc.constantFrom<unknown>('../../x', null, -1, 1e308, '\u0000', ['x'], { __proto__: 1 })
    const by = fc.oneof(fc.jsonValue(), strange)
    const where = fc.constantFrom(
      '/shared-links/me', '/timeline/buckets', '/timeline/bucket', '/assets/', 'download/info')
    const [sample, at] = [fc.constantFrom(...samples), fc.nat(60)]
    await hold(fc.asyncProperty(sample, at, by, where, async (sample, at, by, where) => {
      const body = JSON.stringify(mutate(sample, at, by))
      // a link that nobody has opened yet, so that nothing of it is cached
      const link = { ...links.album, key: key() }
      other.library.links.push(link)
      other.immich.fault = ({ path }) =>
        path.includes(where) && !/thumbnail|original|playback/.test(path) ? { body } : undefined
      const paths = ['', `/${ids[0]}`].map(rest => `/share/${link.key}${rest}`)
      for (const path of [...paths, `/share/items/${link.key}/0`, `/share/meta/${link.key}/${ids[0]}`]) {
        const response = await ask(other.base, path, { headers: HTML })
        checkAnswer(response, `${where}: ${body.slice(0, 300)}`, 503)
        assert.notEqual(response.status, 500, `${where}: ${body.slice(0, 300)}`)
      }
      run.immich.asked.push(...other.immich.asked.splice(0))
      checkAsked()
      other.library.links.pop()
    }))
    assert.deepEqual(other.lines.filter(line => line.includes('unexpected')), [])
  })
  test('configuration', () => {
    const schema = JSON.parse(readFileSync(new URL('config.json', ROOT), 'utf8')).ipp
    const more = ['gallery', 'lightbox', 'allowDownload', '__proto__', 'x']
    // values that Number, String or JSON.parse refuse
    const refused = fc.constantFrom({ toString: 0 }, [{ toString: 0 }], { toJSON: 1 }, '00', 'length')
    const value = fc.oneof(fc.jsonValue(), refused)
    const ipp = fc.dictionary(fc.constantFrom(...Object.keys(schema), ...more), value)
    const file = fc.record({ ipp, lightGallery: value }, { requiredKeys: [] })
    const given = fc.oneof(fc.json(), file.map(value => JSON.stringify(value)), fc.string())
    hold(fc.property(given, text, (CONFIG, address) => {
      try {
        const settings = loadSettings({ IMMICH_URL: address || 'http://immich', CONFIG }, ROOT)
        assert.equal(typeof settings.limits.zips, 'number')
        assert.ok(settings.trustedProxies)
      } catch (error) { assert.ok(error instanceof ConfigError, `${error}`); assert.ok(error.message) }
    }))
  })
  test('every parser accepts any input and throws nothing', () => {
    const apart = /^parse(Visitor|Form|Target|Peer|ReturnPath|LoginCookie)$/
    const parsers = Object.entries({ ...validate, ...immichJson })
      .filter(([name, value]) => /^parse[A-Z]/.test(name) && !apart.test(name) && typeof value === 'function')
    assert.ok(parsers.length > 12)
    hold(fc.property(fc.oneof(fc.anything(), fc.string(), fc.json()), fc.string(), (value, text) => {
      for (const [, parse] of parsers) (parse as (value: unknown) => unknown)(value)
      assert.equal(parseReturnPath(value, { key: validate.parseKey('A'.repeat(67))! }), undefined)
      validate.parseTarget(text)
      mendPath(text)
      parsePastedLink(text)
      immichJson.parseLoginCookie([text])
      parseForm(text, text)
      const names = [
        'cookie', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'publicbaseurl',
        'accept-language', 'accept-encoding', 'range', 'host'
      ]
      validate.parseVisitor(Object.fromEntries(names.map(name => [name, text])), '127.0.0.1', run.settings)
      preferred(text)
      validate.parseVisitor({ 'x-forwarded-for': text }, text, run.settings)
    }))
  })
  test('no value can break out of a template', () => {
    hold(fc.property(fc.string({ maxLength: 80 }), value => {
      const page = fill('<p title="{{x}}">{{x}}</p>{{#x}}{{value}}{{/x}}', [{ x: value }])
      assert.doesNotMatch(page.slice(10), /[<"'](?!\/p>|>)/)
      assert.equal(page.match(/</g)!.length, 2)
    }))
  })
})
