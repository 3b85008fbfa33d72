/**
 * The gate: the only way from this program to Immich, and the only code that decides what a visitor may see
 * and download. Everything else works on the `Share` and the files that it gives out; `docs/audit.md` names
 * the few lines elsewhere that could still leak by a mistake.
 *
 * Everything that leaves needs two permissions: the owner's on the link, and the operator's (`Policy`). At
 * run time the gate accepts only shares and items that it made itself.
 */
import { Immich, type Caller, type UpstreamLimits } from '../immich.ts'
import type { Keys } from '../keys.ts'
import type { Log } from '../log.ts'
import { createCache, weightOf, type Cache } from '../memory-cache.ts'
import { createReachability } from '../reachability.ts'
import { isRefusal, Refusal } from '../refusal.ts'
import type { AssetId, LinkAddress, Password, Visitor } from '../validate.ts'
import { Files, type Media, type Wanted } from './files.ts'
import { createGuesses } from './guesses.ts'
import { Links } from './open.ts'
import { isMotionPart, makeShare, shownFacts } from './share.ts'
import type { Facts, Item, List, OpenedLink, Policy, Share } from './share.ts'
import { cookieLines, createSeal, linkId, checkPassword } from './unlock.ts'
import { collectZipFiles, type AlbumNames, type ZipFile } from './zip-metadata.ts'

export { UNKNOWN_TYPE } from './immich-json.ts'
export type { Caller, Facts, Item, Media, Policy, Share, Wanted, ZipFile }

type GateLimits = UpstreamLimits & {
  links: number, listItems: number, imageCacheMiB: number, guessesPerVisitor: number, guessesPerLink: number
}
type GateOptions = { immichUrl: string, policy: Policy, limits: GateLimits, keys: Keys, log: Log }
/** The facts about a visitor that the gate needs. */
type GateVisitor = Pick<Visitor, 'address' | 'isForgeable' | 'isEmbedded' | 'cookies'>
type UnlockingVisitor = GateVisitor & Pick<Visitor, 'isHttps'>
type Opened = { link: OpenedLink, list: List }

const NAMES_MAX_AGE_MS = 60_000

/** The gate; the program has one. */
export class Gate {
  #policy: Policy
  #log: Log
  #immich: Immich
  #links: Links
  #files: Files
  #seal
  #guesses
  #names: Cache<AlbumNames>
  /** every share that was given out, with what it was made from */
  #opened = new WeakMap<Share, Opened>()
  /** the latest share of each link in memory */
  #shares = new WeakMap<OpenedLink, { list: List, share: Share }>()

  constructor ({ immichUrl, policy, limits, keys, log }: GateOptions) {
    this.#policy = policy
    this.#log = log
    this.#immich = new Immich(immichUrl, limits, createReachability(immichUrl, log))
    this.#links = new Links(this.#immich, policy, limits, log)
    this.#files = new Files(this.#immich, policy, keys('entity tag'), limits.imageCacheMiB)
    this.#seal = createSeal(keys('unlock cookie'))
    this.#guesses = createGuesses(limits.guessesPerVisitor, limits.guessesPerLink)
    const weigh = ({ size }: AlbumNames) => weightOf(size, limits.listItems)
    this.#names = createCache<AlbumNames>(NAMES_MAX_AGE_MS, limits.listItems, weigh)
  }

  /**
   * Opens a link: returns its share for this visitor. Throws a Refusal: missing, locked, limited, failed,
   * unreachable, busy.
   */
  async open (address: LinkAddress, visitor: GateVisitor): Promise<Share> {
    const token = this.#seal.open(address, visitor.cookies)
    const ask = () => this.#links.open(address, visitor.address, token).then(this.#noteSlug)
    const link = await this.#lookUp(address, visitor, ask)
    const list = await this.#links.list(link, visitor.address)
    const latest = this.#shares.get(link)
    if (latest?.list === list) return latest.share
    const share = makeShare(link, list, this.#policy)
    this.#shares.set(link, { list, share })
    this.#opened.set(share, { link, list })
    return share
  }

  /** Key and slug of a link share their limits on guessing. */
  #noteSlug = (link: OpenedLink): OpenedLink => {
    if (link.slug) this.#guesses.alias(linkId({ slug: link.slug }), linkId(link))
    return link
  }

  /**
   * Asks Immich for a link, and counts if it is unknown. Throws a Refusal if slugs are switched off, or if
   * this visitor has tried too many unknown links.
   */
  async #lookUp<T> (address: LinkAddress, visitor: GateVisitor, ask: () => Promise<T>): Promise<T> {
    if ('slug' in address && !this.#policy.slugs) throw new Refusal('missing')
    if (this.#guesses.isProbing(visitor, linkId(address))) {
      this.#logRefused(address, visitor, 'unknown links')
      throw new Refusal('limited')
    }
    const settle = this.#guesses.countLookup(visitor, linkId(address))
    try {
      const found = await ask()
      settle('opened')
      return found
    } catch (error) {
      settle(isRefusal(error, 'missing') ? 'unknown' : 'neither')
      throw error
    }
  }

  #logRefused (address: LinkAddress, visitor: GateVisitor, reason: string): void {
    this.#log.warn('unlock refused', { address: visitor.address, link: this.#log.hashOf(address), reason })
  }

  /**
   * Checks a password; `isHttps` makes the cookies Secure. Resolves with Set-Cookie lines that open the link
   * for an hour. Throws a Refusal: `locked` if the password is wrong, `limited` after too many wrong ones, or
   * as `open` does.
   */
  async unlock (address: LinkAddress, password: Password, visitor: UnlockingVisitor): Promise<string[]> {
    return this.#lookUp(address, visitor, () => this.#unlock(address, password, visitor))
  }

  async #unlock (address: LinkAddress, password: Password, visitor: UnlockingVisitor): Promise<string[]> {
    const name = linkId(address)
    const wait = this.#guesses.waitForPassword(visitor, name)
    if (wait > 0) {
      this.#logRefused(address, visitor, 'too many passwords')
      throw new Refusal('limited', '', Math.ceil(wait / 1000))
    }
    // counted before it is tried, because many at the same time would all be free otherwise
    this.#guesses.countPassword(visitor, name, 1)
    try {
      const proof = await checkPassword(this.#immich, address, password, visitor.address)
      this.#guesses.countPassword(visitor, name, -1)
      this.#noteSlug(proof.link)
      this.#log.info('unlocked', { address: visitor.address, link: this.#log.hashOf(address) })
      return cookieLines(this.#seal, proof, visitor.isHttps)
    } catch (error) {
      if (isRefusal(error, 'locked')) this.#logRefused(address, visitor, 'wrong password')
      else this.#guesses.countPassword(visitor, name, -1)
      throw error
    }
  }

  /**
   * The item of a share with this id. The video part of a motion photo is found only with `asVideo`. Throws a
   * Refusal (missing).
   */
  find (share: Share, id: AssetId, asVideo = false): Item {
    const item = this.#openedBy(share).list.byId.get(id)
    if (!item || (isMotionPart(item) && !asVideo)) throw new Refusal('missing')
    return item
  }

  /**
   * The bytes of a photo or video: every one of them leaves through here. Throws a Refusal: missing,
   * withheld, failed, unreachable, busy; for a zip also locked, if the link has another password by now.
   */
  async file (share: Share, item: Item, wanted: Wanted, caller: Caller): Promise<Media> {
    const { link } = this.#checked(share, [item])
    // a zip may take hours, and Immich checks no password of files
    if (wanted.as === 'zip') await this.#links.open({ key: link.key }, caller.lane, link.token)
    return this.#files.get(link, share, item, wanted, caller)
  }

  /** The metadata that may be shown of an item; empty if the owner shows none. Throws as `file` does. */
  async facts (share: Share, item: Item, caller: Caller): Promise<Facts> {
    const { link } = this.#checked(share, [item])
    if (!share.tells.facts) return {}
    return shownFacts(await this.#files.details(link, item, caller), this.#policy)
  }

  /** Names, times and sizes for a zip of these items, as far as they may be shown. Throws as `file` does. */
  async zipFiles (share: Share, items: readonly Item[], caller: Caller): Promise<ZipFile[]> {
    const { link, list } = this.#checked(share, items)
    if (!share.can.zip) throw new Refusal('missing')
    const head = (item: Item) => this.#files.get(link, share, item, { as: 'zip', head: true }, caller)
    const source = { immich: this.#immich, names: this.#names, policy: this.#policy, link, list, share, head }
    return collectZipFiles(source, items, caller)
  }

  /** Whether Immich answers. At most one ping is in flight. */
  isReachable (): Promise<boolean> { return this.#immich.ping() }

  /** Immich's version. Throws a Refusal if Immich does not answer. */
  version (): Promise<[number, number, number]> { return this.#immich.version() }

  #openedBy (share: Share): Opened {
    const opened = this.#opened.get(share)
    if (!opened) throw new Error('not a share of this gate')
    return opened
  }

  #checked (share: Share, items: readonly Item[]): Opened {
    const opened = this.#openedBy(share)
    const isForeign = (item: Item) => opened.list.byId.get(item.id) !== item
    if (items.some(isForeign)) throw new Error('not an item of this share')
    return opened
  }
}

/** The part of the gate that zips need. */
export type ZipGate = Pick<Gate, 'file' | 'zipFiles'>
