/** Images and videos. */
import { disposition, downloadName } from '../file-name.ts'
import { UNKNOWN_TYPE, type Item, type Media, type Share, type Wanted } from '../gate/gate.ts'
import type { Reply } from '../http/reply.ts'
import { Refusal } from '../refusal.ts'
import { imageVersion } from '../urls.ts'
import { callerOf, openItem, type Context, type PathParts } from './context.ts'

const SIZES = ['thumbnail', 'preview', 'fullsize', 'original'] as const
type As = Exclude<Wanted['as'], 'zip'>

/** A picture, as a preview if the path names no size. Throws a Refusal. */
export async function showImage (context: Context, parts: PathParts): Promise<Reply> {
  const size = SIZES.find(size => size === (parts.size ?? 'preview'))
  if (!size) throw new Refusal('missing')
  const { share, item } = await openItem(context, parts)
  return fileReply(context, share, item, size)
}

/** A video, or the video part of a motion photo. Throws a Refusal. */
export async function showVideo (context: Context, parts: PathParts): Promise<Reply> {
  const { share, item } = await openItem(context, parts, true)
  return fileReply(context, share, item, 'playback')
}

/** A reply with an item's file: browsers save an original and show everything else. Throws a Refusal. */
export async function fileReply (context: Context, share: Share, item: Item, as: As): Promise<Reply> {
  const { app: { settings }, target: { version } } = context
  const media = await getFile(context, share, item, as)
  const isDownload = as === 'original'
  const fileName = isDownload
    ? downloadName(settings.downloadedFilename, item.id, media.name, media.type, media.isReduced) : 'file.bin'
  const isSaved = media.status !== 416 && (isDownload || media.type === UNKNOWN_TYPE)
  return {
    status: media.status, kind: 'media', share, content: media,
    isVersioned: version !== '' && version === imageVersion(item.thumbhash),
    ...isSaved && { headers: { 'content-disposition': disposition(fileName) } }
  }
}

/** The file, or the range of it that the visitor still needs. */
async function getFile (context: Context, share: Share, item: Item, as: As): Promise<Media> {
  const { app: { gate }, visitor: { range, ifRange }, isHead: head } = context
  const get = (wanted: Wanted) => gate.file(share, item, wanted, callerOf(context))
  const media = await get({ as, head, ...range && { range } })
  const isSame = ifRange === undefined || ifRange === media.etag
  if (media.status === 200 || isSame) return media
  // the visitor has a part of an older version: send all of this one
  media.body?.cancel()
  return get({ as, head })
}
