/** Pages and what belongs to them: the gallery, a photo's page, its details, the list, notices. */
import { asText, FEED_TYPE, HTML, JSON_TYPE, type Headers, type Text } from './answer.ts'
import { callerOf, findItem, openLink, sendData, sendPage, sendText } from './exchange.ts'
import type { Exchange, ItemAddress } from './exchange.ts'
import { sendItem } from './handle-media.ts'
import type { Link } from './links.ts'
import { isRefusal, Refusal } from './refusal.ts'
import { linkPath } from './render.ts'
import { cleanAddress, type LinkRef } from './validate.ts'

/** Texts of a link as they were made and compressed, for as long as the link is remembered. */
const made = new WeakMap<Link, Map<string, Text>>()
/** Of one link; more than a few are not asked for but by someone who makes up host names. */
const MOST_MADE = 50

/** The text that `make` makes, once for all who ask for that of the same name. */
function makeOnce (link: Link, name: unknown[], make: () => Text): Text {
  const texts = made.get(link) ?? new Map<string, Text>()
  made.set(link, texts)
  const whole = JSON.stringify(name)
  const text = texts.get(whole) ?? make()
  if (texts.size > MOST_MADE) texts.clear()
  texts.set(whole, text)
  return text
}

export async function showGallery (exchange: Exchange, ref: LinkRef): Promise<void> {
  const { app: { settings, renderer }, visitor, target: { page } } = exchange
  const { link, list } = await openLink(exchange, ref)
  const only = list.items.length === 1 ? list.items[0] : undefined
  if (only && !(only.video ? settings.singleVideoGallery : settings.singleImageGallery)) {
    const picture = only.duration > 0 ? 'fullsize' : 'preview'
    const size = only.video ? 'playback' : picture
    const isSent = await sendItem(exchange, link, only, size).then(() => true, (error: unknown) => {
      // Immich has made no picture of it yet: its page says so, and gives it where it may be taken home
      if (isRefusal(error, 'missing')) return false
      throw error
    })
    if (isSent) return
  }
  const name = [ref, renderer.language(visitor), visitor.base(), page, list.version]
  const at = { visitor, ref, link }
  const text = makeOnce(link, name, () => asText(HTML, renderer.gallery(at, list, page)))
  await sendText(exchange, { status: 200, kind: 'page', link }, text)
}

export async function showPhoto (exchange: Exchange, address: ItemAddress): Promise<void> {
  const { app: { settings, renderer, media }, visitor } = exchange
  const { link, list, item } = await findItem(exchange, address)
  const isCaptioned = link.showMetadata && settings.showMetadata.description
  const details = isCaptioned ? await media.details(link, item, callerOf(exchange)) : undefined
  const html = renderer.photo({ visitor, ref: address, link }, list, item, details)
  await sendPage(exchange, 200, html, { link })
}

/** A stretch of the list, for the script. */
export async function sendItems (exchange: Exchange, address: LinkRef & { stretch: number }): Promise<void> {
  const { link, list } = await openLink(exchange, address)
  const stretch = exchange.app.renderer.items(link, list, address.stretch)
  await sendData(exchange, link, asText(JSON_TYPE, stretch))
}

/** By what a browser tells later which photos are new to it, for the script. */
export async function sendMarks (exchange: Exchange, ref: LinkRef): Promise<void> {
  const { link, list } = await openLink(exchange, ref)
  const make = () => asText(JSON_TYPE, exchange.app.renderer.marks(list))
  await sendData(exchange, link, makeOnce(link, ['marks', list.version], make))
}

/** For picture frames and feed readers, which know no password. */
export async function sendFeed (exchange: Exchange, ref: LinkRef): Promise<void> {
  const { app: { renderer }, visitor, target } = exchange
  const { link, list } = await openLink(exchange, ref)
  if (link.protected) throw new Refusal('missing')
  const feed = renderer.feed({ visitor, ref, link }, list, target.page)
  await sendData(exchange, link, asText(FEED_TYPE, feed))
}

/** What the info panel shows, for the script. */
export async function sendDetails (exchange: Exchange, address: ItemAddress): Promise<void> {
  const { media, renderer } = exchange.app
  const { link, item } = await findItem(exchange, address)
  const details = link.showMetadata ? await media.details(link, item, callerOf(exchange)) : undefined
  const told = details ? renderer.meta(link, details) : {}
  await sendData(exchange, link, asText(JSON_TYPE, JSON.stringify(told)))
}

// -------------------------------------------------------------------------------------------- without a link

export function showHome (exchange: Exchange): Promise<void> {
  const { app: { settings, renderer }, visitor } = exchange
  if (!settings.showHomePage) throw new Refusal('missing')
  return sendPage(exchange, 200, renderer.plain('home', visitor, words => ({ title: words.homeTitle })))
}

/**
 * Robots may read: a preview in a chat is made by one, and the header that keeps pages out of indexes has to
 * be seen to be obeyed.
 */
export const sendRobots = (exchange: Exchange): Promise<void> =>
  sendText(exchange, { status: 200, kind: 'data' }, asText('text/plain', 'User-agent: *\nDisallow:\n'))

/** Where the form was sent to is no page: who reloads it, or goes back to it, comes home. */
export const leadHome = (exchange: Exchange): Promise<void> =>
  sendText(exchange, { status: 303, kind: 'page', headers: { location: '/share' } })

/** As earlier releases did. */
export const leadToItself = (exchange: Exchange, ref: LinkRef): Promise<void> =>
  sendText(exchange, { status: 303, kind: 'page', headers: { location: linkPath(ref) } })

export async function sendHealth (exchange: Exchange): Promise<void> {
  const isWell = !exchange.app.isClosing() && await exchange.app.immich.ping()
  const answer = isWell ? { status: 200 } : { status: 503, headers: { 'retry-after': 10 } }
  await sendText(exchange, { ...answer, kind: 'data' }, asText('text/plain', isWell ? 'ok' : 'unavailable'))
}

/** For what asks for an icon without reading the page; Safari takes no SVG. */
export const sendFavicon = (exchange: Exchange): Promise<void> =>
  sendText(exchange, { status: 200, kind: 'static' }, exchange.app.statics.files.get('icon.png'))

type StaticAddress = { version: string, file: string }
export function sendStatic (exchange: Exchange, { version, file }: StaticAddress): Promise<void> {
  const { statics } = exchange.app
  const text = version === statics.version ? statics.files.get(file) : undefined
  if (!text) throw new Refusal('missing')
  return sendText(exchange, { status: 200, kind: 'static', isVersioned: true }, text)
}

// -------------------------------------------------------------------------------------------------- refusals

/** `next` is where the unlock leads, `problem` the name of a text, `seconds` how long to wait. */
type Form = { ref: LinkRef, next: string, status: number, problem?: string, seconds?: number }
/** The form for a link's password. */
export function showPasswordForm (exchange: Exchange, form: Form): Promise<void> {
  const { ref, next, status, problem = '', seconds = 0 } = form
  const minutes = String(Math.max(1, Math.ceil(seconds / 60)))
  const html = exchange.app.renderer.plain('password', exchange.visitor, words =>
    ({ ...ref, next, title: words.passwordTitle, problem: words[problem]?.replace('{n}', minutes) }))
  return sendPage(exchange, status, html, seconds > 0 ? { headers: { 'retry-after': seconds } } : {})
}

/** A page that says what is the matter, to those who read pages; to others the status says it. */
function showNotice (exchange: Exchange, status: number, name: string, headers: Headers = {}): Promise<void> {
  const { app: { renderer }, visitor } = exchange
  if (!visitor.wantsHtml) return sendText(exchange, { status, kind: 'page', headers })
  const html = renderer.plain('notice', visitor, words =>
    ({ title: words[`${name}Title`], text: words[`${name}Text`], isPassing: name !== 'notFound' }))
  return sendPage(exchange, status, html, { headers })
}

/** What a Refusal leads to. `ref` is the link whose password may be asked for, where it has one. */
export function answerRefusal (exchange: Exchange, { reason, message }: Refusal, ref?: LinkRef): unknown {
  const { app: { log, settings: { customInvalidResponse: custom } }, response, target } = exchange
  if (response.headersSent) return response.destroy()
  if (message) log[reason === 'withheld' ? 'warn' : 'debug']('refused', { reason: message })
  if (reason === 'locked' && ref) {
    return showPasswordForm(exchange, { ref, next: target.path, status: 200, ...target })
  }
  const isFailure = reason === 'unreachable' || reason === 'failed'
  if (isFailure) return showNotice(exchange, 503, 'unavailable', { 'retry-after': 10 })
  if (reason === 'limited') return showNotice(exchange, 429, 'busy', { 'retry-after': 60 })
  if (reason === 'busy') return showNotice(exchange, 503, 'busy', { 'retry-after': 5 })
  // this tells nothing of what was asked for: it is by the look of the address alone
  const clean = exchange.request.method === 'GET' ? cleanAddress(target.path) : undefined
  if (clean) return sendText(exchange, { status: 301, kind: 'page', headers: { location: clean } })
  // what everybody gets who asks for what is not there for them, whatever the reason
  if (custom === null) return response.destroy()
  if (custom === false) return showNotice(exchange, 404, 'notFound')
  if (typeof custom === 'number') return sendText(exchange, { status: custom, kind: 'page' })
  return sendText(exchange, { status: 302, kind: 'page', headers: { location: custom } })
}
