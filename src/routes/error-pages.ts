/** Responses to refused requests: the password form, or a page that says what is wrong. */
import { createText, PLAIN } from '../http/compression.ts'
import type { Headers, Reply } from '../http/reply.ts'
import { isRefusal, type Refusal } from '../refusal.ts'
import type { LinkAddress } from '../validate.ts'
import { cardReply, redirect, type Context } from './context.ts'
import { mendPath } from '../pasted-address.ts'

/** `next` is the path after the unlock, `problem` names a text, `seconds` is how long to wait. */
export type Form = { link: LinkAddress, next: string, status: number, problem?: string, seconds?: number }

/** A test cookie, sent with the form: a browser that does not return it cannot stay unlocked. */
const COOKIE_TEST = 'ipp=1; Path=/share; Max-Age=3600; HttpOnly; SameSite=Lax'
/** Whether the browser has returned the test cookie. */
export const keepsCookies = ({ visitor }: Context): boolean => visitor.cookies.has('ipp')

/** The form for a link's password. */
export function passwordForm (context: Context, form: Form): Reply {
  const { link, next, status, problem = '', seconds = 0 } = form
  const { renderer } = context.app
  const minutes = String(Math.max(1, Math.ceil(seconds / 60)))
  const headers = { 'set-cookie': COOKIE_TEST, ...seconds > 0 && { 'retry-after': seconds } }
  return cardReply(context, status, ['password', link, next, problem, minutes], language => {
    const words = renderer.words(language)
    const text = words[problem]?.replace('{n}', minutes)
    return renderer.card('password', language, words.passwordTitle ?? '',
      { ...link, next, ...text && { problem: text } })
  }, headers)
}

/** One line for programs; browsers get a page. */
const NOTICES = { notFound: 'not found', unavailable: 'unavailable', busy: 'busy' }
type Notice = keyof typeof NOTICES

/** A page that says what is wrong. Programs, which read no pages, get one line. */
function noticeReply (context: Context, status: number, notice: Notice, headers: Headers = {}): Reply {
  const { renderer } = context.app
  if (!context.visitor.wantsHtml) {
    return { status, kind: 'page', headers, content: createText(PLAIN, `${NOTICES[notice]}\n`) }
  }
  return cardReply(context, status, ['notice', notice], language => {
    const words = renderer.words(language)
    const text = words[`${notice}Text`] ?? ''
    const title = words[`${notice}Title`] ?? ''
    return renderer.card('notice', language, title, { text, isTemporary: notice !== 'notFound' })
  }, headers)
}

/** The same response for everything that this visitor cannot have; undefined closes the connection. */
function missingReply (context: Context): Reply | undefined {
  const { customInvalidResponse: custom } = context.app.settings
  // this depends on the address alone, so it reveals nothing
  const mended = context.request.method === 'GET' ? mendPath(context.target.path) : undefined
  if (mended) return redirect(301, mended)
  if (custom === null) return undefined
  if (custom === false) return noticeReply(context, 404, 'notFound')
  if (typeof custom === 'number') return { status: custom, kind: 'page' }
  return redirect(302, custom)
}

/**
 * The response to a refusal; undefined closes the connection (`customInvalidResponse: null`). Give `link` if
 * its password form may be shown here; programs that fetch a file get the same as for an unknown link.
 */
export function refusalReply (context: Context, refusal: Refusal, link?: LinkAddress): Reply | undefined {
  const { log } = context.app
  const { reason, message, retryAfter } = refusal
  if (reason === 'withheld') log.warn('refused', { reason: message })
  if (reason === 'locked' && link) {
    const { path, problem } = context.target
    return passwordForm(context, { link, next: path, status: 200, ...problem && { problem } })
  }
  if (isRefusal(refusal, 'unreachable') || isRefusal(refusal, 'failed')) {
    return noticeReply(context, 503, 'unavailable', { 'retry-after': 10 })
  }
  if (reason === 'limited') return noticeReply(context, 429, 'busy', { 'retry-after': retryAfter ?? 60 })
  if (reason === 'busy') return noticeReply(context, 503, 'busy', { 'retry-after': 5 })
  return missingReply(context)
}
