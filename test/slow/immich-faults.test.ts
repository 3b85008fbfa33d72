/**
 * Every fault at every call to Immich. After each one the answer is right, the process is alive, sockets and
 * slots are free again, and Immich got no more requests than needed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HTML, settled, start, type Running } from '../helpers.ts'
import { PASSWORD, twoPhotosAndVideo } from '../library.ts'
import type { Asked, Fault } from '../standin.ts'

/** The calls of promise 1: each with a visitor's request that causes it, its path, and its kind of answer. */
const CALLS: Record<
  string,
  { path: RegExp, kind: 'json' | 'whole' | 'stream', visit: (shared: Shared) => [string, string?] }
> = {
  'shared-links/me': { path: /shared-links\/me$/, kind: 'json', visit: ({ key }) => [`/share/${key}`] },
  'shared-links/login': {
    path: /shared-links\/login$/,
    kind: 'json',
    visit: ({ locked }) => [
      '/share/unlock',
      new URLSearchParams({ key: locked, password: PASSWORD }).toString()
    ]
  },
  'timeline/buckets': {
    path: /timeline\/buckets$/,
    kind: 'json',
    visit: ({ key }) => [`/share/items/${key}/0`]
  },
  'timeline/bucket': {
    path: /timeline\/bucket$/,
    kind: 'json',
    visit: ({ key }) => [`/share/items/${key}/0`]
  },
  'assets/:id': {
    path: /assets\/[\w-]+$/,
    kind: 'json',
    visit: ({ key, first }) => [`/share/meta/${key}/${first}`]
  },
  'download/info': { path: /download\/info$/, kind: 'json', visit: ({ key }) => [`/share/${key}/download`] },
  thumbnail: {
    path: /thumbnail$/,
    kind: 'whole',
    visit: ({ key, first }) => [`/share/photo/${key}/${first}/thumbnail`]
  },
  original: {
    path: /original$/,
    kind: 'stream',
    visit: ({ key, first }) => [`/share/photo/${key}/${first}/original`]
  },
  playback: {
    path: /playback$/,
    kind: 'stream',
    visit: ({ key, video }) => [`/share/video/${key}/${video}`]
  },
  'original in a zip': { path: /original$/, kind: 'stream', visit: ({ key }) => [`/share/${key}/download`] }
}
const deep = '['.repeat(100_000) + ']'.repeat(100_000)
/** The answer to a fault: 503 for a failure, 404 for a denied request, 'cut' once bytes were sent. */
type Outcome = 503 | 404 | 'cut' | 'fine' | 'not 5xx'
const FAULTS: Record<string, { fault: Fault, json: Outcome[], whole?: Outcome[], stream?: Outcome[] }> = {
  reset: { fault: { reset: true }, json: [503] },
  'hung before the headers': { fault: { hang: true }, json: [503] },
  'silent in the body': { fault: { silentAfter: 10 }, json: [503], stream: ['cut'] },
  'dead in the body': { fault: { dieAfter: 10 }, json: [503], stream: ['cut'] },
  'shorter than announced': { fault: { lie: 1000 }, json: [503], stream: ['cut'] },
  'longer than announced': {
    fault: { lie: -5 },
    json: [503, 404, 'fine'],
    stream: ['cut', 'fine', 503],
    whole: [503, 'fine']
  },
  'a slow drip': { fault: { drip: [400_000, 20] }, json: ['fine'] },
  'not JSON': {
    fault: { body: '<html>login</html>', headers: { 'content-type': 'text/html' } },
    json: [503, 404],
    whole: [503],
    stream: [503, 'cut']
  },
  'an empty body': {
    fault: { body: '' },
    json: [503, 404],
    whole: ['fine', 503],
    stream: ['fine', 'cut', 503]
  },
  ...Object.fromEntries(
    Object.entries({
      'JSON null': 'null',
      'a JSON number': '7',
      'a JSON string': '"x"',
      'an empty object': '{}',
      'an empty array': '[]',
      'an array of nothing': '[null,1,"x",{},[]]',
      'JSON too deep': deep,
      prototypes:
        '{"__proto__":{"key":"x","type":"ALBUM"},"constructor":{"prototype":{}},"id":"../../../etc/passwd"}',
      'ids that are paths':
        '{"key":"../../x","type":"ALBUM","album":{"id":"../../../api/users"},' +
        '"id":["../../etc/passwd","%2e%2e"],"archives":[{"size":"1","assetIds":["../.."]}]}',
      'ids that are objects': '[{"timeBucket":{"toString":"x"}},{"timeBucket":"2025-10-01/../../x"}]'
    }).map(([name, body]) => [
      name,
      {
        fault: { body, headers: { 'content-type': 'application/json' } },
        json: ['not 5xx', 503],
        whole: [503],
        stream: [503, 'cut']
      }
    ])
  ),
  'a redirect': {
    fault: { status: 302, headers: { location: 'http://169.254.169.254/' }, body: '' },
    json: [503],
    whole: [404],
    stream: [404, 'cut']
  },
  'a permanent redirect': {
    fault: { status: 308, headers: { location: '/api/users' }, body: '' },
    json: [503],
    whole: [404],
    stream: [404, 'cut']
  },
  ...Object.fromEntries(
    [400, 401, 403, 404].map(status => [
      `status ${status}`,
      {
        fault: { status, body: '{"message":"Not found or no asset.view access"}' },
        json: [404, 503],
        whole: [404],
        stream: [404, 'cut']
      }
    ])
  ),
  ...Object.fromEntries(
    [402, 405, 409, 410, 418, 422].map(status => [
      `status ${status}`,
      { fault: { status, body: '{}' }, json: [503], whole: [404], stream: [404, 'cut'] }
    ])
  ),
  // busy is not missing
  ...Object.fromEntries(
    [408, 425, 429, 500, 501, 502, 503, 504].map(status => [
      `status ${status}`,
      {
        fault: { status, body: 'oops at Object.<anonymous> (/usr/src/app/x.js:1:1)' },
        json: [503],
        stream: [503, 'cut']
      }
    ])
  ),
  'status 204': {
    fault: { status: 204, body: '' },
    json: [503, 404],
    whole: [404, 503],
    stream: [404, 503, 'cut']
  }
}

/** Four slots for each kind of request to Immich, one per visitor: the next request needs it free again. */
const LIMITS = { upstreamRequests: 4, upstreamStreams: 4 }
const REQUESTS = 2
/** otherwise nothing requests details */
const showMetadata = { description: true }
const FORM = { ...HTML, 'content-type': 'application/x-www-form-urlencoded' }
type Shared = ReturnType<typeof twoPhotosAndVideo>
type Case = typeof CALLS[string] & { name: string, isZip: boolean }

const request = ({ get }: Running, [address, body]: [string, string?]) =>
  get(address, body === undefined ? { headers: HTML } : { method: 'POST', body, headers: FORM })
    .catch(() => ({ status: 0, complete: false, headers: {} as Record<string, string>, text: '' }))
type Got = Awaited<ReturnType<typeof request>>

/** One request while Immich has the fault: the answer is an allowed one, and reveals nothing. */
function judge (response: Got, allowed: Outcome[], isZip: boolean): void {
  const { status, complete, headers, text } = response
  const fine = status < 400 ? 'fine' : status
  const outcome = complete ? fine : 'cut'
  // a zip breaks off, or has a note in place of the missing file
  const isUsualForZip = isZip && (outcome === 'cut' || (outcome === 'fine' && allowed.includes(404)))
  const isAllowed = allowed.some(one => one === outcome || (one === 'not 5xx' && outcome !== 500))
  assert.ok(isUsualForZip || isAllowed, `${outcome} is not one of ${allowed}`)
  assert.doesNotMatch(headers.location ?? '', /api|169\.254/)
  assert.doesNotMatch(text.slice(0, 5000), /Error:|oops|<anonymous>/)
  if (status === 503) assert.ok(headers['retry-after'])
  if (status >= 400) assert.equal(headers['cache-control'], 'no-store')
}

async function suffer (call: Case, fault: Fault, allowed: Outcome[], right: Got): Promise<void> {
  const shared: Shared = twoPhotosAndVideo()
  // only a silent Immich makes it wait; on a busy machine a second may pass anyway
  const isSilent = fault.hang || fault.silentAfter !== undefined
  const limits = { ...LIMITS, upstreamTimeout: isSilent ? 1 : 19 }
  // a link and its list are cached for a while, so use a program that has not requested them yet
  const run = await start({ library: shared.library, ipp: { limits, showMetadata } })
  run.immich.fault = (asked: Asked) =>
    call.path.test(asked.path) && asked.method !== 'HEAD' ? fault : undefined
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < REQUESTS; n++) judge(await request(run, call.visit(shared)), allowed, call.isZip)
  const asked = run.immich.asked.filter(asked => call.path.test(asked.path))
  // once each time, and again where a connection ended without an answer or a month refused by its time is
  // requested by its date; each of a zip's three files six times
  const isTwice = fault.reset || call.name === 'timeline/bucket'
  const most = REQUESTS * (call.isZip ? 3 * 6 : 1) * (isTwice ? 2 : 1)
  assert.ok(asked.length <= most, `asked ${asked.length} times`)
  for (const { path } of run.immich.asked) assert.doesNotMatch(path, /\.\.|passwd|users/)
  run.immich.fault = () => undefined
  await settled(run)
  let after = await request(run, call.visit(shared))
  for (let n = 0; isSilent && n < 10 && after.status !== right.status; n++) {
    after = await request(run, call.visit(shared))
  }
  // failed answers are never cached; an album that claims to be empty is believed for its minute
  const isEmptied = call.name === 'timeline/buckets' && fault.body === '[]'
  if (!isEmptied) assert.deepEqual([after.status, after.complete], [right.status, true], 'all is well again')
  assert.ok(process.memoryUsage().heapUsed - before < 400_000_000)
  await run.stop()
}

for (const [name, { path, kind, visit }] of Object.entries(CALLS)) {
  const call: Case = { name, path, kind, visit, isZip: name.includes('zip') }
  describe(`faults at ${name}`, { concurrency: 8 }, () => {
    const healthy = (async () => {
      const shared = twoPhotosAndVideo()
      const run = await start({ library: shared.library, ipp: { showMetadata } })
      const response = await request(run, visit(shared))
      await run.stop()
      assert.ok(response.status < 400 && response.complete)
      return response
    })()
    for (const [name, { fault, json, whole = json, stream = json }] of Object.entries(FAULTS)) {
      const allowed = { json, whole, stream }[kind]
      // without sizes a zip has no length, but all of its files
      const withoutSizes: Outcome[] = call.name === 'download/info' ? ['fine'] : []
      test(name, async () => suffer(call, fault, [...allowed, ...withoutSizes], await healthy))
    }
  })
}
