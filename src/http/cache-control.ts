/** How long a response may be cached, and by whom: the one place that decides Cache-Control. */

/**
 * The parts of a response that decide. `isVersioned`: the address changes with the content, so it may be
 * cached for long. `expiresAt` of its link is in ms since 1970.
 */
export type Cacheable = {
  status: number, kind: 'page' | 'data' | 'media' | 'static', isVersioned?: boolean
  share?: { isProtected: boolean, expiresAt?: number }
}

/** how long to cache content that can change under its address */
const SHORT_SECONDS = 300
/** how long to cache content of a protected link, in the visitor's browser alone */
const PROTECTED_SECONDS = 3600
const YEAR_SECONDS = 31_536_000

/**
 * Returns a function that shortens the operator's Cache-Control, of which only scope and max-age are kept
 * then. Infinity keeps it as it is.
 */
function parseCacheControl (header: string) {
  const isUncached = header === '' || /no-store|no-cache/i.test(header)
  const maxAge = Math.min(...[...header.matchAll(/max-?age="?(\d+)/gi)].map(([, seconds]) => Number(seconds)))
  const scope = /\b(public|private)\b/i.exec(header)
  const prefix = scope ? `${scope[0].toLowerCase()}, ` : ''
  return (seconds: number): string => {
    if (isUncached || seconds === Infinity) return header || 'no-cache'
    return `${prefix}max-age=${Math.min(maxAge, seconds)}`
  }
}

/** Other headers by which caches keep something; they only suit media of a link that never expires. */
export const OTHER_CACHE_HEADERS = /^(?!cache-control$).*(?:cache|expires|surrogate|edge)/

/**
 * Returns a function that decides the Cache-Control of a response: never past its link's expiry, and never
 * for a shared cache if the link has a password. `header` is the operator's, which applies to images and
 * videos of open links.
 */
export function createCacheControl (header: string): (response: Cacheable) => string {
  const limited = parseCacheControl(header)
  return ({ status, kind, share, isVersioned }) => {
    if (status >= 400) return 'no-store'
    if (kind === 'static') return isVersioned ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache'
    if (!share) return 'no-store'
    if (kind !== 'media') return share.isProtected ? 'private, no-store' : 'no-cache'
    const exact = share.expiresAt === undefined ? Infinity : (share.expiresAt - Date.now()) / 1000
    // a power of two, because the exact time would tell when the link expires
    const toExpiry = 2 ** Math.floor(Math.log2(Math.max(0, exact)))
    const seconds = Math.max(0, Math.floor(Math.min(toExpiry, isVersioned ? Infinity : SHORT_SECONDS)))
    return share.isProtected ? `private, max-age=${Math.min(PROTECTED_SECONDS, seconds)}` : limited(seconds)
  }
}
