/** Responses that belong to no link: home, health, robots, icons and static files. */
import { createText, PLAIN } from '../http/compression.ts'
import type { Reply } from '../http/reply.ts'
import { Refusal } from '../refusal.ts'
import { cardReply, redirect, type Context, type PathParts } from './context.ts'

export function showHome (context: Context): Reply {
  const { app: { settings, renderer } } = context
  if (!settings.showHomePage) throw new Refusal('missing')
  return cardReply(context, 200, ['home'], language =>
    renderer.card('home', language, renderer.words(language).homeTitle ?? '', {}))
}

/** For a visitor who opens the address to which the password form is sent. */
export const redirectHome = (): Reply => redirect(303, '/share')

const OK = createText(PLAIN, 'ok')
const UNAVAILABLE = createText(PLAIN, 'unavailable')
const healthReply = (isWell: boolean): Reply => isWell ? { status: 200, kind: 'data', content: OK }
  : { status: 503, kind: 'data', headers: { 'retry-after': 10 }, content: UNAVAILABLE }

/** Readiness: whether Immich answers, and this process is not about to end. */
export const sendHealth = async ({ app }: Context): Promise<Reply> =>
  healthReply(!app.isClosing() && await app.gate.isReachable())

/** Liveness: whether this process answers, without asking Immich. */
export const sendAlive = (): Reply => healthReply(true)

const ROBOTS = createText(PLAIN, 'User-agent: *\nDisallow:\n')
/** Robots may read: chats' previews come from robots, and a robot must read X-Robots-Tag to obey it. */
export const sendRobots = (): Reply => ({ status: 200, kind: 'data', content: ROBOTS })

/** For programs that request an icon without reading the page; Safari takes no SVG. */
export const sendIcon = (context: Context): Reply =>
  staticReply(context, 'icon.png', false)

/** An address with an older or newer version gets the current file, which browsers revalidate each time. */
export function sendStatic (context: Context, { version = '', file = '' }: PathParts): Reply {
  if (!/^[\da-f]{12}$/.test(version)) throw new Refusal('missing')
  return staticReply(context, file, version === context.app.statics.version)
}

function staticReply ({ app }: Context, name: string, isVersioned: boolean): Reply {
  const content = app.statics.files.get(name)
  if (!content) throw new Refusal('missing')
  return { status: 200, kind: 'static', isVersioned, content }
}
