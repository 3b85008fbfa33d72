/**
 * Links, and what they list: who may open one, and what is in it. Immich checks a link's password in one
 * endpoint only, so this is the gate: `#load` gives no link that has a password without the token of an
 * unlock.
 */
import { createHash } from 'node:crypto'
import { CALLS, type Caller, type Immich } from './immich.ts'
import {
  parseLink, parseLoginCookie, parseMessage, parseMonth, parseMonths, type Item, type LinkInfo
} from './immich-json.ts'
import { createMemory, type Memory } from './bounds.ts'
import { once, type Log } from './log.ts'
import { isRefusal, Refusal } from './refusal.ts'
import type { Settings } from './settings.ts'
import type { AssetId, LinkRef, Month, Password, Token } from './validate.ts'

/**
 * What a visitor is shown, in the link's order. `byId` has the video parts of motion photos too. `isPartial`
 * where Immich failed at a month of it, which is missing.
 */
export type List = { items: Item[], byId: Map<AssetId, Item>, version: string, isPartial?: boolean }
/**
 * An opened link: what a visitor who holds `token`, or needs none, may use. `list` of one without an album.
 */
export type Link = LinkInfo & { token?: Token, list?: List }
type MonthItems = { etag: string, items: Item[], rows: number }
/** `months` are to be asked for again only whether they have changed. */
type AlbumList = List & { months: Map<Month, MonthItems> }

/** The two yeses to a zip: the owner's on the link, the operator's in the configuration. */
export const mayZip = (settings: Settings, link: Link): boolean =>
  settings.allowDownloadAll !== 0 && link.allowDownload
/** The two yeses to a photo or video to take home, one by one. */
export const mayDownload = (settings: Settings, link: Link): boolean =>
  settings.allowDownload && link.allowDownload
/** The two yeses to an original as it is. */
export const mayHaveOriginals = (settings: Settings, link: Link): boolean =>
  mayDownload(settings, link) && settings.downloadOriginalPhoto

const MINUTE = 60_000

/**
 * By the time that the photos' own clocks showed, so that each day comes once: Immich sorts by another, and
 * chosen photos by none.
 */
const sorted = (items: Item[], order: 'asc' | 'desc'): Item[] =>
  items.toSorted((a, b) => order === 'asc' ? a.time - b.time : b.time - a.time)

export function makeList (items: Item[]): List {
  const byId = new Map(items.map(item => [item.id, item]))
  const hash = createHash('sha256')
  for (const item of items) {
    const { id, motion, time, thumbhash } = item
    hash.update(`${id} ${motion} ${time} ${thumbhash}\n`)
    // the video part of a motion photo: an item of its own that can be played, and nothing else
    if (motion) byId.set(motion, { ...item, id: motion, video: true })
  }
  return { items, byId, version: hash.digest('base64url').slice(0, 16) }
}

export class Links {
  #immich: Immich
  #links: Memory<Link>
  #albums: Memory<AlbumList>
  #warnOfShort: Log['warn']
  #warnOfFailed: Log['warn']
  constructor (immich: Immich, { limits }: Settings, log: Log) {
    this.#immich = immich
    this.#warnOfShort = once(log.warn)
    this.#warnOfFailed = log.warn
    this.#links = createMemory<Link>(MINUTE, limits.links, () => 1)
    this.#albums = createMemory<AlbumList>(MINUTE, limits.listItems, ({ items }) => Math.max(1, items.length))
  }

  /** The link as it was within the last minute. Throws a Refusal: missing, locked, unreachable, busy. */
  async open (ref: LinkRef, lane: string, token?: Token): Promise<Link> {
    const name = 'key' in ref ? `key ${ref.key} ${token}` : `slug ${ref.slug} ${token}`
    const link = await this.#links(name, () => this.#load(ref, lane, token))
    if (link.expiresAt !== undefined && link.expiresAt <= Date.now()) throw new Refusal('missing')
    return link
  }

  async #load (ref: LinkRef, lane: string, token?: Token): Promise<Link> {
    const link = await this.#immich.read(CALLS.link(ref, token), parseLink, { lane })
    // Whatever Immich thinks: without the token of an unlock, a link that has a password stays shut.
    if (link.protected && !token) throw new Refusal('locked')
    const list = link.items && { list: makeList(sorted(link.items, 'desc')) }
    return { ...link, ...list, ...token && { token } }
  }

  /** Proves a password: the link and Immich's token for it. Throws a Refusal: locked where it is wrong. */
  async unlock (ref: LinkRef, password: Password, lane: string): Promise<{ link: LinkInfo, token: Token }> {
    const login = CALLS.login(ref, password)
    const first = await this.#immich.askJson(login, {}, { lane })
    const answer = first.status !== 404 ? first
      : await this.#immich.askJson(CALLS.loginByQuery(ref, password), {}, { lane })
    // a password was given, and Immich did not see it
    if (parseMessage(answer.value) === 'Password required') throw new Refusal('missing', 'not heard')
    return this.#immich.accept(login.path, answer, (value, headers) => {
      const link = parseLink(value)
      const token = parseLoginCookie(headers.getSetCookie())
      if (link && !token) throw new Refusal('missing', 'a link without a password')
      return link && token && { link, token }
    })
  }

  /** What the link lists, as it was within the last minute, in the order of its album. Throws a Refusal. */
  async list (link: Link, lane: string): Promise<List> {
    const { album, list } = link
    if (list) return list
    // a link has an album or a list, as `parseLink` makes it
    if (!album) return makeList([])
    return this.#albums(link.key, old => this.#loadAlbum(link, album, { lane }, old))
  }

  async #loadAlbum (link: Link, { id, order }: NonNullable<Link['album']>, caller: Caller, old?: AlbumList) {
    const announced = await this.#immich.read(CALLS.months(link, id, order), parseMonths, caller)
    const readMonth = (month: Month): Promise<MonthItems> =>
      this.#immich.read(CALLS.month(link, id, order, month), (value, headers) => {
        const read = parseMonth(value)
        return read && { ...read, etag: headers.get('etag') ?? '' }
      }, caller, old?.months.get(month))
    const months = new Map<Month, MonthItems>()
    const failures: unknown[] = []
    await Promise.all(announced.map(async ({ month, count }) => {
      try {
        const read = await readMonth(month)
        months.set(month, read)
        this.#compare(month, count, read.rows)
      } catch (error) {
        // what is to be had is shown where Immich fails at one month, not where it has gone
        if (!isRefusal(error, 'failed')) throw error
        failures.push(error)
        this.#warnOfFailed('Immich failed at a month of an album', { month })
      }
    }))
    if (failures.length > 0 && months.size === 0) throw failures[0]
    const items = [...months.values()].flatMap(({ items }) => items)
    // kept like any other, or each of its pictures would ask for all months again
    return { ...makeList(sorted(items, order)), months, isPartial: failures.length > 0 }
  }

  /**
   * Says once that a month has given less than was announced: a patched Immich, or a pooler before its
   * database.
   */
  #compare (month: Month, announced: number, given: number): void {
    if (given >= announced) return
    const advice = 'is the time zone of its database session UTC?'
    this.#warnOfShort('Immich gives less of a month than it announces', { month, announced, given, advice })
  }
}
