/**
 * Checksums of files that were sent in zips, so that a resumed download does not fetch them again. They cover
 * only bytes from Immich: no notes, and no files that ended early.
 */
import type { ZipFile } from '../gate/gate.ts'
import { forgetOldest } from '../memory-cache.ts'
import { MIN_STAND_IN_BYTES } from './format.ts'

/** The CRC-32 of the first `bytes` bytes of a file; `etag` is the file's. */
export type Checkpoint = Readonly<{ bytes: number, crc: number, etag: string }>

/** A large file gets a checkpoint every so many bytes. */
export const CHECKPOINT_BYTES = 64 * 1024 * 1024
/** Files with checkpoints; each takes about 250 bytes. */
const MAX_FILES = 100_000

/** A key that changes when the file does. */
const versionOf = ({ item, size }: ZipFile): string => `${item.id} ${item.thumbhash} ${size}`

export type Checksums = ReturnType<typeof createChecksums>
/** The checkpoints of this process; those of the files sent longest ago are forgotten beyond `MAX_FILES`. */
export function createChecksums () {
  const files = new Map<string, readonly Checkpoint[]>()
  return {
    /** The last checkpoint of a file at or before a byte. */
    before (file: ZipFile, byte: number): Checkpoint | undefined {
      return files.get(versionOf(file))?.findLast(({ bytes }) => bytes <= byte)
    },

    /**
     * Stores a checkpoint, unless it is too short for a stand-in or of a file without an ETag, and forgets
     * those of an older version of the file.
     */
    add (file: ZipFile, checkpoint: Checkpoint): void {
      if (checkpoint.bytes < MIN_STAND_IN_BYTES || checkpoint.etag === '') return
      const version = versionOf(file)
      const others = (files.get(version) ?? [])
        .filter(({ bytes, etag }) => bytes !== checkpoint.bytes && etag === checkpoint.etag)
      files.delete(version)
      files.set(version, [...others, checkpoint].sort((a, b) => a.bytes - b.bytes))
      forgetOldest(files, MAX_FILES)
    }
  }
}
