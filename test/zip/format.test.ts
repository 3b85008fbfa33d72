/** The length of a zip, reckoned in advance, held against what yazl writes, at each boundary of the format. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { bytesBetween, Ruler, standIn } from '../../src/zip/format.ts'
import { witness } from '../tools.ts'
import { fakeGate, serve, type Fake } from './fake-gate.ts'

const folder = mkdtempSync(join(tmpdir(), 'ipp-zip-'))
after(() => rmSync(folder, { recursive: true }))
const PROGRAMS: Record<string, (file: string) => number> = {}
const shell = (program: string, args: string[]) => execFileSync(program, args, { encoding: 'utf8', maxBuffer: 1e9 })
/** Each reads all of a zip, fails where anything is wrong, and gives the number of its entries. */
if (witness('unzip')) PROGRAMS.unzip = file => { shell('unzip', ['-tq', file]); return shell('unzip', ['-Z1', file]).trim().split('\n').length }
if (witness('7z', 'p7zip-full')) PROGRAMS.sevenZip = file => Number(/Files: (\d+)/.exec(shell('7z', ['t', file]))?.[1] ?? 1)
if (witness('bsdtar', 'libarchive-tools')) PROGRAMS.bsdtar = file => { execFileSync('bsdtar', ['-xOf', file], { stdio: 'ignore' }); return shell('bsdtar', ['-tf', file]).trim().split('\n').length }
if (witness('python3')) {
  PROGRAMS.python = file => Number(shell('python3', ['-c', 'import zipfile,sys\nz=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(len(z.infolist()))', file]))
}

/** Writes a zip of these files, checks its length, and gives its path and the end of its bytes. */
async function make (files: Fake[]): Promise<{ path: string, tail: Buffer }> {
  const fake = fakeGate(files)
  const { zips } = await serve(fake)
  const plan = await zips.plan(fake.share, 'x')
  const path = join(folder, 'made.zip')
  const handle = await open(path, 'w+')
  let at = 0
  let isZero = true
  for await (const bytes of zips.open(fake.share, plan, { lane: 'x', first: 0 }).parts) {
    isZero = bytes[0] === 0 && bytes.length >= 1024 && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).every(byte => byte === 0)
    if (!isZero) await handle.write(bytes, 0, bytes.length, at)
    at += bytes.length
  }
  await handle.truncate(at)
  assert.equal(at, plan.length, 'the length that was reckoned')
  const tail = Buffer.alloc(98)
  await handle.read(tail, 0, 98, at - 98)
  await handle.close()
  assert.equal(statSync(path).size, at)
  return { path, tail }
}
const isZip64 = (tail: Buffer): boolean => tail.readUInt32LE(0) === 0x06064b50 && tail.readUInt32LE(56) === 0x07064b50
const small = (count: number): Fake[] => Array.from({ length: count }, (_, n) => ({ name: `${n}.jpg`, bytes: Buffer.from(`${n}`) }))

test('four bytes lead from any checksum to any other, so that zeros can stand for a file', () => {
  for (const [from, to] of [[0, 0], [0, 0xffffffff], [0x12345678, 0x9abcdef0], [0xffffffff, 1]] as const) {
    assert.equal(crc32(bytesBetween(from, to), from), to)
  }
  for (const size of [4, 5, 1024 * 1024 + 3, 1024 * 1024 + 4, 3_000_000]) {
    const bytes = Buffer.concat([...standIn(size, 0xdeadbeef)])
    assert.deepEqual([bytes.length, crc32(bytes)], [size, 0xdeadbeef])
  }
  assert.throws(() => [...standIn(3, 1)], RangeError)
})

for (const count of [1, 900, 65_534, 65_535, 65_536]) {
  test(`${count} entries: the length is right, and it is ZIP64 from 65,535 on`, async () => {
    const { path, tail } = await make(small(count))
    assert.equal(isZip64(tail), count >= 65_535)
    for (const [name, read] of Object.entries(PROGRAMS)) assert.equal(read(path), count, name)
  })
}

test('an entry is filled up to a total, wherever a size for it exists', () => {
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
