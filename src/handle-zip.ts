/** The zip of a link, or of what is chosen of it. */
import { between } from './body.ts'
import { callerOf, openLink, readForm, type Exchange } from './exchange.ts'
import { safeName } from './filename.ts'
import { sendMedia } from './handle-media.ts'
import type { Item } from './immich-json.ts'
import { mayZip, type Link, type List } from './links.ts'
import type { Media } from './media.ts'
import { Refusal } from './refusal.ts'
import { parseAssetIds, resolveRange, type LinkRef, type Part, type Visitor } from './validate.ts'
import { Zip } from './zip.ts'
import type { Plan } from './zip-plan.ts'

/**
 * Bytes that an asset id takes in a form at most: 36, and quotes and a comma as %22 and %2C; and what is
 * around.
 */
const ID_BYTES = 45
const AROUND_IDS = 200

/** Everything of the link. */
export const sendWholeZip = (exchange: Exchange, ref: LinkRef): Promise<void> =>
  inPlace(exchange, ref)

/** What the form names. Throws a Refusal where one of them is not of the link. */
export const sendChosenZip = (exchange: Exchange, ref: LinkRef): Promise<void> =>
  inPlace(exchange, ref, async list => {
    const form = await readForm(exchange, AROUND_IDS + list.items.length * ID_BYTES)
    const chosen = new Set(parseAssetIds(form.get('assets')))
    const items = list.items.filter(({ id }) => chosen.has(id))
    if (items.length === 0 || items.length !== chosen.size) throw new Refusal('missing')
    return items
  })

type Choose = (list: List) => Promise<Item[]>
/** Opens the link, takes a place for a zip, and only then reads what is chosen of it. Throws a Refusal. */
async function inPlace (exchange: Exchange, ref: LinkRef, choose?: Choose): Promise<void> {
  const { app, response, visitor } = exchange
  const { link, list } = await openLink(exchange, ref)
  if (!mayZip(app.settings, link) || list.items.length === 0) throw new Refusal('missing')
  if (list.isPartial && !choose) throw new Refusal('failed', 'a zip of what is only in part there')
  // who has left meanwhile has no 'close' still to come, and would be counted for ever
  if (response.destroyed) return
  response.on('close', await app.zips.enter(visitor.address))
  const plan = await app.zips.plan(link, list, callerOf(exchange), await choose?.(list))
  await sendPlan(exchange, ref, link, plan)
}

/** What is said of a zip to who asks for it, and the part of it that is sent where not all is wanted. */
function answerOf ({ length, etag }: Plan, { range, ifRange }: Visitor): { media: Media, part?: Part } {
  const zip = { type: 'application/zip', name: '', etag }
  // one whose length is not known is another each time
  if (length === undefined) return { media: { ...zip, status: 200, etag: '' } }
  const isSame = ifRange === undefined || ifRange === etag
  if (!range || !isSame) return { media: { ...zip, status: 200, length } }
  const part = resolveRange(range, length)
  if (!part) return { media: { ...zip, status: 416, contentRange: `bytes */${length}` } }
  const { first, last } = part
  const contentRange = `bytes ${first}-${last}/${length}`
  return { media: { ...zip, status: 206, length: last - first + 1, contentRange }, part }
}

/** The zip, or the range of it that the visitor still needs. */
async function sendPlan (exchange: Exchange, ref: LinkRef, link: Link, plan: Plan): Promise<void> {
  const { app, response, visitor, head } = exchange
  const { media, part } = answerOf(plan, visitor)
  if (!head && media.status !== 416 && !response.destroyed) {
    const files = plan.entries.length
    app.log.info('zip', { link: app.log.nameOf(ref), files, bytes: plan.length, from: part?.first })
    const body = new Zip(app.zips, link, plan, callerOf(exchange), part?.first ?? 0)
    const { cancel } = body
    media.body = part ? { parts: between(body.parts, part.first, part.last), cancel } : body
  }
  // of no link, for no zip is kept anywhere
  const title = safeName((app.settings.showGalleryTitle && link.title) || 'photos')
  await sendMedia(exchange, media, { name: `${title}.zip` })
}
