/**
 * Which bytes leave: the one place that chooses and fetches the file for an image, a video or a zip entry.
 */
import { hash, type KeyObject } from 'node:crypto'
import { bodyFrom, createMemory, type Body } from '../body.ts'
import { createCache, type Cache } from '../memory-cache.ts'
import { CALLS, isDenied, type Access, type Caller, type Immich, type Slice } from '../immich.ts'
import { positive } from '../json.ts'
import type { Lane } from '../queue.ts'
import { isRefusal, Refusal } from '../refusal.ts'
import { resolveRange, type AssetId, type ByteRange } from '../validate.ts'
import { mediaType, parseDetails, parseDisposition, UNKNOWN_TYPE, type Details } from './immich-json.ts'
import { blankJpeg } from './jpeg.ts'
import { isMotionPart, type Item, type OpenedLink, type Policy, type Share } from './share.ts'

/** A visitor's request: a picture to view, a video to play, a file to download, or one for a zip. */
export type Wanted = Slice & { as: 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback' | 'zip' }
/**
 * A file. Its content is in `body`, to be read or cancelled, or in `bytes`; a HEAD has neither. `name` is ''
 * if it may not be shown. `etag` is keyed, because Immich's own shows when the file was made. `isReduced`: a
 * preview in place of the original.
 */
export type Media = {
  status: 200 | 206 | 416, type: string, name: string, etag: string, isReduced?: boolean
  body?: Body, bytes?: Uint8Array, length?: number, contentRange?: string
}
/** The files that Immich has of an asset. */
type Kind = 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback'
/** A small image in memory; `immichTag` is Immich's own ETag, to ask whether it has changed. */
type Image = Media & { immichTag: string }
/** One request: the link, its permissions, the item, and the caller. */
type Request = { link: OpenedLink, can: Share['can'], item: Item, slice: Slice, caller: Caller }

const MIB = 1024 * 1024
const IMAGE_MAX_AGE_MS = 300_000
/** larger images are streamed and not cached */
const MAX_CACHED_BYTES = MIB / 2
/** memory that a cached image takes besides its bytes: 16,000 of 1 kB were measured as 51 MB */
const OVERHEAD_BYTES = 2000
/** larger JPEGs are replaced by their preview where metadata is stripped */
const MAX_STRIPPED_BYTES = 64 * MIB
const STRIP_MEMORY_BYTES = 96 * MIB
/** memory for images on their way to visitors, who may read slowly; smaller ones are not counted */
const SENDING_MEMORY_BYTES = 64 * MIB
const MAX_UNCOUNTED_BYTES = 32 * 1024
/** types that every browser shows in full resolution */
const DISPLAYABLE = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'])

/** Whether an image is animated. Immich's preview of it is a still, so every download is the original. */
const isMoving = ({ isVideo, duration }: Item): boolean => !isVideo && duration > 0

const CONTENT_RANGE = /^bytes (\d{1,15}-\d{1,15}|\*)\/\d{1,15}$/
const callFor = (kind: Kind, to: Access, id: AssetId) =>
  kind === 'original' || kind === 'playback' ? CALLS[kind](to, id) : CALLS.image(to, id, kind)
const refused = (kind: Kind, status: number): Refusal =>
  new Refusal(status >= 300 && isDenied(status) ? 'missing' : 'unreachable', `${kind} answered ${status}`)

/** Fetches files, and caches thumbnails and previews. */
export class Files {
  #immich: Immich
  #policy: Policy
  #secret: string
  #images: Cache<Image>
  #stripping = createMemory(STRIP_MEMORY_BYTES)
  #sending = createMemory(SENDING_MEMORY_BYTES)

  /** `tagKey` keys the ETags; `cacheMib` bounds the images in memory. */
  constructor (immich: Immich, policy: Policy, tagKey: KeyObject, cacheMib: number) {
    this.#immich = immich
    this.#policy = policy
    this.#secret = tagKey.export().toString('hex')
    const weigh = ({ bytes }: Image) => OVERHEAD_BYTES + (bytes?.length ?? 0)
    this.#images = createCache<Image>(IMAGE_MAX_AGE_MS, cacheMib * MIB, weigh)
  }

  /** Immich's details of an item, not yet reduced. Throws a Refusal. */
  details (link: OpenedLink, { id }: Item, caller: Caller): Promise<Details> {
    return this.#immich.read(CALLS.asset(link, id), parseDetails, caller)
  }

  /** The file for what is wanted. Throws a Refusal; `withheld` if the operator's settings leave no file. */
  async get (link: OpenedLink, share: Share, item: Item, wanted: Wanted, caller: Caller): Promise<Media> {
    const { as, ...slice } = wanted
    const media = await this.#choose(as, { link, can: share.can, item, slice, caller })
    return share.tells.names ? media : { ...media, name: '' }
  }

  #choose (as: Wanted['as'], request: Request): Promise<Media> {
    const { can, item, caller } = request
    if (as === 'zip') {
      if (!can.zip) throw new Refusal('missing')
      return this.#download({ ...request, caller: { ...caller, isInZip: true } })
    }
    if (as === 'playback') {
      if (!item.isVideo) throw new Refusal('missing')
      return this.#playback(request)
    }
    // the video part of a motion photo has no picture, and is downloaded only with its photo
    if (isMotionPart(item)) throw new Refusal('missing')
    if (as === 'original') {
      if (!can.download) throw new Refusal('missing')
      return this.#download(request)
    }
    return as === 'fullsize' ? this.#fullsize(request) : this.#image(as, request)
  }

  /** A file to download, in the quality that the operator allows. */
  async #download (request: Request): Promise<Media> {
    const { can, item } = request
    if (can.originals || isMoving(item)) return this.#cameraFile('original', request)
    if (item.isVideo) {
      const name = await this.#nameOf(request)
      return { ...await this.#playback(request), name }
    }
    if (this.#policy.quality === 'fullsize') return this.#fullResolution(request)
    return { ...await this.#image('preview', request), isReduced: true }
  }

  /** A picture to view in full resolution, if the link allows that; else the preview. */
  async #fullsize (request: Request): Promise<Media> {
    const { can, item } = request
    const isAllowed = can.zoom || (can.download && (isMoving(item) || this.#policy.quality !== 'preview'))
    return isAllowed && !item.isVideo ? this.#fullResolution(request) : this.#image('preview', request)
  }

  /** The original if browsers show it, else Immich's full size, else the preview. */
  async #fullResolution (request: Request): Promise<Media> {
    const { link, item, caller } = request
    const { type } = await this.details(link, item, caller)
    if (DISPLAYABLE.has(type)) return this.#cameraFile('original', request)
    try {
      return await this.#cameraFile('fullsize', request)
    } catch (error) {
      // Immich redirects to the preview if it has no full size, which is a refusal here
      if (!isRefusal(error, 'missing')) throw error
      return { ...await this.#image('preview', request), isReduced: true }
    }
  }

  /** A video to play: the transcode, or the original if the operator lets originals out. */
  async #playback (request: Request): Promise<Media> {
    const { can } = request
    const mayPlayOriginal = this.#policy.playOriginals || (can.download && can.originals)
    if (!mayPlayOriginal) await this.#requireTranscode(request)
    return this.#cameraFile('playback', request)
  }

  /**
   * A file that may contain the camera's metadata. If the operator strips it: a blanked JPEG, else the
   * preview of an image or the transcode of a video.
   */
  async #cameraFile (kind: 'original' | 'fullsize' | 'playback', request: Request): Promise<Media> {
    if (!this.#policy.strip) return this.#stream(kind, request)
    if (!request.item.isVideo) return this.#strippedImage(kind, request)
    await this.#requireTranscode(request)
    const media = await this.#stream('playback', request)
    if (kind === 'playback') return media
    return { ...media, name: await this.#nameOf(request) }
  }

  /** The name of an original, which Immich does not send with a transcode; '' if the original is lost. */
  #nameOf (request: Request): Promise<string> {
    const original = this.#stream('original', { ...request, slice: { head: true } })
    return original.then(({ name }) => name, () => '')
  }

  async #strippedImage (kind: Kind, request: Request): Promise<Media> {
    const { head = false } = request.slice
    const { body, length, ...media } = await this.#stream(kind, { ...request, slice: { head } })
    const isJpeg = media.type === 'image/jpeg' && length !== undefined && length <= MAX_STRIPPED_BYTES
    // whether it can be blanked shows only in its bytes
    if (head && isJpeg) return media
    if (body && isJpeg) {
      const { bytes, release } = await this.#stripping.read(body, length, request.caller.lane)
      if (blankJpeg(bytes)) return { ...media, length, body: bodyFrom(bytes, release) }
      release()
    }
    body?.cancel()
    const preview = await this.#image('preview', { ...request, slice: { head } })
    return { ...preview, name: media.name, isReduced: true }
  }

  /**
   * Throws a Refusal (withheld) unless the types or sizes that Immich reports show that it plays a transcode
   * of this video.
   */
  async #requireTranscode (request: Request): Promise<void> {
    const { link, item, caller } = request
    const headOf = (kind: Kind) => this.#stream(kind, { ...request, slice: { head: true } })
    const playback = await headOf('playback')
    const details = await this.details(link, item, caller)
    const recorded = positive(details.exif.fileSizeInByte)
    const size = link.allowDownload ? (await headOf('original')).length : recorded
    const areTypesKnown = ![details.type, playback.type].includes(UNKNOWN_TYPE)
    const isOtherType = areTypesKnown && details.type !== playback.type
    const areSizesKnown = Boolean(size) && playback.length !== undefined
    const isOtherSize = areSizesKnown && size !== playback.length
    if (!isOtherType && !isOtherSize) throw new Refusal('withheld', 'Immich has no transcode of this video')
  }

  /**
   * A thumbnail or preview, from the cache if it is small. One that would take too much memory until the
   * visitor has read it is streamed.
   */
  async #image (kind: 'thumbnail' | 'preview', request: Request): Promise<Media> {
    const { link, item, slice: { range, head }, caller: { lane } } = request
    if (range || head) return this.#stream(kind, request)
    // Immich gives the file's name only if the link shows metadata
    const name = `${kind} ${item.id} ${item.thumbhash} ${link.showMetadata}`
    const load = (waiting: Lane, old?: Image) => this.#loadImage(kind, link, item.id, waiting, old)
    const { bytes, ...image } = await this.#images(name, lane, load)
    if (bytes && bytes.length <= MAX_UNCOUNTED_BYTES) return { ...image, bytes }
    const release = bytes && this.#sending.reserve(lane, bytes.length)
    return release ? { ...image, body: bodyFrom(bytes, release) } : this.#stream(kind, request)
  }

  /**
   * Loads an image, without `bytes` if too large to cache. Goes on if the visitor leaves: others may wait.
   */
  async #loadImage (kind: Kind, link: OpenedLink, id: AssetId, lane: Lane, old?: Image): Promise<Image> {
    const known = old ? { etag: old.immichTag } : {}
    const call = callFor(kind, link, id)
    const { status, headers, bytes } = await this.#immich.small(call, { lane }, MAX_CACHED_BYTES, known)
    if (status === 304 && old) return old
    if (status !== 200) throw refused(kind, status)
    const image = { ...this.#describe(kind, id, headers), status } as const
    return bytes ? { ...image, bytes, length: bytes.length } : image
  }

  /** The fields of a response that are passed on. */
  #describe (kind: Kind, id: AssetId, headers: Headers) {
    const immichTag = headers.get('etag') ?? ''
    const text = `${this.#secret} ${kind} ${id} ${immichTag} ${this.#policy.strip}`
    const [contentRange] = CONTENT_RANGE.exec(headers.get('content-range') ?? '') ?? []
    const [length] = /^\d{1,15}$/.exec(headers.get('content-length') ?? '') ?? []
    return {
      type: mediaType(headers.get('content-type')),
      name: parseDisposition(headers.get('content-disposition')),
      etag: immichTag && `"${hash('sha256', text, 'base64url').slice(0, 22)}"`, immichTag,
      ...contentRange && { contentRange }, ...length && { length: Number(length) }
    }
  }

  async #stream (kind: Kind, request: Request): Promise<Media> {
    const { link, item: { id }, slice, caller } = request
    const { status, headers, body } = await this.#immich.stream(callFor(kind, link, id), caller, slice)
    const { immichTag: _, ...media } = this.#describe(kind, id, headers)
    const isOk = status === 200 || status === 206
    if (isOk && !slice.head) return { ...media, status, body }
    body.cancel()
    if (isOk) return { ...media, status }
    const [, size] = /\*\/(\d+)/.exec(media.contentRange ?? '') ?? []
    // Immich reports an unsatisfiable range as 404 or 500 (recordings …/video-playback-range-unsatisfiable)
    if (!slice.range || !size) throw refused(kind, status)
    if (!resolveRange(slice.range, Number(size))) return { ...media, status: 416, length: 0 }
    // a suffix longer than the file means all of it (RFC 9110 section 14.1.2), but Immich refuses it
    if (!slice.range.startsWith('bytes=-')) throw refused(kind, status)
    return this.#stream(kind, { ...request, slice: { ...slice, range: 'bytes=0-' as ByteRange } })
  }
}
