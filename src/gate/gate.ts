/** The gate's types, as far as zips need them. The gate itself takes the place of this file. */
import type { Body } from '../body.ts'
import type { AssetId, ByteRange, Key, Slug } from '../validate.ts'

declare class Given<Name> { private readonly given: Name }

/** One photo or video of a link. `ratio` = width / height; `duration` in ms. */
export type Item = Readonly<{
  id: AssetId, isVideo: boolean, ratio: number, thumbhash: string, duration: number
  motion?: AssetId, isSphere?: boolean
}> & Given<'item'>
export type Share = Readonly<{
  key: Key, slug?: Slug, isProtected: boolean, expiresAt?: number
  title: string, description: string
  can: Readonly<{ download: boolean, zip: boolean, originals: boolean, zoom: boolean }>
  tells: Readonly<{ facts: boolean, description: boolean, names: boolean }>
  items: readonly Item[], cover?: Item, isPartial: boolean, isAlbum: boolean
  days?: readonly number[], times?: readonly number[]
  version: string
}> & Given<'share'>
/**
 * What a zip says of one file before it is fetched. Motion parts follow their stills, as files of their own.
 * `name` is Immich's file name, only its extension (".jpg") where the name may not be told, and '' where
 * nothing is known. `time` is in ms since 1970, the camera's clock as if UTC. `size` is the number of bytes
 * that `file` gives for it.
 */
export type ZipFile = Readonly<{ item: Item, name: string, time?: number, size?: number, as: 'zip' }>
export type Wanted = {
  as: 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback' | 'zip'
  head?: boolean, range?: ByteRange
}
/** The visitor for whom Immich is asked: queues are fair by `lane`; `until.signal` ends the call. */
export type Caller = { lane: string, until?: { signal: AbortSignal } }
export type Media = {
  status: 200 | 206 | 416, type: string, name: string
  body?: Body, bytes?: Uint8Array, length?: number, contentRange?: string, etag: string
}
export type Gate = {
  file (share: Share, item: Item, wanted: Wanted, caller: Caller): Promise<Media>
  zipFiles (share: Share, items: readonly Item[], caller: Caller): Promise<ZipFile[]>
}
