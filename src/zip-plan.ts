/**
 * What a zip of a link will be, before any of its files is fetched: its entries in the order of the list,
 * stored, with names and times that only depend on it. So its length is known before it is made, and a
 * download that broke off goes on by making the same zip again from there.
 *
 * The one thing not known in advance is what an album's files are called: Immich says so only when each is
 * fetched. Each entry therefore has room for the longest name, and what its name does not use of that is a
 * comment of spaces beside it in the central directory, which no program minds and which keeps the total.
 */
import { createHash } from 'node:crypto'
import yazl from 'yazl'
import type { Caller } from './immich.ts'
import type { Item } from './immich-json.ts'
import type { Link } from './links.ts'
import type { MediaKind, MediaRoom } from './media.ts'
import type { Settings } from './settings.ts'
import type { AssetId } from './validate.ts'

/** `number` is its place in the zip, from 1; `size` in bytes, where it is known. */
export type Entry = { item: Item, number: number, kind: MediaKind, time: Date, size?: number }
/** `length` in bytes, where every size is known. */
export type Plan = { entries: Entry[], etag: string, length?: number }

/** Bytes that an entry's name may take, which is also what its place in the zip is reckoned with. */
export const NAME_BYTES = 255
/**
 * Up to so many files of which Immich tells no size, or a wrong one, are asked for theirs; beyond, no length.
 */
const ASKED_ONE_BY_ONE = 60
/** What a zip can say of a time; an owner who does not show metadata does not show times. */
const EARLIEST = Date.UTC(1980, 0, 1)
const LATEST = Date.UTC(2107, 0, 1)

/** For `end` of yazl, whose reckoning of the length is wrong for 900 to 65,534 entries without it. */
export const END = { forceZip64Format: true, comment: '' }
export const entryOptions = (time: Date, size: number, fileComment: string) =>
  ({ compress: false, size, mtime: time, mode: 0o100644, forceDosTimestamp: true, fileComment })

/** Items, and the video parts of motion photos after their still ones. */
const withMotionParts = (items: Item[]): Item[] => items.flatMap(item =>
  item.motion ? [item, { ...item, id: item.motion, video: true }] : [item])
const isMotionPart = ({ id, motion }: Item): boolean => id === motion

/** The length in bytes by yazl's own reckoning, of entries that all have the longest name. */
function lengthOf (sizes: number[]): Promise<number> {
  const zip = new yazl.ZipFile()
  for (const [n, size] of sizes.entries()) {
    const longest = String(n).padStart(NAME_BYTES, '0')
    zip.addReadStreamLazy(longest, entryOptions(new Date(EARLIEST), size, ''), () => {})
  }
  return new Promise(resolve => zip.end(END, resolve as () => void))
}

type Room = { media: MediaRoom, settings: Settings, isSized: boolean }
/** The sizes of the originals of these items, as far as they can be known in advance. Throws a Refusal. */
async function sizesOf (room: Room, link: Link, all: Item[], isWhole: boolean, caller: Caller) {
  const { media, settings, isSized } = room
  // motion parts, and edited photos where the link names them
  const doubtful = all.filter(item => isMotionPart(item) || item.edited)
  const isKnown = settings.downloadOriginalPhoto && !settings.stripMetadata && isSized
  if (!isKnown || doubtful.length > ASKED_ONE_BY_ONE) return new Map<AssetId, number>()
  const stills = all.filter(item => !isMotionPart(item)).map(({ id }) => id)
  const of = isWhole && link.album ? { albumId: link.album.id } : { assetIds: stills }
  const sizes = await media.sizes(link, of, caller)
  for (const item of doubtful) {
    const { length } = await media.get('original', link, item, { ...caller, zip: true }, { head: true })
    if (length !== undefined) sizes.set(item.id, length)
  }
  return sizes
}

/**
 * The plan of a zip of `items`, which are all of the link where `isWhole`. `isSized` is false where a size of
 * this link has proved wrong: then the zip has no length, and always succeeds. Throws a Refusal.
 */
export async function planZip (
  room: Room, link: Link, items: Item[], isWhole: boolean, caller: Caller
): Promise<Plan> {
  const { downloadOriginalPhoto, downloadedFilename, stripMetadata } = room.settings
  const all = withMotionParts(items)
  const sizes = await sizesOf(room, link, all, isWhole, caller)
  const hash = createHash('sha256').update(`${downloadedFilename} ${stripMetadata} ${link.showMetadata}\n`)
  const entries = all.map((item, n): Entry => {
    const size = sizes.get(item.id)
    const reduced = item.video ? 'playback' : 'preview'
    const kind = downloadOriginalPhoto ? 'original' : reduced
    const time = new Date(Math.min(Math.max(link.showMetadata ? item.time : EARLIEST, EARLIEST), LATEST))
    hash.update(`${item.id} ${item.thumbhash} ${kind} ${size} ${Number(time)}\n`)
    return { item, number: n + 1, kind, time, ...size !== undefined && { size } }
  })
  const etag = `"${hash.digest('base64url').slice(0, 27)}"`
  const known = entries.flatMap(({ size }) => size ?? [])
  return known.length < entries.length ? { entries, etag } : { entries, etag, length: await lengthOf(known) }
}
