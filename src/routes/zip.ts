/** The zip of a link, or of items chosen from it. */
import type { Parts } from '../body.ts'
import { disposition, safeName } from '../file-name.ts'
import { parseAssetIds } from '../form.ts'
import type { Item, Share } from '../gate/gate.ts'
import type { Reply } from '../http/reply.ts'
import { Refusal } from '../refusal.ts'
import { linkPath } from '../urls.ts'
import { decodeSelection, encodeSelection } from '../zip/selection.ts'
import { linkOf, openShare, readForm, redirect, type Context, type PathParts } from './context.ts'

/** bytes of an asset id in a form, with its quotes and comma percent-encoded, and of the rest of the form */
const ID_BYTES = 45
const FORM_OVERHEAD_BYTES = 200

/** A share with a zip. Throws a Refusal (missing) if it has none. */
async function openZipped (context: Context, parts: PathParts): Promise<Share> {
  const share = await openShare(context, parts)
  if (!share.can.zip || share.items.length === 0) throw new Refusal('missing')
  return share
}

/** Redirects to the zip of the chosen items, whose address names them, so that a download can be resumed. */
export async function sendChosenZip (context: Context, parts: PathParts): Promise<Reply> {
  const share = await openZipped(context, parts)
  // a large form takes memory and time, so it counts as a zip
  const release = await context.app.zipSlots(context.visitor.address)
  try { return await redirectToChosen(context, parts, share) } finally { release() }
}

async function redirectToChosen (context: Context, parts: PathParts, share: Share): Promise<Reply> {
  const form = await readForm(context, FORM_OVERHEAD_BYTES + share.items.length * ID_BYTES)
  const ids = new Set(parseAssetIds(form.get('assets')))
  const chosen = new Set(share.items.filter(({ id }) => ids.has(id)))
  if (chosen.size === 0 || chosen.size !== ids.size) throw new Refusal('missing')
  const selection = encodeSelection(share.items, chosen)
  if (!selection) throw new Refusal('missing', 'a selection too large for an address')
  return redirect(303, linkPath(linkOf(parts), `/download?of=${selection}`))
}

/** The zip of all items, or of those that the address names, or the range of it that is still needed. */
export async function sendZip (context: Context, parts: PathParts): Promise<Reply> {
  const { app, visitor, target: { chosen } } = context
  const share = await openZipped(context, parts)
  const release = await app.zipSlots(visitor.address)
  try {
    const items = chosen === undefined ? undefined : decodeSelection(share.items, chosen)
    if (chosen !== undefined && !items) throw new Refusal('missing')
    if (share.isPartial && !items) throw new Refusal('failed', 'a zip of an incomplete list')
    return await zipReply(context, share, items, release)
  } catch (error) {
    release()
    throw error
  }
}

async function zipReply (
  context: Context, share: Share, items: readonly Item[] | undefined, release: () => void
): Promise<Reply> {
  const { app: { zips, log }, visitor, isHead } = context
  const lane = visitor.address
  const plan = await zips.plan(share, lane, items)
  const { status, part, etag = '', ...headers } = zips.head(plan, visitor)
  const name = `${safeName(share.title || 'photos')}.zip`
  // without a share, because no zip may be cached
  const reply = { status, kind: 'media', headers: { 'content-disposition': disposition(name) } } as const
  const content = { type: 'application/zip', etag, ...headers }
  if (isHead || status === 416) {
    release()
    return { ...reply, content }
  }
  let zip: ReturnType<typeof zips.open> | undefined
  // lazily, so that a 304 opens nothing
  async function * parts (): Parts {
    const link = log.hashOf({ key: share.key })
    log.info('zip', { link, files: plan.entries.length, bytes: plan.length, from: part?.first })
    zip = zips.open(share, plan, { lane, first: part?.first ?? 0, ...part && { last: part.last } })
    try { yield * zip.parts } finally { release() }
  }
  const cancel = () => { release(); zip?.cancel() }
  return { ...reply, content: { ...content, body: { parts: parts(), cancel } } }
}
