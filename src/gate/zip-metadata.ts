/** Names, times and sizes of a zip's files before they are fetched, as far as they may be shown. */
import { CALLS, type Caller, type Immich } from '../immich.ts'
import type { Cache } from '../memory-cache.ts'
import type { Lane } from '../queue.ts'
import { isRefusal } from '../refusal.ts'
import type { AlbumId, AssetId } from '../validate.ts'
import type { Media } from './files.ts'
import { parseNames, parseSizes, type Named, type NamesPage } from './immich-json.ts'
import { isMotionPart, type Item, type List, type OpenedLink, type Policy, type Share } from './share.ts'

/**
 * A file of a zip. `name` is Immich's file name, only its extension (".jpg") if the name may not be shown, ''
 * if nothing is known. `time` in ms since 1970 by the camera's clock, absent if it may not be shown. `size`
 * in bytes is what Immich announces for the file that the gate gives, absent if unknown.
 */
export type ZipFile = Readonly<{ item: Item, name: string, time?: number, size?: number }>

/** Names and edited flags of an album's files. */
export type AlbumNames = Map<AssetId, Named>
/** An opened link, and how to ask for the headers of one of its files. */
type ZipSource = {
  immich: Immich, names: Cache<AlbumNames>, policy: Policy, link: OpenedLink, list: List, share: Share
  head: (item: Item) => Promise<Media>
}

/** pages of 1,000 names; no list in memory is longer, and the response's own count is not to be trusted */
const MAX_PAGES = 250
/** requests for the sizes of single files: how many at once, and for how long new ones are started */
const HEADS_AT_ONCE = 4
const HEADS_MS = 5000

/** The response, or undefined if Immich gives none: 2.x answers 403, and a lost file is a 404. */
async function ifGiven<T> (asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (isRefusal(error, 'missing') || isRefusal(error, 'failed')) return undefined
    throw error
  })
}

/** Names and edited flags of an album. Throws a Refusal (missing) if this Immich does not give them. */
async function readNames ({ immich, link }: ZipSource, albumId: AlbumId, lane: Lane): Promise<AlbumNames> {
  const names: AlbumNames = new Map()
  for (let page: number | undefined = 1, read = 0; page !== undefined && read < MAX_PAGES; read++) {
    const found: NamesPage = await immich.read(CALLS.names(link, albumId, page), parseNames, { lane })
    for (const [id, named] of found.assets) names.set(id, named)
    page = found.next
  }
  return names
}

/**
 * The headers of these files, as many as could be requested in time; none of a file that Immich cannot send.
 */
async function readHeads (items: readonly Item[], head: ZipSource['head']): Promise<Map<Item, Media>> {
  const heads = new Map<Item, Media>()
  const queue = [...items]
  const until = performance.now() + HEADS_MS
  async function work (): Promise<void> {
    for (let item = queue.shift(); item && performance.now() < until; item = queue.shift()) {
      try { heads.set(item, await head(item)) } catch {}
    }
  }
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, work))
  return heads
}

/** Extensions of photos and videos. Any other text after a dot may be part of a name that is hidden. */
const EXTENSIONS = new Set(('3fr 3gp arw avi avif bmp cr2 cr3 dng flv gif heic heif insv jp2 jpe jpeg jpg ' +
  'jxl m2ts m4v mkv mov mp4 mpeg mpg mts nef orf pef png psd raf raw rw2 srw tif tiff webm webp').split(' '))
function extensionOf (name: string): string {
  const [extension = ''] = /\.[^.]*$/.exec(name.toLowerCase()) ?? []
  return EXTENSIONS.has(extension.slice(1)) ? extension : ''
}

/** Each photo, followed by its video part if it is a motion photo. */
const withMotionParts = (items: readonly Item[], { byId }: List): Item[] =>
  items.flatMap(item => [item, (item.motion && byId.get(item.motion)) ?? []].flat())

/**
 * The files of a zip of these items, motion parts included. Sizes are known only of originals that leave as
 * they are. Throws a Refusal if Immich is unreachable or busy.
 */
export async function collectZipFiles (
  source: ZipSource, items: readonly Item[], caller: Caller
): Promise<ZipFile[]> {
  const { immich, policy, link, list, share } = source
  const { album } = link
  const areOriginals = share.can.originals && !policy.strip
  const isWhole = items.length === list.items.length
  const of = album && isWhole ? { albumId: album.id } : { assetIds: items.map(({ id }) => id) }
  const [names, sizes] = areOriginals ? await Promise.all([
    list.names ??
      (album && ifGiven(source.names(link.key, caller.lane, lane => readNames(source, album.id, lane)))),
    ifGiven(immich.read(CALLS.sizes(link, of), parseSizes, caller))
  ]) : [list.names]
  const files = withMotionParts(items, list)
  const isUncertain = (item: Item) => isMotionPart(item) || names?.get(item.id)?.isEdited === true
  const heads = await readHeads(names && sizes ? files.filter(isUncertain) : [], source.head)
  const times = new Map<AssetId, number | undefined>()
  for (const [n, { id, motion }] of list.items.entries()) {
    times.set(id, list.times[n])
    if (motion) times.set(motion, list.times[n])
  }
  const tellsTime = link.showMetadata && (areOriginals || policy.facts.includes('dateTimeOriginal'))
  return files.map((item): ZipFile => {
    const media = heads.get(item)
    const name = media?.name || (names?.get(item.id)?.name ?? '')
    const size = isUncertain(item) ? media?.length : sizes?.get(item.id)
    const time = tellsTime ? times.get(item.id) : undefined
    return {
      item, name: share.tells.names ? name : extensionOf(name),
      ...time !== undefined && { time }, ...size !== undefined && { size }
    }
  })
}
