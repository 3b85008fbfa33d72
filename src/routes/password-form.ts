/** Takes the password form, unlocks the link, and leads the visitor to it or back to the form. */
import { parseReturnPath } from '../form.ts'
import { text } from '../json.ts'
import { isRefusal, Refusal } from '../refusal.ts'
import { linkPath } from '../urls.ts'
import { parseLinkAddress, parsePassword, type LinkAddress } from '../validate.ts'
import type { Reply } from '../http/reply.ts'
import { readForm, redirect, type Context } from './context.ts'
import { keepsCookies, passwordForm, type Form } from './error-pages.ts'

/** bytes of a form with a link and a password */
const MAX_FORM_BYTES = 4096

/**
 * Handles the form: sets the cookies and leads to the link (303), or back to the form with a reason (401,
 * 429). Throws a Refusal.
 */
export async function unlock (context: Context): Promise<Reply> {
  const { app: { settings }, visitor } = context
  if (visitor.isCrossSite) throw new Refusal('missing')
  const form = await readForm(context, MAX_FORM_BYTES)
  const link = parseLinkAddress(form.get('key'), form.get('slug'))
  if (!link || ('slug' in link && !settings.allowSlugLinks)) throw new Refusal('missing')
  const next = parseReturnPath(form.get('next'), link) ?? linkPath(link)
  const again = { link, next }
  try {
    const cookies = await tryPasswords(context, link, text(form.get('password')))
    const dropsCookies = visitor.wantsHtml && !keepsCookies(context)
    const location = dropsCookies ? `${next}?problem=cookiesOff` : next
    return { status: 303, kind: 'page', headers: { location, 'set-cookie': cookies } }
  } catch (error) {
    if (isRefusal(error, 'locked')) {
      return tryAgain(context, { ...again, status: 401, problem: 'wrongPassword' })
    }
    const seconds = error instanceof Refusal ? error.retryAfter : undefined
    if (seconds === undefined) throw error
    return tryAgain(context, { ...again, status: 429, problem: 'tooMany', seconds })
  }
}

/** The end of a label such as "Password: ", which may follow the link's address. */
const LABEL = /:\s|：/

/**
 * Tries the text without the spaces that pasting adds, then as typed, then as what Immich's dialog copies.
 * Throws like the gate's `unlock`.
 */
async function tryPasswords ({ app, visitor }: Context, link: LinkAddress, typed: string): Promise<string[]> {
  const trimmed = typed.trim()
  const label = LABEL.exec(trimmed)
  const labelled = label && trimmed.slice(label.index + label[0].length).trim()
  const passwords = [...new Set([trimmed, typed, labelled])].flatMap(text => parsePassword(text) ?? [])
  let refusal = new Refusal('locked')
  for (const password of passwords) {
    try {
      return await app.gate.unlock(link, password, visitor)
    } catch (error) {
      if (!(error instanceof Refusal) || error.reason !== 'locked') throw error
      refusal = error
    }
  }
  throw refusal
}

/** Sends browsers back to the form's address, so that Back and reload work there; programs get the status. */
function tryAgain (context: Context, form: Form): Reply {
  if (!context.visitor.wantsHtml) return passwordForm(context, form)
  return redirect(303, `${form.next}?problem=${form.problem}`)
}
