/** Connections: their limits, and visitors who misbehave. */
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { Connections } from '../../src/http/connections.ts'
import { collectGarbage, hold, openCount, settled, sleep, start, until } from '../helpers.ts'
import { manyPhotos, PASSWORD, twoPhotosAndVideo } from '../library.ts'

test('connections: the longest idle one is closed; with none idle, 503, then no answer', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { connections: 3 } } })
  const say = (socket = run.socket(), path = `/share/items/${key}/0`) =>
    new Promise<string>(resolve => {
      let text = ''
      socket.on('close', () => resolve(text)).on('error', () => {})
      socket.on('data', chunk => {
        text += chunk
        if (text.includes('\r\n\r\n')) resolve(text)
      })
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    })
  const gone = run.socket()
  await once(gone, 'connect')
  gone.destroy()
  await until(() => (run.proxy.server as any)._connections === 0)
  // idle connections do not keep a visitor out
  const silent: Socket[] = []
  for (let n = 0; n < 3; n++) {
    const socket = run.socket()
    silent.push(socket)
    await once(socket, 'connect')
  }
  const ended = once(silent[0]!, 'close')
  const visitor = run.socket()
  assert.match(await say(visitor), /^HTTP\/1\.1 200/)
  await ended
  for (const socket of [...silent, visitor]) socket.destroy()
  await until(() => (run.proxy.server as any)._connections === 0)
  // three connections with a request
  const release = hold(run, /thumbnail$/)
  const busy = [0, 1, 2].map(n => {
    const socket = run.socket().on('error', () => {}).on('data', () => {})
    const headers = `Host: x\r\nX-Forwarded-For: 203.0.113.${n}`
    socket.write(`GET /share/photo/${key}/${ids[n]}/thumbnail HTTP/1.1\r\n${headers}\r\n\r\n`)
    return socket
  })
  await until(() => openCount(run, /thumbnail$/) === 3)
  const beyond = run.socket()
  const answer = await say(beyond)
  assert.match(answer, /^HTTP\/1\.1 503[^]*Connection: close/i)
  assert.match(answer, /retry-after: 5/i)
  beyond.destroy()
  const more = Array.from({ length: 6 }, () => run.socket())
  let dropped = 0
  for (const socket of more) {
    socket.on('close', () => { dropped++ })
      .on('error', () => {})
      .on('data', () => {})
  }
  await until(() => dropped >= 3, 'far more to be dropped')
  release()
  for (const socket of [...busy, ...more]) socket.destroy()
  await until(() => (run.proxy.server as any)._connections === 0)
  assert.match(await say(), /^HTTP\/1\.1 200/)
})

test('connections: one address holds a quarter, unless it is a trusted proxy', async () => {
  const { library: given } = manyPhotos()
  for (const [trustedProxies, left] of [[[], 2], [['127.0.0.0/8'], 6]] as const) {
    const run = await start({ library: given, ipp: { trustedProxies, limits: { connections: 8 } } })
    const sockets: Socket[] = []
    for (let n = 0; n < 6; n++) {
      const socket = run.socket().on('error', () => {})
      sockets.push(socket)
      await once(socket, 'connect')
    }
    await until(() => (run.proxy.server as any)._connections === left, `${left} of six`)
    for (const socket of sockets) socket.destroy()
  }
})

test('connections: one whose request is answered is idle again, and makes room for the next', async () => {
  const run = await start({ ipp: { trustedProxies: [], limits: { connections: 8 } } })
  const say = async () => {
    const socket = run.socket().on('error', () => {})
    socket.write('GET /share/alive HTTP/1.1\r\nHost: x\r\n\r\n')
    const [answer] = await Promise.race([once(socket, 'data'), once(socket, 'close')])
    return { socket, answer: String(answer) }
  }
  const open = [await say(), await say(), await say(), await say()]
  for (const { answer } of open) assert.match(answer, /^HTTP\/1\.1 200/)
  await until(() => open[0]!.socket.destroyed && open[1]!.socket.destroyed)
  for (const { socket } of open) socket.destroy()
})

test('requests in flight: one visitor has a sixteenth, behind a proxy too', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { connections: 32 } } })
  const image = (n: number, from: string) =>
    run.get(`/share/photo/${key}/${ids[n]}/thumbnail`, { headers: { 'x-forwarded-for': from } })
  const release = hold(run, /thumbnail$/)
  const held = [image(0, '203.0.113.1'), image(1, '203.0.113.1')]
  await until(() => openCount(run, /thumbnail$/) === 2)
  const { status, headers } = await image(2, '203.0.113.1')
  assert.deepEqual([status, headers['retry-after'], headers.connection], [503, '5', 'close'])
  const other = image(2, '203.0.113.2')
  await until(() => openCount(run, /thumbnail$/) === 3)
  release()
  for (const response of [...held, other]) assert.equal((await response).status, 200)
  assert.equal((await image(3, '203.0.113.1')).status, 200)
})

test('requests of one network that arrive together begin one by one, and others between them', async () => {
  const { settings } = await start()
  for (const addressOf of [() => '203.0.113.1', (n: number) => `2001:db8:7:${n}::/64`]) {
    const connections = new Connections(createServer(), settings)
    const order: string[] = []
    const begin = async (name: string, address: string) => {
      assert.equal(await connections.count(address, new EventEmitter() as ServerResponse), true)
      order.push(name)
    }
    const greedy = Array.from({ length: 100 }, (_, n) => begin('greedy', addressOf(n)))
    await Promise.all([...greedy, begin('other', '198.51.100.1')])
    assert.ok(order.indexOf('other') <= 1, order.join(' '))
  }
})

test('requests whose visitors have left before their turn ask Immich for nothing', async context => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { connections: 64 } } })
  await run.get(`/share/items/${key}/0`)
  const { promise: turn, resolve: proceed } = Promise.withResolvers<void>()
  const counting = context.mock.method(Connections.prototype, 'count', () => turn.then(() => true))
  const socket = run.socket().on('error', () => {})
  socket.write(`GET /share/photo/${key}/${ids[0]}/thumbnail HTTP/1.1\r\nHost: x\r\n\r\n`)
  await until(() => counting.mock.callCount() === 1)
  socket.destroy()
  await until(() => (run.proxy.server as any)._connections === 0)
  proceed()
  await sleep(50)
  assert.equal(run.immich.count(/thumbnail$/), 0)
})

test('visitors whose requests are answered leave nothing in memory', async () => {
  const { proxy, settings } = await start()
  const connections = new Connections(proxy.server, settings)
  const heap = () => { collectGarbage(); return process.memoryUsage().heapUsed }
  const before = heap()
  for (let n = 0; n < 100_000; n++) {
    const response = new EventEmitter() as ServerResponse
    const address = `2001:${(n >> 8).toString(16)}:${(n & 0xff).toString(16)}::/64`
    assert.ok(await connections.count(address, response))
    response.emit('close')
  }
  const grown = heap() - before
  assert.ok(grown < 3_000_000, `${grown} bytes`)
})

test('pipelining: a few requests wait for their turn, a connection with more is closed', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given })
  await run.get(`/share/items/${key}/0`)
  const release = hold(run, /thumbnail$/)
  const request = `GET /share/photo/${key}/${ids[0]}/thumbnail HTTP/1.1\r\nHost: x\r\n\r\n`
  const [few, many] = [run.socket(), run.socket()]
  let answers = 0
  few.on('data', chunk => { answers += String(chunk).split('HTTP/1.1 200').length - 1 })
  few.write(request.repeat(16))
  await until(() => openCount(run, /thumbnail$/) === 1)
  const ended = once(many.on('error', () => {}), 'close')
  many.write(request.repeat(17))
  await ended
  release()
  await until(() => answers === 16)
  few.destroy()
})

test('a connection that is kept open answers any number of requests, one after another', async () => {
  const run = await start()
  const socket = run.socket()
  for (let n = 0; n < 40; n++) {
    socket.write('GET /share/alive HTTP/1.1\r\nHost: x\r\n\r\n')
    const [answer] = await once(socket, 'data')
    assert.match(String(answer), /^HTTP\/1\.1 200/)
  }
  socket.destroy()
})

test('two Host headers are refused', async () => {
  const run = await start()
  const socket = run.socket()
  let text = ''
  socket.on('data', chunk => { text += chunk })
  socket.write(
    `GET /share/${run.links.album.key} HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n`
  )
  await new Promise(resolve => socket.on('close', resolve))
  assert.match(text, /^HTTP\/1\.1 4\d\d/)
})

describe('visitors', { concurrency: true }, () => {
  test('who leave early, hundreds of them, at every stage', async () => {
    const shared = twoPhotosAndVideo()
    const run = await start({
      library: shared.library, ipp: { limits: { upstreamRequests: 4, upstreamStreams: 4, zips: 2 } }
    })
    run.immich.fault = () => ({ drip: [20_000, 2] })
    const paths = [
      `/share/${shared.key}`, `/share/video/${shared.key}/${shared.video}`, `/share/${shared.key}/download`,
      `/share/photo/${shared.key}/${shared.first}/thumbnail`
    ]
    for (let n = 0; n < 200; n++) {
      const socket = run.socket()
      socket.on('error', () => {})
      socket.write(`GET ${paths[n % paths.length]} HTTP/1.1\r\nHost: x\r\n\r\n`)
      await sleep(n % 7)
      socket.destroy()
    }
    run.immich.fault = () => undefined
    await settled(run)
    for (const path of paths) {
      await until(() => true).then(async () => {
        for (let n = 0; n < 100 && (await run.get(path)).status !== 200; n++) await sleep(50)
        assert.equal((await run.get(path)).status, 200)
      })
    }
  })

  test('who read one byte at a time slow their own transfer, fill no memory, and hinder nobody', async () => {
    const shared = twoPhotosAndVideo()
    const large = { size: 300_000_000, type: 'video/mp4' }
    Object.assign(shared.library.assets.get(shared.video!)!, { playback: large, original: large })
    const run = await start({ library: shared.library })
    const before = process.memoryUsage().rss
    const slow = Array.from({ length: 20 }, () => {
      const socket = run.socket()
      socket.on('error', () => {})
      socket.write(`GET /share/video/${shared.key}/${shared.video} HTTP/1.1\r\nHost: x\r\n\r\n`)
      socket.pause()
      socket.once('readable', () => socket.read(1))
      return socket
    })
    await until(() => run.immich.open === 20, 'all to be served')
    await sleep(300)
    assert.equal((await run.get(`/share/photo/${shared.key}/${shared.first}/thumbnail`)).status, 200)
    assert.ok(process.memoryUsage().rss - before < 400_000_000, 'twenty times 300 MB are not in memory')
    for (const socket of slow) socket.destroy()
    await settled(run)
  })

  test('half-open, pipelining, with a flood of headers, too long a line, nonsense', async () => {
    const shared = twoPhotosAndVideo()
    const run = await start({ library: shared.library })
    /** The bytes received until so many answers have begun, or the connection ends. */
    const say = (text: string, { half = false, answers = 1 } = {}) => new Promise<string>(resolve => {
      const socket = run.socket()
      let answer = ''
      socket.on('error', () => {}).on('close', () => resolve(answer)).on('data', chunk => {
        answer += chunk
        if ((answer.match(/HTTP\/1\.1 \d/g)?.length ?? 0) >= answers) socket.destroy()
      })
      if (half) socket.end(text)
      else socket.write(text)
    })
    const get = `GET /share/items/${shared.key}/0 HTTP/1.1\r\nHost: x\r\n\r\n`
    // node ends a connection whose other half was closed, answered or not
    assert.match(await say(get, { half: true }), /^(HTTP\/1\.1 200|$)/)
    assert.equal((await say(get.repeat(10), { answers: 10 })).match(/HTTP\/1\.1 200/g)?.length, 10)
    assert.match(
      await say(`GET / HTTP/1.1\r\nHost: x\r\n${'X-A: b\r\n'.repeat(5000)}\r\n`), /^HTTP\/1\.1 431/
    )
    assert.match(await say(`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`), /^HTTP\/1\.1 431/)
    assert.match(
      await say(`GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'a=b; '.repeat(3000)}\r\n\r\n`),
      /^HTTP\/1\.1 (200|431)/
    )
    for (const nonsense of [
      '\0\0\0\0\r\n\r\n',
      'GET\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      '{"a":1}\r\n\r\n',
      'GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    ]) {
      assert.match(await say(nonsense), /^(HTTP\/1\.1 400|$)/)
    }
    await settled(run)
  })

  test('who send a header or a body too slowly are disconnected', async () => {
    const run = await start({ library: twoPhotosAndVideo().library })
    const slowly = async (text: string) => {
      const socket = run.socket()
      const began = performance.now()
      socket.on('error', () => {}).on('data', () => {})
      socket.write(text)
      const drip = setInterval(() => socket.write('x'), 500)
      await new Promise(resolve => socket.on('close', resolve))
      clearInterval(drip)
      return performance.now() - began
    }
    const [header, body] = await Promise.all([
      slowly('GET / HTTP/1.1\r\nX-Slow: '),
      slowly(
        'POST /share/unlock HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n' +
          'Content-Length: 4000\r\n\r\n'
      )
    ])
    // the limits are 15 and 30 s; this only checks that the connections end
    assert.ok(header < 60_000 && body < 60_000)
    await settled(run)
  })

  test('whose form is too large', async () => {
    const shared = twoPhotosAndVideo()
    const run = await start({ library: shared.library })
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const post = (path: string, body: string) =>
      fetch(run.base + path, { method: 'POST', body, headers, redirect: 'manual' })
    const field = new URLSearchParams({ key: shared.locked, password: PASSWORD }).toString()
    assert.equal(
      (await post('/share/unlock', `${field}&x=${'y'.repeat(4096 - field.length - 3)}`)).status, 303
    )
    assert.equal(
      (await post('/share/unlock', `${field}&x=${'y'.repeat(4096 - field.length - 2)}`)).status, 404
    )
    const ids = new URLSearchParams({ assets: JSON.stringify(shared.ids.slice(0, 2)) }).toString()
    const room = 200 + 3 * 45 - ids.length - 3
    assert.equal((await post(`/share/${shared.key}/download`, `${ids}&x=${'y'.repeat(room)}`)).status, 303)
    for (const [path, form, more] of [
      [`/share/${shared.key}/download`, ids, room + 1], [`/share/${shared.key}/download`, ids, 5_000_000],
      ['/share/unlock', field, 5_000_000]
    ] as const) {
      const response = await post(path, `${form}&x=${'y'.repeat(more)}`)
      assert.deepEqual([response.status, await response.text()], [404, 'not found\n'], `${path} ${more}`)
    }
  })
})
