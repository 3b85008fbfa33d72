/** Reads a zip with yauzl, and compares the CRC-32 of each entry with its bytes. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { fromBufferPromise } from 'yauzl'

export type Entry = { name: string, size: number, sha: string }
export async function entriesOf (zip: Buffer): Promise<Entry[]> {
  const file = await fromBufferPromise(zip)
  const entries: Entry[] = []
  for await (const entry of file.eachEntry()) {
    const stream = await file.openReadStreamPromise(entry)
    const bytes = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>))
    assert.equal(crc32(bytes), entry.crc32, entry.fileName)
    entries.push({
      name: entry.fileName, size: bytes.length, sha: createHash('sha256').update(bytes).digest('hex')
    })
  }
  return entries
}
