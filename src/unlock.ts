/**
 * Passwords: the sealed cookie that says a visitor has given the right one, and the limit on wrong ones.
 *
 * The cookie holds Immich's own token for the link, never the password, and opens for exactly the link it was
 * sealed for: AES-256-GCM with the link as additional data. Nothing is kept here, so any replica with the
 * same IPP_SECRET opens it. That Immich still takes the token is asked of Immich with every lookup, so a
 * changed password ends it.
 */
import {
  createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, randomBytes, type KeyObject
} from 'node:crypto'
import { parseToken, type LinkRef, type Token } from './validate.ts'

/** What a key is for. A key of one purpose tells nothing of another's (RFC 5869). */
type Purpose = 'unlock cookie' | 'entity tag' | 'link in the log'
export type Keys = (purpose: Purpose) => KeyObject

/** An empty `secret` means a random one, which ends with this process. */
export function createKeys (secret: string): Keys {
  const material = secret === '' ? randomBytes(32) : secret
  const derive = (purpose: Purpose) => hkdfSync('sha256', material, 'immich-public-proxy', purpose, 32)
  return purpose => createSecretKey(Buffer.from(derive(purpose)))
}

/** Seconds that an unlock lasts. */
export const UNLOCK_SECONDS = 3600
/** ms of the future that a cookie may be from: what the clocks of two replicas may differ by. */
const CLOCKS_DIFFER = 60_000
export const SECURE = '__Secure-'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** ms since 1970 by a clock that does not jump: set once when the process starts, steady from then on. */
const steadyNow = (): number => performance.timeOrigin + performance.now()

const bound = (link: LinkRef): string => 'key' in link ? `key:${link.key}` : `slug:${link.slug}`

/**
 * The name of the cookie that unlocks this link; with a prefix (RFC 6265bis section 4.1.3) where it came by
 * https.
 */
export const cookieName = (link: LinkRef): string =>
  `ipp_${createHash('sha256').update(bound(link)).digest('base64url').slice(0, 16)}`

/** Seals and opens unlock cookies: nonce, tag, then the time of the unlock and the token, sealed. */
export function createSeal (key: KeyObject, now = steadyNow) {
  function unseal (link: LinkRef, bytes: Buffer): string {
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    const sealed = bytes.subarray(NONCE_BYTES + TAG_BYTES)
    const options = { authTagLength: TAG_BYTES }
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), options)
      .setAAD(Buffer.from(bound(link))).setAuthTag(tag)
    return decipher.update(sealed, undefined, 'utf8') + decipher.final('utf8')
  }
  return {
    /** A cookie value that `open` turns into `token` for this link and this hour. */
    seal (link: LinkRef, token: Token): string {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(bound(link)))
      const sealed = Buffer.concat([cipher.update(`${Math.floor(now())} ${token}`, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
    },

    /**
     * The token; undefined where the cookie is missing, forged, of another link, too old, or of the future.
     */
    open (link: LinkRef, cookies: Map<string, string>): Token | undefined {
      // most visitors have none, and a name costs a hash
      if (cookies.size === 0) return undefined
      const name = cookieName(link)
      const cookie = cookies.get(`${SECURE}${name}`) ?? cookies.get(name)
      if (!cookie) return undefined
      // throws at what was not sealed here, for this link, or is too short to be anything
      try {
        const [since, token] = unseal(link, Buffer.from(cookie, 'base64url')).split(' ')
        const age = now() - Number(since)
        return age >= -CLOCKS_DIFFER && age < UNLOCK_SECONDS * 1000 ? parseToken(token) : undefined
      } catch { return undefined }
    }
  }
}

/** Whole ms, for in fractions a sum and its difference need not be equal. */
const wholeNow = (): number => Math.floor(performance.now())
/** Names beyond which those whose guesses are all free again are forgotten. */
const MANY_NAMES = 10_000

/**
 * A limit on wrong guesses that refills steadily (the generic cell rate algorithm): `burst` at once, then one
 * more every `interval` ms. Count a guess before asking Immich, and take back what turned out to be no wrong
 * one, so that only wrong ones are ever remembered, each name as one number.
 */
export function createGuessLimit (burst: number, interval: number, now = wholeNow) {
  /** by name: when all guesses are free again */
  const freeAt = new Map<string, number>()
  return {
    /** Whether any wrong guess is remembered. */
    has: (name: string): boolean => (freeAt.get(name) ?? 0) > now(),
    /** ms until a guess is free; 0 or less where one is. */
    wait: (name: string): number => (freeAt.get(name) ?? 0) - (burst - 1) * interval - now(),
    count (name: string, guesses: 1 | -1): void {
      const next = Math.max(freeAt.get(name) ?? 0, now()) + guesses * interval
      if (next > now()) freeAt.set(name, next)
      else freeAt.delete(name)
      if (freeAt.size > MANY_NAMES) for (const [old, end] of freeAt) if (end <= now()) freeAt.delete(old)
    }
  }
}
