/** The log lines of an outage: one when it begins, with its reason, and one when it is over. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HTML, start, type Running } from './helpers.ts'
import type { Log } from '../src/log.ts'
import { createReachability } from '../src/reachability.ts'
import type { Fault } from './standin.ts'
import { addAlbum, addLink, emptyLibrary, photo } from './library.ts'

const json = { 'content-type': 'application/json' }
const summaryOf = (page: string) => /<p class="summary">([^<]*)/.exec(page)?.[1] ?? ''
const said = ({ lines }: Running, words: string) => lines.filter(line => line.includes(words))

describe('each kind of outage logs a line with its reason, and a line at its end', { concurrency: 4 }, () => {
  const page = { 'content-type': 'text/html' }
  const login = { ...page, location: 'https://login.example.com/?next=secret' }
  const kinds: [string, Fault, RegExp][] = [
    [
      '500',
      { status: 500, body: '{"message":"Internal server error"}', headers: json },
      /answered 500".*"code":"HTTP_500".*look at its log/
    ],
    ['502', { status: 502, body: 'Bad Gateway' }, /answered 502".*"code":"HTTP_502".*reverse proxy/],
    ['503', { status: 503, body: '' }, /answered 503".*reverse proxy/],
    ['504', { status: 504, body: '' }, /answered 504".*reverse proxy/],
    ['429', { status: 429, body: '' }, /answered 429".*rate limit/],
    [
      'a login page by status',
      { status: 401, body: '<h1>Log in</h1>', headers: page },
      /answered 401".*login page/
    ],
    [
      'a login page by redirect',
      { status: 302, body: '', headers: login },
      /redirects to https:\/\/login\.example\.com\/".*login page/
    ],
    [
      'another page',
      { body: '<h1>router</h1>', headers: page },
      /answered 200, but not as Immich does".*another program/
    ]
  ]
  for (const [name, fault, reason] of kinds) {
    test(name, async () => {
      const run = await start()
      const path = `/share/${run.links.album.key}`
      run.immich.fault = () => fault
      for (let n = 0; n < 3; n++) assert.equal((await run.get(path, { headers: HTML })).status, 503)
      const [line, ...more] = said(run, 'error Immich is unavailable')
      assert.match(line ?? '', reason)
      assert.deepEqual(more, [])
      assert.doesNotMatch(line!, /secret/)
      assert.deepEqual(said(run, 'available again'), [])
      run.immich.fault = () => undefined
      for (let n = 0; n < 3; n++) assert.equal((await run.get(path, { headers: HTML })).status, 200)
      assert.equal(said(run, 'info Immich is available again').length, 1)
    })
  }
})

test('a proxy in front of Immich that fails at files is an outage too', async () => {
  const run = await start()
  const { key, assets } = run.links.photo
  const paths = ['thumbnail', 'original'].map(size => `/share/photo/${key}/${assets![0]}/${size}`)
  for (const path of paths) {
    run.immich.fault = ({ path }) => /thumbnail$|original$/.test(path) ? { status: 502, body: '' } : undefined
    assert.equal((await run.get(path)).status, 503)
    run.immich.fault = () => undefined
    assert.equal((await run.get(path)).status, 200)
  }
  assert.equal(said(run, 'Immich is unavailable').length, 2)
  assert.equal(said(run, 'Immich is available again').length, 2)
})

test('a denied request, or a single failed one, is no outage', async () => {
  const run = await start()
  const { key, assets } = run.links.photo
  const path = `/share/photo/${key}/${assets![0]}/thumbnail`
  for (const status of [400, 401, 404, 500]) {
    run.immich.fault = ({ path }) =>
      path.endsWith('thumbnail') ? { status, body: '{"message":"Not Found"}', headers: json } : undefined
    assert.ok((await run.get(path)).status >= 400)
  }
  assert.equal((await run.get(`/share/${run.links.deleted.key}`)).status, 404)
  run.immich.fault = ({ path }) =>
    path.endsWith('buckets') ? { status: 500, body: '{"message":"x"}', headers: json } : undefined
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 503)
  assert.deepEqual(said(run, 'unavailable'), [])
})

test('months: a fork gets bare dates, and a month unknown to Immich costs that month only', async () => {
  const library = emptyLibrary()
  const old = photo(3, { taken: Date.UTC(1875, 5, 1) })
  const album = addAlbum(library, 'Years', [
    photo(1, { taken: Date.UTC(2025, 0, 5) }), photo(2, { taken: Date.UTC(2025, 2, 5) }), old
  ])
  const { key } = addLink(library, 'years', { album })
  const refused = { status: 400, body: '{"message":"Validation failed"}', headers: json }
  const page = async (isRefused: (bucket: string) => boolean) => {
    const run = await start({ library })
    run.immich.fault = ({ query }) => isRefused(query.get('timeBucket') ?? '') ? refused : undefined
    return (await run.get(`/share/${key}`, { headers: HTML })).text
  }
  const whole = await page(() => false)
  assert.match(summaryOf(whole), /3 photos · Jun 1875\s–\sMar 2025/)
  const inFork = await page(bucket => bucket.includes('T'))
  assert.match(summaryOf(inFork), /3 photos · Jun 1875\s–\sMar 2025/)
  assert.doesNotMatch(inFork, /role="status"/)
  const partial = await page(bucket => bucket.startsWith('2025-01'))
  assert.match(summaryOf(partial), /2 photos/)
  assert.match(partial, /role="status"/)
})

test('the advice names the cause', () => {
  const adviceOn = (error: object, url = 'http://immich:2283') => {
    let told = ''
    const log = {
      error (_: string, fields = {}) { told = JSON.stringify(fields) },
      info () {}
    } as unknown as Log
    createReachability(url, log)(Object.assign(new Error('fetch failed'), { cause: error }))
    return told
  }
  const cases: [object, RegExp][] = [
    [{ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:2283' }, /localhost is the container:/],
    [
      {
        code: 'ECONNREFUSED',
        errors: [
          { message: 'connect ECONNREFUSED ::1:2283' },
          { message: 'connect ECONNREFUSED 127.0.0.1:2283' }
        ]
      },
      /localhost is the container:/
    ],
    [
      { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 10.0.0.7:2283' },
      /advice":"nothing listens there: is Immich running/
    ],
    [
      { code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' },
      /advice":"its certificate has expired: renew it/
    ],
    [
      { code: 'ERR_TLS_CERT_ALTNAME_INVALID', message: 'Host: immich is not in the cert' },
      /certificate is for another name/
    ],
    [
      { code: 'SELF_SIGNED_CERT_IN_CHAIN', message: 'self-signed certificate' },
      /not trusted here: set NODE_EXTRA_CA_CERTS/
    ],
    [
      { code: 'Redirected', message: 'it redirects to https://immich:2283/api/server/ping' },
      /it wants https: write https:\/\/immich:2283 in IMMICH_URL/
    ],
    [
      { code: 'Redirected', message: 'it redirects to https://immich/api/server/ping' },
      /it wants https: write https:\/\/immich in IMMICH_URL/
    ],
    [
      { code: 'Redirected', message: 'it redirects to https://auth/api/server/ping' },
      /must reach Immich directly/
    ],
    [
      { code: 'Redirected', message: 'it redirects to https://immich:2283/login' },
      /must reach Immich directly/
    ],
    [{ code: 'HTTP_400', message: 'server/version answered 400' }, /that port expects https/],
    [{ message: 'bad port' }, /refuses to connect to that port/],
    [
      { code: 'HTTP_200', message: 'timeline/buckets answered 200, but not as Immich does' },
      /more than 1,200 different months/
    ]
  ]
  for (const [error, advice] of cases) assert.match(adviceOn(error), advice)
  const secure: [object, RegExp][] = [
    [{ code: 'HTTP_400', message: 'server/version answered 400' }, /asks for a client certificate/],
    [{ code: 'UND_ERR_SOCKET', message: 'other side closed' }, /does it ask for a client certificate/],
    [{ code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', message: 'x' }, /asks for a client certificate/],
    [
      {
        code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
        message: '40:error:0A000458:SSL routines:ssl3_read_bytes:tlsv1 unrecognized name:rec.c:918:SSL alert'
      },
      /"failed":"tlsv1 unrecognized name".*no certificate for this name/
    ]
  ]
  for (const [error, advice] of secure) assert.match(adviceOn(error, 'https://immich'), advice)
  for (const code of ['HTTP_200', 'HTTP_404']) {
    assert.match(adviceOn({ code, message: 'x' }, 'https://immich/photos'), /take \/photos out of IMMICH_URL/)
  }
})
