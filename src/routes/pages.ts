/** The pages of a link, and the JSON that their script requests. */
import { createText, HTML } from '../http/compression.ts'
import type { Reply } from '../http/reply.ts'
import { marksJson, stretchJson } from '../page/list-json.ts'
import { isRefusal, Refusal } from '../refusal.ts'
import { linkPath } from '../urls.ts'
import {
  callerOf, jsonReply, linkOf, openItem, openShare, pageReply, placeOf, redirect, textOf,
  type Context, type PathParts
} from './context.ts'
import { fileReply } from './files.ts'

/** The gallery, or the file itself if the link shares just one. */
export async function showGallery (context: Context, parts: PathParts): Promise<Reply> {
  const { app: { settings, renderer }, target: { page } } = context
  const share = await openShare(context, parts)
  const only = share.items.length === 1 ? share.items[0] : undefined
  const hasPage = only?.isVideo ? settings.singleVideoGallery : settings.singleImageGallery
  if (only && !hasPage) {
    const picture = only.duration > 0 ? 'fullsize' : 'preview'
    try {
      return await fileReply(context, share, only, only.isVideo ? 'playback' : picture)
    } catch (error) {
      // Immich has made no picture of it yet, and its page says so
      if (!isRefusal(error, 'missing')) throw error
    }
  }
  const place = placeOf(context, share, linkOf(parts))
  const make = () => createText(HTML, renderer.gallery(share, place, page))
  return pageReply(share, textOf(context, share, ['gallery', place, page], make))
}

/** The page of one photo or video. Throws a Refusal. */
export async function showPhoto (context: Context, parts: PathParts): Promise<Reply> {
  const { gate, renderer } = context.app
  const { share, item } = await openItem(context, parts)
  const facts = share.tells.description ? await gate.facts(share, item, callerOf(context)) : {}
  const place = placeOf(context, share, linkOf(parts))
  const make = () => createText(HTML, renderer.photo(share, place, item, facts))
  return pageReply(share, textOf(context, share, ['photo', place, item.id, facts.description], make))
}

/** A stretch of the list. */
export async function sendStretch (context: Context, parts: PathParts): Promise<Reply> {
  const { stretch = '' } = parts
  if (!/^\d{1,6}$/.test(stretch)) throw new Refusal('missing')
  const share = await openShare(context, parts)
  return jsonReply(context, share, ['items', Number(stretch)], () => stretchJson(share, Number(stretch)))
}

/** The marks by which the browser recognises photos that are new since the last visit. */
export async function sendMarks (context: Context, parts: PathParts): Promise<Reply> {
  const share = await openShare(context, parts)
  return jsonReply(context, share, ['marks'], () => marksJson(share))
}

/** The facts for the details panel. */
export async function sendFacts (context: Context, parts: PathParts): Promise<Reply> {
  const { share, item } = await openItem(context, parts)
  const facts = await context.app.gate.facts(share, item, callerOf(context))
  return jsonReply(context, share, ['facts', item.id, facts], () => JSON.stringify(facts))
}

/** Some clients repeat a POST at a link's address; this leads them back to it, as earlier releases did. */
export const redirectToLink = (_: Context, parts: PathParts): Reply => redirect(303, linkPath(linkOf(parts)))
