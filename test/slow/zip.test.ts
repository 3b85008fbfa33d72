/** Zips on real sockets, opened by other people's programs, broken off and resumed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { ask, HTML, start, until } from '../helpers.ts'
import { output, witness, without } from '../tools.ts'
import { entriesOf } from '../unzip.ts'
import { madeUp, newId } from '../standin.ts'

const folder = mkdtempSync(join(tmpdir(), 'ipp-zip-'))
after(() => rmSync(folder, { recursive: true }))
const PYTHON = witness('python3')
const UNZIP = witness('unzip')
const SEVEN = witness('7z', 'p7zip-full')
const run = promisify(execFile)
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** What four unzippers say of a zip: none may complain, and all find the same. Gives name → sha256. */
async function read (bytes: Buffer): Promise<Record<string, string>> {
  const entries = Object.fromEntries((await entriesOf(bytes)).map(({ name, sha }) => [name, sha]))
  const file = join(folder, `${sha(bytes).slice(0, 12)}.zip`)
  writeFileSync(file, bytes)
  const python = `import zipfile,hashlib,json,sys
z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None
print(json.dumps({i.filename:[hashlib.sha256(z.read(i)).hexdigest(),list(i.date_time)] for i in z.infolist()}))`
  if (PYTHON) {
    const seen = JSON.parse(output('python3', ['-c', python, file])) as Record<string, [string, number[]]>
    assert.deepEqual(Object.fromEntries(Object.entries(seen).map(([name, [hash]]) => [name, hash])), entries)
  }
  if (UNZIP) assert.match(output('unzip', ['-t', file]), /No errors detected/)
  if (SEVEN) assert.match(output('7z', ['t', file]), /Everything is Ok/)
  return entries
}

const NAMES = ['IMG_1.jpg', 'img_1.JPG', 'IMG_1.jpg', 'it\'s a "quote".jpg', '../../etc/passwd.jpg', 'C:\\x\\y.jpg', 'new\r\nline.jpg', 'CON.jpg', 'ünï 🌊.jpg',
  'RTL \u202egpj.exe.jpg', 'no extension', `${'long '.repeat(60)}.jpg`, '海'.repeat(120) + '.jpg', '.hidden.jpg', 'trailing. .jpg', 'a/b.jpg']
function strange (count = NAMES.length) {
  const library = emptyLibrary()
  const assets = Array.from({ length: count }, (_, n) => photo(n, {
    id: newId(`zip ${n}`), name: NAMES[n % NAMES.length]!, original: { bytes: madeUp(n * 1000, n * 1000 + 40_000 + n), type: 'image/jpeg' }
  }))
  const part = video(1, { id: newId('zip part'), name: 'MOTION.mp4', visibility: 'hidden', original: { bytes: Buffer.from('the moving part'), type: 'video/mp4' } })
  library.assets.set(part.id, part)
  assets.push(photo(count, { id: newId('zip motion'), name: 'MOTION.jpg', motion: part.id, original: { bytes: Buffer.from('the still part'), type: 'image/jpeg' } }))
  const album = addAlbum(library, 'Zip: "names" / all', assets)
  return { library, assets, link: addLink(library, 'zip', { album }), silent: addLink(library, 'zip silent', { album, showMetadata: false }) }
}

test('whole, with its length, readable by everyone, under names that are safe and unique', async () => {
  const { library, assets, link, silent } = strange()
  const proxy = await start({ library })
  const answer = await proxy.get(`/share/${link.key}/download`)
  assert.equal(answer.status, 200)
  assert.equal(Number(answer.headers['content-length']), answer.body.length)
  assert.match(answer.headers['content-disposition']!, /^attachment; filename="Zip_ _names_ _ all\.zip"; filename\*=UTF-8''Zip_/)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(proxy.immich.count('/api/download/info'), 1)
  const files = await read(answer.body)
  const names = Object.keys(files)
  assert.equal(names.length, assets.length + 1)
  assert.deepEqual(Object.values(files).sort(), [...assets.map(asset => sha(asset.original.bytes!)), sha(Buffer.from('the moving part'))].sort())
  assert.equal(new Set(names.map(name => name.toLowerCase())).size, names.length)
  for (const name of names) {
    assert.doesNotMatch(name, /[\\/:*?"<>|\x00-\x1f\u202e]|^(con|nul)(\.|$)|[. ]$/i)
    assert.ok(Buffer.byteLength(name) <= 255)
  }
  for (const name of ['IMG_1.jpg', 'img_1 (2).JPG', 'IMG_1 (3).jpg', 'ünï 🌊.jpg', '_CON.jpg', 'MOTION.mp4', 'MOTION.jpg', 'no extension.jpg']) assert.ok(names.includes(name), `${name} in ${names}`)
  const quiet = Object.keys(await read((await proxy.get(`/share/${silent.key}/download`)).body))
  assert.ok(quiet.every(name => /^[\da-f-]{36}\.(jpg|mp4)$/.test(name)), String(quiet))
})

test('the same link makes the same bytes; ranges and If-Range resume', async () => {
  const { library, link } = strange(40)
  const [one, two] = [await start({ library }), await start({ library })]
  const path = `/share/${link.key}/download`
  const whole = await one.get(path)
  const again = await two.get(path)
  assert.equal(sha(again.body), sha(whole.body))
  assert.equal(again.headers.etag, whole.headers.etag)
  assert.match(whole.headers.etag!, /^"[^"]+"$/)
  const size = whole.body.length
  for (const [from, to] of [[0, 0], [1, 99], [30_000, 90_000], [size - 400, size - 1], [size - 30_000, size - 1]] as const) {
    const part = await two.get(path, { headers: { range: `bytes=${from}-${to}`, 'if-range': whole.headers.etag! } })
    assert.deepEqual([part.status, part.headers['content-range']], [206, `bytes ${from}-${to}/${size}`])
    assert.ok(part.body.equals(whole.body.subarray(from, to + 1)), `${from}-${to}`)
  }
  assert.equal((await one.get(path, { headers: { range: 'bytes=10-', 'if-range': '"other"' } })).status, 200)
  assert.deepEqual([(await one.get(path, { headers: { range: `bytes=${size}-` } })).headers['content-range']], [`bytes */${size}`])
  const head = await one.get(path, { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers['content-length'], head.headers.etag], [200, String(size), whole.headers.etag])
})

test('curl -C - resumes', { skip: without('curl') }, async () => {
  const { library, link } = strange(40)
  const two = await start({ library })
  const path = `/share/${link.key}/download`
  const whole = await two.get(path)
  const file = join(folder, 'resumed.zip')
  writeFileSync(file, whole.body)
  truncateSync(file, Math.floor(whole.body.length * 0.6))
  await run('curl', ['-sS', '-C', '-', '-o', file, two.base + path])
  assert.equal(sha(readFileSync(file)), sha(whole.body))
})

test('a selection, by a form or JSON; what is not in the link is not found', async () => {
  const { library, assets, link } = strange()
  const proxy = await start({ library })
  const path = `/share/${link.key}/download`
  const post = (assets: unknown, json = false) => proxy.get(path, {
    method: 'POST', headers: { 'content-type': json ? 'application/json' : 'application/x-www-form-urlencoded' },
    body: json ? JSON.stringify({ assets }) : new URLSearchParams({ assets: JSON.stringify(assets) }).toString()
  })
  const two = [assets[3]!.id, assets[1]!.id]
  const chosen = await post(two)
  assert.equal(Object.keys(await read(chosen.body)).length, 2)
  assert.equal(Number(chosen.headers['content-length']), chosen.body.length)
  assert.equal((await post(two, true)).status, 200)
  for (const wrong of [[], ['x'], [...two, newId('other')], {}, null, 'x']) assert.equal((await post(wrong)).status, 404, JSON.stringify(wrong))
})

test('a size that is wrong breaks the transfer, and the next one succeeds', async () => {
  const { library, assets, link } = strange()
  assets[5]!.announced = 12
  const proxy = await start({ library })
  const path = `/share/${link.key}/download`
  const first = await proxy.get(path)
  assert.ok(!first.complete)
  const second = await proxy.get(path)
  assert.ok(second.complete)
  assert.equal(Object.keys(await read(second.body)).length, assets.length + 1)
})

test('what can be retried is; what cannot breaks the transfer visibly', async () => {
  const { library, link, assets } = strange()
  const proxy = await start({ library })
  const path = `/share/${link.key}/download`
  const first = (await proxy.get(path)).body
  const whole = sha(first)
  let failures = 2
  proxy.immich.fault = ({ path }) => path.includes(assets[4]!.id) && failures-- > 0 ? { status: 500 } : undefined
  assert.equal(sha((await proxy.get(path)).body), whole)
  for (const fault of [{ status: 500 }, { status: 429 }, { dieAfter: 5000 }, { reset: true }, { lie: 5 }]) {
    proxy.immich.fault = ({ path }) => path.includes(assets[4]!.id) ? fault : undefined
    const broken = await proxy.get(path)
    assert.ok(broken.status === 200 && !broken.complete, JSON.stringify(fault))
  }
  proxy.immich.fault = () => undefined
  await until(() => proxy.immich.open === 0)
  // one file's size was not as announced: from now on without a length, and the same files
  const later = await proxy.get(path)
  assert.deepEqual([later.complete, later.headers['content-length']], [true, undefined])
  assert.deepEqual(Object.keys(await read(later.body)), Object.keys(await read(first)))
})

test('Immich, the network or the visitor killed at 200 random points: whole and identical, or visibly broken', async () => {
  const { library, link } = strange(30)
  const proxy = await start({ library })
  const path = `/share/${link.key}/download`
  const { body: whole, headers } = await proxy.get(path)
  let seed = 5
  const random = (below: number) => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed % below }
  let broken = 0
  let resumed = 0
  for (let n = 0; n < 200; n++) {
    const at = random(60)
    let count = 0
    const kill = { dieAfter: random(60_000) }
    if (n % 3 === 2) {
      // the visitor leaves, comes back with what it has, and goes on
      const have = random(whole.length)
      const left = await new Promise<Buffer>(resolve => {
        const got: Buffer[] = []
        const out = request(proxy.base + path, { agent: false }, answer => {
          answer.on('data', chunk => {
            got.push(chunk)
            if (got.reduce((sum, { length }) => sum + length, 0) > have) out.destroy()
          })
          answer.on('error', () => {})
          answer.on('close', () => resolve(Buffer.concat(got)))
        })
        out.on('error', () => {})
        out.end()
      })
      const rest = await proxy.get(path, { headers: { range: `bytes=${left.length}-`, 'if-range': headers.etag! } })
      assert.ok(rest.status === 206 ? Buffer.concat([left, rest.body]).equals(whole) : rest.status === 416 && left.equals(whole))
      resumed++
      continue
    }
    proxy.immich.fault = ({ path }) => {
      if (!path.endsWith('original') || count++ !== at) return undefined
      if (n % 3 === 0) return kill
      setTimeout(() => proxy.immich.sockets.forEach(socket => socket.resetAndDestroy()), random(5))
      return { drip: [5_000, 1] }
    }
    const answer = await proxy.get(path)
    proxy.immich.fault = () => undefined
    if (answer.complete) assert.ok(answer.body.equals(whole))
    else broken++
  }
  assert.ok(broken > 30 && resumed > 60, `${broken} broken, ${resumed} resumed`)
  assert.ok((await proxy.get(path)).body.equals(whole))
})

test('3,000 photos start within a second of their list being known', async () => {
  const library = emptyLibrary()
  const { key } = addLink(library, 'three thousand', {}, Array.from({ length: 3000 }, (_, n) =>
    // of which 1 MiB, as far as is looked ahead, is five
    photo(n, { name: `t${n}.jpg`, original: { size: 200_000, type: 'image/jpeg' } })))
  const proxy = await start({ library })
  await proxy.get(`/share/items/${key}/0`)
  const asked = proxy.immich.asked.length
  const part = await proxy.get(`/share/${key}/download`, { headers: { range: 'bytes=0-99' } })
  assert.equal(part.status, 206)
  // not by the clock: one call for all the sizes, and the first files
  assert.ok(proxy.immich.asked.length - asked <= 1 + 8, `${proxy.immich.asked.length - asked} requests`)
  assert.equal(proxy.immich.count('/api/download/info'), 1)
})

test('no more zips at once than allowed, and all ends when the visitor leaves', async () => {
  const library = emptyLibrary()
  const { key } = addLink(library, 'large', {}, Array.from({ length: 20 }, (_, n) => photo(n, { original: { size: 50_000_000, type: 'image/jpeg' } })))
  const proxy = await start({ library, ipp: { limits: { zips: 2 } } })
  const path = `/share/${key}/download`
  const sockets = [1, 2].map(n => { const socket = proxy.socket(); socket.pause(); socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.${n}\r\n\r\n`); return socket })
  await until(() => proxy.immich.open >= 4, 'two zips')
  const third = await proxy.get(path, { headers: { ...HTML, 'x-forwarded-for': '203.0.113.3' } })
  assert.equal(third.status, 503)
  assert.ok(Number(third.headers['retry-after']) > 0)
  assert.match(third.text, /The server is busy/)
  const before = process.memoryUsage().rss
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.ok(proxy.immich.open <= 4, 'opened as the visitor takes bytes')
  assert.ok(process.memoryUsage().rss - before < 100e6)
  sockets.forEach(socket => socket.destroy())
  await until(() => proxy.immich.open === 0, 'Immich to be freed')
  const part = await ask(proxy.base, path, { headers: { range: 'bytes=0-9' } })
  assert.equal(part.body.length, 10)
  await until(() => proxy.immich.open === 0, 'Immich to be freed after a part')
})

test('who leaves before the zip begins does not take a place', async () => {
  const { library, link } = strange()
  const proxy = await start({ library, ipp: { limits: { zips: 1 } } })
  const path = `/share/${link.key}/download`
  proxy.immich.fault = () => ({ delay: 150 })
  const socket = proxy.socket()
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await until(() => proxy.immich.asked.length === 1, 'the lookup')
  socket.destroy()
  await until(() => proxy.immich.count(/bucket$/) > 0 && proxy.immich.asked.every(({ closed }) => closed), 'the list')
  proxy.immich.fault = () => undefined
  assert.equal((await proxy.get(path, { headers: { range: 'bytes=0-9' } })).status, 206)
})

test('previews where originals are not allowed; off where zips are off', async () => {
  const { library, link, assets } = strange()
  const proxy = await start({ library, ipp: { maxDownloadQuality: 'preview' } })
  const files = await read((await proxy.get(`/share/${link.key}/download`)).body)
  assert.equal(Object.keys(files).filter(name => /_preview( \(\d+\))?\.jpe?g$/.test(name)).length, assets.length)
  assert.ok(!Object.values(files).includes(sha(assets[0]!.original.bytes!)))
  // what is sent gives its memory back, what is kept does not: the previews in memory are as whole as before
  assert.deepEqual(await read((await proxy.get(`/share/${link.key}/download`)).body), files)
  const preview = await proxy.get(`/share/photo/${link.key}/${assets[0]!.id}/preview`)
  assert.equal(sha(preview.body), Object.values(files)[0])
})

