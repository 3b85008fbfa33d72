/**
 * The password form: proves a password to Immich, within the limits on wrong guesses, and seals the unlock.
 */
import { readForm, sendText, type Exchange } from './exchange.ts'
import { showPasswordForm } from './handle-pages.ts'
import type { LinkInfo } from './immich-json.ts'
import { isRefusal, Refusal } from './refusal.ts'
import { linkPath } from './render.ts'
import type { Settings } from './settings.ts'
import { cookieName, createGuessLimit, SECURE, UNLOCK_SECONDS } from './unlock.ts'
import { parseLinkRef, ownPath, parsePassword, wideNetwork } from './validate.ts'
import type { LinkRef, Token } from './validate.ts'

/** Bytes of a form that holds a link and a password. */
const FORM_BYTES = 4096
/** ms until one more guess: by one visitor at one link, by all visitors at one link. */
const VISITOR_INTERVAL = 60_000
const LINK_INTERVAL = 6_000
/**
 * Unknown links that one address may try, in times of wrong passwords: a page that ended asks for many
 * pictures.
 */
const UNKNOWN = 20
/** The /64s of one /48 together have so many times the guesses of one. */
const WIDER = 4

export const createUnlockLimits = ({ limits }: Settings) => ({
  byVisitor: createGuessLimit(limits.guessesPerVisitor, VISITOR_INTERVAL),
  byNetwork: createGuessLimit(limits.guessesPerVisitor * WIDER, VISITOR_INTERVAL / WIDER),
  byLink: createGuessLimit(limits.guessesPerLink, LINK_INTERVAL),
  unknown: createGuessLimit(limits.guessesPerVisitor * UNKNOWN, VISITOR_INTERVAL / UNKNOWN),
  /** the names of links that are known under two, as a right password has told */
  aliases: new Map<string, string>()
})

export async function unlock (exchange: Exchange): Promise<void> {
  const { app, visitor } = exchange
  if (visitor.isForeign) throw new Refusal('missing')
  const form = await readForm(exchange, FORM_BYTES)
  const ref = parseLinkRef(form.get('key'), form.get('slug'))
  if (!ref || ('slug' in ref && !app.settings.allowSlugLinks)) throw new Refusal('missing')
  const back = { ref, next: ownPath(form.get('next'), ref) ?? linkPath(ref) }
  const password = parsePassword(form.get('password'))
  if (!password) return refuse(exchange, back, 401, 'wrongPassword')
  const link = app.log.nameOf(ref)
  const wait = waitOf(exchange, link)
  if (wait > 0) {
    app.log.warn('unlock refused', { address: visitor.address, link, reason: 'too many' })
    return refuse(exchange, back, 429, 'tooMany', Math.ceil(wait / 1000))
  }
  // counted before it is asked, or many at once would all be free
  count(exchange, link, 1)
  const unlocked = await app.links.unlock(ref, password, visitor.address).catch((error: Error) => error)
  if (isRefusal(unlocked, 'locked')) {
    app.log.warn('unlock refused', { address: visitor.address, link, reason: 'wrong password' })
    return refuse(exchange, back, 401, 'wrongPassword')
  }
  count(exchange, link, -1)
  if (unlocked instanceof Error) throw unlocked
  app.log.info('unlocked', { address: visitor.address, link })
  const { key, slug } = unlocked.link
  if (slug) app.guesses.aliases.set(app.log.nameOf({ slug }), app.log.nameOf({ key }))
  const headers = { location: back.next, 'set-cookie': cookiesFor(exchange, unlocked) }
  await sendText(exchange, { status: 303, kind: 'page', headers })
}

/** What a wrong guess counts against, by name. */
function countersOf ({ app: { guesses }, visitor: { address } }: Exchange, link: string) {
  const one = guesses.aliases.get(link) ?? link
  return { link: one, visitor: `${address} ${one}`, network: `${wideNetwork(address)} ${one}` }
}

/**
 * ms until a guess. Wrong ones of others keep nobody out who has not guessed himself, unless he could have
 * chosen his address.
 */
function waitOf (exchange: Exchange, name: string): number {
  const { byVisitor, byNetwork, byLink } = exchange.app.guesses
  const { link, visitor, network } = countersOf(exchange, name)
  const isOwn = exchange.visitor.isCertain && !byVisitor.has(visitor)
  const ofLink = isOwn ? 0 : byLink.wait(link)
  return Math.max(byVisitor.wait(visitor), byNetwork.wait(network), ofLink)
}

function count (exchange: Exchange, name: string, guesses: 1 | -1): void {
  const { byVisitor, byNetwork, byLink } = exchange.app.guesses
  const { link, visitor, network } = countersOf(exchange, name)
  byVisitor.count(visitor, guesses)
  byNetwork.count(network, guesses)
  byLink.count(link, guesses)
}

type Back = { ref: LinkRef, next: string }
/** Back to where the form was, where Back and reload work; to programs, the status. */
function refuse (
  exchange: Exchange, back: Back, status: number, problem: string, seconds = 0
): Promise<void> {
  if (!exchange.visitor.wantsHtml) {
    return showPasswordForm(exchange, { ...back, status, problem, seconds })
  }
  const location = `${back.next}?problem=${problem}`
  return sendText(exchange, { status: 303, kind: 'page', headers: { location } })
}

type Unlocked = { link: LinkInfo, token: Token }
/** One for the key, which media addresses carry, and one for the slug where the link has one. */
function cookiesFor ({ app, visitor }: Exchange, { link: { key, slug }, token }: Unlocked): string[] {
  const isSecure = visitor.secure()
  const cookie = (ref: LinkRef, path: string) =>
    `${isSecure ? SECURE : ''}${cookieName(ref)}=${app.seal.seal(ref, token)}; Path=${path}; ` +
    `Max-Age=${UNLOCK_SECONDS}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
  return [cookie({ key }, '/share'), ...slug ? [cookie({ slug }, '/s')] : []]
}
