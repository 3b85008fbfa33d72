/** Resumed downloads: the same bytes, and files that were sent are not requested from Immich again. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { start } from '../helpers.ts'
import { video } from '../library.ts'
import { without } from '../tools.ts'
import { fetchZip, PATHS, photosOf, SERVERS, shareZip } from './album.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'ipp-zip-'))
after(() => rmSync(folder, { recursive: true }))

for (const version of SERVERS) {
  for (const name of PATHS) {
    // the names of an album are not known in advance on Immich 2.x
    if (version === '2.7.5' && name.startsWith('album')) continue
    test(`${version}, ${name}: resumed at 10, 50, 90 and 99 %, at another replica too`, async () => {
      const { library, pathOf } = shareZip(photosOf(40, n => n === 5 ? { edited: true, announced: 7 } : {}))
      const [one, two] = [await start({ library, version }), await start({ library, version })]
      const path = pathOf(name)
      const whole = await fetchZip(one, path)
      const { length } = whole.body
      assert.deepEqual([whole.complete, whole.headers['content-length']], [true, String(length)])
      const etag = String(whole.headers.etag)
      for (const percent of [10, 50, 90, 99]) {
        const from = Math.floor(length * percent / 100)
        for (const proxy of [one, two]) {
          proxy.immich.asked.length = 0
          const rest = await fetchZip(proxy, path, { range: `bytes=${from}-`, 'if-range': etag })
          assert.equal(rest.headers['content-range'], `bytes ${from}-${length - 1}/${length}`)
          assert.ok(rest.status === 206 && rest.body.equals(whole.body.subarray(from)), `${percent} %`)
          const asked = proxy.immich.asked.filter(
            ({ method, path }) => method === 'GET' && path.endsWith('original')
          )
          const needed = proxy === one ? Math.ceil(40 * (1 - percent / 100)) + 1 : 40
          assert.ok(asked.length <= needed, `${asked.length} files at ${percent} %`)
        }
      }
    })
  }
}

test('ranges follow RFC 9110, on a zip that nobody has fetched yet', async () => {
  const { library, path } = shareZip(photosOf(10))
  const { body: whole, headers } = await fetchZip(await start({ library }), path)
  const { length } = whole
  for (const [range, first, last] of [
    ['bytes=-1', length - 1, length - 1], ['bytes=0-0', 0, 0], ['bytes=1-99', 1, 99],
    [`bytes=${length - 40_000}-`, length - 40_000, length - 1]
  ] as const) {
    const part = await fetchZip(await start({ library }), path, { range })
    assert.equal(part.headers['content-range'], `bytes ${first}-${last}/${length}`)
    assert.ok(part.body.equals(whole.subarray(first, last + 1)), range)
  }
  const proxy = await start({ library })
  const after = await fetchZip(proxy, path, { range: `bytes=${length}-` })
  assert.deepEqual([after.status, after.headers['content-range']], [416, `bytes */${length}`])
  const other = await fetchZip(proxy, path, { range: 'bytes=10-', 'if-range': '"other"' })
  assert.deepEqual([other.status, other.headers.etag], [200, headers.etag])
})

test('a request for the last byte of a large zip gets the whole zip, not minutes of silence', async () => {
  const original = { size: 1.5e9, type: 'video/mp4' }
  const { library, path } = shareZip([video(1, { original, playback: original }), ...photosOf(3)])
  const proxy = await start({ library })
  const socket = proxy.socket()
  const head = new Promise<string>(resolve => socket.once('data', data => resolve(String(data))))
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nrange: bytes=-1\r\n\r\n`)
  assert.match(await head, /^HTTP\/1\.1 200 /)
  socket.destroy()
})

test('the headers of a resumed zip come before Immich has sent anything', async () => {
  const { library, assets, path } = shareZip(photosOf(5))
  const proxy = await start({ library })
  proxy.immich.fault = ({ path }) => path.includes(`${assets[0]!.id}/original`) ? { hang: true } : undefined
  const socket = proxy.socket()
  const head = new Promise<string>(resolve => socket.once('data', data => resolve(String(data))))
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nrange: bytes=9000-\r\n\r\n`)
  assert.match(await head, /^HTTP\/1\.1 206 /)
  socket.destroy()
})

test('curl -C - resumes', { skip: without('curl') }, async () => {
  const { library, path } = shareZip(photosOf(20))
  const proxy = await start({ library })
  const whole = await fetchZip(proxy, path)
  const file = join(folder, 'resumed.zip')
  writeFileSync(file, whole.body)
  truncateSync(file, Math.floor(whole.body.length * 0.6))
  await run('curl', ['-sS', '-C', '-', '-o', file, proxy.base + path])
  assert.ok(readFileSync(file).equals(whole.body))
})
