/** The limits of promise 10, each at its edge and beyond it: beyond is a clear answer, never a growing queue. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { HTML, ROOT, start, until, type Running } from './helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from './library.ts'
import { newKey } from './standin.ts'

function library (count = 40) {
  const library = emptyLibrary()
  const large = { size: 40_000_000, type: 'video/mp4' }
  const assets = [...Array.from({ length: count }, (_, n) => photo(n)), video(count, { original: large, playback: large })]
  const { key } = addLink(library, 'limits', { album: addAlbum(library, 'Limits', assets) })
  return { library, key, ids: assets.map(({ id }) => id) }
}
/** Holds the answers of Immich until `release`. */
function hold (run: Running, path: RegExp) {
  let release = () => {}
  const held = new Promise<void>(resolve => { release = resolve })
  run.immich.fault = asked => path.test(asked.path) ? { until: held } : undefined
  return () => { run.immich.fault = () => undefined; release() }
}
/** How many requests have come since. */
function countRequests ({ proxy }: Running): () => number {
  let come = 0
  proxy.server.on('request', () => { come++ })
  return () => come
}
const open = (run: Running, path: RegExp) => run.immich.asked.filter(asked => path.test(asked.path) && !asked.closed).length

test('every limit of the configuration is named in this file or another test', () => {
  const { limits } = JSON.parse(readFileSync(new URL('config.json', ROOT), 'utf8')).ipp
  const tests = ['limits', 'unlock', 'zip', 'media', 'process'].map(name => readFileSync(new URL(`test/${name}.test.ts`, ROOT), 'utf8')).join('')
  for (const name of Object.keys(limits)) assert.match(tests, new RegExp(`\\b${name}\\b: [\\d.]`), name)
})

test('connections: those that wait longest go first; one more is told so where none waits, far more are dropped', async () => {
  const { library: given, key, ids } = library()
  const run = await start({ library: given, ipp: { limits: { connections: 3 } } })
  const say = (socket = run.socket(), path = `/share/items/${key}/0`) => new Promise<string>(resolve => {
    let text = ''
    socket.on('data', chunk => { text += chunk; if (text.includes('\r\n\r\n')) resolve(text) }).on('close', () => resolve(text)).on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  })
  // silent ones do not keep a visitor out
  const silent: Socket[] = []
  for (let n = 0; n < 3; n++) { const socket = run.socket(); silent.push(socket); await once(socket, 'connect') }
  const ended = once(silent[0]!, 'close')
  const visitor = run.socket()
  assert.match(await say(visitor), /^HTTP\/1\.1 200/)
  await ended
  for (const socket of [...silent, visitor]) socket.destroy()
  await until(() => (run.proxy.server as any)._connections === 0)
  // three that are being answered
  const release = hold(run, /thumbnail$/)
  const busy = [0, 1, 2].map(n => {
    const socket = run.socket().on('error', () => {}).on('data', () => {})
    socket.write(`GET /share/photo/${key}/${ids[n]}/thumbnail HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.${n}\r\n\r\n`)
    return socket
  })
  await until(() => open(run, /thumbnail$/) === 3)
  const beyond = run.socket()
  const answer = await say(beyond)
  assert.match(answer, /^HTTP\/1\.1 503[^]*Connection: close/i)
  assert.match(answer, /retry-after: 5/i)
  beyond.destroy()
  const more = Array.from({ length: 6 }, () => run.socket())
  let dropped = 0
  for (const socket of more) socket.on('close', () => { dropped++ }).on('error', () => {}).on('data', () => {})
  await until(() => dropped >= 3, 'far more to be dropped')
  release()
  for (const socket of [...busy, ...more]) socket.destroy()
  await until(() => (run.proxy.server as any)._connections === 0)
  assert.match(await say(), /^HTTP\/1\.1 200/)
})

test('connections: one address holds a quarter, unless it is a proxy that is trusted', async () => {
  const { library: given } = library()
  for (const [trustedProxies, left] of [[[], 2], [['127.0.0.0/8'], 6]] as const) {
    const run = await start({ library: given, ipp: { trustedProxies, limits: { connections: 8 } } })
    const sockets: Socket[] = []
    for (let n = 0; n < 6; n++) { const socket = run.socket().on('error', () => {}); sockets.push(socket); await once(socket, 'connect') }
    await until(() => (run.proxy.server as any)._connections === left, `${left} of six`)
    for (const socket of sockets) socket.destroy()
  }
})

test('requests to Immich: so many open, so many waiting, 503 for the next, a quarter of both for one visitor', async () => {
  const { library: given, key, ids } = library()
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 8, upstreamQueue: 12 } } })
  await run.get(`/share/items/${key}/0`)
  const release = hold(run, /thumbnail$/)
  const image = (n: number, visitor: number) => run.get(`/share/photo/${key}/${ids[n]}/thumbnail`, { headers: { 'x-forwarded-for': `203.0.113.${visitor}` } })
  // two open and three waiting are what one visitor may have
  const first = [0, 1, 2, 3, 4].map(n => image(n, 1))
  await until(() => open(run, /thumbnail$/) === 2)
  let beyond = await image(20, 1)
  for (let n = 21; beyond.status !== 503 && n < 30; n++) beyond = await image(n, 1)
  assert.deepEqual([beyond.status, beyond.headers['retry-after']], [503, '5'])
  // what another asks for goes on, up to the limit of all
  const come = countRequests(run)
  const others = [2, 3, 4].flatMap(visitor => [0, 1, 2, 3, 4].map(n => image(visitor * 5 + n - 5, visitor)))
  await until(() => open(run, /thumbnail$/) === 8 && come() === 15)
  // from there to the queue it is but a few turns of the loop
  await new Promise(resolve => setTimeout(resolve, 100))
  assert.equal((await image(30, 5)).status, 503, 'eight open and twelve waiting are all')
  assert.equal(open(run, /thumbnail$/), 8)
  // the health check has a place of its own
  assert.equal((await run.get('/healthcheck')).text, 'ok')
  release()
  assert.ok((await Promise.all([...first, ...others])).every(({ status }) => status === 200))
  assert.equal((await image(31, 1)).status, 200)
})

test('who reads slowly holds a place of the streams, never of the short calls', async () => {
  const { library: given, key, ids } = library()
  const large = { size: 30_000_000, type: 'image/jpeg' }
  for (const id of ids.slice(0, 12)) Object.assign(given.assets.get(id)!, { mime: 'image/heic', fullsize: large, preview: large })
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 4 } } })
  await run.get(`/share/items/${key}/0`)
  const slow = ids.slice(0, 12).map((id, n) => {
    const socket = run.socket().on('error', () => {})
    socket.pause()
    socket.write(`GET /share/photo/${key}/${id}/${n % 2 ? 'fullsize' : 'preview'} HTTP/1.1\r\nHost: x\r\n${n % 2 ? '' : 'Range: bytes=5-\r\n'}X-Forwarded-For: 203.0.113.${n}\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open === 12, 'twelve slow readers')
  assert.equal((await run.get(`/share/photo/${key}/${ids[20]}/thumbnail`)).status, 200)
  assert.equal((await run.get('/share/healthcheck')).text, 'ok')
  for (const socket of slow) socket.destroy()
  await until(() => run.immich.open === 0)
})

test('a fair queue: one visitor\'s many requests do not keep another waiting', async () => {
  const { library: given, key, ids } = library(60)
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 1 } } })
  await run.get(`/share/items/${key}/0`)
  let release = hold(run, /thumbnail$/)
  const finished: string[] = []
  const image = (n: number, from: string) => run.get(`/share/photo/${key}/${ids[n]}/thumbnail`, { headers: { 'x-forwarded-for': from } }).then(() => { finished.push(from) })
  const greedy = Array.from({ length: 50 }, (_, n) => image(n, '203.0.113.1'))
  await until(() => open(run, /thumbnail$/) === 1)
  const come = countRequests(run)
  const other = image(55, '203.0.113.2')
  await until(() => come() >= 1)
  await new Promise(resolve => setTimeout(resolve, 100))
  release()
  await Promise.all([...greedy, other])
  assert.ok(finished.indexOf('203.0.113.2') <= 3, `came ${finished.indexOf('203.0.113.2') + 1}th of ${finished.length}`)
})

test('zips take few places, and thumbnails go on while they run', async () => {
  const { library: given, key, ids } = library()
  const run = await start({ library: given, ipp: { limits: { zips: 3, zipRequests: 2, upstreamStreams: 50 } } })
  const release = hold(run, /original$/)
  const zips = Array.from({ length: 3 }, (_, n) => { const socket = run.socket(); socket.on('error', () => {}); socket.write(`GET /share/${key}/download HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.${n}\r\n\r\n`); return socket })
  await until(() => open(run, /original$/) >= 6)
  assert.equal((await run.get(`/share/${key}/download`)).status, 503)
  assert.equal((await run.get(`/share/photo/${key}/${ids[0]}/thumbnail`)).status, 200)
  release()
  for (const socket of zips) socket.destroy()
  await until(() => run.immich.open === 0)
})

test('originals and videos: so many at once, 503 for the next, and places come back', async () => {
  const { library: given, key, ids } = library()
  const run = await start({ library: given, ipp: { limits: { upstreamStreams: 2 } } })
  const path = `/share/video/${key}/${ids.at(-1)}`
  const slow = Array.from({ length: 2 }, (_, n) => { const socket = run.socket(); socket.pause(); socket.on('error', () => {}); socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.${n}\r\n\r\n`); return socket })
  await until(() => run.immich.open === 2)
  assert.equal((await run.get(path, { headers: { 'x-forwarded-for': '203.0.113.0' } })).status, 503, 'a second of one visitor')
  const beyond = await run.get(path)
  assert.deepEqual([beyond.status, beyond.headers['retry-after']], [503, '5'])
  for (const socket of slow) socket.destroy()
  await until(() => run.immich.open === 0)
  assert.equal((await run.get(path, { headers: { range: 'bytes=0-9' } })).status, 206)
})

test('links and lists: what is used longest ago is forgotten and asked again, no more is kept', async () => {
  const { library: given } = library(10)
  const [album] = [...given.albums.keys()]
  const keys = Array.from({ length: 6 }, (_, n) => addLink(given, `many ${n}`, { album: album! }).key)
  const run = await start({ library: given, ipp: { limits: { links: 3, listItems: 33 } } })
  for (const key of keys) assert.equal((await run.get(`/share/items/${key}/0`)).status, 200)
  const asked = (path: RegExp) => run.immich.asked.splice(0).filter(asked => path.test(asked.path)).length
  asked(/./)
  // the last three are known, each list of eleven items; the first are not
  for (const key of keys.slice(3)) await run.get(`/share/items/${key}/0`)
  assert.equal(asked(/./), 0)
  await run.get(`/share/items/${keys[0]}/0`)
  assert.equal(asked(/shared-links\/me$|timeline\/buckets$/), 2)
  const alone = await start({ library: given, ipp: { limits: { listItems: 0 } } })
  for (let n = 0; n < 2; n++) assert.equal((await alone.get(`/share/items/${keys[0]}/0`)).status, 200)
  assert.equal(alone.immich.count(/timeline\/buckets$/), 2)
})

test('unknown keys, by the thousand, leave nothing behind', async () => {
  const run = await start({ library: library().library, ipp: { limits: { links: 10, guessesPerVisitor: 1_000_000 } } })
  const ask = (n: number) => Promise.all(Array.from({ length: 50 }, () => run.get(`/share/${newKey()}`, { headers: HTML }))).then(answers => { for (const { status } of answers) assert.equal(status, 404, String(n)) })
  for (let n = 0; n < 10; n++) await ask(n)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 20; n++) await ask(n)
  globalThis.gc?.()
  assert.ok(process.memoryUsage().heapUsed - before < 60_000_000)
})

test('a visitor who takes nothing for too long is let go', async () => {
  const { library: given, key, ids } = library()
  const run = await start({ library: given, ipp: { limits: { visitorTimeout: 1 } } })
  const socket = run.socket()
  socket.on('error', () => {})
  socket.write(`GET /share/video/${key}/${ids.at(-1)} HTTP/1.1\r\nHost: x\r\n\r\n`)
  socket.pause()
  await until(() => run.immich.open === 1)
  await until(() => run.immich.open === 0, 'Immich to be let go')
  socket.destroy()
})

test('a stop waits for what runs, says it is not healthy, and has an end', async () => {
  const { library: given, key, ids } = library()
  const run = await start({ library: given, ipp: { limits: { shutdown: 8 } } })
  const release = hold(run, /thumbnail$/)
  const running = run.get(`/share/photo/${key}/${ids[0]}/thumbnail`)
  await until(() => open(run, /thumbnail$/) === 1)
  const closed = run.proxy.close()
  assert.deepEqual(await run.get('/healthcheck').then(({ status, text }) => [status, text]), [503, 'unavailable'])
  release()
  assert.equal((await running).status, 200)
  await closed
  const stuck = await start({ library: given, ipp: { limits: { shutdown: 0.2 } } })
  hold(stuck, /thumbnail$/)
  const cut = stuck.get(`/share/photo/${key}/${ids[1]}/thumbnail`).then(() => 'answered', () => 'cut')
  await until(() => open(stuck, /thumbnail$/) === 1)
  await stuck.proxy.close()
  assert.equal(await cut, 'cut')
})
