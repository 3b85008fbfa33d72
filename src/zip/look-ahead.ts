/** Opens the files of a zip in turn, and requests the next ones meanwhile. */
import type { Media, Share } from '../gate/gate.ts'
import type { Log } from '../log.ts'
import { Fetcher, isRest, type Absent } from './fetch.ts'
import { Ruler } from './format.ts'
import type { Entry, Plan } from './plan.ts'
import type { Checkpoint, Checksums } from './checksums.ts'

/** Small files are requested further ahead than large ones: up to this many bytes, with a minimum each. */
const AHEAD_BYTES = 1024 * 1024
const MIN_AHEAD_BYTES = 64 * 1024

/**
 * A file whose turn has come. `checkpoint` stands in for its first bytes, which are not fetched again;
 * `media` gives the rest. `isSent`: the visitor already has part of the entry. `size` is absent if Immich
 * gives none.
 */
export type OpenedFile = Readonly<{
  entry: Entry, isSent: boolean, checkpoint?: Checkpoint, media?: Media, size?: number
  /** set if there is no file */
  absent?: Absent
}>
type Opening = Readonly<{ opened: Promise<OpenedFile>, bytes: number }>

/** The part of the shared state that opening files needs. */
export type FilesContext = Readonly<{
  checksums: Checksums
  /** how many files of one zip are requested at once */
  requests: number
  warnOfLength: Log['warn']
  /** called if a file does not have the size that was announced */
  distrustSizes: (share: Share) => void
}>

/** The files of one zip, from the first that is still needed. */
export class LookAhead {
  #context: FilesContext
  #share: Share
  #plan: Plan
  #fetcher: Fetcher
  /** the first byte of the zip that the visitor needs */
  #first: number
  #ruler = new Ruler()
  #openings: Opening[] = []

  constructor (context: FilesContext, share: Share, plan: Plan, fetcher: Fetcher, first: number) {
    this.#context = context
    this.#share = share
    this.#plan = plan
    this.#fetcher = fetcher
    this.#first = first
  }

  /** Frees all files that have been requested. */
  cancel (): void {
    for (const { opened } of this.#openings) opened.then(({ media }) => media?.body?.cancel(), () => {})
  }

  /** The files in turn. Throws if one cannot be fetched, or is not the one that was announced. */
  async * open (): AsyncGenerator<OpenedFile> {
    const { entries } = this.#plan
    let bytes = 0
    for (let next = 0; next < entries.length || this.#openings.length > 0;) {
      const entry = entries[next]
      const [first] = this.#openings
      if (entry && (this.#openings.length < this.#context.requests || bytes < AHEAD_BYTES)) {
        const opening = this.#request(entry)
        this.#openings.push(opening)
        bytes += opening.bytes
        next++
      } else if (first) {
        yield await first.opened
        this.#openings.shift()
        bytes -= first.bytes
      }
    }
  }

  #request (entry: Entry): Opening {
    const { size } = entry.file
    const isSent = this.#ruler.offset < this.#first
    const start = this.#ruler.add(Buffer.byteLength(entry.name), size ?? 0)
    const sent = this.#first - start
    const checkpoint = sent > 0 ? this.#context.checksums.before(entry.file, sent) : undefined
    const opened = this.#openFile(entry, isSent, checkpoint)
    // a failure is handled when its turn comes
    opened.catch(() => {})
    return { opened, bytes: Math.max(MIN_AHEAD_BYTES, size ?? AHEAD_BYTES) }
  }

  async #openFile (entry: Entry, isSent: boolean, known?: Checkpoint): Promise<OpenedFile> {
    const { file } = entry
    if (known && known.bytes === file.size) return { entry, isSent, checkpoint: known, size: file.size }
    const fetched = await this.#fetcher.get(file, known?.bytes)
    if ('absence' in fetched) return { entry, isSent, absent: fetched }
    const { media } = fetched
    // a server without ranges gives the whole file
    const checkpoint = media.status === 206 ? known : undefined
    const size = this.#sizeOf(entry, media, checkpoint)
    return { entry, isSent, media, ...checkpoint && { checkpoint }, ...size !== undefined && { size } }
  }

  /** The size of a whole file. Throws if it is not the one that was announced. */
  #sizeOf ({ file }: Entry, media: Media, checkpoint?: Checkpoint): number | undefined {
    const { length = media.bytes?.length } = media
    if (length === undefined) {
      const advice = 'let no proxy in front of Immich compress or rewrite its responses'
      this.#context.warnOfLength('Immich sends files without their length', { advice })
    }
    const announced = this.#plan.length === undefined ? undefined : file.size
    if (checkpoint && !isRest(media, checkpoint.bytes, checkpoint.etag)) {
      media.body?.cancel()
      throw new Error('a file has changed since its first part was sent')
    }
    const size = length === undefined ? announced : length + (checkpoint?.bytes ?? 0)
    if (announced === undefined || size === announced) return size
    media.body?.cancel()
    this.#context.distrustSizes(this.#share)
    throw new Error(`a file has ${size} bytes, but ${announced} were announced`)
  }
}
