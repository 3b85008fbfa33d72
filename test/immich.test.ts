/** Calls to Immich: invalid answers, timeouts, and the log lines about them. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { parseMonths } from '../src/gate/immich-json.ts'
import { hold, listen, start } from './helpers.ts'
import { twoPhotosAndVideo } from './library.ts'

test('a compressed answer, which the proxy did not ask for, is rejected', async () => {
  const run = await start()
  const body = gzipSync(JSON.stringify({ res: 'pong' }))
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
  run.immich.fault = ({ path }) => path.endsWith('/ping') ? { body, headers } : undefined
  assert.equal((await run.get('/healthcheck')).status, 503)
  const plain = { body: '{"res":"pong"}', headers: { 'content-type': 'application/json' } }
  run.immich.fault = ({ path }) => path.endsWith('/ping') ? plain : undefined
  assert.equal((await run.get('/healthcheck')).status, 200)
})

test('a health check has 5 s of its own, however long Immich may be silent', async () => {
  const run = await start({ ipp: { limits: { upstreamTimeout: 15 } } })
  const release = hold(run, /ping$|shared-links/)
  const answered: string[] = []
  const page = run.get(`/share/${run.links.album.key}`).then(() => answered.push('page'))
  const { status } = await run.get('/healthcheck')
  assert.deepEqual([status, answered], [503, []])
  release()
  await page
})

test('Immich refuses connections, and comes back', async () => {
  const shared = twoPhotosAndVideo()
  const run = await start({ library: shared.library })
  await run.immich.close()
  const paths = [`/share/${shared.key}`, '/share/nothing', `/share/photo/${shared.key}/${shared.first}`]
  const responses = await Promise.all(paths.map(path => run.get(path)))
  for (const response of responses) {
    assert.deepEqual(
      [response.status, response.text, response.headers['retry-after']], [503, 'unavailable\n', '10']
    )
  }
  assert.equal(run.lines.filter(line => line.includes('is unavailable')).length, 1)
  await run.immich.listen()
  assert.equal((await run.get(`/share/${shared.key}`)).status, 200)
  assert.ok(run.lines.some(line => line.includes('is available again')))
})

describe('answers that are not HTTP', { concurrency: true }, () => {
  const answers: Record<string, { say: string, drip?: string, advice: string }> = {
    'another protocol': { say: 'SSH-2.0-OpenSSH_9.2\r\n', advice: 'another program, or this one, answers' },
    'a change of protocols': {
      say: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      advice: 'another program, or this one, answers'
    },
    'headers without end': {
      say: `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
      advice: 'another program, or this one, answers'
    },
    'headers that come and come': { say: 'HTTP/1.1 200 OK\r\nX: ', drip: 'x', advice: 'no response in time' }
  }
  for (const [name, { say, drip, advice }] of Object.entries(answers)) {
    test(name, async context => {
      const stranger = createServer(socket => {
        socket.on('error', () => {}).write(say)
        const dripping = drip && setInterval(() => socket.write(drip), 100)
        if (dripping) socket.on('close', () => clearInterval(dripping))
      })
      context.after(() => stranger.close())
      const run = await start({
        env: { IMMICH_URL: await listen(stranger) },
        ipp: { limits: { upstreamTimeout: drip ? 1 : 19, upstreamRequests: 2 } }
      })
      for (let n = 0; n < 3; n++) assert.equal((await run.get('/share/anything')).status, 503)
      const outages = run.lines.filter(line => line.includes('is unavailable'))
      assert.deepEqual(outages.map(line => line.includes(advice)), [true], 'said once, with what to try')
    })
  }
})

test('a server that is not Immich is logged once, not with every request', async () => {
  const shared = twoPhotosAndVideo()
  const run = await start({ library: shared.library })
  run.immich.fault = () => ({ body: '<h1>router</h1>', headers: { 'content-type': 'text/html' } })
  for (let n = 0; n < 3; n++) assert.equal((await run.get(`/share/${shared.key}`)).status, 503)
  assert.equal(run.lines.filter(line => line.includes('is unavailable')).length, 1)
  run.immich.fault = () => undefined
  assert.equal((await run.get(`/share/${shared.key}`)).status, 200)
  assert.equal(run.lines.filter(line => line.includes('is available again')).length, 1)
})

test('a silent Immich times out, before and within an answer', async () => {
  const run = await start({ ipp: { limits: { upstreamTimeout: 0.3 } } })
  const id = run.links.photo.assets![0]!
  run.immich.fault = () => ({ hang: true })
  assert.equal((await run.get(`/share/${run.links.album.key}`)).status, 503)
  run.immich.fault = ({ path }) => path.endsWith('original') ? { hang: true } : undefined
  assert.equal((await run.get(`/share/photo/${run.links.photo.key}/${id}/original`)).status, 503)
  run.immich.fault = ({ path }) => path.endsWith('original') ? { silentAfter: 1000 } : undefined
  // the reset may overtake the headers
  const response = await run.get(`/share/photo/${run.links.photo.key}/${id}/original`).catch(() => undefined)
  assert.ok(response === undefined || (response.status === 200 && !response.complete))
  assert.equal(run.settings.limits.upstreamTimeout < 20, true)
  assert.ok((await start()).settings.limits.upstreamTimeout <= 19)
})

test('a hostile Immich: JSON has a limit of bytes, of values, of lists, and of months', async () => {
  const { library, key } = twoPhotosAndVideo()
  const status = async (call: string, body: string, chunked = false) => {
    const run = await start({ library })
    run.immich.chunked = chunked
    const headers = { 'content-type': 'application/json' }
    run.immich.fault = ({ path }) => path.endsWith(call) ? { body, headers } : undefined
    const response = await run.get(`/share/items/${key}/0`)
    await run.stop()
    return response.status
  }
  const month = (rest: string) =>
    `{"id":["${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}"],"rest":${rest}}`
  const longest = 24 * 1024 * 1024 - month('""').length
  assert.equal(await status('bucket', month(`"${'x'.repeat(longest)}"`)), 200)
  assert.equal(await status('bucket', month(`"${'x'.repeat(longest + 1)}"`)), 503)
  const isChunked = true
  assert.equal(await status('bucket', month(`"${'x'.repeat(longest)}"`), isChunked), 200)
  assert.equal(await status('bucket', month(`"${'x'.repeat(longest + 1)}"`), isChunked), 503)
  // six for each list and one for each comma, up to 3,000,000
  assert.equal(await status('bucket', month(`[${'[],'.repeat(428_567)}[]]`)), 200)
  assert.equal(await status('bucket', month(`[${'[],'.repeat(428_568)}[]]`)), 503)
  assert.equal(await status('bucket', month(`[${'0,'.repeat(2_999_981)}0]`)), 200)
  assert.equal(await status('bucket', month(`[${'0,'.repeat(2_999_982)}0]`)), 503)
  const months = (count: number) => JSON.stringify(Array.from({ length: count }, (_, n) =>
    ({ timeBucket: `${1900 + Math.floor(n / 12)}-${String(n % 12 + 1).padStart(2, '0')}-01`, count: 1 })))
  assert.equal(parseMonths(JSON.parse(months(1200)))?.months.length, 1200)
  assert.equal(await status('buckets', months(1201)), 503)
})
