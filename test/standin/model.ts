/** The types of the stand-in for Immich, and the ids and keys of its albums, assets and links. */
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

export const VERSIONS = ['3.1.0', '2.7.5', '2.5.6'] as const
export type Version = typeof VERSIONS[number]
/** A file with the content at `path`, the content `bytes`, or `size` made-up bytes. */
export type File = {
  path?: string
  bytes?: Buffer
  size?: number
  type: string
  /** ms UTC */
  modified?: number
  etag?: string
  name?: string
}
export type Asset = {
  id: string
  type: 'IMAGE' | 'VIDEO'
  name: string
  mime: string
  /** ms UTC */
  taken: number
  offsetHours: number
  width: number
  height: number
  /** ms; null for a still */
  duration: number | null
  thumbhash: string | null
  visibility: 'timeline' | 'archive' | 'hidden' | 'locked'
  trashed: boolean
  /** the id of a motion photo's video */
  motion: string | null
  exif: Record<string, unknown>
  original: File
  preview?: File
  thumbnail?: File
  /** without it, Immich redirects to the preview */
  fullsize?: File
  playback?: File
  edited?: boolean
  /** the size in download/info, if it differs from the size of the file */
  announced?: number
}
export type Album = {
  id: string, name: string, description: string, order: 'asc' | 'desc', cover: string | null, assets: string[]
}
export type ShareLink = {
  key: string
  slug: string | null
  password: string | null
  description: string | null
  expiresAt: string | null
  allowDownload: boolean
  showMetadata: boolean
  album?: string
  assets?: string[]
}
export type Library = { assets: Map<string, Asset>, albums: Map<string, Album>, links: ShareLink[] }

/** A request that the stand-in has received. */
export type Asked = {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
  /** whether the response has ended, or the connection was lost */
  closed: boolean
}
/** How the response to one request differs from the normal one. */
export type Fault = {
  /** ms to wait before the response */
  delay?: number
  /** a promise to wait for before the response */
  until?: Promise<void>
  /** never respond */
  hang?: boolean
  /** reset the connection at once */
  reset?: boolean
  status?: number
  headers?: Record<string, string>
  body?: string | Buffer
  /** bytes of the body after which the connection breaks */
  dieAfter?: number
  /** bytes of the body after which nothing more is sent, on an open connection */
  silentAfter?: number
  /** send this many bytes at a time, and wait this many ms in between */
  drip?: [bytes: number, ms: number]
  /** added to Content-Length */
  lie?: number
}
/** What the stand-in serves, what it was asked, and the traps that a test can switch on. */
export type State = {
  version: Version
  library: Library
  asked: Asked[]
  /** returns the fault for a request, or undefined for the normal response */
  fault: (request: Asked) => Fault | undefined
  /** serves more than Immich should: protected links without a token; trashed, hidden and locked assets */
  careless: boolean
  /** hours between UTC and the time zone of Immich's database session, which applies to bare dates */
  zone: number
  /** sends files without Content-Length, as a compressing proxy in between does */
  chunked: boolean
  /** the number of files that are being sent */
  open: number
}
/** A request, and all that its response depends on. */
export type Exchange = {
  state: State
  asked: Asked
  request: IncomingMessage
  response: ServerResponse
  fault: Fault
}

export const isVersion3 = ({ version }: State): boolean => version.startsWith('3.')

/** Returns a UUID, the same one for the same seed. */
export const newId = (seed = randomBytes(16).toString('hex')): string => {
  const hex = createHash('md5').update(seed).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}
/** Returns the key of a link, the same one for the same seed. */
export const newKey = (seed?: string): string =>
  (seed ? createHash('sha512').update(seed).digest().subarray(0, 50) : randomBytes(50)).toString('base64url')
