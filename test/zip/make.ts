/** Writes zips of a fake gate's files to disk, and looks at their format. */
import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fakeGate, serve, type Fake } from './fake-gate.ts'
import { folder } from './readers.ts'

const TAIL_BYTES = 98
const ZIP64_END = 0x06064b50
const ZIP64_LOCATOR = 0x07064b50

/** Writes a zip with holes for zeros, and checks its length. Returns its path and its format. */
export async function makeZip (files: Fake[]): Promise<{ path: string, isZip64: boolean }> {
  const fake = fakeGate(files)
  const { zips } = await serve(fake)
  const plan = await zips.plan(fake.share, 'x')
  const path = join(folder, 'made.zip')
  const handle = await open(path, 'w+')
  let at = 0
  for await (const bytes of zips.open(fake.share, plan, { lane: 'x', first: 0 }).parts) {
    const isHole = bytes.length === ZEROS.length && ZEROS.equals(bytes)
    if (!isHole) await handle.write(bytes, 0, bytes.length, at)
    at += bytes.length
  }
  assert.equal(at, plan.length, 'the length that was reckoned')
  await handle.truncate(at)
  const tail = Buffer.alloc(TAIL_BYTES)
  await handle.read(tail, 0, TAIL_BYTES, Math.max(0, at - TAIL_BYTES))
  await handle.close()
  return { path, isZip64: tail.readUInt32LE(0) === ZIP64_END && tail.readUInt32LE(56) === ZIP64_LOCATOR }
}

/** The parts of a file of zeros. */
const ZEROS = Buffer.alloc(64 * 1024)
/** A file of so many zeros. */
export const zeros = (name: string, size: number): Fake => ({ name, size, isZero: true })
export const smallFiles = (count: number): Fake[] =>
  Array.from({ length: count }, (_, n) => ({ name: `${n}.jpg`, bytes: Buffer.from(`${n}`) }))
