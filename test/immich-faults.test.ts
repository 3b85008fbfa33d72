/**
 * Every fault at every call to Immich. After each: the right answer, the process alive, sockets and places back,
 * Immich asked no more than needed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HTML, settled, start, type Running } from './helpers.ts'
import { PASSWORD, twoPhotosAndFilm } from './library.ts'
import type { Asked, Fault } from './standin.ts'

/** The calls of promise 1 that a visitor causes: which request does, what it is to Immich, and how it is read. */
const CALLS: Record<string, { path: RegExp, kind: 'json' | 'whole' | 'stream', visit: (shared: ReturnType<typeof twoPhotosAndFilm>) => [string, string?] }> = {
  'shared-links/me': { path: /shared-links\/me$/, kind: 'json', visit: ({ key }) => [`/share/${key}`] },
  'shared-links/login': { path: /shared-links\/login$/, kind: 'json', visit: ({ locked }) => ['/share/unlock', new URLSearchParams({ key: locked, password: PASSWORD }).toString()] },
  'timeline/buckets': { path: /timeline\/buckets$/, kind: 'json', visit: ({ key }) => [`/share/items/${key}/0`] },
  'timeline/bucket': { path: /timeline\/bucket$/, kind: 'json', visit: ({ key }) => [`/share/items/${key}/0`] },
  'assets/:id': { path: /assets\/[\w-]+$/, kind: 'json', visit: ({ key, first }) => [`/share/meta/${key}/${first}`] },
  'download/info': { path: /download\/info$/, kind: 'json', visit: ({ key }) => [`/share/${key}/download`] },
  thumbnail: { path: /thumbnail$/, kind: 'whole', visit: ({ key, first }) => [`/share/photo/${key}/${first}/thumbnail`] },
  original: { path: /original$/, kind: 'stream', visit: ({ key, first }) => [`/share/photo/${key}/${first}/original`] },
  playback: { path: /playback$/, kind: 'stream', visit: ({ key, film }) => [`/share/video/${key}/${film}`] },
  'original in a zip': { path: /original$/, kind: 'stream', visit: ({ key }) => [`/share/${key}/download`] }
}
const deep = '['.repeat(100_000) + ']'.repeat(100_000)
/** What a fault leads to: the same 503 for all that is broken, a 404 for what Immich denies, and 'cut' once bytes were on their way. */
type Outcome = 503 | 404 | 'cut' | 'fine' | 'not 5xx'
const FAULTS: Record<string, { fault: Fault, json: Outcome[], whole?: Outcome[], stream?: Outcome[] }> = {
  reset: { fault: { reset: true }, json: [503] },
  'hung before the headers': { fault: { hang: true }, json: [503] },
  'silent in the body': { fault: { silentAfter: 10 }, json: [503], stream: ['cut'] },
  'dead in the body': { fault: { dieAfter: 10 }, json: [503], stream: ['cut'] },
  'shorter than announced': { fault: { lie: 1000 }, json: [503], stream: ['cut'] },
  'longer than announced': { fault: { lie: -5 }, json: [503, 404, 'fine'], stream: ['cut', 'fine', 503], whole: [503, 'fine'] },
  'a slow drip': { fault: { drip: [400_000, 20] }, json: ['fine'] },
  'not JSON': { fault: { body: '<html>login</html>', headers: { 'content-type': 'text/html' } }, json: [503, 404], whole: ['fine'], stream: ['fine', 'cut'] },
  'an empty body': { fault: { body: '' }, json: [503, 404], whole: ['fine', 503], stream: ['fine', 'cut', 503] },
  ...Object.fromEntries(Object.entries({
    'JSON null': 'null', 'a JSON number': '7', 'a JSON string': '"x"', 'an empty object': '{}', 'an empty array': '[]', 'an array of nothing': '[null,1,"x",{},[]]', 'JSON too deep': deep,
    prototypes: '{"__proto__":{"key":"x","type":"ALBUM"},"constructor":{"prototype":{}},"id":"../../../etc/passwd"}',
    'ids that are paths': '{"key":"../../x","type":"ALBUM","album":{"id":"../../../api/users"},"id":["../../etc/passwd","%2e%2e"],"archives":[{"size":"1","assetIds":["../.."]}]}',
    'ids that are objects': '[{"timeBucket":{"toString":"x"}},{"timeBucket":"2025-10-01/../../x"}]'
  }).map(([name, body]) => [name, { fault: { body, headers: { 'content-type': 'application/json' } }, json: ['not 5xx', 503], whole: ['fine'], stream: ['fine', 'cut'] }])),
  'a redirect': { fault: { status: 302, headers: { location: 'http://169.254.169.254/' }, body: '' }, json: [503], whole: [404], stream: [404, 'cut'] },
  'a permanent redirect': { fault: { status: 308, headers: { location: '/api/users' }, body: '' }, json: [503], whole: [404], stream: [404, 'cut'] },
  ...Object.fromEntries([400, 401, 403, 404].map(status => [`status ${status}`, { fault: { status, body: '{"message":"Not found or no asset.view access"}' }, json: [404, 503], whole: [404], stream: [404, 'cut'] }])),
  ...Object.fromEntries([402, 405, 409, 410, 418, 422].map(status => [`status ${status}`, { fault: { status, body: '{}' }, json: [503], whole: [404], stream: [404, 'cut'] }])),
  // busy is not missing
  ...Object.fromEntries([408, 425, 429, 500, 501, 502, 503, 504].map(status => [`status ${status}`, { fault: { status, body: 'oops at Object.<anonymous> (/usr/src/app/x.js:1:1)' }, json: [503], stream: [503, 'cut'] }])),
  'status 204': { fault: { status: 204, body: '' }, json: [503, 404], whole: [404, 503], stream: [404, 503, 'cut'] }
}

describe('faults', { concurrency: 5 }, () => {
for (const [call, { path, kind, visit }] of Object.entries(CALLS)) {
  describe(`at ${call}`, { concurrency: 8 }, () => {
    for (const [name, { fault, json, whole = json, stream = json }] of Object.entries(FAULTS)) {
      test(name, async () => {
        const shared = twoPhotosAndFilm()
        // only where Immich says nothing is there anything to wait for: on a busy machine a second may pass by itself
        const isSilent = fault.hang || fault.silentAfter !== undefined
        // so few places that one which is not given back shows at once
        const limits = { upstreamTimeout: isSilent ? 1 : 19, upstreamRequests: 4, upstreamStreams: 4 }
        const run = await start({ library: shared.library })
        const [address, body] = visit(shared)
        const request = ({ get }: Running) => get(address, body === undefined ? { headers: HTML } : { method: 'POST', body, headers: { ...HTML, 'content-type': 'application/x-www-form-urlencoded' } })
          .catch(() => ({ status: 0, complete: false, headers: {} as Record<string, string>, text: '' }))
        const right = await request(run)
        assert.ok(right.status < 400 && right.complete)
        // a link and its list are known for a while: ask as one who is not yet known
        const fresh = await start({ library: shared.library, ipp: { limits } })
        fresh.immich.fault = (asked: Asked) => path.test(asked.path) && asked.method !== 'HEAD' ? fault : undefined
        const before = process.memoryUsage().heapUsed
        for (let n = 0; n < 5; n++) {
          const answer = await request(fresh)
          const outcome = !answer.complete ? 'cut' : answer.status < 400 ? 'fine' : answer.status
          const allowed: unknown[] = { json, whole, stream }[kind]
          // a zip breaks off, or says in the place of a file that it is not there
        const zip = call.includes('zip') && (outcome === 'cut' || (outcome === 'fine' && allowed.includes(404)))
          assert.ok(zip || allowed.includes(outcome) || (allowed.includes('not 5xx') && outcome !== 500), `${outcome} is not one of ${allowed}`)
          assert.notEqual(answer.headers.location?.includes('api') || answer.headers.location?.includes('169.254'), true)
          assert.doesNotMatch(answer.text.slice(0, 5000), /Error:|oops|<anonymous>/)
          if (answer.status === 503) assert.ok(answer.headers['retry-after'])
          if (answer.status >= 400) assert.equal(answer.headers['cache-control'], 'no-store')
        }
        const asked = fresh.immich.asked.filter(asked => path.test(asked.path))
        // one each time, and once more where a connection ended without an answer; each of the three files of a zip three times
        const most = 5 * (call.includes('zip') ? 3 * 3 : 1) * (name === 'reset' ? 2 : 1)
        assert.ok(asked.length <= most, `asked ${asked.length} times`)
        for (const { path } of fresh.immich.asked) assert.doesNotMatch(path, /\.\.|passwd|users/)
        fresh.immich.fault = () => undefined
        await settled(fresh)
        // no answer that was none is kept; an album that said it is empty is believed for its minute
        let after = await request(fresh)
        for (let n = 0; isSilent && n < 10 && after.status !== right.status; n++) after = await request(fresh)
        if (!(call === 'timeline/buckets' && name === 'an empty array')) assert.deepEqual([after.status, after.complete], [right.status, true], 'all is well again')
        assert.ok(process.memoryUsage().heapUsed - before < 400_000_000)
        await fresh.stop()
        await run.stop()
      })
    }
  })
}
})
