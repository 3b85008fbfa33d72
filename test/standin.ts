/**
 * A stand-in for Immich's share API that answers as the recordings of three real servers do, traps included.
 * It records each request and can be told to misbehave. `standin.test.ts` compares it with the recordings.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'

export const VERSIONS = ['3.1.0', '2.7.5', '2.5.6'] as const
export type Version = typeof VERSIONS[number]
/** A file: a path, its bytes, or a number of made-up bytes. */
export type File = {
  path?: string
  bytes?: Buffer
  size?: number
  type: string
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
  motion: string | null
  exif: Record<string, unknown>
  original: File
  preview?: File
  thumbnail?: File
  /** if the server made one; else a redirect to the preview */
  fullsize?: File
  playback?: File
  edited?: boolean
  /** the size that download/info gives, if it is wrong */
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
export type Asked = {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: string
  closed: boolean
}
/** A fault: how to answer one request differently. */
export type Fault = {
  /** ms to wait before the answer */
  delay?: number
  /** a promise to wait for */
  until?: Promise<void>
  /** never answer */
  hang?: boolean
  /** close the connection at once */
  reset?: boolean
  status?: number
  headers?: Record<string, string>
  body?: string | Buffer
  /** bytes of the body after which the connection breaks, or nothing more comes */
  dieAfter?: number
  silentAfter?: number
  /** bytes a tick, and ms between ticks */
  drip?: [number, number]
  /** added to Content-Length */
  lie?: number
}

const uuid = /^[\da-f]{8}-[\da-f]{4}-[1-8][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i
export const newId = (seed = randomBytes(16).toString('hex')): string => {
  const hex = createHash('md5').update(seed).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}
export const newKey = (seed?: string): string =>
  (seed ? createHash('sha512').update(seed).digest().subarray(0, 50) : randomBytes(50)).toString('base64url')

export const fileSize = (file: File): number => file.bytes?.length ?? file.size ?? statSync(file.path!).size
/** The made-up bytes of a file that has only a size: cheap, and different at each position. */
export function madeUp (first: number, last: number): Buffer {
  const out = Buffer.allocUnsafe(last - first + 1)
  for (let n = 0; n < out.length; n++) { const at = first + n; out[n] = (at ^ (at >> 8) ^ (at >> 16)) & 0xff }
  return out
}
const BLOCK = madeUp(0, 65535)

function read (file: File, first: number, last: number): Readable {
  if (file.bytes) return Readable.from([file.bytes.subarray(first, last + 1)])
  if (file.path) return createReadStream(file.path, { start: first, end: last })
  let at = first
  return new Readable({
    highWaterMark: 262144,
    read () {
      if (at > last) { this.push(null); return }
      // for speed the bytes repeat every 64 kB
      const from = at % 65536
      const chunk = BLOCK.subarray(from, Math.min(65536, from + last - at + 1))
      at += chunk.length
      this.push(chunk)
    }
  })
}

const utc = (ms: number): string => new Date(ms).toISOString().replace(/\.?0*Z$/, '')
const offset = (ms: number): string => utc(ms) + '+00:00'
/** `H:MM:SS.mmm` of 2.x. */
const clock = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString().slice(11, 23)

export async function startImmich (
  library: Library,
  options: { version?: Version, port?: number, host?: string } = {}
) {
  let version: Version = options.version ?? '3.1.0'
  const asked: Asked[] = []
  const sockets = new Set<Socket>()
  const faults = new WeakMap<ServerResponse, Fault>()
  const state = {
    asked,
    library,
    /** the fault for a request, if it should not get the normal answer */
    fault: (_request: Asked): Fault | undefined => undefined,
    /** serves more than Immich should: protected links without a token; trashed, hidden or locked assets */
    careless: false,
    /** hours by which the time zone of the database session, which applies to bare dates, differs from UTC */
    zone: 0,
    /** sends files without their length, as a proxy in between that compresses does */
    chunked: false,
    /** the number of bodies that are being sent */
    open: 0
  }
  const modern = () => version.startsWith('3.')

  const json = (
    response: ServerResponse,
    status: number,
    value: unknown,
    headers: Record<string, string> = {}
  ) => {
    const body = Buffer.from(JSON.stringify(value))
    const digest = createHash('sha1').update(body).digest('base64').slice(0, 27)
    const etag = `"${body.length.toString(16)}-${digest}"`
    if (status === 200 && response.req.headers['if-none-match'] === etag) {
      response.writeHead(304, { etag, ...headers }).end()
      return
    }
    const fault = faults.get(response) ?? {}
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.length + (fault.lie ?? 0),
      etag,
      vary: 'Accept-Encoding',
      ...headers
    })
    if (response.req.method === 'HEAD') response.end()
    else void sendBody(response, Readable.from([body]), fault)
  }
  const NAMES: Record<number, string> = {
    400: 'Bad Request',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'Not Found',
    500: 'Internal Server Error'
  }
  const fail = (response: ServerResponse, status: number, message: string | string[], errors?: unknown) => {
    const id = randomBytes(4).toString('hex')
    if (modern()) {
      return json(response, status, {
        message: Array.isArray(message) ? 'Validation failed' : message,
        ...errors !== undefined && { errors }
      })
    }
    json(
      response,
      status,
      message === 'Internal server error'
        ? { message, statusCode: status, correlationId: id }
        : { message, error: NAMES[status], statusCode: status, correlationId: id }
    )
  }

  const tokenOf = (link: ShareLink) =>
    createHash('sha256').update(`${link.key}${link.password}`).digest('base64')
  const timeColumns = (asset: Asset) => asset.taken
  const localDay = (asset: Asset) => Math.floor((asset.taken + asset.offsetHours * 3_600_000) / 86_400_000)

  function visible (album: Album, query: URLSearchParams): Asset[] {
    const visibility = query.get('visibility')
    const trashed = query.get('isTrashed') === 'true'
    const sign = query.get('order') === 'asc' ? 1 : -1
    const isListed = (asset: Asset) => visibility
      ? asset.visibility === visibility
      : asset.visibility === 'timeline' || asset.visibility === 'archive'
    // 3.x and 2.7 by local day, then fileCreatedAt; 2.5 by fileCreatedAt alone
    const days = (a: Asset, b: Asset) => version === '2.5.6' ? 0 : localDay(a) - localDay(b)
    return album.assets
      .map(id => library.assets.get(id)!)
      .filter(asset => state.careless || (asset.trashed === trashed && isListed(asset)))
      .sort((a, b) => sign * (days(a, b) || timeColumns(a) - timeColumns(b)))
  }
  const month = (asset: Asset) =>
    new Date(asset.taken + asset.offsetHours * 3_600_000).toISOString().slice(0, 7) + '-01'

  function columns (assets: Asset[], link: ShareLink): unknown {
    const column = (of: (asset: Asset) => unknown) => assets.map(of)
    const places = {
      city: column(asset => asset.exif.city ?? null),
      country: column(asset => asset.exif.country ?? null)
    }
    return {
      ...!modern() && places,
      duration: column(asset => modern() ? asset.duration : clock(asset.duration)),
      id: column(asset => asset.id),
      visibility: column(asset => asset.visibility),
      isFavorite: column(() => false),
      isImage: column(asset => asset.type === 'IMAGE'),
      isTrashed: column(asset => asset.trashed),
      livePhotoVideoId: column(asset => asset.motion),
      fileCreatedAt: column(asset => utc(asset.taken)),
      localOffsetHours: column(asset => asset.offsetHours),
      ...modern() && { createdAt: column(asset => utc(asset.taken)) },
      ownerId: column(() => newId('owner')),
      projectionType: column(asset => asset.exif.projectionType ?? null),
      ratio: column(asset => Math.round(asset.width / asset.height * 1000) / 1000),
      status: column(asset => asset.trashed ? 'trashed' : 'active'),
      thumbhash: column(asset => asset.thumbhash),
      ...modern() && link.showMetadata && places
    }
  }

  function assetJson (asset: Asset, link: ShareLink, stamp: (ms: number) => string): Record<string, unknown> {
    const local = stamp(asset.taken + asset.offsetHours * 3_600_000)
    const duration = modern()
      ? asset.duration
      : asset.duration === null
        ? '0:00:00.00000'
        : clock(asset.duration)
    const few = {
      id: asset.id,
      type: asset.type,
      originalMimeType: asset.mime,
      thumbhash: asset.thumbhash,
      localDateTime: local,
      duration,
      livePhotoVideoId: asset.motion,
      hasMetadata: link.showMetadata,
      width: asset.width,
      height: asset.height
    }
    if (!link.showMetadata) return few
    const single = stamp !== offset
    return {
      ...few,
      createdAt: stamp(asset.taken),
      ...!modern() && { deviceAssetId: `${asset.name}-1`, deviceId: 'lab' },
      ownerId: newId('owner'),
      libraryId: null,
      originalPath: `/data/upload/owner/${asset.id}${asset.name.slice(asset.name.lastIndexOf('.'))}`,
      originalFileName: asset.name,
      fileCreatedAt: stamp(asset.taken),
      fileModifiedAt: stamp(asset.taken),
      updatedAt: stamp(asset.taken),
      isFavorite: false,
      isArchived: asset.visibility === 'archive',
      isTrashed: asset.trashed,
      visibility: asset.visibility,
      exifInfo: {
        make: null, model: null, exifImageWidth: asset.width, exifImageHeight: asset.height,
        fileSizeInByte: fileSize(asset.original), orientation: '1', dateTimeOriginal: offset(asset.taken),
        modifyDate: offset(asset.taken), timeZone: 'UTC', lensModel: null, fNumber: null, focalLength: null,
        iso: null, exposureTime: null, latitude: null, longitude: null, city: null, state: null,
        country: null, description: '', projectionType: null, rating: null, ...asset.exif
      },
      ...single && { tags: [], stack: null },
      people: [],
      ...single && !modern() && { unassignedFaces: [] },
      checksum: createHash('sha1').update(asset.id).digest('base64'),
      isOffline: false,
      duplicateId: null,
      resized: true,
      isEdited: asset.edited === true
    }
  }

  function linkJson (link: ShareLink, unlocked = false): unknown {
    const album = link.album ? library.albums.get(link.album) : undefined
    const shown = album ? visible(album, new URLSearchParams()) : []
    const owner = newId('owner')
    return {
      id: newId(link.key),
      description: link.description,
      password: link.password,
      ...unlocked && version === '2.5.6' && { token: tokenOf(link) },
      userId: owner,
      key: link.key,
      type: album ? 'ALBUM' : 'INDIVIDUAL',
      createdAt: '2026-11-23T07:10:52.085Z',
      expiresAt: link.expiresAt,
      assets: (link.assets ?? [])
        .map(id => library.assets.get(id)!)
        .filter(asset => state.careless || !asset.trashed)
        .map(asset => assetJson(asset, link, offset)),
      ...album && {
        album: {
          albumName: album.name,
          description: album.description,
          albumThumbnailAssetId: album.cover,
          createdAt: '2026-11-23T07:10:51.327551+00:00',
          updatedAt: '2026-11-23T07:10:52.057599+00:00',
          id: album.id,
          ...!modern() && {
            ownerId: owner,
            owner: {
              id: owner,
              email: 'admin@example.com',
              name: 'Lab Admin',
              profileImagePath: '',
              avatarColor: 'gray',
              profileChangedAt: '2026-11-23T07:19:58.549354+00:00'
            },
            assets: []
          },
          albumUsers: [],
          shared: true,
          hasSharedLink: true,
          ...shown.length && {
            startDate: offset(Math.min(...shown.map(timeColumns))),
            endDate: offset(Math.max(...shown.map(timeColumns)))
          },
          assetCount: album.assets.filter(
            id => !library.assets.get(id)!.trashed && library.assets.get(id)!.visibility !== 'locked'
          ).length,
          isActivityEnabled: true,
          order: album.order
        }
      },
      allowUpload: false,
      allowDownload: link.allowDownload,
      showMetadata: link.showMetadata,
      slug: link.slug
    }
  }

  /** Sends a file with the behaviour in the recordings, quirks included. */
  function sendFile (request: IncomingMessage, response: ServerResponse, file: File, fault: Fault): void {
    const size = fileSize(file)
    const modified = new Date(file.modified ?? Date.UTC(2026, 10, 23, 7, 10, 13)).toUTCString()
    const etag = file.etag ?? `W/"${size.toString(16)}-${Date.parse(modified).toString(16)}"`
    const headers: Record<string, string | number> = {
      ...!modern() && { 'x-immich-cid': 'standin0' },
      'cache-control':
        'private, max-age=86400, no-transform, stale-while-revalidate=2592000, stale-if-error=2592000',
      'content-type': file.type,
      ...file.name !== undefined && {
        'content-disposition': `inline; filename*=UTF-8''${encodeURIComponent(file.name)}`
      },
      'accept-ranges': 'bytes',
      'last-modified': modified,
      etag
    }
    const deny = (ranged = true) => {
      const body = modern()
        ? '{"message":"Not Found"}'
        : '{"message":"Internal server error","statusCode":500,"correlationId":"standin0"}'
      response.writeHead(modern() ? 404 : 500, {
        ...headers,
        'content-type': `${file.type}; charset=utf-8`,
        ...ranged && { 'content-range': `bytes */${size}` },
        'content-length': body.length
      }).end(body)
    }
    const { range, 'if-none-match': tag, 'if-modified-since': since } = request.headers
    const ifRange = request.headers['if-range'] as string | undefined
    const weak = (tag: string) => tag.trim().replace(/^W\//, '')
    const { 'if-match': match, 'if-unmodified-since': unmodified } = request.headers
    if ((match && match !== etag) || (unmodified && Date.parse(unmodified) < Date.parse(modified))) {
      return deny(false)
    }
    if (request.headers['cache-control'] !== 'no-cache') {
      const fresh = tag !== undefined ? tag === '*' || tag.split(',').some(one => weak(one) === weak(etag))
        : since !== undefined && Date.parse(modified) <= Date.parse(since)
      if (fresh) {
        delete headers['content-type']
        response.writeHead(304, headers).end()
        return
      }
    }
    let [first, last, status] = [0, size - 1, 200]
    const usable = range?.startsWith('bytes=') && (ifRange === undefined ||
      (/"/.test(ifRange) ? weak(ifRange) === weak(etag) : Date.parse(modified) <= Date.parse(ifRange)))
    if (usable && !range!.includes(',')) {
      const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range!) ?? []
      if (from === '' && to === '') { if (!modern()) return deny() } else {
        first = from === '' ? size - Number(to) : Number(from)
        last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1)
        if (first < 0 || first > last || first >= size) return deny()
        status = 206
        headers['content-range'] = `bytes ${first}-${last}/${size}`
      }
    }
    if (!state.chunked) headers['content-length'] = last - first + 1 + (fault.lie ?? 0)
    response.writeHead(status, { ...headers, ...fault.headers })
    if (request.method === 'HEAD') { response.end(); return }
    state.open++
    response.on('close', () => state.open--)
    void sendBody(response, read(file, first, last), fault)
  }

  async function sendBody (
    response: ServerResponse,
    body: Readable,
    { dieAfter = Infinity, silentAfter = Infinity, drip }: Fault
  ): Promise<void> {
    let wake = () => {}
    response.on('drain', () => wake()).on('close', () => { body.destroy(); wake() })
    if (dieAfter === Infinity && silentAfter === Infinity && !drip) { body.pipe(response); return }
    let sent = 0
    try {
      for await (const whole of body as AsyncIterable<Buffer>) {
        for (let at = 0; at < whole.length;) {
          const chunk = whole.subarray(
            at,
            at + Math.min(drip?.[0] ?? Infinity, Math.max(0, Math.min(dieAfter, silentAfter) - sent))
          )
          at += chunk.length
          sent += chunk.length
          if (chunk.length && !response.write(chunk)) await new Promise<void>(resolve => { wake = resolve })
          if (sent >= dieAfter) { setTimeout(() => response.destroy(), 20); return }
          if (sent >= silentAfter) return
          if (drip) await new Promise(resolve => setTimeout(resolve, drip[1]))
          if (response.destroyed) return
        }
      }
      response.end()
    } catch {}
  }

  function answer (request: Asked, raw: IncomingMessage, response: ServerResponse, fault: Fault): void {
    const { path, query, method } = request
    const get = method === 'GET' || method === 'HEAD'
    const unknown = () => fail(response, 404, `Cannot ${method} ${raw.url}`)
    if (path === '/api/server/ping' && get) return json(response, 200, { res: 'pong' })
    if (path === '/api/server/version' && get) {
      const [major, minor, patch] = version.split('.').map(Number)
      return json(response, 200, { major, minor, patch, ...modern() && { prerelease: null } })
    }
    if (!path.startsWith('/api/')) return unknown()
    const [, , area = '', id = '', part = '', sub = ''] = path.split('/')
    const known =
      (get && ['shared-links/me', 'timeline/buckets', 'timeline/bucket'].includes(`${area}/${id}`)) ||
      (get && area === 'assets') ||
      (!get && ['download/info', 'search/metadata'].includes(`${area}/${id}`)) ||
      (!get && `${area}/${id}` === 'shared-links/login' && version !== '2.5.6')
    if (!known) return unknown()
    const key = query.get('key')
    const slug = query.get('slug')
    if (!key && !slug) return fail(response, 401, 'Authentication required')
    if (slug?.includes('\0')) return fail(response, 500, 'Internal server error')
    const bytes = (text: string) =>
      Buffer.from(text, text.length === 100 ? 'hex' : 'base64url').toString('hex')
    const link = library.links.find(
      link =>
        (key ? bytes(link.key) === bytes(key) : link.slug === slug) &&
        !(link.expiresAt && Date.parse(link.expiresAt) <= Date.now()) &&
        (link.assets || library.albums.has(link.album!))
    )
    if (!link) return fail(response, 401, key ? 'Invalid share key' : 'Invalid share slug')
    if (area === 'shared-links') return sharedLink(request, raw, response, link, id)
    if (area === 'timeline') return timeline(response, link, id, query)
    if (area === 'download') return sizes(request, response, link)
    if (area === 'search') return search(request, response, link)
    if (!uuid.test(id)) {
      const error = { origin: 'string', code: 'invalid_format', format: 'uuid', pattern: '', path: ['id'] }
      return fail(response, 400, ['id must be a UUID'], [{ ...error, message: 'Invalid UUID' }])
    }
    const asset = library.assets.get(id)
    const album = link.album ? library.albums.get(link.album) : undefined
    const ids = album?.assets ?? link.assets ?? []
    const shared = asset && !asset.trashed && (asset.visibility !== 'locked' || link.assets) &&
      (ids.includes(id) || ids.some(other => library.assets.get(other)?.motion === id))
    const denied = (what: string, status = 400) =>
      modern() && status === 404
        ? fail(response, 404, 'Not Found')
        : fail(response, 400, `Not found or no asset.${what} access`)
    if (part === '') {
      return shared
        ? json(response, 200, assetJson(asset, link, ms => new Date(ms).toISOString()))
        : denied('read')
    }
    if (part === 'original') {
      if (!shared || !link.allowDownload) return denied('download', 404)
      return sendFile(raw, response, { name: asset.name, ...asset.original }, fault)
    }
    if (part === 'video' && sub === 'playback') {
      if (!shared) return denied('view', 404)
      if (asset.type !== 'VIDEO') {
        return fail(response, 404, modern() ? 'Not Found' : 'Asset not found or asset is not a video')
      }
      return sendFile(raw, response, asset.playback ?? { ...asset.original, type: asset.mime }, fault)
    }
    if (part !== 'thumbnail') return unknown()
    const size = query.get('size') ?? 'thumbnail'
    if (size === 'original' && !modern()) return fail(response, 400, 'May not request original file')
    if (!['original', 'fullsize', 'preview', 'thumbnail'].includes(size)) {
      const message = 'size must be one of the following values: fullsize, preview, thumbnail'
      const error = { code: 'invalid_value', values: [], path: ['size'], message: '' }
      return fail(response, 400, [message], [error])
    }
    if (!shared) return denied('view')
    const file = size === 'original' ? undefined : asset[size as 'preview']
    if (!file && (size === 'fullsize' || size === 'original')) {
      const credential = key ? `key=${key}` : `slug=${slug}`
      const location = size === 'original'
        ? `original?${credential}`
        : `/api/assets/${id}/thumbnail?size=preview&${credential}`
      const body = `Found. Redirecting to ${location}`
      response.writeHead(302, {
        location,
        vary: 'Accept, Accept-Encoding',
        'content-type': 'text/plain; charset=utf-8',
        'content-length': body.length
      }).end(body)
      return
    }
    if (!file) return fail(response, 404, 'Asset media not found')
    const extension = file.type === 'image/webp' ? 'webp' : 'jpeg'
    // without metadata, this answer has no name; the answer with an original still does
    const stem = link.showMetadata || version === '2.5.6'
      ? asset.name.replace(/^.*\//, '').replace(/\.[^.]*$/, '')
      : asset.id
    sendFile(raw, response, { name: `${stem}_${size}.${extension}`, ...file }, fault)
  }

  function sharedLink (
    request: Asked,
    raw: IncomingMessage,
    response: ServerResponse,
    link: ShareLink,
    call: string
  ): void {
    const cookie = /(?:^|; ?)immich_shared_link_token=([^;]*)/.exec(raw.headers.cookie ?? '')?.[1]
    const tokens = cookie ? decodeURIComponent(cookie).split(',') : []
    const setCookie = () => {
      const value = encodeURIComponent([...new Set([...tokens, tokenOf(link)])].join(','))
      const expires = new Date(Date.now() + 86_400_000).toUTCString()
      const flags = `Max-Age=86400; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`
      return { 'set-cookie': `immich_shared_link_token=${value}; ${flags}` }
    }
    if (call === 'login') {
      if (!link.password) return fail(response, 400, 'Shared link is not password protected')
      let body: { password?: unknown } = {}
      try { body = JSON.parse(request.body) } catch {}
      if (typeof body.password !== 'string') {
        const error = { expected: 'string', code: 'invalid_type', path: ['password'], message: '' }
        return fail(response, 400, ['password must be a string', 'password should not be empty'], [error])
      }
      if (body.password !== link.password) return fail(response, 401, 'Invalid password')
      return json(response, 201, linkJson(link), setCookie())
    }
    if (!link.password || state.careless) return json(response, 200, linkJson(link))
    if (tokens.includes(tokenOf(link))) {
      return json(response, 200, linkJson(link, true), version === '2.5.6' ? setCookie() : {})
    }
    const given = request.query.get('password')
    if (!modern() && given !== null) {
      return given === link.password
        ? json(response, 200, linkJson(link, true), setCookie())
        : fail(response, 401, 'Invalid password')
    }
    fail(response, 401, version === '2.5.6' ? 'Invalid password' : 'Password required')
  }

  function timeline (response: ServerResponse, link: ShareLink, call: string, query: URLSearchParams): void {
    const albumId = query.get('albumId')
    if (!albumId) return fail(response, 400, 'Not found or no timeline.read access')
    if (albumId !== link.album) return fail(response, 400, 'Not found or no album.read access')
    if (query.get('visibility') === 'locked') return fail(response, 401, 'Elevated permission is required')
    const assets = visible(library.albums.get(albumId)!, query)
    if (call === 'buckets') {
      const months = new Map<string, number>()
      for (const asset of assets) months.set(month(asset), (months.get(month(asset)) ?? 0) + 1)
      const sign = query.get('order') === 'asc' ? 1 : -1
      const sorted = [...months].sort(([a], [b]) => sign * (a < b ? -1 : 1))
      return json(response, 200, sorted.map(([timeBucket, count]) => ({ timeBucket, count })))
    }
    const bucket = query.get('timeBucket') ?? ''
    if (!/^\d{4}-\d\d-\d\d/.test(bucket)) return fail(response, 500, 'Failed to get time bucket')
    // a bare date in another zone is a different time, for which there is no bucket
    const isMissed = !bucket.includes('T') && state.zone !== 0
    const found = isMissed ? [] : assets.filter(asset => month(asset) === bucket.slice(0, 10))
    json(response, 200, columns(found, link))
  }

  /** Recordings …/search-metadata*: from 3.0.2 on, for the link's own album only; before, 403. */
  function search (request: Asked, response: ServerResponse, link: ShareLink): void {
    if (!modern()) return fail(response, 403, 'Forbidden')
    type Query = { albumIds?: string[], size?: number, page?: number }
    const { albumIds, size = 250, page = 1 } = JSON.parse(request.body || '{}') as Query
    if (size > 1000) {
      const error = { origin: 'number', code: 'too_big', maximum: 1000, inclusive: true, path: ['size'] }
      const message = 'Too big: expected number to be <=1000'
      return fail(response, 400, ['Too big'], [{ ...error, message }])
    }
    if (!albumIds) {
      return fail(response, 400, 'Shared link access is only allowed in combination with an albumIds filter')
    }
    const album = library.albums.get(link.album ?? '')
    if (!album || albumIds.length !== 1 || albumIds[0] !== album.id) {
      return fail(response, 400, 'Not found or no album.read access')
    }
    const found = album.assets
      .map(id => library.assets.get(id)!)
      .filter(({ trashed, visibility }) => !trashed && visibility !== 'locked')
    // metadata off makes no difference here
    const items = found.slice((page - 1) * size, page * size).map(asset => {
      const whole = assetJson(asset, { ...link, showMetadata: true }, ms => new Date(ms).toISOString())
      const { exifInfo: _, tags: __, stack: ___, ...told } = whole
      return told
    })
    const nextPage = found.length > page * size ? String(page + 1) : null
    json(response, 200, {
      albums: { total: 0, count: 0, items: [], facets: [] },
      assets: { total: items.length, count: items.length, items, facets: [], nextPage }
    })
  }

  function sizes (request: Asked, response: ServerResponse, link: ShareLink): void {
    type Query = { albumId?: string, assetIds?: string[], archiveSize?: number }
    const { albumId, assetIds, archiveSize = 4 * 1024 ** 3 } = JSON.parse(request.body || '{}') as Query
    if (!albumId && !assetIds) return fail(response, 400, 'assetIds, albumId, or userId is required')
    if (albumId && (albumId !== link.album || !link.allowDownload)) {
      return fail(response, 400, 'Not found or no album.download access')
    }
    const ids = albumId ? library.albums.get(albumId)!.assets : assetIds!
    const own = link.album ? library.albums.get(link.album)!.assets : link.assets!
    if (!albumId && (!link.allowDownload || ids.some(id => !own.includes(id)))) {
      return fail(response, 400, 'Not found or no asset.download access')
    }
    const archives: { size: number, assetIds: string[] }[] = []
    let current = { size: 0, assetIds: [] as string[] }
    // hidden and archived assets of an album are in it, the video part of a motion photo is not
    // (06-individual-mixed5)
    for (const id of ids) {
      const asset = library.assets.get(id)
      if (!asset || asset.trashed || asset.visibility === 'locked') continue
      current.size += asset.announced ?? fileSize(asset.original)
      current.assetIds.push(id)
      if (current.size > archiveSize) { archives.push(current); current = { size: 0, assetIds: [] } }
    }
    if (current.assetIds.length) archives.push(current)
    json(response, 201, { totalSize: archives.reduce((sum, { size }) => sum + size, 0), archives })
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://immich')
    const entry: Asked = {
      method: request.method!,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: '',
      closed: false
    }
    asked.push(entry)
    response.on('close', () => { entry.closed = true })
    response.on('error', () => {})
    try { for await (const chunk of request) entry.body += chunk } catch { return }
    const fault = state.fault(entry) ?? {}
    if (fault.reset) { request.socket.resetAndDestroy(); return }
    await fault.until
    if (fault.delay) await new Promise(resolve => setTimeout(resolve, fault.delay))
    if (fault.hang || response.destroyed) return
    if (fault.status !== undefined || fault.body !== undefined) {
      const body = fault.body ?? '{"message":"fault"}'
      response.writeHead(fault.status ?? 200, {
        'content-type': 'application/json; charset=utf-8',
        ...!state.chunked && { 'content-length': Buffer.byteLength(body) },
        ...fault.headers
      })
      return void sendBody(response, Readable.from([Buffer.from(body)]), fault)
    }
    faults.set(response, fault)
    answer(entry, request, response, fault)
  })
  server.on('connection', socket => { sockets.add(socket); socket.on('close', () => sockets.delete(socket)) })
  await new Promise<void>(resolve => server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(state, {
    port,
    url: `http://127.0.0.1:${port}`,
    sockets,
    setVersion (next: Version) { version = next },
    /** Refuses connections from now on; `listen` accepts them again. */
    async close () {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
    listen: () => new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve)),
    count: (path: string | RegExp) =>
      asked.filter(one => typeof path === 'string' ? one.path === path : path.test(one.path)).length
  })
}
export type StandIn = Awaited<ReturnType<typeof startImmich>>
