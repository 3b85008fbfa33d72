/** The fair queue: slots at Immich for short calls, streams and zips, and waiting for them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countRequests, hold, openCount, start, until } from './helpers.ts'
import { createQueue, Lane } from '../src/queue.ts'
import { createShares } from '../src/shares.ts'
import { manyPhotos } from './library.ts'

test('requests to Immich: limits on open and waiting ones, and a quarter of both per visitor', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 8, upstreamQueue: 12 } } })
  await run.get(`/share/items/${key}/0`)
  const release = hold(run, /thumbnail$/)
  const image = (n: number, visitor: number) =>
    run.get(`/share/photo/${key}/${ids[n]}/thumbnail`, {
      headers: { 'x-forwarded-for': `203.0.113.${visitor}` }
    })
  // one visitor may have two open requests and three waiting ones
  const first = [0, 1, 2, 3, 4].map(n => image(n, 1))
  await until(() => openCount(run, /thumbnail$/) === 2)
  let beyond = await image(20, 1)
  for (let n = 21; beyond.status !== 503 && n < 30; n++) beyond = await image(n, 1)
  assert.deepEqual([beyond.status, beyond.headers['retry-after']], [503, '5'])
  // another visitor's requests go on, up to the limit for all
  const come = countRequests(run)
  const others = [2, 3, 4].flatMap(visitor => [0, 1, 2, 3, 4].map(n => image(visitor * 5 + n - 5, visitor)))
  await until(() => openCount(run, /thumbnail$/) === 8 && come() === 15)
  // a few turns of the event loop later they are in the queue
  await new Promise(resolve => setTimeout(resolve, 100))
  assert.equal((await image(30, 5)).status, 503, 'eight open and twelve waiting are all')
  assert.equal(openCount(run, /thumbnail$/), 8)
  // the health check has its own slot
  assert.equal((await run.get('/healthcheck')).text, 'ok')
  release()
  assert.ok((await Promise.all([...first, ...others])).every(({ status }) => status === 200))
  assert.equal((await image(31, 1)).status, 200)
})

test('a slow reader holds a slot for streams, never one for short calls', async () => {
  const { library: given, key, ids } = manyPhotos()
  const large = { size: 30_000_000, type: 'image/jpeg' }
  for (const id of ids.slice(0, 12)) {
    Object.assign(given.assets.get(id)!, { mime: 'image/heic', fullsize: large, preview: large })
  }
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 4 } } })
  await run.get(`/share/items/${key}/0`)
  const slow = ids.slice(0, 12).map((id, n) => {
    const socket = run.socket().on('error', () => {})
    socket.pause()
    const path = `/share/photo/${key}/${id}/${n % 2 ? 'fullsize' : 'preview'}`
    const range = n % 2 ? '' : 'Range: bytes=5-\r\n'
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${range}X-Forwarded-For: 203.0.113.${n}\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open === 12, 'twelve slow readers')
  assert.equal((await run.get(`/share/photo/${key}/${ids[20]}/thumbnail`)).status, 200)
  assert.equal((await run.get('/share/healthcheck')).text, 'ok')
  for (const socket of slow) socket.destroy()
  await until(() => run.immich.open === 0)
})

test('a fair queue: one visitor\'s many requests do not keep another waiting', async () => {
  const { library: given, key, ids } = manyPhotos(60)
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 1 } } })
  await run.get(`/share/items/${key}/0`)
  let release = hold(run, /thumbnail$/)
  const finished: string[] = []
  const image = async (n: number, from: string) => {
    await run.get(`/share/photo/${key}/${ids[n]}/thumbnail`, { headers: { 'x-forwarded-for': from } })
    finished.push(from)
  }
  const greedy = Array.from({ length: 50 }, (_, n) => image(n, '203.0.113.1'))
  await until(() => openCount(run, /thumbnail$/) === 1)
  const come = countRequests(run)
  const other = image(55, '203.0.113.2')
  await until(() => come() >= 1)
  await new Promise(resolve => setTimeout(resolve, 100))
  release()
  await Promise.all([...greedy, other])
  const place = finished.indexOf('203.0.113.2')
  assert.ok(place <= 3, `came ${place + 1}th of ${finished.length}`)
})

test('what two visitors wait for is loaded when it is the turn of either', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { upstreamRequests: 4 } } })
  await run.get(`/share/items/${key}/0`)
  const gates = ids.map(() => Promise.withResolvers<void>())
  run.immich.fault = ({ path }) => {
    const n = ids.findIndex(id => path === `/api/assets/${id}/thumbnail`)
    return n < 0 ? undefined : { until: gates[n]!.promise }
  }
  const image = (n: number, visitor: number) =>
    run.get(`/share/photo/${key}/${ids[n]}/thumbnail`, {
      headers: { 'x-forwarded-for': `203.0.113.${visitor}` }
    })
  const order = () => run.immich.asked.filter(({ path }) => path.endsWith('/thumbnail'))
    .map(({ path }) => ids.findIndex(id => path.includes(id)))
  const answers = [image(0, 1)]
  await until(() => order().length === 1)
  // one visitor may have one call under way; the last of these is what another visitor needs, too
  const come = countRequests(run)
  for (let n = 1; n <= 6; n++) answers.push(image(n, 1))
  await until(() => come() === 6)
  assert.deepEqual(order(), [0])
  answers.push(image(6, 2))
  await until(() => order().length === 2)
  assert.deepEqual(order(), [0, 6])
  for (const { resolve } of gates) resolve()
  for (const { status } of await Promise.all(answers)) assert.equal(status, 200)
})

test('a visitor who joins a lane is served at once if there is room; the latest eight count', async () => {
  const queue = createQueue(4, 10)
  const release = await queue('greedy')
  const lane = new Lane('greedy')
  let isServed = false
  const waiting = queue(lane).then(() => { isServed = true })
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(isServed, false, 'a quarter of four slots is one')
  lane.add('another')
  await waiting
  release()
  for (let n = 0; n < 20; n++) lane.add(`visitor ${n}`)
  assert.deepEqual(lane.names, Array.from({ length: 8 }, (_, n) => `visitor ${n + 12}`))
})

test('the /64s of one /48 hold two shares together, of slots and of the waiting room', async () => {
  const queue = createQueue(16, 8)
  const visitor = (n: number) => `2001:db8:7:${n}::/64`
  const held = []
  for (let n = 0; n < 8; n++) held.push(await queue(visitor(n % 3)))
  // slots are free, but not for this network
  const waiting = [4, 5, 6, 7].map(n => queue(visitor(n)))
  await assert.rejects(queue(visitor(8)), { reason: 'busy' })
  const other = await queue('2001:db8:8:0::/64')
  other()
  held[0]!()
  held.push(await waiting[0]!)
  const more = queue(visitor(8))
  for (const release of held) release()
  for (const release of await Promise.all([...waiting, more])) release()
  await queue(visitor(1))
})

test('visitors who hold nothing any more leave nothing in memory', () => {
  const shares = createShares(1)
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 300_000; n++) {
    const visitor = `2001:db8:${(n >> 8).toString(16)}:${(n & 0xff).toString(16)}::/64`
    shares.add(visitor, 1)
    shares.add(visitor, -1)
  }
  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 20_000_000, `${grown} bytes`)
})

test('a /48 behind a proxy holds half of the streams', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { upstreamStreams: 8 } } })
  const path = `/share/video/${key}/${ids.at(-1)}`
  const from = (address: string) =>
    run.get(path, { headers: { 'x-forwarded-for': address, range: 'bytes=0-9' } })
  const slow = [1, 1, 2, 3].map(n => {
    const socket = run.socket().on('error', () => {})
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 2001:db8:7:${n}::1\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open === 4)
  assert.equal((await from('2001:db8:7:4::1')).status, 503)
  assert.equal((await from('2001:db8:8:1::1')).status, 206)
  assert.equal((await from('203.0.113.1')).status, 206)
  for (const socket of slow) socket.destroy()
  await until(() => run.immich.open === 0)
  assert.equal((await from('2001:db8:7:4::1')).status, 206)
})

test('who leaves while waiting is refused as a visitor who left', async () => {
  const queue = createQueue(4, 4)
  const leaving = new AbortController()
  const release = await queue('one', leaving.signal)
  const waiting = queue('one', leaving.signal)
  leaving.abort()
  const left = { name: 'Error', reason: 'unreachable', message: 'the visitor left' }
  await assert.rejects(waiting, left)
  await assert.rejects(queue('one', leaving.signal), left)
  release()
  await queue('one')
})

test('who leaves after being served counts once in the waiting room', async () => {
  const queue = createQueue(4, 4)
  const leaving = new AbortController()
  const release = await queue('one')
  const served = queue('one', leaving.signal)
  release()
  await served
  queue('one').catch(() => {})
  leaving.abort()
  await assert.rejects(queue('one'), { reason: 'busy' })
})

test('zips take few slots, and thumbnails go on while they run', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({
    library: given, ipp: { limits: { zips: 3, zipRequests: 2, upstreamStreams: 50 } }
  })
  const release = hold(run, /original$/)
  const zips = Array.from({ length: 3 }, (_, n) => {
    const socket = run.socket()
    socket.on('error', () => {})
    socket.write(`GET /share/${key}/download HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.${n}\r\n\r\n`)
    return socket
  })
  await until(() => openCount(run, /original$/) >= 6)
  assert.equal((await run.get(`/share/${key}/download`)).status, 503)
  assert.equal((await run.get(`/share/photo/${key}/${ids[0]}/thumbnail`)).status, 200)
  release()
  for (const socket of zips) socket.destroy()
  await until(() => run.immich.open === 0)
})

test('originals and videos: 503 beyond the limit, and slots become free again', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { upstreamStreams: 2 } } })
  const path = `/share/video/${key}/${ids.at(-1)}`
  const slow = Array.from({ length: 2 }, (_, n) => {
    const socket = run.socket()
    socket.pause()
    socket.on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.${n}\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open === 2)
  const second = await run.get(path, { headers: { 'x-forwarded-for': '203.0.113.0' } })
  assert.equal(second.status, 503, 'a second of one visitor')
  const beyond = await run.get(path)
  assert.deepEqual([beyond.status, beyond.headers['retry-after']], [503, '5'])
  for (const socket of slow) socket.destroy()
  await until(() => run.immich.open === 0)
  assert.equal((await run.get(path, { headers: { range: 'bytes=0-9' } })).status, 206)
})
