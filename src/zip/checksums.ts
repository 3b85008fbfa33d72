/**
 * Checksums of what Immich gave for zips, so that a download which goes on later does not fetch again what
 * was sent. Nothing but bytes of Immich's gets in: no note, and no file that ended early.
 */
import type { ZipFile } from '../gate/gate.ts'
import { MIN_STAND_IN_BYTES } from './format.ts'

/** The CRC-32 of the first `bytes` bytes of a file; `etag` is the file's. */
export type Mark = Readonly<{ bytes: number, crc: number, etag: string }>

/** A large file is marked each time so many bytes of it have come. */
export const MARK_BYTES = 64 * 1024 * 1024
/** Files of which something is remembered: about 250 bytes each. */
const MAX_FILES = 100_000

/** Whatever decides whether a file is still the same. */
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
     * Takes note of a mark, unless it is too short to be stood in for. Marks of a file that has changed since
     * are forgotten.
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
