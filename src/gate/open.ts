/**
 * Opens links and reads their lists. Immich checks a link's password in one endpoint only and serves
 * everything else to anyone who has the key, so `#load` is where a protected link stays shut.
 */
import { isDeepStrictEqual } from 'node:util'
import { createCache, weightOf, type Cache } from '../memory-cache.ts'
import { CALLS, type Immich } from '../immich.ts'
import { once, type Log } from '../log.ts'
import type { Lane } from '../queue.ts'
import { isRefusal, Refusal } from '../refusal.ts'
import { bareDate, parseLink, parseMonth, parseMonths, type Asset } from './immich-json.ts'
import { makeList, type List, type OpenedLink, type Policy } from './share.ts'
import type { LinkAddress, Month, Token } from '../validate.ts'

type MonthAssets = { etag: string, assets: Asset[] }
/** `months` are kept to ask Immich whether they have changed. */
type AlbumList = List & { months: Map<Month, MonthAssets> }

const MAX_AGE_MS = 60_000

/** The links and lists in memory. */
export class Links {
  #immich: Immich
  #policy: Policy
  #links: Cache<OpenedLink>
  #albums: Cache<AlbumList>
  #lists = new WeakMap<OpenedLink, List>()
  #log: Log
  #warnOfUnreadable: Log['warn']

  constructor (immich: Immich, policy: Policy, limits: { links: number, listItems: number }, log: Log) {
    this.#immich = immich
    this.#policy = policy
    this.#log = log
    this.#warnOfUnreadable = once(log.warn)
    this.#links = createCache<OpenedLink>(MAX_AGE_MS, limits.links, () => 1)
    const weigh = ({ items }: List) => weightOf(items.length, limits.listItems)
    this.#albums = createCache<AlbumList>(MAX_AGE_MS, limits.listItems, weigh)
  }

  /**
   * The link, at most a minute old. Throws a Refusal: missing, locked, failed, unreachable, busy.
   */
  async open (address: LinkAddress, lane: string, token?: Token): Promise<OpenedLink> {
    const name = 'key' in address ? `key ${address.key} ${token}` : `slug ${address.slug} ${token}`
    const load = (waiting: Lane, old?: OpenedLink) => this.#load(address, waiting, token, old)
    const link = await this.#links(name, lane, load)
    if (link.expiresAt !== undefined && link.expiresAt <= Date.now()) throw new Refusal('missing')
    return link
  }

  async #load (address: LinkAddress, lane: Lane, token?: Token, old?: OpenedLink): Promise<OpenedLink> {
    const link = await this.#immich.read(CALLS.link(address, token), parseLink, { lane })
    // a link with a password stays shut without an unlock token, even if Immich opens it
    if (link.isProtected && !token) throw new Refusal('locked')
    // even if Immich stopped saying which links have a password: one that a token opened is protected
    const opened = { ...link, isProtected: token !== undefined, ...token && { token } }
    // one that has not changed stays the same object, by which its share is found
    return old && isDeepStrictEqual(old, opened) ? old : opened
  }

  /**
   * The link's list, at most a minute old, in the order of its album. Throws a Refusal: missing, failed,
   * unreachable, busy.
   */
  async list (link: OpenedLink, lane: string): Promise<List> {
    const { album, key, showMetadata } = link
    // once the owner hides metadata, a list that was cached with it must not be used
    const name = `${key} ${showMetadata} ${album?.order}`
    if (album) return this.#albums(name, lane, (waiting, old) => this.#loadAlbum(link, album, waiting, old))
    const list = this.#lists.get(link) ?? this.#listChosen(link.assets ?? [])
    this.#lists.set(link, list)
    return list
  }

  #listChosen (assets: Asset[]): List {
    const known = assets.map(({ id, name, isEdited }) => [id, { name, isEdited }] as const)
    return { ...makeList(assets, 'desc', false, this.#policy), names: new Map(known) }
  }

  async #loadAlbum (
    link: OpenedLink, { id, order }: NonNullable<OpenedLink['album']>, lane: Lane, old?: AlbumList
  ): Promise<AlbumList> {
    const announced = await this.#immich.read(CALLS.months(link, id, order), parseMonths, { lane })
    if (!announced.isComplete) this.#warnOfUnreadable('Immich lists a month that cannot be parsed')
    const ask = async (month: Month, old?: MonthAssets) => {
      const call = CALLS.month(link, id, order, month)
      return { call, response: await this.#immich.askJson(call, old, { lane }) }
    }
    const readMonth = async (month: Month, old?: MonthAssets): Promise<MonthAssets> => {
      let { call, response } = await ask(month, old)
      // a fork of Immich takes the bare date alone
      if (response.status === 400) ({ call, response } = await ask(bareDate(month), old))
      if (response.status === 304 && old) return old
      if (response.status === 400) throw new Refusal('failed', 'a month that Immich does not know')
      return this.#immich.accept(call.path, response, (value, headers) => {
        const assets = parseMonth(value)
        return assets && { assets, etag: headers.get('etag') ?? '' }
      })
    }
    const months = new Map<Month, MonthAssets>()
    const failures: unknown[] = []
    await Promise.all(announced.months.map(async month => {
      try {
        months.set(month, await readMonth(month, old?.months.get(month)))
      } catch (error) {
        // one failing month must not hide the others; anything else, such as a revoked link, must
        if (!isRefusal(error, 'failed')) throw error
        failures.push(error)
        this.#log.warn('Immich failed to list a month of an album', { month })
      }
    }))
    if (failures.length > 0 && months.size === 0) throw failures[0]
    const isPartial = failures.length > 0 || !announced.isComplete
    const isSame = old?.isPartial === isPartial && months.size === old.months.size &&
      [...months].every(([month, read]) => old.months.get(month) === read)
    if (isSame) return old
    const assets = [...months.values()].flatMap(({ assets }) => assets)
    return { ...makeList(assets, order, isPartial, this.#policy), months }
  }
}
