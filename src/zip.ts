/**
 * Makes the zip that was planned, straight from Immich to the visitor, by yazl: stored, nothing on disk. One
 * that goes on in the middle is made anew from its beginning, but files that were sent before are not asked
 * for again: where nobody sees them stand blanks, and their names and CRC-32s are remembered.
 */
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import yazl from 'yazl'
import type { Body } from './body.ts'
import { downloadName } from './filename.ts'
import type { Caller } from './immich.ts'
import type { Item } from './immich-json.ts'
import type { Link, List } from './links.ts'
import type { Log } from './log.ts'
import type { Media, MediaRoom } from './media.ts'
import { createQueue } from './bounds.ts'
import { Refusal } from './refusal.ts'
import type { Settings } from './settings.ts'
import type { Key } from './validate.ts'
import { END, entryOptions, NAME_BYTES, planZip, type Entry, type Plan } from './zip-plan.ts'

// yazl takes the CRC-32 of every byte by buffer-crc32, which is plain JavaScript: half of a zip's CPU time.
// Node's own gives the same numbers, and costs a tenth.
createRequire(import.meta.url)('buffer-crc32').unsigned = crc32

/** A file that Immich cannot give now is asked for so often, after ms that double each time. */
const TRIES = 3
const FIRST_WAIT = 400
/**
 * Small files are asked for further ahead than others, by so many bytes; a request counts as so many at
 * least.
 */
const BYTES_AHEAD = 1024 * 1024
const LEAST_BYTES = 64 * 1024
/** Files that are remembered as sent, and links of which a size was wrong. */
const REMEMBERED = 50_000

/** A file of the zip: from Immich, or a few words in its place. */
type File = Pick<Media, 'name' | 'type' | 'body' | 'bytes'> & { size: number }
/** The file of an entry, and as how many bytes it counts while it is asked for. */
type Asked = { entry: Entry, file: Promise<File>, bytes: number }
/** What is remembered of a file that was sent whole. */
type Sent = { name: string, type: string, size: number, crc: number }
/** What yazl writes of an entry into the directory at the end. */
type Written = { crc32: number }
/** An entry that is made of blanks, and the CRC-32 of what was sent in their place. */
type Skipped = { written: Written, crc: number }
/** What decides whether a file is the same as one that was sent before. */
const versionOf = ({ item, kind, size }: Entry): string => `${kind} ${item.id} ${item.thumbhash} ${size}`

const BLANKS = Buffer.alloc(BYTES_AHEAD, '\n')
function * blanks (size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= BLANKS.length) yield BLANKS.subarray(0, left)
}

/**
 * What stands in the place of a file that is not given: a few words, so that nobody takes the zip for
 * complete, and blanks up to the size that the zip's length was reckoned with, where it was.
 */
function noteOf ({ item, size }: Entry, isWithheld: boolean): File {
  const why = isWithheld ? 'would tell where and when it was taken' : 'is missing on the server'
  const words = Buffer.from(`This ${item.video ? 'video' : 'photo'} is not included, because it ${why}.\n`)
  const whole = size ?? words.length
  async function * parts () {
    yield words.subarray(0, whole)
    yield * blanks(whole - words.length)
  }
  const body = { parts: parts(), cancel () {} }
  return { name: `not included ${item.id}.txt`, type: 'text/plain', size: whole, body }
}

/**
 * Bytes of an entry before the next one: local header, name, file, data descriptor (APPNOTE.TXT 4.3.7,
 * 4.3.9).
 */
const entryLength = (nameBytes: number, size: number, offset: number): number =>
  30 + nameBytes + size + (Math.max(size, offset) > 0xfffffffe ? 24 : 16)

/** Makes names unique without regard to case, and short enough, in the order in which they come. */
function createNames () {
  const taken = new Set<string>()
  return (name: string): string => {
    const [, stem = '', extension = ''] = /^(.*?)((?:_preview)?\.[^.]{1,10})?$/s.exec(name) ?? []
    for (let n = 1; ; n++) {
      const rest = (n > 1 ? ` (${n})` : '') + extension
      let own = stem
      while (Buffer.byteLength(own + rest) > NAME_BYTES) own = Array.from(own).slice(0, -1).join('')
      own += rest
      if (!taken.has(own.toLowerCase())) { taken.add(own.toLowerCase()); return own }
    }
  }
}

export type Zips = ReturnType<typeof createZips>
export function createZips (media: MediaRoom, settings: Settings, log: Log) {
  /** of whole links, for as long as their lists are remembered */
  let plans = new WeakMap<List, Promise<Plan>>()
  /** links of which a file had another size than Immich had said */
  const misjudged = new Set<Key>()
  const sent = new Map<string, Sent>()
  return {
    media, settings, log, sent,
    /** A place for one more zip of a visitor. Throws a Refusal (busy). */
    enter: createQueue(settings.limits.zips, 0),

    /** What the zip will be: of all of the link, or of `items`. Throws a Refusal. */
    plan (link: Link, list: List, caller: Caller, items?: Item[]): Promise<Plan> {
      const make = (chosen: Item[]) =>
        planZip({ media, settings, isSized: !misjudged.has(link.key) }, link, chosen, !items, caller)
      if (items) return make(items)
      const plan = plans.get(list) ?? make(list.items)
      plans.set(list, plan)
      plan.catch(() => plans.delete(list))
      return plan
    },

    /** A size was wrong: the zips of this link have no length from now on. */
    misjudge (link: Link): void {
      if (misjudged.size > REMEMBERED) misjudged.clear()
      misjudged.add(link.key)
      plans = new WeakMap()
    },

    /** Takes note of a file that was sent whole. */
    remember (entry: Entry, file: Sent): void {
      const [oldest = ''] = sent.keys()
      if (sent.size >= REMEMBERED) sent.delete(oldest)
      sent.set(versionOf(entry), file)
    }
  }
}

/**
 * The bytes of a zip, of which the visitor wants those from byte `first` on. Whatever fails in it fails the
 * whole, and the transfer must visibly break.
 */
export class Zip implements Body {
  parts: Readable
  #zips: Zips
  #link: Link
  #plan: Plan
  #lane: string
  #abort = new AbortController()
  #zip = new yazl.ZipFile()
  #unique = createNames()
  /** the files that are asked for and not yet wholly in the zip, in its order */
  #asked = new Set<Asked>()

  constructor (zips: Zips, link: Link, plan: Plan, { lane }: Caller, first: number) {
    this.#zips = zips
    this.#link = link
    this.#plan = plan
    this.#lane = lane
    this.parts = this.#zip.outputStream as Readable
    this.#zip.on('error', this.cancel)
    this.#run(first).catch(this.cancel)
  }

  cancel = (error?: Error): void => {
    this.#abort.abort()
    for (const { file } of this.#asked) file.then(({ body }) => body?.cancel(), () => {})
    this.parts.destroy(error)
  }

  async #run (first: number): Promise<void> {
    const skipped = first > 0 ? await this.#addSent(first) : []
    let rememberLast = () => {}
    for await (const [entry, file] of this.#files(this.#plan.entries.slice(skipped.length))) {
      const { name, type, size, body, bytes } = file
      const stream = Readable.from(body?.parts ?? [bytes], { objectMode: false })
      if (body) stream.on('close', body.cancel)
      const written = await this.#add(entry, this.#nameOf(entry, name, type), size, stream, rememberLast)
      rememberLast = () => this.#zips.remember(entry, { name, type, size, crc: written.crc32 })
    }
    for (const { written, crc } of skipped) written.crc32 = crc
    this.#zip.end(END)
    await finished(this.parts)
    rememberLast()
  }

  /** Adds what was sent before and ends before byte `first`; never all, or yazl would not be done. */
  async #addSent (first: number): Promise<Skipped[]> {
    const added: Skipped[] = []
    let offset = 0
    for (const entry of this.#plan.entries.slice(0, -1)) {
      const file = this.#zips.sent.get(versionOf(entry))
      if (!file || offset + entryLength(NAME_BYTES, file.size, offset) > first) break
      const name = this.#nameOf(entry, file.name, file.type)
      offset += entryLength(Buffer.byteLength(name), file.size, offset)
      const stream = Readable.from(blanks(file.size), { objectMode: false })
      added.push({ written: await this.#add(entry, name, file.size, stream, () => {}), crc: file.crc })
    }
    return added
  }

  /**
   * Adds an entry, whose bytes are taken when this resolves; `before` is called when all before it are done.
   */
  async #add (
    { time }: Entry, name: string, size: number, stream: Readable, before: () => void
  ): Promise<Written> {
    const room = this.#plan.length === undefined ? 0 : 2 * (NAME_BYTES - Buffer.byteLength(name))
    const options = entryOptions(time, size, ' '.repeat(room))
    this.#zip.addReadStreamLazy(name, options, give => { before(); give(null, stream) })
    // not in yazl's manual
    const { entries } = this.#zip as unknown as { entries: Written[] }
    const written = entries.at(-1) as Written
    await finished(stream)
    return written
  }

  /** The files of these entries in turn; what comes next is asked for too, more of it where it is small. */
  async * #files (entries: Entry[]): AsyncGenerator<[Entry, File]> {
    const { zipRequests } = this.#zips.settings.limits
    let bytes = 0
    for (const entry of entries) {
      const own = Math.max(LEAST_BYTES, entry.size ?? BYTES_AHEAD)
      bytes += own
      for (const asked of this.#asked) {
        if (this.#asked.size < zipRequests || bytes <= BYTES_AHEAD) break
        yield [asked.entry, await asked.file]
        this.#asked.delete(asked)
        bytes -= asked.bytes
      }
      const file = this.#ask(entry)
      // that one failed is known when its turn comes
      file.catch(() => {})
      this.#asked.add({ entry, file, bytes: own })
    }
    for (const { entry, file } of this.#asked) yield [entry, await file]
  }

  /**
   * The file of an entry, asked for again where Immich has no time; a note where it has none. Throws
   * otherwise.
   */
  async #ask (entry: Entry, tries = 1): Promise<File> {
    try {
      return await this.#askOnce(entry)
    } catch (error) {
      if (!(error instanceof Refusal) || this.#abort.signal.aborted) throw error
      const { reason, message } = error
      if (reason === 'missing' || reason === 'withheld') {
        this.#zips.log.warn('not in a zip', { asset: entry.item.id, reason: message || reason })
        return noteOf(entry, reason === 'withheld')
      }
      if (tries === TRIES) throw error
      await sleep(FIRST_WAIT * 2 ** (tries - 1))
      return this.#ask(entry, tries + 1)
    }
  }

  async #askOnce ({ item, kind, size }: Entry): Promise<File> {
    const caller = { lane: this.#lane, until: this.#abort, zip: true }
    const media = await this.#zips.media.get(kind, this.#link, item, caller)
    const { length = media.bytes?.length } = media
    if (length !== undefined && length === (size ?? length)) return { ...media, size: length }
    media.body?.cancel()
    if (length === undefined) throw new Refusal('unreachable', 'a file without a length')
    this.#zips.misjudge(this.#link)
    throw new Error(`a file of ${length} bytes was announced with ${size}`)
  }

  /** The name in the zip of an entry, whose file has this name and type. */
  #nameOf ({ item, number, kind }: Entry, known: string, type: string): string {
    if (type === 'text/plain') return this.#unique(known)
    const told = this.#link.showMetadata ? known : ''
    // the current time would be another name each time: a number is not
    const time = String(number).padStart(5, '0')
    return this.#unique(downloadName(this.#zips.settings, item.id, told, type, kind === 'preview', time))
  }
}
