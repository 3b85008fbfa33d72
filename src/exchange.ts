/** One request with all that belongs to it, and the two ways from an address to what a link shares. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asText, HTML, send, type Answer, type Headers, type Text } from './answer.ts'
import type { Caller } from './immich.ts'
import type { Item } from './immich-json.ts'
import type { Link, List } from './links.ts'
import { isRefusal, Refusal } from './refusal.ts'
import type { App } from './server.ts'
import { parseForm, type AssetId, type LinkRef, type Target, type Visitor } from './validate.ts'

export type Exchange = {
  app: App, request: IncomingMessage, response: ServerResponse
  target: Target, visitor: Visitor, head: boolean
}
/** An address of one photo or video of a link. */
export type ItemAddress = LinkRef & { id: AssetId }

/** For whom Immich is asked, until the visitor leaves. */
export const callerOf = ({ visitor, request }: Exchange): Caller =>
  ({ lane: visitor.address, until: request })

/**
 * Who tries one link after another that is not there is guessing at them. Throws a Refusal where it is too
 * much.
 */
function countUnknown ({ guesses, log }: App, { address }: Visitor, ref: LinkRef): void {
  const isTooMuch = guesses.unknown.wait(address) > 0
  guesses.unknown.count(address, 1)
  if (!isTooMuch) return
  log.warn('unlock refused', { address, link: log.nameOf(ref), reason: 'unknown links' })
  throw new Refusal('limited')
}

/** The link, opened with the visitor's unlock where there is one, and what it lists. Throws a Refusal. */
export async function openLink (
  { app, visitor }: Exchange, ref: LinkRef
): Promise<{ link: Link, list: List }> {
  if ('slug' in ref && !app.settings.allowSlugLinks) throw new Refusal('missing')
  const token = app.seal.open(ref, visitor.cookies)
  const link = await app.links.open(ref, visitor.address, token).catch((error: unknown) => {
    if (isRefusal(error, 'missing')) countUnknown(app, visitor, ref)
    throw error
  })
  return { link, list: await app.links.list(link, visitor.address) }
}

/**
 * The item of a link that an address names: no item is used that did not come from here or from the list
 * itself. The video part of a motion photo is there to be played (`asVideo`), and has no picture. Throws a
 * Refusal.
 */
export async function findItem (
  exchange: Exchange, address: ItemAddress, asVideo = false
): Promise<{ link: Link, list: List, item: Item }> {
  const { link, list } = await openLink(exchange, address)
  const item = list.byId.get(address.id)
  const isMotionPart = item?.motion === address.id
  if (!item || (isMotionPart && !asVideo)) throw new Refusal('missing')
  return { link, list, item }
}

/** The fields of the visitor's form of at most `limit` bytes; none where it is longer. */
export async function readForm ({ request }: Exchange, limit: number): Promise<Map<string, string>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return new Map()
    chunks.push(chunk)
  }
  return parseForm(Buffer.concat(chunks).toString(), request.headers['content-type'] ?? '')
}

export const sendText = (exchange: Exchange, answer: Answer, text?: Text): Promise<void> =>
  send(exchange, answer, exchange.app.settings, text)
type PageAnswer = { headers?: Headers, link?: Link }
export const sendPage = (exchange: Exchange, status: number, html: string, more: PageAnswer = {}) =>
  sendText(exchange, { status, kind: 'page', ...more }, asText(HTML, html))
export const sendData = (exchange: Exchange, link: Link, data: Text): Promise<void> =>
  sendText(exchange, { status: 200, kind: 'data', link }, data)
