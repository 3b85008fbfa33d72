/** Limits on guessing: wrong passwords, and links that do not exist. */
import { forgetOldest } from '../memory-cache.ts'
import { createRateLimit, createVisitorLimit } from '../rate-limit.ts'
import type { Visitor } from '../validate.ts'

type Guesser = Pick<Visitor, 'address' | 'isForgeable'>
type Prober = Pick<Visitor, 'address' | 'isEmbedded'>
const MINUTE_MS = 60_000
const LINK_INTERVAL_MS = 6_000
/** wrong guesses at one link before new addresses are refused too, as a multiple of `perLink` */
const NEWCOMER_FACTOR = 10
/** an expired page still requests its pictures, so unknown links get this multiple of the password limit */
const UNKNOWN_FACTOR = 20
/** pairs of visitor and opened link to remember; more than a household ever has */
const MAX_OPENED = 20_000

/**
 * Wrong passwords: each address (an IPv6 /64) gets `perVisitor` at one link, then one a minute; a /48 gets
 * four times that. All addresses together get `perLink` at one link, then one every six seconds. An address
 * without a wrong guess there is exempt from that, unless it can be forged, until the link has had ten times
 * as many wrong guesses (refilled ten times as fast).
 *
 * Key and slug of a link share these limits once this process has opened the link for anybody.
 *
 * Unknown links: each address gets 20 × `perVisitor`, then one every three seconds, and a /48 four times
 * that. Beyond that it may open only the links that it has opened before, so that hits and misses look the
 * same. Requests from pages of other sites count separately, or such a page could keep its reader out of new
 * links.
 */
export function createGuesses (perVisitor: number, perLink: number) {
  const byVisitor = createVisitorLimit(perVisitor, MINUTE_MS)
  const byLink = createRateLimit(perLink, LINK_INTERVAL_MS)
  const byNewcomers = createRateLimit(perLink * NEWCOMER_FACTOR, LINK_INTERVAL_MS / NEWCOMER_FACTOR)
  const unknown = createVisitorLimit(perVisitor * UNKNOWN_FACTOR, MINUTE_MS / UNKNOWN_FACTOR)
  /** the key of a link by its slug, so that both share one limit */
  const aliases = new Map<string, string>()
  const opened = new Set<string>()

  const linkOf = (name: string): string => aliases.get(name) ?? name
  const pageOf = (isEmbedded: boolean): string => isEmbedded ? 'embedded' : ''
  const entryOf = (address: string, name: string): string => `${address} ${linkOf(name)}`
  return {
    /** Remembers that these two names are one link. */
    alias: (slugName: string, keyName: string): void => { aliases.set(slugName, keyName) },

    /** ms until this visitor may guess the password of this link; 0 or less if now. */
    waitForPassword ({ address, isForgeable }: Guesser, name: string): number {
      const link = linkOf(name)
      const isNewcomer = !isForgeable && !byVisitor.has(address, link)
      const ofLink = isNewcomer ? byNewcomers.wait(link) : byLink.wait(link)
      return Math.max(byVisitor.wait(address, link), ofLink)
    },

    /** Counts a password guess before it is tried, or takes it back (-1) if it was not wrong. */
    countPassword ({ address }: Guesser, name: string, guesses: 1 | -1): void {
      const link = linkOf(name)
      byVisitor.count(address, link, guesses)
      byLink.count(link, guesses)
      byNewcomers.count(link, guesses)
    },

    /** Whether this visitor has tried too many unknown links to open one that is new to them. */
    isProbing: ({ address, isEmbedded }: Prober, name: string): boolean =>
      unknown.wait(address, pageOf(isEmbedded)) > 0 && !opened.has(entryOf(address, name)),

    /**
     * Counts a lookup before it is made, unless the visitor has opened this link before. Call the result with
     * the outcome: only unknown links stay counted, and opened ones are remembered.
     */
    countLookup (
      { address, isEmbedded }: Prober, name: string
    ): (outcome: 'unknown' | 'opened' | 'neither') => void {
      const isNew = !opened.has(entryOf(address, name))
      if (isNew) unknown.count(address, pageOf(isEmbedded), 1)
      return outcome => {
        if (isNew && outcome !== 'unknown') unknown.count(address, pageOf(isEmbedded), -1)
        // the key of a slug is known by now
        if (outcome === 'opened') opened.add(entryOf(address, name))
        forgetOldest(opened, MAX_OPENED)
      }
    }
  }
}
