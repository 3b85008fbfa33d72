/** A request on its way through a handler, and the functions that handlers share. */
import type { IncomingMessage } from 'node:http'
import { preferred } from '../accept-headers.ts'
import type { App } from '../app.ts'
import { parseForm } from '../form.ts'
import type { Caller, Item, Share } from '../gate/gate.ts'
import { createText, HTML, JSON_TYPE, type Text } from '../http/compression.ts'
import type { Reply } from '../http/reply.ts'
import { Refusal } from '../refusal.ts'
import type { Place } from '../render.ts'
import {
  parseAssetId, parseLinkAddress, type AssetId, type LinkAddress, type Target, type Visitor
} from '../validate.ts'

export type Context = {
  app: App, request: IncomingMessage, target: Target, visitor: Visitor, isHead: boolean
}
/** The named parts of a path, percent-decoded but not yet checked. */
export type PathParts = Record<string, string | undefined>
/** Answers a request, or throws a Refusal. */
export type Handler = (context: Context, parts: PathParts) => Promise<Reply> | Reply

/**
 * The visitor as the caller of Immich. If they leave, waiting for a stream ends (`IncomingMessage.signal`).
 */
export const callerOf = ({ visitor, request }: Context): Caller => ({ lane: visitor.address, until: request })

/** The link that a path names. Throws a Refusal (missing) if it cannot be one. */
export function linkOf ({ key, slug }: PathParts): LinkAddress {
  const link = parseLinkAddress(key, slug)
  if (!link) throw new Refusal('missing')
  return link
}

function assetIdOf ({ id }: PathParts): AssetId {
  const assetId = parseAssetId(id)
  if (!assetId) throw new Refusal('missing')
  return assetId
}

/** The share of the link that a path names. Throws a Refusal, as the gate's `open` does. */
export const openShare = ({ app, visitor }: Context, parts: PathParts): Promise<Share> =>
  app.gate.open(linkOf(parts), visitor)

/** The share and the item that a path names; the video part of a motion photo only with `asVideo`. */
export async function openItem (
  context: Context, parts: PathParts, asVideo = false
): Promise<{ share: Share, item: Item }> {
  const id = assetIdOf(parts)
  const share = await openShare(context, parts)
  return { share, item: context.app.gate.find(share, id, asVideo) }
}

/** The fields of the visitor's form; none if it is longer than `limit` bytes. */
export async function readForm ({ request }: Context, limit: number): Promise<Map<string, unknown>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    // read to its end all the same: leaving the loop would close the connection without an answer
    if (size <= limit) chunks.push(chunk)
  }
  if (size > limit) return new Map()
  return parseForm(Buffer.concat(chunks).toString(), request.headers['content-type'] ?? '')
}

/** The best language for this visitor, by its code. */
export const languageOf = ({ app, visitor }: Context): string =>
  app.renderer.language(preferred(visitor.acceptLanguage))

/** combinations of host and language for pages of one share in a minute: visitors can invent any number */
const MAX_PLACES = 16
const PLACES_MS = 60_000
const places = new WeakMap<Share, { since: number, names: Set<string> }>()

/**
 * Where a page of a share is shown. Beyond 16 combinations of host and language in a minute, it leaves out
 * the language's region, and a host that only the visitor names, which previews in chats need.
 */
export function placeOf (context: Context, share: Share, link: LinkAddress): Place {
  const { base } = context.visitor
  const language = languageOf(context)
  const now = performance.now()
  const latest = places.get(share)
  const known = latest && now - latest.since < PLACES_MS ? latest : { since: now, names: new Set<string>() }
  places.set(share, known)
  const name = `${base} ${language}`
  if (known.names.size < MAX_PLACES) known.names.add(name)
  if (known.names.has(name)) return { link, language, base }
  // traditional Chinese is a language of its own here
  const plain = /^zh-(?:hant|tw|hk)/i.test(language) ? 'zh-Hant' : language.replace(/-.*/, '')
  return { link, language: plain, base: context.app.settings.publicBaseUrl }
}

const shareIds = new WeakMap<Share, number>()
let lastShareId = 0
function idOf (share: Share): number {
  const id = shareIds.get(share) ?? ++lastShareId
  shareIds.set(share, id)
  return id
}

/** A text made from a share by `make`, cached by `name`, which must hold everything it depends on. */
export const textOf = ({ app }: Context, share: Share, name: unknown[], make: () => Text): Text =>
  app.texts(JSON.stringify([idOf(share), ...name]), make)

/** A reply with a page of a share. */
export const pageReply = (share: Share, content: Text): Reply =>
  ({ status: 200, kind: 'page', share, content })

/** A reply with JSON that `make` makes of a share. */
export function jsonReply (context: Context, share: Share, name: unknown[], make: () => string): Reply {
  const content = textOf(context, share, name, () => createText(JSON_TYPE, make()))
  return { status: 200, kind: 'data', share, content }
}

/** A reply that leads to another address, or a path of this site. */
export const redirect = (status: 301 | 302 | 303, location: string): Reply =>
  ({ status, kind: 'page', headers: { location } })

/** A reply with a page that shows nothing of a link, made once for each language and `name`. */
export function cardReply (
  context: Context, status: number, name: unknown[], make: (language: string) => string,
  headers: Reply['headers'] = {}
): Reply {
  const language = languageOf(context)
  const whole = JSON.stringify([language, ...name])
  const content = context.app.texts(whole, () => createText(HTML, make(language)))
  return { status, kind: 'page', headers, content }
}
