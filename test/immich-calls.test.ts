/** The door to Immich by itself: what exactly is sent, and what becomes of each kind of response. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Server } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { readWhole } from '../src/body.ts'
import { CALLS, Immich, isDenied, type Slice } from '../src/immich.ts'
import type { AlbumId, AssetId, Key, Month, Password, Slug, Token } from '../src/validate.ts'
import { listen, until } from './helpers.ts'

const key = 'k'.repeat(67) as Key
const token = 'a token; with=signs' as Token
const album = '0a000000-0000-4000-8000-000000000000' as AlbumId
const id = '0b000000-0000-4000-8000-000000000000' as AssetId
const to = { key, token }

/** Lets a server listen until the test ends. */
function listenFor (context: TestContext, server: Server): Promise<string> {
  context.after(() => server.close())
  return listen(server)
}
const LIMITS = { upstreamRequests: 4, upstreamQueue: 8, upstreamStreams: 4, upstreamTimeout: 5 }
/** A door, and what it reports about Immich's health: a code for each failure, or "well". */
function open (url: string, limits = LIMITS) {
  const reports: string[] = []
  const report = (error?: Error & { code?: string }) => {
    reports.push(error ? String((error.cause as { code?: string } | undefined)?.code ?? error.code) : 'well')
  }
  return { immich: new Immich(url, limits, report), reports }
}
const AS_PICTURE = { 'content-type': 'image/jpeg' }
type Sent = { method: string, url: string, headers: Record<string, string>, body: string }
/** Headers that fetch itself adds to each request. */
const OWN = [
  'host', 'connection', 'accept', 'accept-language', 'sec-fetch-mode', 'user-agent', 'content-length'
]
/** A server that keeps what it is sent; `answer` by default says {}, whatever was requested. */
async function record (
  context: TestContext,
  answer = (_: IncomingMessage, response: ServerResponse) => { response.writeHead(200, AS_PICTURE).end('{}') }
) {
  const sent: Sent[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const headers = Object.fromEntries(Object.entries(request.headers)
      .filter(([name]) => !OWN.includes(name)).map(([name, value]) => [name, String(value)]))
    sent.push({ method: request.method!, url: request.url!, headers, body })
    answer(request, response)
  })
  context.after(() => server.closeAllConnections())
  return { sent, url: await listenFor(context, server) }
}

test('calls: method, address, headers and body of each, and nothing else', async context => {
  const { sent, url } = await record(context)
  const { immich } = open(url)
  const plain = { 'accept-encoding': 'identity' }
  const withToken = { ...plain, cookie: 'immich_shared_link_token=a%20token%3B%20with%3Dsigns' }
  const json = { ...plain, 'content-type': 'application/json' }
  const slug = { slug: 'a slug' as Slug }
  const cases: [Parameters<Immich['askJson']>[0], string, Record<string, string>, string?][] = [
    [CALLS.ping(), 'GET server/ping?', plain],
    [CALLS.version(), 'GET server/version?', plain],
    [CALLS.link({ key }), `GET shared-links/me?key=${key}`, plain],
    [CALLS.link(slug, token), 'GET shared-links/me?slug=a+slug', withToken],
    [CALLS.login({ key }, 'x' as Password), `POST shared-links/login?key=${key}`, json,
      '{"password":"x"}'],
    [CALLS.loginByQuery(slug, 'x' as Password), 'GET shared-links/me?slug=a+slug&password=x', plain],
    [CALLS.months(to, album, 'asc'), `GET timeline/buckets?albumId=${album}&order=asc&key=${key}`,
      withToken],
    [CALLS.month({ key }, album, 'asc', '2020-01-01' as Month),
      `GET timeline/bucket?albumId=${album}&order=asc&timeBucket=2020-01-01&key=${key}`, plain],
    [CALLS.asset(to, id), `GET assets/${id}?key=${key}`, withToken],
    [CALLS.image(to, id, 'preview'), `GET assets/${id}/thumbnail?size=preview&key=${key}`, withToken],
    [CALLS.original(to, id), `GET assets/${id}/original?key=${key}`, withToken],
    [CALLS.playback(to, id), `GET assets/${id}/video/playback?key=${key}`, withToken],
    [CALLS.sizes({ key }, { albumId: album }), `POST download/info?key=${key}`, json,
      `{"albumId":"${album}","archiveSize":1}`],
    [CALLS.names({ key }, album, 3), `POST search/metadata?key=${key}`, json,
      `{"albumIds":["${album}"],"size":1000,"page":3}`]
  ]
  assert.equal(new Set(cases.map(([call]) => call.path)).size, Object.keys(CALLS).length - 1)
  for (const [call, expected, headers, body = ''] of cases) {
    await immich.askJson(call)
    const [method, path] = expected.split(' ')
    assert.deepEqual(sent.pop(), { method, url: `/api/${path}`, headers, body })
  }
})

test('calls: a slice, and what is known already', async context => {
  const { sent, url } = await record(context)
  const { immich } = open(url)
  const asked = async (wanted: Slice) => {
    const { body } = await immich.stream(CALLS.original({ key }, id), { lane: '' }, wanted)
    for await (const part of body.parts) assert.equal(Buffer.from(part).toString(), '{}')
    const { method, headers } = sent.pop()!
    return { method, ...headers }
  }
  const plain = { method: 'GET', 'accept-encoding': 'identity' }
  const fresh = { ...plain, 'cache-control': 'max-age=0' }
  assert.deepEqual(await asked({}), plain)
  assert.deepEqual(await asked({ head: true }), { ...plain, method: 'HEAD' })
  const range = 'bytes=5-' as NonNullable<Slice['range']>
  // fetch adds its own to a range, as it adds pragma to a validator
  assert.deepEqual(await asked({ range }), { ...fresh, range, 'accept-encoding': 'identity, identity' })
  await immich.askJson(CALLS.ping(), { etag: '"x"' })
  const { headers } = sent.pop()!
  const validated = { 'if-none-match': '"x"', pragma: 'no-cache' }
  assert.deepEqual({ method: 'GET', ...headers }, { ...fresh, ...validated })
})

test('only a call that got no response at all is sent again', async context => {
  for (const [say, expected] of [['', 2], ['SSH-2.0\r\n', 1]] as const) {
    let count = 0
    const server = createTcpServer(socket => {
      count++
      socket.on('error', () => {}).once('data', () => socket.end(say))
    })
    const { immich, reports } = open(await listenFor(context, server))
    await assert.rejects(immich.read(CALLS.version(), () => 1), { reason: 'unreachable' })
    assert.equal(count, expected)
    assert.equal(reports.length, 1, 'an outage is reported once')
  }
})

/** A server for one file that never ends; `open` is the number of its connections. */
async function endless (context: TestContext, header = 'X: y') {
  let connected = 0
  const server = createTcpServer(socket => {
    connected++
    socket.on('error', () => {}).on('close', () => { connected-- })
    const head = `HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 90000000\r\n${header}\r\n\r\n`
    socket.on('data', () => socket.write(head + 'x'.repeat(1000)))
  })
  return { url: await listenFor(context, server), open: () => connected }
}

describe('a transfer ends at once', () => {
  test('if its body is cancelled, or nobody reads on', async context => {
    const { url, open: connected } = await endless(context)
    const { immich } = open(url)
    const stream = () => immich.stream(CALLS.original({ key }, id), { lane: '' }, {})
    const cancelled = await stream()
    assert.equal(connected(), 1)
    cancelled.body.cancel()
    await until(() => connected() === 0)
    const { body } = await stream()
    for await (const part of body.parts) { assert.ok(part.length); break }
    await until(() => connected() === 0)
  })

  test('if it is larger than allowed', async context => {
    const { url, open: connected } = await endless(context)
    const { immich } = open(url)
    const { bytes } = await immich.small(CALLS.image({ key }, id, 'preview'), { lane: '' }, 1000, {})
    assert.equal(bytes, undefined)
    await until(() => connected() === 0)
  })

  test('if it is compressed unasked', async context => {
    const { url, open: connected } = await endless(context, 'Content-Encoding: x')
    // responses are kept, or garbage collection would end them
    const kept: Response[] = []
    const { fetch } = globalThis
    context.mock.method(globalThis, 'fetch', async (...call: Parameters<typeof fetch>) => {
      const response = await fetch(...call)
      kept.push(response)
      return response
    })
    const { immich } = open(url)
    const [original, image] = [CALLS.original({ key }, id), CALLS.image({ key }, id, 'preview')]
    for (const call of [
      () => immich.stream(original, { lane: '' }, {}), () => immich.small(image, { lane: '' }, 1000, {})
    ]) {
      await assert.rejects(call, { reason: 'unreachable' })
      await until(() => connected() === 0)
    }
    assert.equal(kept.length, 2)
  })

  test('if the visitor leaves, and that says nothing about Immich', async context => {
    const server = createTcpServer(socket => socket.on('error', () => {}))
    const { immich, reports } = open(await listenFor(context, server))
    const leaving = new AbortController()
    const call = immich.stream(CALLS.original({ key }, id), { lane: '', until: leaving }, {})
    setTimeout(() => leaving.abort(), 50)
    await assert.rejects(call, { reason: 'unreachable', message: 'the visitor left' })
    assert.deepEqual(reports, [])
  })

  test('if the visitor leaves while its body is read', async context => {
    const { url, open: connected } = await endless(context)
    // so silent that only the visitor can end it
    const { immich } = open(url, { ...LIMITS, upstreamTimeout: 600 })
    const leaving = new AbortController()
    const { body } = await immich.stream(CALLS.original({ key }, id), { lane: '', until: leaving }, {})
    const reading = readWhole(body, 90_000_000)
    leaving.abort()
    await assert.rejects(reading)
    await until(() => connected() === 0)
  })

  test('before it begins, if the visitor has left already', async context => {
    const { sent, url } = await record(context)
    const { immich, reports } = open(url)
    const caller = { lane: '', until: { signal: AbortSignal.abort() }, isInZip: true }
    const call = immich.stream(CALLS.original({ key }, id), caller, {})
    await assert.rejects(call, { reason: 'unreachable', message: 'the visitor left' })
    assert.deepEqual([sent, reports], [[], []])
  })

  test('if Immich is silent', async context => {
    let closed = 0
    const server = createTcpServer(socket => socket.on('error', () => {}).on('close', () => { closed++ }))
    const { immich, reports } = open(await listenFor(context, server), { ...LIMITS, upstreamTimeout: 0.1 })
    await assert.rejects(immich.version(), { reason: 'unreachable', message: '' })
    assert.deepEqual(reports, ['ETIMEDOUT'])
    await until(() => closed === 1)
  })

  test('if it was sent again, and Immich is silent then', async context => {
    let connected = 0
    let closed = 0
    const server = createTcpServer(socket => {
      socket.on('error', () => {}).on('close', () => { closed++ })
      if (++connected === 1) socket.once('data', () => socket.end())
    })
    const { immich, reports } = open(await listenFor(context, server), { ...LIMITS, upstreamTimeout: 0.1 })
    await assert.rejects(immich.version(), { reason: 'unreachable', message: '' })
    assert.deepEqual([reports, connected], [['ETIMEDOUT'], 2])
    await until(() => closed === 2)
  })

  test('and leaves no timer if it fails', async context => {
    const server = createTcpServer(socket => socket.destroy())
    const { immich } = open(await listenFor(context, server))
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    await assert.rejects(immich.version(), { reason: 'unreachable' })
    const before = timers()
    for (let n = 0; n < 10; n++) await assert.rejects(immich.version(), { reason: 'unreachable' })
    assert.ok(timers() < before + 5, `${before} ${timers()}`)
  })

  test('and leaves nothing with the signal of its zip', async context => {
    const { url } = await endless(context)
    const { immich } = open(url)
    const zip = new AbortController()
    const caller = { lane: '', until: zip, isInZip: true as const }
    for (let n = 0; n < 3; n++) (await immich.stream(CALLS.original({ key }, id), caller, {})).body.cancel()
    assert.equal(getEventListeners(zip.signal, 'abort').length, 0)
  })
})

test('a body that was read to its end leaves the connection open for the next call', async context => {
  const connections = new Set<unknown>()
  const { url } = await record(context, ({ socket }, response) => {
    connections.add(socket)
    response.writeHead(200, AS_PICTURE).end('{}')
  })
  const { immich } = open(url)
  for (let n = 0; n < 8; n++) {
    const { body } = await immich.stream(CALLS.original({ key }, id), { lane: '' }, {})
    for await (const part of body.parts) assert.ok(part.length)
    body.cancel()
  }
  // the first may not be free yet when the second call is made
  assert.ok(connections.size <= 2, `${connections.size} connections`)
})

test('a slot is free again after each end of a stream', async context => {
  const { url } = await record(context)
  const { immich } = open(url, { ...LIMITS, upstreamStreams: 1 })
  const stream = () => immich.stream(CALLS.original({ key }, id), { lane: '' }, {})
  for (let n = 0; n < 2; n++) for await (const part of (await stream()).body.parts) assert.ok(part.length)
  for (let n = 0; n < 2; n++) (await stream()).body.cancel()
  const held = await stream()
  await assert.rejects(stream(), { reason: 'busy' })
  // a zip has a slot of its own for all of its files
  const ofZip = await immich.stream(CALLS.original({ key }, id), { lane: '', isInZip: true }, {})
  ofZip.body.cancel()
  held.body.cancel()
})

test('health checks and months wait for no other call', async context => {
  const { url, sent } = await record(context, (request, response) => {
    if (!request.url!.includes('version')) response.end('{"res":"pong"}')
  })
  const { immich } = open(url, { ...LIMITS, upstreamRequests: 1 })
  // one is never answered, and the other waits for it
  for (let n = 0; n < 2; n++) immich.version().catch(() => {})
  await until(() => sent.length === 1)
  assert.equal(await immich.ping(), true)
  await immich.askJson(CALLS.month({ key }, album, 'asc', '2020-01-01' as Month))
  assert.equal(sent.length, 3)
})

const ERROR = '{"message":"no","error":"x","statusCode":400}'
const LOCKED = '{"message":"Password required","error":"x","statusCode":401}'
test('verdicts: what a status means at each address', async context => {
  let given: [number, string, Record<string, string>?] = [200, '{}']
  const { url } = await record(context, (_, response) => {
    const [status, body, headers] = given
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  })
  const { immich, reports } = open(url)
  const [ping, link, asset] = [CALLS.ping(), CALLS.link({ key }), CALLS.asset({ key }, id)]
  const REASONS: [typeof ping, number, string, string][] = [
    [ping, 400, ERROR, 'unreachable'], [ping, 404, ERROR, 'unreachable'], [ping, 500, ERROR, 'failed'],
    [link, 400, ERROR, 'missing'], [link, 401, ERROR, 'missing'], [link, 403, ERROR, 'unreachable'],
    [link, 404, ERROR, 'unreachable'], [link, 401, '<h1>log in</h1>', 'unreachable'],
    [link, 401, LOCKED, 'locked'], [link, 400, LOCKED, 'missing'],
    [asset, 403, ERROR, 'missing'], [asset, 404, ERROR, 'missing'], [asset, 404, 'nginx', 'unreachable'],
    [asset, 408, ERROR, 'unreachable'], [asset, 502, ERROR, 'unreachable'],
    [asset, 200, 'text', 'unreachable']
  ]
  for (const [call, status, body, reason] of REASONS) {
    given = [status, body]
    reports.length = 0
    const parse = () => undefined
    await assert.rejects(immich.read(call, parse), { reason }, `${call.path} ${status}`)
    // Immich is well if it denies in its own words
    const expected = ['missing', 'locked'].includes(reason) ? [] : [`HTTP_${status}`]
    assert.deepEqual(reports, expected, `${call.path} ${status}`)
  }
  given = [500, ERROR]
  reports.length = 0
  await assert.rejects(immich.read(asset, () => undefined), { reason: 'failed' })
  assert.deepEqual(reports, [], 'one photo may fail while Immich is healthy')
  for (const [location, target] of [
    ['https://login.example/here?key=secret', 'https://login.example/here'], ['/login', `${url}/login`],
    ['http://[', 'nowhere']
  ] as const) {
    given = [302, '', { location }]
    await assert.rejects(immich.read(link, () => undefined), { message: `it redirects to ${target}` })
    assert.equal(reports.at(-1), 'Redirected')
  }
  given = [200, '{}']
  await assert.rejects(immich.read(link, () => undefined), {
    message: 'shared-links/me answered 200, but not as Immich does'
  })
  given = [404, '{}']
  await assert.rejects(immich.read(link, () => 1), { message: 'shared-links/me answered 404' })
  given = [300, '{}']
  await assert.rejects(immich.read(link, () => 1), { message: 'shared-links/me answered 300' })
  given = [201, '{"a":1}']
  assert.equal(await immich.read(link, value => (value as { a: number }).a), 1)
  assert.equal(reports.at(-1), 'well')
  assert.deepEqual([400, 404, 499, 408, 425, 429, 500, 503].map(isDenied),
    [true, true, true, false, false, false, false, false])
})

test('what has not changed is the old value', async context => {
  let status = 304
  const { url } = await record(context, (_, response) => { response.writeHead(status).end() })
  const { immich } = open(url)
  const old = { etag: '"x"', value: 'old' }
  const read = (known?: typeof old) =>
    immich.read(CALLS.ping(), () => ({ etag: '"y"', value: 'new' }), undefined, known)
  assert.equal(await read(old), old)
  await assert.rejects(read(), { reason: 'unreachable' })
  status = 200
  assert.equal((await read(old)).value, 'new')
})

const twice = <T>(list: T[]): T[] => [...list, ...list]
test('files: what their status tells of Immich', async context => {
  let status = 200
  const { url } = await record(context, (_, response) => { response.writeHead(status, AS_PICTURE).end('x') })
  const { immich, reports } = open(url)
  const expected: [number, string[]][] = [
    [200, ['well']], [206, ['well']], [300, []], [404, []], [500, []],
    [429, ['HTTP_429']], [503, ['HTTP_503']]
  ]
  for (const [given, reported] of expected) {
    status = given
    reports.length = 0
    const { body } = await immich.stream(CALLS.original({ key }, id), { lane: '' }, {})
    body.cancel()
    await immich.small(CALLS.image({ key }, id, 'preview'), { lane: '' }, 1000, {})
    assert.deepEqual(reports, twice(reported), String(given))
  }
})

test('files: anything else is refused, and a page means that Immich is away', async context => {
  let type = ''
  let status = 200
  let closed = 0
  const { url } = await record(context, (_, response) => {
    response.on('close', () => { closed++ })
    response.writeHead(status, type ? { 'content-type': type } : {}).write('x')
  })
  // one slot, so that each refusal must have freed it for the next
  const { immich, reports } = open(url, { ...LIMITS, upstreamStreams: 1, upstreamRequests: 1 })
  const picture = CALLS.image({ key }, id, 'preview')
  const cases: [typeof picture, string, string[]][] = [
    [picture, 'text/html; charset=utf-8', ['HTTP_200']], [picture, 'application/json', []],
    [picture, 'video/mp4', []], [picture, 'x-image/jpeg', []], [picture, '', []],
    [picture, 'text/plain; text/html', []], [picture, 'text/html; image/png', ['HTTP_200']],
    [CALLS.playback({ key }, id), 'image/jpeg', []],
    [CALLS.playback({ key }, id), 'text/html; video/mp4', ['HTTP_200']],
    [CALLS.original({ key }, id), 'text/html; image/png', ['HTTP_200']],
    [CALLS.original({ key }, id), 'application/json', []], [CALLS.original({ key }, id), '', []],
    [CALLS.original({ key }, id), 'application/xhtml+xml', []]
  ]
  for (const [n, [call, given, reported]] of cases.entries()) {
    type = given
    reports.length = 0
    const message = `${call.path} answered 200 with ${given || 'no type'}`
    const refusal = { reason: 'unreachable', message }
    await assert.rejects(immich.stream(call, { lane: '' }, {}), refusal)
    await assert.rejects(immich.small(call, { lane: '' }, 1000, {}), refusal)
    assert.deepEqual(reports, twice(reported), given)
    await until(() => closed === 2 * (n + 1))
  }
  // a page with another status is a denial
  status = 300
  type = 'text/html'
  reports.length = 0
  const { body } = await immich.stream(picture, { lane: '' }, {})
  body.cancel()
  assert.deepEqual(reports, [])
  status = 200
  for (const [call, good] of [
    [picture, 'image/webp'], [CALLS.playback({ key }, id), 'video/mp4'],
    [CALLS.original({ key }, id), 'application/octet-stream'],
    [CALLS.original({ key }, id), 'video/quicktime']
  ] as const) {
    type = good
    const { body } = await immich.stream(call, { lane: '' }, {})
    body.cancel()
    assert.equal(reports.at(-1), 'well')
  }
})

test('all JSON that is being read shares one budget of 24 MiB', async context => {
  const held: ServerResponse[] = []
  const { url } = await record(context, (_, response) => {
    response.write('1'.repeat(15 * 1024 * 1024))
    held.push(response)
  })
  const { immich } = open(url)
  const asked = ['one', 'another'].map(lane =>
    immich.askJson(CALLS.link({ key }), {}, { lane }).then(() => 'read', ({ reason }) => reason as string))
  assert.equal(await Promise.race(asked), 'busy')
  for (const response of held) response.end()
  assert.deepEqual((await Promise.all(asked)).sort(), ['busy', 'read'])
})
