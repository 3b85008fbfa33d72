/** Transfers of bodies: slow visitors, visitors who leave, forms that are too large. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMemory, readWhole } from '../../src/body.ts'
import { start, until } from '../helpers.ts'
import { addLink, emptyLibrary, manyPhotos, video } from '../library.ts'

function bigVideo () {
  const library = emptyLibrary()
  const videoAsset = video(0, { original: { size: 300 * 1024 * 1024, type: 'video/mp4' } })
  const { key } = addLink(library, 'big', {}, [videoAsset])
  return { library, path: `/share/video/${key}/${videoAsset.id}` }
}

test('the proxy waits for a slow visitor, and frees Immich if a visitor leaves', async () => {
  const { library, path } = bigVideo()
  const run = await start({ library })
  await run.get(path, { headers: { range: 'bytes=0-0' } })
  const before = process.memoryUsage().rss
  const sockets = Array.from({ length: 10 }, () => {
    const socket = run.socket()
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
    return socket
  })
  await until(() => run.immich.open === 10, 'ten streams')
  await new Promise(resolve => setTimeout(resolve, 500))
  assert.ok(process.memoryUsage().rss - before < 150 * 1024 * 1024, 'bodies are piling up')
  sockets.forEach(socket => socket.destroy())
  await until(() => run.immich.open === 0, 'Immich to be freed')
})

test('a visitor who pauses for longer than Immich may be silent loses nothing', async () => {
  const library = emptyLibrary()
  const bytes = Buffer.alloc(12_000_000, Buffer.from(Array.from({ length: 251 }, (_, n) => n)))
  const videoAsset = video(1, {
    name: 'pause.mp4', original: { bytes, type: 'video/mp4' }, playback: { bytes, type: 'video/mp4' }
  })
  const { key } = addLink(library, 'pause', {}, [videoAsset])
  const run = await start({ library, ipp: { limits: { upstreamTimeout: 3 } } })
  const socket = run.socket()
  const chunks: Buffer[] = []
  socket.write(`GET /share/video/${key}/${videoAsset.id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  socket.on('data', chunk => chunks.push(chunk))
  await until(() => chunks.length > 0, 'the first bytes')
  socket.pause()
  await new Promise(resolve => setTimeout(resolve, 4500))
  socket.resume()
  await new Promise(resolve => socket.on('close', resolve))
  const got = Buffer.concat(chunks)
  assert.ok(got.subarray(got.indexOf('\r\n\r\n') + 4).equals(bytes))
})

test('concurrent visitors, fast and slow, on reused connections each get their own bytes', async () => {
  const library = emptyLibrary()
  const videos = Array.from({ length: 24 }, (_, n) => {
    const bytes = Buffer.from(
      Array.from({ length: 400_000 + n * 7919 }, (_, at) => (at * (2 * n + 1) + (at >> 8)) & 0xff)
    )
    const file = { bytes, type: 'video/mp4' }
    return { bytes, video: video(n, { name: `${n}.mp4`, original: file, playback: file }) }
  })
  const { key } = addLink(library, 'own bytes', {}, videos.map(({ video }) => video))
  const run = await start({ library })
  await Promise.all(Array.from({ length: 8 }, async (_, visitor) => {
    for (const [n, { video, bytes }] of videos.entries()) {
      if (n % 8 === visitor) run.immich.fault = () => ({ drip: [30_000 + visitor * 5000, 1] })
      const { body } = await run.get(`/share/video/${key}/${video.id}`)
      assert.ok(body.equals(bytes), `video ${n} of visitor ${visitor}`)
    }
  }))
})

test('a visitor who leaves before Immich answers frees it too', async () => {
  const { library, path } = bigVideo()
  const run = await start({ library })
  await run.get(path, { headers: { range: 'bytes=0-0' } })
  for (const hanging of [/playback/, /original/]) {
    run.immich.asked.length = 0
    run.immich.fault = ({ path }) => hanging.test(path) ? { hang: true } : undefined
    const socket = run.socket()
    const target = hanging.source === 'playback' ? path : `${path.replace('video', 'photo')}/original`
    socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\n\r\n`)
    await until(() => run.immich.asked.length === 1, 'the request')
    socket.destroy()
    await until(() => run.immich.asked[0]!.closed, 'the request to be given up')
  }
})

test('a transfer visibly fails if Immich dies halfway', async () => {
  const run = await start()
  const id = run.links.photo.assets![0]!
  for (const [what, pattern] of [
    ['original', /original$/], ['preview', /thumbnail$/], ['thumbnail', /thumbnail$/]
  ] as const) {
    run.immich.fault = ({ path }) => pattern.test(path) ? { dieAfter: 1000 } : undefined
    const { status, complete } = await run.get(`/share/photo/${run.links.photo.key}/${id}/${what}`)
    assert.ok(what === 'original' ? status === 200 && !complete : status === 503, what)
    run.immich.fault = () => undefined
    const again = await run.get(`/share/photo/${run.links.photo.key}/${id}/${what}`)
    assert.ok(again.status === 200 && again.complete, 'nothing that failed is kept')
  }
})

test('a visitor who reads nothing for too long is disconnected', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { visitorTimeout: 1 } } })
  const socket = run.socket()
  socket.on('error', () => {})
  socket.write(`GET /share/video/${key}/${ids.at(-1)} HTTP/1.1\r\nHost: x\r\n\r\n`)
  socket.pause()
  await until(() => run.immich.open === 1)
  await until(() => run.immich.open === 0, 'Immich to be let go')
  socket.destroy()
})

test('memory: a visitor holds one file or a quarter, a /48 two, and nobody more than there is', () => {
  const { reserve } = createMemory(100)
  const visitor = (n: number) => `2001:db8:7:${n}::/64`
  const large = reserve('203.0.113.1', 100)
  assert.ok(large, 'one file of any size')
  assert.equal(reserve(visitor(1), 1), undefined)
  large()
  large()
  const held = [reserve(visitor(1), 20), reserve(visitor(1), 5), reserve(visitor(2), 25)]
  assert.ok(held.every(Boolean))
  for (const [name, bytes] of [[visitor(1), 1], [visitor(3), 1], ['203.0.113.1', 51]] as const) {
    assert.equal(reserve(name, bytes), undefined, name)
  }
  held[1]!()
  assert.ok(reserve(visitor(3), 5))
  assert.ok(reserve('203.0.113.1', 50))
})

test('memory: a body that finds no room is cancelled', async () => {
  const { reserve, read } = createMemory(100)
  reserve('203.0.113.1', 100)
  let cancelled = 0
  async function * parts () { yield Buffer.from('1') }
  const body = { parts: parts(), cancel: () => { cancelled++ } }
  await assert.rejects(read(body, 1, '203.0.113.2'), { reason: 'busy' })
  assert.equal(cancelled, 1)
})

test('bodies that are read whole have a limit each and a budget together', async () => {
  const budget = { left: 10 }
  let cancelled = 0
  const read = (end: Promise<void>, limit = 10) => {
    async function * parts () { yield Buffer.from('123'); yield Buffer.from('456'); await end }
    return readWhole({ parts: parts(), cancel: () => { cancelled++ } }, limit, budget)
  }
  const { promise: end, resolve } = Promise.withResolvers<void>()
  const held = read(end)
  await until(() => budget.left === 4, 'the first to be read')
  await assert.rejects(read(Promise.resolve()), { reason: 'busy' })
  assert.equal(budget.left, 4)
  resolve()
  assert.equal(String(await held), '123456')
  assert.equal(String(await read(end, 6)), '123456')
  await assert.rejects(read(end, 5), { reason: 'unreachable' })
  assert.deepEqual([budget.left, cancelled], [10, 4])
})
