/** What Immich tells of the files of a zip before they are fetched: their names and sizes. */
import { list, object, positive, text } from '../unknown.ts'
import { parseAssetId, type AssetId } from '../validate.ts'
import { isRefusal } from '../refusal.ts'
import type { Item, Media, ZipFile } from './gate.ts'

/** An asset's file name, and whether its original is an edited file: `download/info` has another size. */
export type Named = Readonly<{ name: string, isEdited: boolean }>
export type NamesPage = Readonly<{ assets: ReadonlyMap<AssetId, Named>, next?: number }>

/** So many assets `search/metadata` gives in one answer. */
export const NAMES_PER_PAGE = 1000
/** No album has more pages; the answer's own count of them is not to be trusted for ever. */
const MAX_PAGES = 1000
/** How many files are asked for their size at once, and for how long. */
const HEADS_AT_ONCE = 4
const HEAD_MS = 5000

/**
 * One page of `POST search/metadata` (recordings 10-album-big/search-metadata-1000*): names and the edited
 * flag, and nothing else of what it tells. `next` is the number of the page after it.
 */
export function parseNames (value: unknown): NamesPage | undefined {
  const { items, nextPage } = object(object(value)?.assets) ?? {}
  if (!Array.isArray(items)) return undefined
  const assets = new Map(list(items).flatMap((entry): [AssetId, Named][] => {
    const { id, originalFileName, isEdited } = object(entry) ?? {}
    const asset = parseAssetId(id)
    return asset ? [[asset, { name: text(originalFileName), isEdited: isEdited === true }]] : []
  }))
  const next = positive(Number(text(nextPage)))
  return { assets, ...Number.isSafeInteger(next) && next > 0 && { next } }
}

/**
 * The names of a whole album; undefined where Immich does not tell them: 2.x answers 403. `readPage` asks for
 * one page, from 1 on, and throws a Refusal.
 */
export async function collectNames (
  readPage: (page: number) => Promise<NamesPage>
): Promise<Map<AssetId, Named> | undefined> {
  const names = new Map<AssetId, Named>()
  try {
    for (let page: number | undefined = 1, read = 0; page !== undefined && read < MAX_PAGES; read++) {
      const { assets, next } = await readPage(page)
      for (const [id, named] of assets) names.set(id, named)
      page = next
    }
    return names
  } catch (error) {
    if (isRefusal(error, 'missing') || isRefusal(error, 'failed')) return undefined
    throw error
  }
}

/** How the gate answers what a zip wants to know; none of these calls is made where the answer has no use. */
export type Sources = Readonly<{
  /** the names of the items, undefined where they are unknown */
  names: () => Promise<ReadonlyMap<AssetId, Named> | undefined>
  /** the sizes of originals in bytes, from `download/info` */
  sizes: () => Promise<ReadonlyMap<AssetId, number>>
  /** the headers of an original; throws a Refusal */
  head: (item: Item) => Promise<Media>
}>
/**
 * `areOriginals` where the zip holds originals as they are, so that their sizes are known. `tellsNames` and
 * `timeOf` say what may be told.
 */
export type Telling = Readonly<{
  areOriginals: boolean, tellsNames: boolean, timeOf: (item: Item) => number | undefined
  isMotionPart: (item: Item) => boolean
}>

const extensionOf = (name: string): string => /\.[^./\\]{1,10}$/.exec(name)?.[0] ?? ''

/**
 * The files of a zip, in the order of `items`, among which motion parts stand as items of their own. Edited
 * files and motion parts are asked for one by one, a few at a time and for five seconds: a file beyond that
 * has no size, and neither has one that is missing. Throws a Refusal where Immich is unreachable.
 */
export async function collectZipFiles (
  items: readonly Item[], { names, sizes, head }: Sources, telling: Telling
): Promise<ZipFile[]> {
  const { areOriginals, tellsNames, timeOf, isMotionPart } = telling
  const [named, sized] = await Promise.all([names(), areOriginals ? sizes() : new Map<AssetId, number>()])
  const isDoubtful = (item: Item) => isMotionPart(item) || named?.get(item.id)?.isEdited === true
  const doubtful = named && areOriginals ? items.filter(isDoubtful) : []
  const heads = await askHeads(doubtful, head)
  return items.map((item): ZipFile => {
    const media = heads.get(item)
    const name = media?.name || (named?.get(item.id)?.name ?? '')
    const size = isDoubtful(item) ? media?.length : sized.get(item.id)
    const time = timeOf(item)
    return {
      item, as: 'zip', name: tellsNames ? name : extensionOf(name),
      ...time !== undefined && { time }, ...size !== undefined && { size }
    }
  })
}

/** The headers of these items, of those that Immich gives in time. */
async function askHeads (items: readonly Item[], head: Sources['head']): Promise<Map<Item, Media>> {
  const heads = new Map<Item, Media>()
  const queue = [...items]
  const end = performance.now() + HEAD_MS
  async function work (): Promise<void> {
    for (let item = queue.shift(); item && performance.now() < end; item = queue.shift()) {
      try { heads.set(item, await head(item)) } catch {}
    }
  }
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, work))
  return heads
}
