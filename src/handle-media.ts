/** Images and videos: which of Immich's files a visitor may have, and how it is sent. */
import { begin, isUnchanged, type Headers } from './answer.ts'
import { pump } from './body.ts'
import { callerOf, findItem, type Exchange, type ItemAddress } from './exchange.ts'
import { disposition, downloadName } from './filename.ts'
import type { Item } from './immich-json.ts'
import { mayDownload, mayHaveOriginals, type Link } from './links.ts'
import type { Wanted } from './immich.ts'
import type { Media, MediaKind } from './media.ts'
import { isRefusal, Refusal } from './refusal.ts'
import { versionOf } from './skeleton.ts'
import type { Size } from './validate.ts'

/** What every browser shows at full resolution. */
const DISPLAYABLE = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'])
/** What is no image or video is never shown by a browser, but saved. */
const UNKNOWN_TYPE = 'application/octet-stream'

export async function showImage (exchange: Exchange, address: ItemAddress & { size?: Size }): Promise<void> {
  const { link, item } = await findItem(exchange, address)
  await sendItem(exchange, link, item, address.size ?? 'preview')
}

export async function showVideo (exchange: Exchange, address: ItemAddress): Promise<void> {
  const { link, item } = await findItem(exchange, address, true)
  await sendItem(exchange, link, item, 'playback')
}

/** One item of a link, as what was asked for. Throws a Refusal. */
export async function sendItem (exchange: Exchange, link: Link, item: Item, size: MediaKind): Promise<void> {
  if (size === 'playback' && !item.video) throw new Refusal('missing')
  const { app: { settings } } = exchange
  if (size === 'original' && !mayDownload(settings, link)) throw new Refusal('missing')
  const kind = size === 'original' && !mayHaveOriginals(settings, link) ? 'preview' : size
  const isVersioned = exchange.target.version !== '' && exchange.target.version === versionOf(item.thumbhash)
  const media = size === 'fullsize' ? await getFullsize(exchange, link, item)
    : await getMedia(exchange, link, item, kind)
  const known = link.showMetadata ? media.name : ''
  const name = size === 'original' && downloadName(settings, item.id, known, media.type)
  await sendMedia(exchange, media, { link, isVersioned, ...name && { name } })
}

/**
 * Full resolution to look at: the original where a browser shows it and both say yes to it, else Immich's own
 * full size, else the preview.
 */
async function getFullsize (exchange: Exchange, link: Link, item: Item): Promise<Media> {
  const get = (kind: MediaKind) => getMedia(exchange, link, item, kind)
  if (item.video || !mayHaveOriginals(exchange.app.settings, link)) return get('preview')
  const { type } = await exchange.app.media.details(link, item, callerOf(exchange))
  if (DISPLAYABLE.has(type)) return get('original')
  return get('fullsize').catch((error: unknown) => {
    // a full size that Immich does not have is a redirect to the preview, which is a refusal here
    if (isRefusal(error, 'missing')) return get('preview')
    throw error
  })
}

/** What the visitor wants of it: all, the headers, or a range of what they already have a part of. */
async function getMedia (exchange: Exchange, link: Link, item: Item, kind: MediaKind): Promise<Media> {
  const { app, visitor: { range, ifRange }, head } = exchange
  const whole = { head }
  const get = (wanted: Wanted) => app.media.get(kind, link, item, callerOf(exchange), wanted)
  const media = await get(range ? { head, range } : whole)
  // who may not be told the date may not try dates either
  const modified = mayTellTimes(exchange, link) ? media.modified : undefined
  const isSame = ifRange === undefined || ifRange === media.etag || ifRange === modified
  if (media.status !== 206 || isSame) return media
  // it is not what the visitor has a part of: all of it anew
  media.body?.cancel()
  return get(whole)
}

/** Two yeses to when a file was made, which its Last-Modified tells. */
function mayTellTimes ({ app: { settings } }: Exchange, link: Link | undefined): boolean {
  return link?.showMetadata === true && settings.showMetadata.exif.dateTimeOriginal && !settings.stripMetadata
}

type How = { link?: Link, isVersioned?: boolean, name?: string }
/** Sends it: `name` is that of a download; without a `link` it is not kept anywhere. */
export async function sendMedia (exchange: Exchange, media: Media, how: How): Promise<void> {
  const { link, isVersioned, name } = how
  const { response, visitor, app: { settings } } = exchange
  const { body, type, length, contentRange, etag } = media
  const start = (status: number, headers: Headers) =>
    begin(response, { status, kind: 'media', link, headers, isVersioned: isVersioned === true }, settings)
  if (response.destroyed) return body?.cancel()
  const modified = mayTellTimes(exchange, link) ? media.modified : undefined
  const validators: Headers = { etag, 'last-modified': modified }
  const accepted = length === undefined ? undefined : 'bytes'
  const ranges = { 'accept-ranges': accepted, 'content-range': contentRange }
  if (media.status === 416) {
    start(416, { ...ranges, 'content-length': 0 }).end()
    return
  }
  if (isUnchanged(etag, modified, visitor)) {
    body?.cancel()
    start(304, validators).end()
    return
  }
  const attached = name ?? (type === UNKNOWN_TYPE ? 'file.bin' : undefined)
  const described = { 'content-type': type, 'content-disposition': attached && disposition(attached) }
  start(media.status, { ...validators, ...ranges, ...described, 'content-length': length })
  if (body) await pump(response, body)
  else response.end(media.bytes)
}
