/** Images and videos of a link: which of Immich's files is given for what is asked for. */
import { hash, type KeyObject } from 'node:crypto'
import type { Body } from './body.ts'
import { CALLS, isDenied, type Caller, type Immich, type SizesOf, type Wanted } from './immich.ts'
import { mediaType, parseDetails, parseDisposition, parseSizes } from './immich-json.ts'
import type { Details, Item } from './immich-json.ts'
import { mayHaveOriginals, type Link } from './links.ts'
import { createMemory, type Memory } from './bounds.ts'
import { Refusal } from './refusal.ts'
import type { Settings } from './settings.ts'
import { blank } from './strip.ts'
import { positive } from './unknown.ts'
import { resolveRange, type AssetId, type ByteRange } from './validate.ts'

export type MediaKind = 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback'
/**
 * An image or a video: named fields, nothing of Immich's answer passed on whole. `name` is the file's own;
 * what it holds is in `body`, still to be read or cancelled, or in `bytes`. `etag` is of our own making, for
 * Immich's tells when the file was made; `modified` is only for who may be told that.
 */
export type Media = {
  status: 200 | 206 | 416, type: string, name: string, body?: Body, bytes?: Uint8Array
  length?: number, contentRange?: string, etag: string, modified?: string
}
/** A small image as it is remembered; `immichTag` is Immich's own ETag, to ask whether it has changed. */
type Image = Media & { immichTag: string }

const MINUTE = 60_000
const MIB = 1024 * 1024
/** Above this an image is streamed and not kept. */
const SMALL = 2 * MIB
/** What an image that is kept takes beside its bytes: 16,000 of 1 kB were measured as 51 MB. */
const BESIDE = 2000

const callFor = (kind: MediaKind, link: Link, id: AssetId) =>
  kind === 'original' || kind === 'playback' ? CALLS[kind](link, id) : CALLS.image(link, id, kind)
const refused = (kind: MediaKind, status: number): Refusal =>
  new Refusal(isDenied(status) ? 'missing' : 'unreachable', `${kind} answered ${status}`)

export class MediaRoom {
  #immich: Immich
  #settings: Settings
  #secret: string
  #images: Memory<Image>

  /** `key` is for the ETags, so that they tell nothing of what they are made from. */
  constructor (immich: Immich, settings: Settings, key: KeyObject) {
    this.#immich = immich
    this.#settings = settings
    this.#secret = key.export().toString('hex')
    const weigh = ({ bytes }: Image) => BESIDE + (bytes?.length ?? 0)
    this.#images = createMemory<Image>(5 * MINUTE, settings.limits.imageCacheMiB * MIB, weigh)
  }

  /** What Immich says of an item; only for whom both yeses of promise 5 are given. Throws a Refusal. */
  details (link: Link, { id }: Item, caller: Caller): Promise<Details> {
    return this.#immich.read(CALLS.details(link, id), parseDetails, caller)
  }

  /**
   * The sizes in bytes of the originals of these, or of an album; of motion photos the still part, of edited
   * photos the unedited size. Throws a Refusal.
   */
  sizes (link: Link, of: SizesOf, caller: Caller): Promise<Map<AssetId, number>> {
    return this.#immich.read(CALLS.sizes(link, of), parseSizes, caller)
  }

  /**
   * An image or a video of the link: thumbnails and previews from memory where they are there, all else as a
   * stream, and no original with its metadata where the operator wants none. Throws a Refusal.
   */
  async get (kind: MediaKind, link: Link, item: Item, caller: Caller, wanted: Wanted = {}): Promise<Media> {
    const { range, head = false } = wanted
    const { stripMetadata, playOriginalVideos } = this.#settings
    if (kind === 'original' && stripMetadata) return this.#stripped(link, item, caller, head)
    const mayPlay = playOriginalVideos || mayHaveOriginals(this.#settings, link)
    if (kind === 'playback' && !mayPlay) await this.#refuseOriginal(link, item, caller)
    const isSmall = kind === 'thumbnail' || kind === 'preview'
    if (isSmall && !range && !head) {
      const name = `${kind} ${item.id} ${item.thumbhash}`
      const image = await this.#images(name, old => this.#loadImage(kind, link, item, caller, old))
      if (image.bytes) return image
    }
    return this.#stream(kind, link, item.id, caller, wanted)
  }

  /**
   * Throws a Refusal (withheld) unless it is certain that what Immich plays of a video is a transcode: of
   * another type than the original, or of another size, which is not always told.
   */
  async #refuseOriginal (link: Link, item: Item, caller: Caller): Promise<void> {
    const { id } = item
    const playback = await this.#stream('playback', link, id, caller, { head: true })
    const details = await this.details(link, item, caller)
    const size = !link.allowDownload ? positive(details.exif.fileSizeInByte)
      : (await this.#stream('original', link, id, caller, { head: true })).length
    const isTranscode = details.type !== playback.type || (size && size !== playback.length)
    if (!isTranscode) throw new Refusal('withheld', 'Immich has no transcode of this video')
  }

  /** The fields of an answer that go on. */
  #describe (kind: MediaKind, id: AssetId, headers: Headers) {
    const immichTag = headers.get('etag') ?? ''
    const { stripMetadata } = this.#settings
    const own = hash('sha256', `${this.#secret} ${kind} ${id} ${immichTag} ${stripMetadata}`, 'base64url')
    const contentRange = headers.get('content-range')
    const modified = headers.get('last-modified')
    const length = headers.get('content-length')
    return {
      type: mediaType(headers.get('content-type')),
      name: parseDisposition(headers.get('content-disposition')),
      etag: `"${own.slice(0, 22)}"`, immichTag,
      ...contentRange && { contentRange }, ...modified && { modified },
      ...length && { length: Number(length) }
    }
  }

  async #stream (kind: MediaKind, link: Link, id: AssetId, caller: Caller, wanted: Wanted): Promise<Media> {
    const { status, headers, body } = await this.#immich.stream(callFor(kind, link, id), caller, wanted)
    const media = this.#describe(kind, id, headers)
    const isGiven = status === 200 || status === 206
    if (isGiven && !wanted.head) return { ...media, status, body }
    body.cancel()
    if (isGiven) return { ...media, status }
    const [, size] = /^bytes \*\/(\d+)$/.exec(media.contentRange ?? '') ?? []
    // Immich says so with 404 or 500 (recordings …/video-playback-range-unsatisfiable)
    if (!wanted.range || !size) throw refused(kind, status)
    if (!resolveRange(wanted.range, Number(size))) return { ...media, status: 416, length: 0 }
    // Immich refuses a suffix longer than the file, which RFC 9110 section 14.1.2 says means all of it
    return this.#stream(kind, link, id, caller, { ...wanted, range: 'bytes=0-' as ByteRange })
  }

  /**
   * The original of `stripMetadata`, whole and from its beginning: a blanked JPEG, else Immich's preview of
   * an image, else its transcode of a video. Throws a Refusal (withheld) where there is none.
   */
  async #stripped (link: Link, item: Item, caller: Caller, head: boolean): Promise<Media> {
    const { id, video } = item
    const get = (kind: MediaKind, only: Wanted = { head }) => this.#stream(kind, link, id, caller, only)
    if (video) {
      await this.#refuseOriginal(link, item, caller)
      const { name } = await get('original', { head: true })
      return { ...await get('playback'), name }
    }
    const { body, ...media } = await get('original')
    const isJpeg = media.type === 'image/jpeg'
    if (isJpeg) return body ? { ...media, body: { ...body, parts: blank(body.parts) } } : media
    body?.cancel()
    return { ...await get('preview'), name: media.name }
  }

  /** A small image with its bytes; one that is too large to keep without, which who wants it then streams. */
  async #loadImage (kind: MediaKind, link: Link, { id }: Item, { lane }: Caller, old?: Image) {
    // ended by nobody's leaving: others may be waiting for it too
    const known = old ? { etag: old.immichTag } : {}
    const call = callFor(kind, link, id)
    const { status, headers, bytes } = await this.#immich.small(call, { lane }, SMALL, known)
    if (status === 304 && old) return old
    if (status !== 200) throw refused(kind, status)
    const image: Image = { ...this.#describe(kind, id, headers), status }
    return bytes ? { ...image, bytes, length: bytes.length } : image
  }
}
