/**
 * Passwords: the sealed cookie that says a visitor has given the right one, and the limit on wrong ones.
 *
 * The cookie holds Immich's own token for the link, never the password, and opens for exactly the link it was
 * sealed for: AES-256-GCM with the link as additional data. Nothing is kept here, so any replica with the
 * same IPP_SECRET opens it. That Immich still takes the token is asked of Immich with every lookup, so a
 * changed password ends it.
 */
import {
  createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, randomBytes
} from 'node:crypto'
import { parseToken, type LinkRef, type Token } from './validate.ts'

/** Seconds that an unlock lasts. */
export const UNLOCK_SECONDS = 3600
/** ms since 1970 by a clock that does not jump: set once when the process starts, steady from then on. */
const steadyNow = (): number => performance.timeOrigin + performance.now()

const bound = (link: LinkRef): string => 'key' in link ? `key:${link.key}` : `slug:${link.slug}`

/** The name of the cookie that unlocks this link. */
export const cookieName = (link: LinkRef): string =>
  `ipp_${createHash('sha256').update(bound(link)).digest('base64url').slice(0, 16)}`

/** Seals and opens unlock cookies. An empty `secret` means a random one, which ends with this process. */
export function createSeal (secret: string, now = steadyNow) {
  const key = createSecretKey(secret === '' ? randomBytes(32)
    : Buffer.from(hkdfSync('sha256', secret, 'immich-public-proxy', 'unlock cookie', 32)))
  return {
    /** A cookie value that `open` turns into `token` for this link and this hour. */
    seal (link: LinkRef, token: Token): string {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(bound(link)))
      const sealed = Buffer.concat([cipher.update(`${Math.floor(now())} ${token}`, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    /**
     * The token, or undefined where the cookie is missing, forged, of another link, too old, or of the
     * future.
     */
    open (link: LinkRef, cookies: Map<string, string>): Token | undefined {
      if (cookies.size === 0) return undefined
      const bytes = Buffer.from(cookies.get(cookieName(link)) ?? '', 'base64url')
      if (bytes.length < 30) return undefined
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
          .setAAD(Buffer.from(bound(link))).setAuthTag(bytes.subarray(12, 28))
        const plain = decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final('utf8')
        const [since, token] = plain.split(' ')
        const age = now() - Number(since)
        // a minute of the future is what the clocks of two replicas may differ by
        return age >= -60_000 && age < UNLOCK_SECONDS * 1000 ? parseToken(token) : undefined
      } catch { return undefined }
    }
  }
}

/** Whole ms, for in fractions a sum and its difference need not be equal. */
const wholeNow = (): number => Math.floor(performance.now())

/**
 * A limit on wrong guesses that refills steadily (the generic cell rate algorithm): `burst` at once, then one
 * more every `interval` ms. Count a guess before asking Immich, and take back what turned out to be no wrong
 * one, so that only links that exist and are locked are ever remembered, each as one number.
 */
export function createGuessLimit (burst: number, interval: number, now = wholeNow) {
  const until = new Map<string, number>()
  return {
    /** ms until a guess is free; 0 or less where one is. */
    wait: (id: string): number => (until.get(id) ?? 0) - (burst - 1) * interval - now(),
    count (id: string, guesses: 1 | -1): void {
      const at = now()
      const next = Math.max(until.get(id) ?? 0, at) + guesses * interval
      if (next > at) until.set(id, next)
      else until.delete(id)
      if (until.size > 10_000) for (const [old, end] of until) if (end <= at) until.delete(old)
    }
  }
}
