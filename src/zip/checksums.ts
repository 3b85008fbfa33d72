/**
 * Checksums of files that were sent in zips, so that a resumed download does not fetch them again. They cover
 * only bytes from Immich: no notes, and no files that ended early.
 */
import type { ZipFile } from '../gate/gate.ts'
import { MIN_STAND_IN_BYTES } from './format.ts'

/** The CRC-32 of the first `bytes` bytes of a file; `etag` is the file's. */
export type Mark = Readonly<{ bytes: number, crc: number, etag: string }>

/** A large file gets a mark every so many bytes. */
export const MARK_BYTES = 64 * 1024 * 1024
/** Files with marks; each takes about 250 bytes. */
const MAX_FILES = 100_000

/** A key that changes when the file does. */
const versionOf = ({ item, size }: ZipFile): string => `${item.id} ${item.thumbhash} ${size}`

export type Sent = ReturnType<typeof createSent>
export function createSent () {
  const files = new Map<string, readonly Mark[]>()
  return {
    /** The last mark of a file at or before a byte. */
    before (file: ZipFile, byte: number): Mark | undefined {
      return files.get(versionOf(file))?.findLast(({ bytes }) => bytes <= byte)
    },

    /**
     * Stores a mark, unless it is too short for a stand-in, and forgets marks of an older version of the
     * file.
     */
    add (file: ZipFile, mark: Mark): void {
      if (mark.bytes < MIN_STAND_IN_BYTES) return
      const version = versionOf(file)
      const others = (files.get(version) ?? [])
        .filter(({ bytes, etag }) => bytes !== mark.bytes && etag === mark.etag)
      files.delete(version)
      const [oldest] = files.keys()
      if (oldest !== undefined && files.size >= MAX_FILES) files.delete(oldest)
      files.set(version, [...others, mark].sort((a, b) => a.bytes - b.bytes))
    }
  }
}
