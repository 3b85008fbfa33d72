/** Zips on both sides of the limits at which the format becomes ZIP64, read by third-party programs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeZip, smallFiles, zeros } from '../zip/make.ts'
import { READERS } from '../zip/readers.ts'

for (const count of [65_534, 65_535, 65_536]) {
  test(`${count} entries: ZIP64 from 65,535 on`, async () => {
    const { path, isZip64 } = await makeZip(smallFiles(count))
    assert.equal(isZip64, count >= 65_535)
    for (const [program, read] of READERS) assert.equal(read(path), count, program)
  })
}

const FOUR_GIB = 2 ** 32
/** A local header, the name "0" or "1" with ".mp4", and the descriptor after a file that is not ZIP64. */
const AROUND_BYTES = 30 + 5 + 16

for (const [what, sizes, isLarge] of [
  ['a file one byte below 4 GiB − 1', [FOUR_GIB - 2], true],
  ['a file of 4 GiB − 1', [FOUR_GIB - 1], true],
  ['a directory at 4 GiB − 2', [FOUR_GIB - 2 - AROUND_BYTES], false],
  ['a directory at 4 GiB − 1', [FOUR_GIB - 1 - AROUND_BYTES], true],
  ['a second file at 4 GiB − 2', [FOUR_GIB - 2 - AROUND_BYTES, 10], true],
  ['a second file at 4 GiB − 1', [FOUR_GIB - 1 - AROUND_BYTES, 10], true]
] as const) {
  test(`${what}: the length is right, and ZIP64 is used only if needed`, async () => {
    const { path, isZip64 } = await makeZip(sizes.map((size, n) => zeros(`${n}.mp4`, size)))
    assert.equal(isZip64, isLarge)
    for (const [program, read] of READERS) assert.equal(read(path), sizes.length, program)
  })
}
