/** The log: one line per event, the lines about requests, and the secrets that it never contains. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, test } from 'node:test'
import about from '../package.json' with { type: 'json' }
import { createKeys } from '../src/keys.ts'
import { createLog, type LogLevel } from '../src/log.ts'
import { freePorts, HTML, ROOT, start, until, type Running } from './helpers.ts'
import { emptyLibrary } from './library.ts'
import { startImmich } from './standin.ts'

function written (level: LogLevel, act: (log: ReturnType<typeof createLog>) => void): string[] {
  const { write } = process.stdout
  let text = ''
  process.stdout.write = (chunk => { text += chunk; return true }) as typeof write
  try { act(createLog(level, createKeys(''))) } finally { process.stdout.write = write }
  return text.split('\n').slice(0, -1)
}

test('a level includes its own events and the more severe ones', () => {
  for (const [level, count] of [['error', 1], ['warn', 2], ['info', 3], ['debug', 4]] as const) {
    const lines = written(level, log => { log.error('a'); log.warn('b'); log.info('c'); log.debug('d') })
    assert.equal(lines.length, count, level)
  }
})

test('no value can break out of its line', () => {
  const [line, ...more] = written('info', log =>
    log.info('event', { plain: 'a/b', text: 'a "b"\nerror forged\u2028\x9b', none: undefined })
  )
  assert.deepEqual(more, [])
  assert.match(line!, /^\S+ info event plain=a\/b text="a \\"b\\"\\nerror forged\?\?"$/)
})

test('one event has 2,000 lines, from however many addresses', () => {
  const lines = written('info', log => {
    for (let n = 0; n < 5000; n++) log.warn('refused', { address: `203.0.${n % 250}.${Math.floor(n / 250)}` })
    log.warn('another')
  })
  assert.equal(lines.length, 2001)
})

test('one event of one visitor has 200 lines, and others keep theirs', () => {
  const refuse = (log: ReturnType<typeof createLog>, address: string) => log.warn('refused', { address })
  const lines = written('debug', log => {
    for (let n = 0; n < 1000; n++) refuse(log, '203.0.113.1')
    for (let n = 0; n < 1000; n++) log.debug('request')
    for (let n = 0; n < 250; n++) log.error('a failure')
    refuse(log, '203.0.113.2')
    log.error('another')
  })
  const count = (pattern: RegExp) => lines.filter(line => pattern.test(line)).length
  assert.deepEqual([/refused.*0\.113\.1/, /request/, /a failure/, /0\.113\.2/, /another/].map(count),
    [200, 1000, 200, 1, 1])
})

const requests = ({ lines }: Running) =>
  lines.filter(line => line.startsWith('debug request ')).map(line => JSON.parse(line.slice(14)))

test('LOG_LEVEL=debug: a line for each request, with the reason of a refusal and no key', async () => {
  const run = await start({ env: { LOG_LEVEL: 'debug' } })
  const { links, proxy } = run
  await run.get(`/share/${links.album.key}`, { headers: HTML })
  await run.get(`/share/${links.deleted.key}`)
  await run.get(`/s/${encodeURIComponent(links.slug.slug!)}`, { method: 'HEAD' })
  await run.get('/nowhere?key=secret')
  await run.get(`/share/photo/${links.password.key}/${links.photo.assets![0]}/thumbnail`)
  await until(() => requests(run).length === 5, 'the lines')
  const nameOf = (key: string) => proxy.app.log.hashOf({ key } as Parameters<typeof proxy.app.log.hashOf>[0])
  const [page, deleted, slug, nowhere, locked] = requests(run)
  assert.partialDeepStrictEqual(page, {
    link: nameOf(links.album.key), method: 'GET', route: '/share/:key', status: 200
  })
  assert.ok(page.bytes > 10_000 && Number.isInteger(page.ms))
  assert.equal(page.isCut, undefined)
  assert.partialDeepStrictEqual(deleted, {
    link: nameOf(links.deleted.key), status: 404, refusal: 'missing: shared-links/me answered 401'
  })
  assert.partialDeepStrictEqual(slug, { method: 'HEAD', route: '/s/:slug', status: 200 })
  assert.ok(slug.bytes > 100 && slug.bytes < 2000)
  assert.partialDeepStrictEqual(nowhere, { route: 'none', status: 404, refusal: 'missing' })
  assert.partialDeepStrictEqual(locked, {
    route: '/share/photo/:key/:id/:size', status: 404, refusal: 'locked'
  })
  const log = run.lines.join('\n')
  for (const secret of [links.album.key, links.deleted.key, links.slug.slug!, 'secret']) {
    assert.ok(!log.includes(secret))
  }
})

test('a line counts the bytes of its own response alone, on a connection that is kept open too', async () => {
  const run = await start({ env: { LOG_LEVEL: 'debug' } })
  const socket = run.socket()
  for (const [n, path] of [`/share/${run.links.album.key}`, '/share/alive'].entries()) {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n`)
    await until(() => requests(run).length === n + 1, 'the line')
  }
  socket.destroy()
  const [page, alive] = requests(run)
  assert.ok(page.bytes > 10_000 && alive.bytes > 100 && alive.bytes < 2000, `${page.bytes} ${alive.bytes}`)
})

test('without it, no line for a normal request, and a warning for a transfer that breaks off', async () => {
  const run = await start()
  const { key, assets } = run.links.photo
  const path = `/share/photo/${key}/${assets![0]}/original`
  assert.equal((await run.get(path)).status, 200)
  assert.deepEqual(run.lines, [])
  run.immich.fault = ({ path }) => path.endsWith('original') ? { dieAfter: 1000 } : undefined
  // a reset may arrive before the headers do
  await run.get(path).catch(() => {})
  await until(() => run.lines.length > 0, 'the line')
  const [line, ...more] = run.lines
  const fields = [
    '"link":"[\\da-f]{10}"', '"method":"GET"', '"route":"/share/photo/:key/:id/:size"', '"status":200',
    '"bytes":\\d+', '"ms":\\d+', '"reason":"other side closed"'
  ]
  assert.match(line!, new RegExp(`^warn transfer interrupted \\{${fields.join()}\\}$`))
  assert.deepEqual(more, [])
})

test('a visitor who leaves causes no warning', async () => {
  const run = await start({ env: { LOG_LEVEL: 'debug' } })
  const { key, assets } = run.links.photo
  run.immich.fault = ({ path }) => path.endsWith('original') ? { drip: [1000, 20] } : undefined
  const socket = run.socket().on('error', () => {})
  socket.write(`GET /share/photo/${key}/${assets![0]}/original HTTP/1.1\r\nHost: x\r\n\r\n`)
  socket.once('data', () => socket.destroy())
  await until(() => requests(run).length === 1, 'the line')
  assert.deepEqual([requests(run)[0].isCut, run.lines.filter(line => line.startsWith('warn'))], [true, []])
})

test('the log has the program\'s version at startup, and later Immich\'s', async () => {
  const [port] = await freePorts(1)
  const child = spawn(process.execPath, ['src/server.ts'], {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH!, IMMICH_URL: `http://127.0.0.1:${port}`, IPP_HOST: '127.0.0.1', IPP_PORT: '0',
      CONFIG: '{}'
    }
  })
  after(() => { child.kill('SIGKILL') })
  let text = ''
  child.stdout.on('data', chunk => { text += chunk })
  await until(() => text.includes('Immich does not answer yet'), 'the start')
  assert.match(text, new RegExp(` info listening port=\\d+ version=${about.version.replaceAll('.', '\\.')} `))
  assert.doesNotMatch(text, /Immich found/)
  const immich = await startImmich(emptyLibrary(), { port: port! })
  after(() => immich.close())
  await until(() => / info Immich found version=3\.1\.0\n/.test(text), 'Immich')
  assert.match(text, / info Immich is available again url=\S+ afterSeconds=\d+\n/)
  assert.ok(immich.asked.length <= 2)
})
