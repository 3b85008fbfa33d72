/** The arithmetic of the format: stand-ins with a given checksum, and entries that fill a zip up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { bytesBetween, Ruler, standIn } from '../../src/zip/format.ts'

test('four bytes lead from any checksum to any other, so that zeros can stand in for a file', async () => {
  for (const [from, to] of [[0, 0], [0, 0xffffffff], [0x12345678, 0x9abcdef0], [0xffffffff, 1]] as const) {
    assert.equal(crc32(bytesBetween(from, to), from), to)
  }
  for (const size of [4, 5, 1024 * 1024 + 3, 1024 * 1024 + 4, 3_000_000]) {
    const bytes = Buffer.concat(await Array.fromAsync(standIn(size, 0xdeadbeef)))
    assert.deepEqual([bytes.length, crc32(bytes)], [size, 0xdeadbeef])
  }
  await assert.rejects(Array.fromAsync(standIn(3, 1)), RangeError)
})

test('a stand-in gives other requests their turn after each MiB', async () => {
  let turns = 0
  const count = () => { turns++; timer = setImmediate(count) }
  let timer = setImmediate(count)
  for await (const _ of standIn(16 * 1024 * 1024, 1)) { /* nothing else waits */ }
  clearImmediate(timer)
  assert.ok(turns >= 14, `${turns} turns`)
})

test('an entry fills the zip up to a total, if a size for it exists', () => {
  const GIB = 1024 ** 3
  for (const bytes of [0, 4 * GIB - 300, 4 * GIB - 100, 5 * GIB]) {
    const ruler = new Ruler()
    ruler.add(10, bytes)
    const totalWith = (size: number) => {
      const filled = new Ruler()
      filled.add(10, bytes)
      filled.add(20, size)
      return filled.total()
    }
    const totals = new Set(Array.from({ length: 700 }, (_, size) => totalWith(size)))
    for (let total = bytes; total < bytes + 600; total++) {
      const size = ruler.sizeToFill(total, 20)
      assert.equal(size !== undefined, totals.has(total), `${total - bytes} more than ${bytes}`)
      if (size !== undefined) assert.equal(totalWith(size), total)
    }
  }
})
