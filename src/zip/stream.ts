/**
 * Writes a planned zip, straight from Immich to the visitor: uncompressed, and nothing on disk.
 *
 * A resumed zip is written again from its beginning, and the visitor gets only the part that is still needed.
 * A file whose checksum is remembered is not fetched again: zeros with the same checksum stand in for it.
 */
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import yazl from 'yazl'
import { between, type Body, type Parts } from '../body.ts'
import type { Share, ZipFile, ZipGate } from '../gate/gate.ts'
import type { Log } from '../log.ts'
import { Fetcher, type Absent } from './fetch.ts'
import { LookAhead, type FilesContext, type OpenedFile } from './look-ahead.ts'
import { Ruler, standIn } from './format.ts'
import type { Naming } from '../file-name.ts'
import { createNames, nameOf, noteName } from './names.ts'
import { noteText, padded, SUMMARY_NAME, summaryText, type Missing } from './notes.ts'
import { timeOf, type Plan } from './plan.ts'
import { CHECKPOINT_BYTES } from './checksums.ts'

// yazl's own checksum is plain JavaScript, and takes half of a zip's CPU time
createRequire(import.meta.url)('buffer-crc32').unsigned = crc32

type Entry = { crc32?: number | null, getCentralDirectoryRecord: () => Buffer }
declare module 'yazl' {
  /** The entries of the directory; not in yazl's manual. `crc32` is set once an entry is written. */
  interface ZipFile { entries: Entry[] }
}

/** A written entry, reduced to its record, as a string: a small Buffer keeps a whole pool in memory. */
class Written {
  #record: string
  constructor (entry: Entry) { this.#record = entry.getCentralDirectoryRecord().toString('latin1') }
  getCentralDirectoryRecord (): Buffer { return Buffer.from(this.#record, 'latin1') }
}

/** Stop after this many missing files in a row, if Immich gave no other file in between. */
const MAX_UNPROVEN_IN_A_ROW = 3
/** The limit even if Immich still has other files: a part of its storage may be gone for a while. */
const MAX_MISSING_IN_A_ROW = 20
/** A smaller file leaves no room for a note of its own in a zip whose length is announced. */
const MIN_NOTE_BYTES = 1024

/** The state that all zips share. */
export type ZipContext = FilesContext & Readonly<{
  gate: ZipGate, log: Log, naming: Naming
  /** called before a note goes into a zip, because its ETag must not be used again */
  retireEtag: (plan: Plan) => void
}>
/** The visitor's address, and the bytes wanted, counted from 0. */
export type Part = Readonly<{ lane: string, first: number, last?: number }>

/**
 * The bytes of a zip. `parts` throws if it cannot be finished. The connection must then be reset, because a
 * plain close looks like the end if no length was announced (HTTP/1.0).
 */
export class Zip implements Body {
  parts: Parts
  #context: ZipContext
  #plan: Plan
  #controller = new AbortController()
  #fetcher: Fetcher
  #files: LookAhead
  #zip = new yazl.ZipFile()
  #output: Readable
  #source = Readable.from([])
  #ruler = new Ruler()
  #written: Written[] = []
  #unique = createNames()
  #missing: Missing[] = []
  #unprovenInARow = 0
  #missingInARow = 0
  /** the file that yazl is writing, if its checksum is to be stored */
  #unstored?: { file: ZipFile, bytes: number, etag: string } | undefined

  /** Starts at once, but goes on only as `parts` are read. */
  constructor (context: ZipContext, share: Share, plan: Plan, { lane, first, last = Infinity }: Part) {
    this.#context = context
    this.#plan = plan
    this.#fetcher = new Fetcher(context.gate, share, { lane, controller: this.#controller })
    this.#files = new LookAhead(context, share, plan, this.#fetcher, first)
    const { outputStream } = this.#zip
    if (!(outputStream instanceof Readable)) throw new TypeError('yazl writes into something else')
    this.#output = outputStream
    this.parts = between(this.#output, first, last)
    this.#zip.on('error', this.#fail)
    this.#run().catch(this.#fail)
  }

  /** Ends everything at once; with an error, `parts` throws it. */
  cancel = (error?: Error): void => {
    this.#controller.abort()
    this.#files.cancel()
    this.#source.destroy()
    this.#output.destroy(error)
  }

  #fail = (error: Error): void => {
    const hasLeft = this.#controller.signal.aborted
    if (!hasLeft) this.#context.log.warn('zip interrupted', { error: error.message })
    this.cancel(error)
  }

  async #run (): Promise<void> {
    for await (const opened of this.#files.open()) {
      if (opened.absent) await this.#addNote(opened, opened.absent)
      else await this.#addFile(opened)
    }
    if (this.#missing.length > 0) await this.#addSummary()
    const last = this.#zip.entries.at(-1)
    this.#zip.entries = [...this.#written, ...this.#zip.entries]
    this.#zip.end()
    await finished(this.#output)
    this.#storeChecksum(last)
  }

  async #addFile (opened: OpenedFile): Promise<void> {
    const { entry: { file }, media, size } = opened
    this.#unprovenInARow = 0
    this.#missingInARow = 0
    await this.#write(this.#nameOf(opened), timeOf(file), size, this.#partsOf(opened))
    // only a zip with a length is ever resumed
    if (!media || size === undefined || this.#plan.length === undefined) return
    this.#unstored = { file, bytes: size, etag: media.etag }
  }

  /** Stores the checksum of the file that yazl has written, if it is of any use. */
  #storeChecksum (entry?: Entry): void {
    if (!this.#unstored) return
    const { file, bytes, etag } = this.#unstored
    this.#context.checksums.add(file, { bytes, crc: entry?.crc32 ?? 0, etag })
    this.#unstored = undefined
  }

  /** The name of a file: from the plan, or else from the file itself. */
  #nameOf ({ entry: { file, number, name }, media }: OpenedFile): string {
    if (name) return name
    const named = { ...file, name: file.name || media?.name || '' }
    return this.#unique(nameOf(named, number, this.#context.naming, media?.type ?? '', media?.isReduced))
  }

  async * #partsOf ({ entry: { file }, checkpoint, media, size = 0 }: OpenedFile): Parts {
    if (checkpoint) yield * standIn(checkpoint.bytes, checkpoint.crc)
    if (!media) return
    const parts = this.#fetcher.read(file, media, checkpoint?.bytes)
    const hasCheckpoints = this.#plan.length !== undefined && size > CHECKPOINT_BYTES
    if (!hasCheckpoints) { yield * parts; return }
    let { bytes, crc } = checkpoint ?? { bytes: 0, crc: 0 }
    let next = bytes + CHECKPOINT_BYTES
    for await (const part of parts) {
      crc = crc32(part, crc)
      bytes += part.length
      if (bytes >= next) {
        this.#context.checksums.add(file, { bytes, crc, etag: media.etag })
        next = bytes + CHECKPOINT_BYTES
      }
      yield part
    }
    // at once, because a range that ends here stops yazl before it has a checksum
    this.#context.checksums.add(file, { bytes, crc, etag: media.etag })
  }

  /** Adds a text in place of a file. Throws if that contradicts the bytes that the visitor already has. */
  async #addNote (opened: OpenedFile, { absence, isProven }: Absent): Promise<void> {
    const { entry: { file }, isSent } = opened
    if (isSent) throw new Error('a file of which the visitor has a part is missing now')
    this.#unprovenInARow = isProven ? 0 : this.#unprovenInARow + 1
    if (absence === 'missing') this.#missingInARow++
    const isStorageGone =
      this.#unprovenInARow === MAX_UNPROVEN_IN_A_ROW || this.#missingInARow === MAX_MISSING_IN_A_ROW
    if (isStorageGone) throw new Error('Immich answered 404 too many times in a row')
    this.#context.retireEtag(this.#plan)
    const missing = { name: this.#nameOf(opened), isVideo: file.item.isVideo, absence }
    this.#missing.push(missing)
    this.#context.log.warn('zip file missing', { asset: file.item.id, reason: absence })
    const isTooSmall = this.#plan.length !== undefined && (file.size ?? 0) < MIN_NOTE_BYTES
    if (!isTooSmall) await this.#writeText(noteName(missing.name), noteText(missing))
  }

  /** Adds the list of missing files, padded with blank lines if a length was announced. */
  async #addSummary (): Promise<void> {
    const { length, entries } = this.#plan
    const text = summaryText(this.#missing)
    const nameBytes = Buffer.byteLength(SUMMARY_NAME)
    const size = length === undefined ? text.length : this.#ruler.sizeToFill(length, nameBytes)
    if (size === undefined) throw new Error('no room for a list of the missing files')
    this.#context.log.warn('zip incomplete', { missing: this.#missing.length, files: entries.length })
    await this.#writeText(SUMMARY_NAME, text, size)
  }

  #writeText (name: string, text: Buffer, size = text.length): Promise<void> {
    return this.#write(name, timeOf({}), size, padded(text, size))
  }

  /** Writes an entry; resolves when yazl has taken all of its bytes. */
  async #write (name: string, mtime: Date, size: number | undefined, parts: Parts | Iterable<Uint8Array>) {
    this.#source = Readable.from(parts, { objectMode: false })
    this.#ruler.add(Buffer.byteLength(name), size ?? 0)
    const known = size === undefined ? {} : { size }
    const options = { compress: false, mtime, mode: 0o100644, forceDosTimestamp: true, ...known }
    this.#zip.addReadStreamLazy(name, options, this.#openSource)
    await finished(this.#source)
  }

  /** yazl calls this when the previous entry is written. Only its record is kept until the end. */
  #openSource = (take: (error: unknown, source: Readable) => void): void => {
    const [before, next] = this.#zip.entries
    if (before && next) {
      this.#storeChecksum(before)
      this.#written.push(new Written(before))
      this.#zip.entries.shift()
    }
    take(null, this.#source)
  }
}
