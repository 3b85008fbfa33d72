/** The values that are kept in memory, and for how long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCache } from '../src/memory-cache.ts'
import { clock, collectGarbage, HTML, start } from './helpers.ts'
import { addLink, manyPhotos } from './library.ts'
import { newKey } from './standin.ts'

test('links and lists: beyond the limit, the oldest are dropped and requested again', async () => {
  const { library: given } = manyPhotos(10)
  const [album] = [...given.albums.keys()]
  const keys = Array.from({ length: 6 }, (_, n) => addLink(given, `many ${n}`, { album: album! }).key)
  const run = await start({ library: given, ipp: { limits: { links: 3, listItems: 33 } } })
  for (const key of keys) assert.equal((await run.get(`/share/items/${key}/0`)).status, 200)
  const asked = (path: RegExp) => run.immich.asked.splice(0).filter(asked => path.test(asked.path)).length
  asked(/./)
  // the last three are in memory, each with a list of eleven items; the first are not
  for (const key of keys.slice(3)) await run.get(`/share/items/${key}/0`)
  assert.equal(asked(/./), 0)
  await run.get(`/share/items/${keys[0]}/0`)
  assert.equal(asked(/shared-links\/me$|timeline\/buckets$/), 2)
  // one that is larger than the limit is kept alone, or each picture would request it again
  const large = await start({ library: given, ipp: { limits: { listItems: 3 } } })
  for (let n = 0; n < 2; n++) assert.equal((await large.get(`/share/items/${keys[0]}/0`)).status, 200)
  assert.equal(large.immich.count(/timeline\/buckets$/), 1)
  const alone = await start({ library: given, ipp: { limits: { listItems: 0 } } })
  for (let n = 0; n < 2; n++) assert.equal((await alone.get(`/share/items/${keys[0]}/0`)).status, 200)
  assert.equal(alone.immich.count(/timeline\/buckets$/), 2)
})

test('a value is as old as its request, however long that took', async context => {
  const ahead = clock(context)
  const cached = createCache<number>(60_000, 10, () => 1)
  let loads = 0
  const load = async () => {
    if (++loads === 1) ahead(40_000)
    return loads
  }
  assert.equal(await cached('x', 'visitor', load), 1)
  ahead(25_000)
  assert.equal(await cached('x', 'visitor', load), 2)
})

test('unknown keys, by the thousand, leave nothing behind', async () => {
  const run = await start({
    library: manyPhotos().library, ipp: { limits: { links: 10, guessesPerVisitor: 1_000_000 } }
  })
  const ask = async (n: number) => {
    const requests = Array.from({ length: 50 }, () => run.get(`/share/${newKey()}`, { headers: HTML }))
    for (const { status } of await Promise.all(requests)) assert.equal(status, 404, String(n))
  }
  for (let n = 0; n < 10; n++) await ask(n)
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 20; n++) await ask(n)
  collectGarbage()
  assert.ok(process.memoryUsage().heapUsed - before < 60_000_000)
})
