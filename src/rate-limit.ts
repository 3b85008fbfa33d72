/** Rate limits by name, which refill steadily. */
import { forgetOldest } from './memory-cache.ts'
import { wideNetwork } from './visitor-address.ts'

/** beyond that, the name that was counted longest ago is forgotten */
const MAX_NAMES = 100_000
/** the /64s of one /48 together get this multiple of one visitor's limit */
const NETWORK_FACTOR = 4

/** in whole ms: with fractions, adding and then subtracting may not restore the value */
const wholeNow = (): number => Math.floor(performance.now())

/**
 * A rate limit by name that refills steadily (the generic cell rate algorithm): `burst` at once, then one
 * more every `interval` ms. Each name costs one number, until it is taken back or `MAX_NAMES` newer ones push
 * it out.
 */
export function createRateLimit (burst: number, interval: number, now = wholeNow) {
  /** by name: when all guesses are free again */
  const freeAt = new Map<string, number>()
  const end = (name: string): number => freeAt.get(name) ?? 0
  return {
    /** Whether any guess is still counted. */
    has: (name: string): boolean => end(name) > now(),
    /** ms until the next guess is free; 0 or less if it is free now. */
    wait: (name: string): number => end(name) - (burst - 1) * interval - now(),
    /** Counts a guess, or takes one back. */
    count (name: string, guesses: 1 | -1 = 1): void {
      const next = Math.max(end(name), now()) + guesses * interval
      freeAt.delete(name)
      if (next > now()) freeAt.set(name, next)
      forgetOldest(freeAt, MAX_NAMES)
    }
  }
}

/**
 * A rate limit for each visitor's address, and one four times as large for all IPv6 /64s of one /48, which
 * one customer may have. `about` names what is limited, such as a link: each has a count of its own.
 */
export function createVisitorLimit (burst: number, interval: number) {
  const visitors = createRateLimit(burst, interval)
  const networks = createRateLimit(burst * NETWORK_FACTOR, interval / NETWORK_FACTOR)
  const namesOf = (address: string, about: string) =>
    [`${address} ${about}`, `${wideNetwork(address)} ${about}`] as const
  return {
    has: (address: string, about: string): boolean => visitors.has(namesOf(address, about)[0]),
    wait (address: string, about: string): number {
      const [visitor, network] = namesOf(address, about)
      return Math.max(visitors.wait(visitor), networks.wait(network))
    },
    count (address: string, about: string, guesses: 1 | -1): void {
      const [visitor, network] = namesOf(address, about)
      visitors.count(visitor, guesses)
      networks.count(network, guesses)
    }
  }
}
