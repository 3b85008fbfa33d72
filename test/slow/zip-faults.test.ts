/** Zips while Immich, the network or the visitor fails: whole and identical, or visibly broken. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test } from 'node:test'
import { createRandom, start, until, type Running } from '../helpers.ts'
import { addLink, emptyLibrary, photo } from '../library.ts'
import { fetchZip, namesIn, photosOf, shareZip } from '../zip/album.ts'

test('a failure that cannot be retried breaks the transfer visibly, and the next zip is whole', async () => {
  const { library, assets, path } = shareZip(photosOf(12))
  const run = await start({ library })
  const whole = await fetchZip(run, path)
  for (const fault of [{ status: 500 }, { status: 429 }, { dieAfter: 5000 }, { reset: true }, { lie: 5 }]) {
    run.immich.fault = ({ path }) => path.includes(`${assets[4]!.id}/original`) ? fault : undefined
    const broken = await fetchZip(run, path)
    assert.ok(
      !broken.complete && whole.body.subarray(0, broken.body.length).equals(broken.body),
      JSON.stringify(fault)
    )
  }
  run.immich.fault = () => undefined
  await until(() => run.immich.open === 0)
  // one file did not have the announced size: zips have no length from now on
  const later = await fetchZip(run, path)
  assert.deepEqual([later.complete, later.headers['content-length']], [true, undefined])
  assert.deepEqual(await namesIn(later.body), await namesIn(whole.body))
})

/** Leaves after so many bytes; resolves with the bytes received. */
const leaveAfter = ({ base }: Running, path: string, limit: number) => new Promise<Buffer>(resolve => {
  const got: Buffer[] = []
  let bytes = 0
  const out = request(base + path, { agent: false }, response => {
    response.on('data', part => { got.push(part); bytes += part.length; if (bytes > limit) out.destroy() })
    response.on('error', () => {}).on('close', () => resolve(Buffer.concat(got)))
  })
  out.on('error', () => {}).end()
})

test('a visitor who leaves at 70 random points resumes with the same bytes', async () => {
  const { library, path } = shareZip(photosOf(30))
  const run = await start({ library })
  const { body: whole, headers } = await fetchZip(run, path)
  const random = createRandom(5)
  for (let n = 0; n < 70; n++) {
    const left = await leaveAfter(run, path, random(whole.length))
    const part = { range: `bytes=${left.length}-`, 'if-range': String(headers.etag) }
    const rest = await fetchZip(run, path, part)
    const isWhole = rest.status === 416 && left.equals(whole)
    assert.ok(isWhole || (rest.status === 206 && Buffer.concat([left, rest.body]).equals(whole)))
  }
})

test('Immich killed at 130 random points: whole and identical, or visibly broken', async () => {
  const { library, path } = shareZip(photosOf(30))
  const run = await start({ library })
  const { body: whole } = await fetchZip(run, path)
  const random = createRandom(6)
  const kill = () => { for (const socket of run.immich.sockets) socket.resetAndDestroy() }
  let faults = 0
  for (let n = 0; n < 130; n++) {
    const at = random(30)
    const fault = n % 2 ? { dieAfter: random(30_000) } : { drip: [5000, 1] as [number, number] }
    let count = 0
    run.immich.fault = ({ path }) => {
      if (!path.endsWith('original') || count++ !== at) return undefined
      faults++
      if (n % 2 === 0) setTimeout(kill, random(5))
      return fault
    }
    const zip = await fetchZip(run, path)
    run.immich.fault = () => undefined
    assert.ok(zip.complete ? zip.body.equals(whole) : whole.subarray(0, zip.body.length).equals(zip.body))
  }
  assert.ok(faults > 100, `${faults} faults`)
  assert.ok((await fetchZip(run, path)).body.equals(whole))
})

test('3,000 photos begin after one call for their sizes and a few files', async () => {
  const library = emptyLibrary()
  const original = { size: 200_000, type: 'image/jpeg' }
  const photos = Array.from({ length: 3000 }, (_, n) => photo(n, { name: `t${n}.jpg`, original }))
  const { key } = addLink(library, 'three thousand', {}, photos)
  const run = await start({ library })
  await run.get(`/share/items/${key}/0`)
  run.immich.asked.length = 0
  const part = await fetchZip(run, `/share/${key}/download`, { range: 'bytes=0-99' })
  assert.equal(part.status, 206)
  assert.equal(run.immich.count('/api/download/info'), 1)
  assert.ok(run.immich.asked.length <= 1 + 8, `${run.immich.asked.length} requests`)
})

test('others are answered while a zip of thousands is resumed from checksums in memory', async () => {
  const small = (n: number) => ({ original: { size: 10 + n, type: 'image/jpeg' } })
  const { library, path } = shareZip(photosOf(3000, small))
  const run = await start({ library })
  const { length } = (await fetchZip(run, path)).body
  run.immich.asked.length = 0
  const order: string[] = []
  await Promise.all([
    fetchZip(run, path, { range: `bytes=${length - 1}-` }).then(({ status }) => order.push(`zip ${status}`)),
    ...Array.from({ length: 5 }, async () => order.push(`alive ${(await run.get('/share/alive')).status}`))
  ])
  assert.deepEqual(order, [...Array<string>(5).fill('alive 200'), 'zip 206'])
  assert.ok(run.immich.asked.length <= 2, `${run.immich.asked.length} files`)
})
