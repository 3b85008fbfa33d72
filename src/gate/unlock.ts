/**
 * Passwords: checks one with Immich, and seals Immich's token into a cookie.
 *
 * The cookie holds Immich's own token for the link, never the password, and opens exactly the link it was
 * sealed for (AES-256-GCM, with the link as additional data). Nothing is stored here, so every replica with
 * the same IPP_SECRET can open it. Immich checks the token at every lookup, so changing a password ends the
 * unlock within a minute.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, type KeyObject } from 'node:crypto'
import { CALLS, type Immich } from '../immich.ts'
import { Refusal } from '../refusal.ts'
import { parseToken, type LinkAddress, type Password, type Token } from '../validate.ts'
import { parseLink, parseLoginCookie, parseMessage, type Link } from './immich-json.ts'

const UNLOCK_SECONDS = 3600
/** how far the clocks of two replicas may differ */
const MAX_CLOCK_SKEW_MS = 60_000
/** browsers accept a cookie of this name over https only (RFC 6265bis section 4.1.3) */
const SECURE_PREFIX = '__Secure-'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** ms since 1970, from a clock that never jumps while the process runs */
const steadyNow = (): number => performance.timeOrigin + performance.now()

/** A name for a link, different for each key and slug. */
export const linkId = (link: LinkAddress): string => 'key' in link ? `key:${link.key}` : `slug:${link.slug}`

/** The name of the cookie that unlocks this link, without its prefix. Keys and slugs never share a name. */
export const cookieName = (link: LinkAddress): string =>
  `ipp_${createHash('sha256').update(linkId(link)).digest('base64url').slice(0, 16)}`

type Seal = ReturnType<typeof createSeal>
/** Seals and opens unlock cookies: nonce, tag, then the encrypted time of the unlock and the token. */
export function createSeal (key: KeyObject, now = steadyNow) {
  function decrypt (link: LinkAddress, sealed: Buffer): string {
    const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    const options = { authTagLength: TAG_BYTES }
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), options)
      .setAAD(Buffer.from(linkId(link))).setAuthTag(tag)
    const text = sealed.subarray(NONCE_BYTES + TAG_BYTES)
    return decipher.update(text, undefined, 'utf8') + decipher.final('utf8')
  }
  return {
    /** A cookie value that `open` turns back into `token`, for this link and for an hour. */
    seal (link: LinkAddress, token: Token): string {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(linkId(link)))
      const sealed = Buffer.concat([cipher.update(`${Math.floor(now())} ${token}`, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
    },

    /** The token; undefined if the cookie is missing, forged, expired, postdated or for another link. */
    open (link: LinkAddress, cookies: ReadonlyMap<string, string>): Token | undefined {
      // most visitors have none, and a name costs a hash
      if (cookies.size === 0) return undefined
      const name = cookieName(link)
      const cookie = cookies.get(`${SECURE_PREFIX}${name}`) ?? cookies.get(name)
      if (!cookie) return undefined
      // throws at anything that was not sealed here for this link
      try {
        const [unlockedAt, token] = decrypt(link, Buffer.from(cookie, 'base64url')).split(' ')
        const age = now() - Number(unlockedAt)
        return age >= -MAX_CLOCK_SKEW_MS && age < UNLOCK_SECONDS * 1000 ? parseToken(token) : undefined
      } catch { return undefined }
    }
  }
}

type Proof = { link: Link, token: Token }
/**
 * Checks a password at Immich. Throws a Refusal: `locked` if it is wrong, `missing` if the link is unknown or
 * has no password, failed, unreachable, busy.
 */
export async function checkPassword (
  immich: Immich, address: LinkAddress, password: Password, lane: string
): Promise<Proof> {
  const login = CALLS.login(address, password)
  const first = await immich.askJson(login, {}, { lane })
  const response = first.status !== 404 ? first
    : await immich.askJson(CALLS.loginByQuery(address, password), {}, { lane })
  if (parseMessage(response.value) === 'Password required') throw new Refusal('missing', 'password ignored')
  return immich.accept(login.path, response, (value, headers) => {
    const link = parseLink(value)
    const token = parseLoginCookie(headers.getSetCookie())
    if (link && !token) throw new Refusal('missing', 'a link without a password')
    return link && token && { link, token }
  })
}

/** Set-Cookie lines: one for the key, which media addresses carry, and one for the slug if there is one. */
export function cookieLines (seal: Seal, { link: { key, slug }, token }: Proof, isHttps: boolean): string[] {
  const line = (address: LinkAddress, path: string) =>
    `${isHttps ? SECURE_PREFIX : ''}${cookieName(address)}=${seal.seal(address, token)}; Path=${path}; ` +
    `Max-Age=${UNLOCK_SECONDS}; HttpOnly; SameSite=Lax${isHttps ? '; Secure' : ''}`
  return [line({ key }, '/share'), ...slug ? [line({ slug }, '/s')] : []]
}
