/**
 * The password form: proves a password to Immich, within the limits on wrong guesses, and seals the unlock.
 */
import { readForm, sendText, type Exchange } from './exchange.ts'
import { showPasswordForm } from './handle-pages.ts'
import type { LinkInfo } from './immich-json.ts'
import { isRefusal, Refusal } from './refusal.ts'
import { linkPath } from './render.ts'
import type { Settings } from './settings.ts'
import { cookieName, createGuessLimit, UNLOCK_SECONDS } from './unlock.ts'
import { parseLinkRef, parsePassword, type LinkRef, type Token } from './validate.ts'

/** Bytes of a form that holds a link and a password. */
const FORM_BYTES = 4096
/** ms until one more guess: by one visitor at one link, and by all visitors at one link. */
const VISITOR_INTERVAL = 60_000
const LINK_INTERVAL = 6_000

export const createUnlockLimits = ({ limits }: Settings) => ({
  byVisitor: createGuessLimit(limits.guessesPerVisitor, VISITOR_INTERVAL),
  byLink: createGuessLimit(limits.guessesPerLink, LINK_INTERVAL)
})

export async function unlock (exchange: Exchange): Promise<void> {
  const { app, visitor } = exchange
  const form = await readForm(exchange, FORM_BYTES)
  const ref = parseLinkRef(form.get('key'), form.get('slug'))
  if (!ref || ('slug' in ref && !app.settings.allowSlugLinks)) throw new Refusal('missing')
  const password = parsePassword(form.get('password'))
  if (!password) return showPasswordForm(exchange, ref, 401, 'wrongPassword')
  const link = app.log.nameOf(ref)
  const counters = countersFor(exchange, link)
  const wait = Math.max(...counters.map(({ limit, name }) => limit.wait(name)))
  if (wait > 0) {
    app.log.warn('unlock refused', { address: visitor.address, link, reason: 'too many' })
    return showPasswordForm(exchange, ref, 429, 'tooMany', Math.ceil(wait / 1000))
  }
  // counted before it is asked, or many at once would all be free
  for (const { limit, name } of counters) limit.count(name, 1)
  const unlocked = await app.links.unlock(ref, password, visitor.address).catch((error: Error) => error)
  if (isRefusal(unlocked, 'locked')) {
    app.log.warn('unlock refused', { address: visitor.address, link, reason: 'wrong password' })
    return showPasswordForm(exchange, ref, 401, 'wrongPassword')
  }
  for (const { limit, name } of counters) limit.count(name, -1)
  if (unlocked instanceof Error) throw unlocked
  app.log.info('unlocked', { address: visitor.address, link })
  const cookies = cookiesFor(exchange, unlocked.link, unlocked.token)
  const headers = { location: linkPath(ref), 'set-cookie': cookies }
  await sendText(exchange, { status: 303, kind: 'page', headers })
}

/** What a wrong guess counts against. */
const countersFor = ({ app: { guesses }, visitor }: Exchange, link: string) => [
  { limit: guesses.byLink, name: link }, { limit: guesses.byVisitor, name: `${visitor.address} ${link}` }
]

/** One for the key, which media addresses carry, and one for the slug where the link has one. */
function cookiesFor ({ app, visitor }: Exchange, { key, slug }: LinkInfo, token: Token): string[] {
  const secure = visitor.secure() ? '; Secure' : ''
  const manner = `Path=/; Max-Age=${UNLOCK_SECONDS}; HttpOnly; SameSite=Lax${secure}`
  const refs: LinkRef[] = slug ? [{ key }, { slug }] : [{ key }]
  return refs.map(ref => `${cookieName(ref)}=${app.seal.seal(ref, token)}; ${manner}`)
}
