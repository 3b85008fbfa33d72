/**
 * One visitor attacks the whole program, which runs as a process of its own: 2,000 simultaneous requests of
 * each kind cost little memory, and another visitor is answered meanwhile.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ask, HTML, sleep } from '../helpers.ts'
import { flood, get, startProcess, type Attacked } from '../http/attack.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'

const REQUESTS = 2000
/**
 * On a quiet machine all kinds stay below 100 MB, except previews and originals, which take up to 120. Most
 * of it is garbage from finished responses, which is collected later on a busy machine.
 */
const MOST_MB = 160
/** Another visitor waits a tenth of that on a quiet machine; before requests took turns, half a minute. */
const MOST_MS = 5000

const library = emptyLibrary()
const photos = Array.from({ length: 4000 }, (_, n) => photo(n, { name: `photo ${n}` }))
const album = addAlbum(library, 'Large', photos)
const { key } = addLink(library, 'large', { album })
const locked = addLink(library, 'locked', { album, password: PASSWORD })
const idOf = (n: number) => photos[n % photos.length]!.id

/** `xx-yy`, a different one for each n */
const languageOf = (n: number): string => {
  const letter = (n: number) => String.fromCharCode(97 + n % 26)
  return `${['en', 'de', 'fr', 'es'][n % 4]}-${letter(n)}${letter(Math.floor(n / 26))}`
}
/** The address of the n-th request, and its headers if they differ. */
const KINDS: Record<string, (n: number) => [string, Record<string, string>?]> = {
  'unknown addresses': n => [`/nowhere/${n}`],
  'unknown addresses in made-up languages': n => [`/nowhere/${n}`, { 'accept-language': languageOf(n) }],
  'unknown links': n => [`/share/unknown-${n}`],
  'photo pages': n => [`/share/${key}/${idOf(n)}`],
  'photo pages by made-up hosts': n => [`/share/${key}/${idOf(n)}`, { host: `h${n}.example` }],
  'the gallery by made-up hosts': n => [`/share/${key}`, { host: `h${n}.example` }],
  'its further pages by made-up hosts': n => [`/share/${key}?page=${1 + n % 30}`, { host: `h${n}.example` }],
  'the gallery in made-up languages': n => [`/share/${key}`, { 'accept-language': languageOf(n) }],
  'stretches of the list': n => [`/share/items/${key}/${n % 8}`],
  details: n => [`/share/meta/${key}/${idOf(n)}`],
  'the home page': n => ['/', { 'accept-language': languageOf(n) }],
  'the password form': n => [`/share/${locked.key}`, { 'accept-language': languageOf(n) }],
  'the password form at photos': n => [`/share/${locked.key}/${idOf(n)}`],
  'static files': () => [`/share/static/${'0'.repeat(12)}/lightgallery.js`],
  thumbnails: n => [`/share/photo/${key}/${idOf(n)}/thumbnail`],
  previews: n => [`/share/photo/${key}/${idOf(n)}/preview`],
  originals: n => [`/share/photo/${key}/${idOf(n)}/original`],
  'the end of a zip that they have': () =>
    [`/share/${key}/download`, { range: 'bytes=300000000-', 'if-none-match': '*' }]
}

/** Sends requests as another visitor until stopped; returns the statuses and the longest wait in ms. */
function visit (run: Attacked) {
  let isOver = false
  const statuses = new Set<number>()
  let longest = 0
  const visiting = (async () => {
    while (!isOver) {
      const began = performance.now()
      const headers = { ...HTML, 'x-forwarded-for': '203.0.113.7' }
      const request = () => ask(run.base, `/share/${key}`, { headers })
      // above the limit an idle connection is closed; proxies retry on another one
      statuses.add((await request().catch(request)).status)
      longest = Math.max(longest, performance.now() - began)
      await sleep(50)
    }
  })()
  return async () => {
    isOver = true
    await visiting
    return { statuses: [...statuses], longest }
  }
}

describe('2,000 requests at once from one visitor', () => {
  for (const [name, make] of Object.entries(KINDS)) {
    test(name, async context => {
      const run = await startProcess(library)
      // warm up, like a program that has been running for a while
      for (let n = 0; n < 20; n++) await run.get(`/share/${key}`)
      // fill its image cache, which has a limit of its own
      const isImage = name === 'previews' || name === 'thumbnails'
      for (let n = 0; isImage && n < 1000; n++) await run.get(make(REQUESTS + n)[0])
      const requests = Array.from({ length: REQUESTS }, (_, n) => {
        const [path, headers] = make(n)
        return get(path, { 'accept-encoding': 'br', 'x-forwarded-for': '203.0.113.1', ...headers })
      })
      const leave = visit(run)
      let statuses: number[] = []
      const grown = await run.growth(async () => { statuses = await flood(run, requests) })
      const honest = await leave()
      const told = [...new Set(statuses)].map(
        status => `${status}: ${statuses.filter(s => s === status).length}`
      )
      context.diagnostic(`+${grown.toFixed(0)} MB, ${honest.longest.toFixed(0)} ms, ${told.join(', ')}`)
      assert.ok(grown < MOST_MB, `+${grown} MB`)
      assert.deepEqual(honest.statuses, [200])
      assert.ok(honest.longest < MOST_MS, `${honest.longest} ms`)
      assert.equal(run.child.exitCode, null)
      await run.stop()
    })
  }
})

test('200,000 pipelined requests on one connection: it is closed, and costs nothing', async context => {
  const run = await startProcess(library)
  for (let n = 0; n < 20; n++) await run.get(`/share/${key}`)
  const socket = run.connect()
  const leave = visit(run)
  const grown = await run.growth(async () => {
    const ended = new Promise(resolve => socket.on('close', resolve))
    socket.on('data', () => {}).write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(200_000))
    await ended
  })
  const { statuses, longest } = await leave()
  context.diagnostic(`+${grown.toFixed(0)} MB, ${longest.toFixed(0)} ms`)
  assert.ok(grown < MOST_MB, `+${grown} MB`)
  assert.deepEqual(statuses, [200])
  await run.stop()
})

test('2,000 silent connections: another visitor gets one', async context => {
  const run = await startProcess(library)
  const silent = Array.from({ length: 2000 }, () => run.connect())
  await Promise.all(
    silent.map(socket => new Promise(resolve => socket.on('connect', resolve).on('close', resolve)))
  )
  const began = performance.now()
  assert.equal((await run.get(`/share/${key}`)).status, 200)
  context.diagnostic(`${(performance.now() - began).toFixed(0)} ms`)
  for (const socket of silent) socket.destroy()
  await run.stop()
})
