/**
 * A zip of a link, straight from Immich to the visitor, whose bytes are a function of the list: entries in
 * its order, stored, with names and times that only depend on it. So its length is known before it is made,
 * and a download that broke off goes on by making the same zip again and dropping what was sent.
 *
 * The one thing not known in advance is what an album's files are called: Immich says so only when each is
 * fetched. Each entry therefore has room for the longest name, and what its name does not use of that is a
 * comment of spaces beside it in the central directory, which no program minds and which keeps the total as
 * announced.
 */
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import yazl from 'yazl'
import { downloadName } from './filename.ts'
import { Refusal, type Caller, type Immich, type Link, type Media, type MediaKind } from './immich.ts'
import type { Settings } from './settings.ts'
import type { AssetId, Item } from './validate.ts'

// yazl takes the CRC-32 of every byte by buffer-crc32, which is plain JavaScript: half of a zip's CPU time.
// Node's own gives the same numbers, and costs a tenth.
createRequire(import.meta.url)('buffer-crc32').unsigned = crc32

/** Bytes that an entry's name may take, which is also what its place in the zip is reckoned with. */
const NAME_BYTES = 255
/**
 * Up to so many motion photos, the sizes of their videos are asked for one by one; beyond, the zip has no
 * length.
 */
const MOTIONS_ASKED = 60
/** What a zip can say of a time begins in 1980; an owner who does not show metadata does not show times. */
const NO_TIME = Date.UTC(1980, 0, 1)

type Entry = { item: Item, kind: MediaKind, time: Date, size: number | undefined }
/** `length` in bytes, where every size is known. */
export type Plan = { entries: Entry[], etag: string, length?: number }

const END = { forceZip64Format: true, comment: '' }
const options = ({ time: mtime }: Entry, size: number, fileComment: string) =>
  ({ compress: false, size, mtime, mode: 0o100644, forceDosTimestamp: true, fileComment })

/** What the zip of these items will be, before any of them is fetched. `whole` is all of the link. */
export async function planZip (
  immich: Immich, settings: Settings, link: Link, items: Item[], whole: boolean, { lane, until }: Caller
): Promise<Plan> {
  const { downloadOriginalPhoto: originals, downloadedFilename, stripMetadata } = settings
  const all = items.flatMap(item =>
    item.motion ? [item, { ...item, id: item.motion, video: true }] : [item])
  const motions = all.filter(({ id, motion }) => id === motion)
  let sizes = new Map<AssetId, number>()
  if (originals && !stripMetadata && motions.length <= MOTIONS_ASKED) {
    sizes = await immich.sizes(link, whole && link.album ? undefined : items.map(({ id }) => id))
    await Promise.all(motions.map(async item => {
      const { length } = await immich.media('original', link, item, { lane, until, head: true })
      if (length !== undefined) sizes.set(item.id, length)
    }))
  }
  const entries = all.map((item): Entry => ({
    item, kind: originals ? 'original' : item.video ? 'playback' : 'preview',
    time: new Date(Math.min(Math.max(link.showMetadata ? item.time : 0, NO_TIME), Date.UTC(2107, 0, 1))),
    size: immich.misjudged.has(item.id) ? undefined : sizes.get(item.id)
  }))
  const hash = createHash('sha256').update(`${downloadedFilename} ${stripMetadata} ${link.showMetadata}\n`)
  for (const { item, kind, size, time } of entries) hash.update(`${item.id} ${kind} ${size} ${+time}\n`)
  const length = entries.every(({ size }) => size !== undefined) ? await total(entries) : undefined
  const etag = `"${hash.digest('base64url').slice(0, 27)}"`
  return { entries, etag, ...length !== undefined && { length } }
}

/** The length by yazl's own reckoning, of entries that all have the longest name. */
function total (entries: Entry[]): Promise<number> {
  const zip = new yazl.ZipFile()
  for (const [n, entry] of entries.entries()) {
    zip.addReadStreamLazy(String(n).padStart(NAME_BYTES, '0'), options(entry, entry.size!, ''), () => {})
  }
  return new Promise(resolve => zip.end(END, resolve as () => void))
}

/** Makes names unique without regard to case, and short enough, in the order in which they come. */
function createNames () {
  const taken = new Set<string>()
  return (name: string): string => {
    const [, stem = '', extension = ''] = /^(.*?)((?:_preview)?\.[^.]{1,10})?$/s.exec(name)!
    for (let n = 1; ; n++) {
      const suffix = (n > 1 ? ` (${n})` : '') + extension
      let short = stem
      while (Buffer.byteLength(short + suffix) > NAME_BYTES) short = Array.from(short).slice(0, -1).join('')
      if (taken.has((short + suffix).toLowerCase())) continue
      taken.add((short + suffix).toLowerCase())
      return short + suffix
    }
  }
}

/** The bytes of the zip. Whatever fails in it fails the whole, and the transfer must visibly break. */
export function makeZip (
  immich: Immich, settings: Settings, link: Link, { entries, length }: Plan, caller: Caller
): Readable {
  const { limits, downloadedFilename } = settings
  const zip = new yazl.ZipFile()
  const unique = createNames()
  const abort = new AbortController()
  /** The files from the present one on that are already asked for. */
  const opened: Promise<Media>[] = []
  let current: Readable | undefined

  const get = async (entry: Entry, tries = 3): Promise<Media> => {
    const { item, kind, size } = entry
    const own = { lane: `zip ${caller.lane}`, until: abort }
    try {
      const media = await immich.media(kind, link, item, own).catch(error => missing(error, item))
      if (media.length !== undefined && (size ?? media.length) === media.length) return media
      media.body?.destroy()
      if (media.length === undefined) throw new Refusal('unreachable', 'a file without a length')
      if (immich.misjudged.size > 10_000) immich.misjudged.clear()
      immich.misjudged.add(item.id)
      throw new Error(`a file of ${media.length} bytes was announced with ${size}`)
    } catch (error) {
      const final = !(error instanceof Refusal) || error.reason === 'missing' || abort.signal.aborted
      if (final || tries === 1) throw error
      await sleep(400)
      return get(entry, tries - 1)
    }
  }
  const run = async () => {
    for (const [n, entry] of entries.entries()) {
      for (const next of entries.slice(n + opened.length, n + limits.zipRequests)) {
        opened.push(get(next))
        // that one failed is known when its turn comes
        opened.at(-1)!.catch(() => {})
      }
      const media = await opened[0]!
      const { name: known, type, length: size } = media
      opened.shift()
      // "current time" would be another name each time: a number is not
      const own = downloadedFilename === 0 ? String(n + 1).padStart(5, '0') : link.showMetadata ? known : ''
      const naming = { ...settings, downloadedFilename: downloadedFilename === 2 ? 2 : 1 }
      const name = unique(downloadName(naming, entry.item.id, own, type, entry.kind === 'preview'))
      const room = length === undefined ? 0 : 2 * (NAME_BYTES - Buffer.byteLength(name))
      const file = current = media.body ?? Readable.from([media.bytes!], { objectMode: false })
      const ended = finished(file)
      // yazl keeps what it is given until the end: it is given the way to the stream, not the stream
      zip.addReadStreamLazy(name, options(entry, size!, ' '.repeat(room)), give => give(null, current!))
      await ended
      current = undefined
    }
    zip.end(END)
  }
  const output = zip.outputStream as Readable
  const stop = (error?: Error) => {
    output.destroy(error)
    abort.abort()
    current?.destroy()
    for (const media of opened) media.then(({ body }) => body?.destroy(), () => {})
  }
  zip.on('error', stop)
  output.on('close', stop)
  run().catch(stop)
  return output
}

/** In place of a video that may not leave: a few words, so that nobody takes the zip for complete. */
function missing (error: unknown, { id }: Item): Media {
  if (!(error instanceof Refusal) || !error.message.startsWith('stripMetadata')) throw error
  const bytes = Buffer.from('A video is not included, because it would tell where and when it was taken.\n')
  return { status: 200, type: 'text/plain', name: `not included ${id}.txt`, bytes, length: bytes.length }
}
