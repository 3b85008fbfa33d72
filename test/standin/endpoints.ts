/** The endpoints of Immich's share API, with the checks and the errors of each version. */
import type { IncomingMessage } from 'node:http'
import {
  assetJson, availableAssets, bucketJson, bucketsJson, linkJson, monthOf, timelineAssets, tokenOf
} from './json.ts'
import { isVersion3, type Asset, type Exchange, type ShareLink, type State } from './model.ts'
import { fileSize, sendError, sendFile, sendJson } from './send.ts'

const UUID = /^[\da-f]{8}-[\da-f]{4}-[1-8][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i

const sendUnknown = (exchange: Exchange): void =>
  sendError(exchange, 404, `Cannot ${exchange.request.method} ${exchange.request.url}`)
const sendNoAccess = (exchange: Exchange, permission: string): void =>
  sendError(exchange, 400, `Not found or no ${permission} access`)

/** Sends the response to a request, without the faults that replace it as a whole. */
export function respond (exchange: Exchange): void {
  const { state, asked: { path, query, method } } = exchange
  const isRead = method === 'GET' || method === 'HEAD'
  if (path === '/api/server/ping' && isRead) return sendJson(exchange, 200, { res: 'pong' })
  if (path === '/api/server/version' && isRead) {
    const [major, minor, patch] = state.version.split('.').map(Number)
    return sendJson(exchange, 200, { major, minor, patch, ...isVersion3(state) && { prerelease: null } })
  }
  if (!path.startsWith('/api/')) return sendUnknown(exchange)
  const [, , area = '', name = ''] = path.split('/')
  const endpoint = `${area}/${name}`
  const isKnown = isRead
    ? area === 'assets' || ['shared-links/me', 'timeline/buckets', 'timeline/bucket'].includes(endpoint)
    : ['download/info', 'search/metadata'].includes(endpoint) ||
      (endpoint === 'shared-links/login' && state.version !== '2.5.6')
  if (!isKnown) return sendUnknown(exchange)
  const key = query.get('key')
  const slug = query.get('slug')
  if (!key && !slug) return sendError(exchange, 401, 'Authentication required')
  if (slug?.includes('\0')) return sendError(exchange, 500, 'Internal server error')
  const link = findLink(state, key, slug)
  if (!link) return sendError(exchange, 401, key ? 'Invalid share key' : 'Invalid share slug')
  if (endpoint === 'shared-links/login') return logIn(exchange, link)
  if (endpoint === 'shared-links/me') return sendLink(exchange, link)
  if (area === 'timeline') return sendTimeline(exchange, link, endpoint === 'timeline/bucket')
  if (endpoint === 'download/info') return sendDownloadInfo(exchange, link)
  if (endpoint === 'search/metadata') return search(exchange, link)
  sendAsset(exchange, link)
}

/** Finds a link that has not expired or lost its album, by its key in hex or base64url, or by its slug. */
function findLink (state: State, key: string | null, slug: string | null): ShareLink | undefined {
  const hexOf = (key: string) => Buffer.from(key, key.length === 100 ? 'hex' : 'base64url').toString('hex')
  return state.library.links.find(
    link =>
      (key ? hexOf(link.key) === hexOf(key) : link.slug === slug) &&
      !(link.expiresAt && Date.parse(link.expiresAt) <= Date.now()) &&
      (link.assets || state.library.albums.has(link.album!))
  )
}

/** Returns the tokens of the links that the client has unlocked. */
function tokensOf (request: IncomingMessage): string[] {
  const cookie = /(?:^|; ?)immich_shared_link_token=([^;]*)/.exec(request.headers.cookie ?? '')?.[1]
  return cookie ? decodeURIComponent(cookie).split(',') : []
}

/** Returns the header that adds the link to those that the client has unlocked. */
function unlockHeaders (request: IncomingMessage, link: ShareLink): Record<string, string> {
  const value = encodeURIComponent([...new Set([...tokensOf(request), tokenOf(link)])].join(','))
  const expires = new Date(Date.now() + 86_400_000).toUTCString()
  const flags = `Max-Age=86400; Path=/; Expires=${expires}; HttpOnly; SameSite=Lax`
  return { 'set-cookie': `immich_shared_link_token=${value}; ${flags}` }
}

function logIn (exchange: Exchange, link: ShareLink): void {
  if (!link.password) return sendError(exchange, 400, 'Shared link is not password protected')
  let body: { password?: unknown } = {}
  try { body = JSON.parse(exchange.asked.body) } catch {}
  if (typeof body.password !== 'string') {
    const error = { expected: 'string', code: 'invalid_type', path: ['password'], message: '' }
    const messages = ['password must be a string', 'password should not be empty']
    return sendError(exchange, 400, messages, [error])
  }
  if (body.password !== link.password) return sendError(exchange, 401, 'Invalid password')
  sendJson(exchange, 201, linkJson(exchange.state, link), unlockHeaders(exchange.request, link))
}

function sendLink (exchange: Exchange, link: ShareLink): void {
  const { state, request, asked } = exchange
  if (!link.password || state.careless) return sendJson(exchange, 200, linkJson(state, link))
  const isOldest = state.version === '2.5.6'
  const unlocked = () => linkJson(state, link, { isUnlocked: true })
  if (tokensOf(request).includes(tokenOf(link))) {
    return sendJson(exchange, 200, unlocked(), isOldest ? unlockHeaders(request, link) : {})
  }
  const password = asked.query.get('password')
  if (!isVersion3(state) && password !== null) {
    return password === link.password
      ? sendJson(exchange, 200, unlocked(), unlockHeaders(request, link))
      : sendError(exchange, 401, 'Invalid password')
  }
  sendError(exchange, 401, isOldest ? 'Invalid password' : 'Password required')
}

/** Sends the months of an album with their counts, or one month's assets. */
function sendTimeline (exchange: Exchange, link: ShareLink, isOneMonth: boolean): void {
  const { state, asked: { query } } = exchange
  const albumId = query.get('albumId')
  if (!albumId) return sendNoAccess(exchange, 'timeline.read')
  if (albumId !== link.album) return sendNoAccess(exchange, 'album.read')
  if (query.get('visibility') === 'locked') return sendError(exchange, 401, 'Elevated permission is required')
  const assets = timelineAssets(state, state.library.albums.get(albumId)!, query)
  if (!isOneMonth) return sendJson(exchange, 200, bucketsJson(assets, query))
  const bucket = query.get('timeBucket') ?? ''
  if (!/^\d{4}-\d\d-\d\d/.test(bucket)) return sendError(exchange, 500, 'Failed to get time bucket')
  // a bare date in another zone is a different time, for which there is no bucket
  const isMissed = !bucket.includes('T') && state.zone !== 0
  const found = isMissed ? [] : assets.filter(asset => monthOf(asset) === bucket.slice(0, 10))
  sendJson(exchange, 200, bucketJson(state, found, link))
}

/** Recordings …/search-metadata*: from 3.0.2 on, for the link's own album only; before, 403. */
function search (exchange: Exchange, link: ShareLink): void {
  const { state, asked } = exchange
  if (!isVersion3(state)) return sendError(exchange, 403, 'Forbidden')
  type Query = { albumIds?: string[], size?: number, page?: number }
  const { albumIds, size = 250, page = 1 } = JSON.parse(asked.body || '{}') as Query
  if (size > 1000) {
    const error = { origin: 'number', code: 'too_big', maximum: 1000, inclusive: true, path: ['size'] }
    const message = 'Too big: expected number to be <=1000'
    return sendError(exchange, 400, ['Too big'], [{ ...error, message }])
  }
  if (!albumIds) {
    const message = 'Shared link access is only allowed in combination with an albumIds filter'
    return sendError(exchange, 400, message)
  }
  const album = state.library.albums.get(link.album ?? '')
  if (!album || albumIds.length !== 1 || albumIds[0] !== album.id) {
    return sendNoAccess(exchange, 'album.read')
  }
  const found = availableAssets(state, album)
  // showMetadata makes no difference here
  const items = found.slice((page - 1) * size, page * size).map(asset => {
    const whole = assetJson(state, asset, { ...link, showMetadata: true })
    const { exifInfo: _, tags: __, stack: ___, ...item } = whole
    return item
  })
  const nextPage = found.length > page * size ? String(page + 1) : null
  sendJson(exchange, 200, {
    albums: { total: 0, count: 0, items: [], facets: [] },
    assets: { total: items.length, count: items.length, items, facets: [], nextPage }
  })
}

function sendDownloadInfo (exchange: Exchange, link: ShareLink): void {
  const { state: { library }, asked } = exchange
  type Query = { albumId?: string, assetIds?: string[], archiveSize?: number }
  const { albumId, assetIds, archiveSize = 4 * 1024 ** 3 } = JSON.parse(asked.body || '{}') as Query
  if (!albumId && !assetIds) return sendError(exchange, 400, 'assetIds, albumId, or userId is required')
  if (albumId && (albumId !== link.album || !link.allowDownload)) {
    return sendNoAccess(exchange, 'album.download')
  }
  const shared = link.album ? library.albums.get(link.album)!.assets : link.assets!
  const ids = albumId ? shared : assetIds!
  if (!albumId && (!link.allowDownload || ids.some(id => !shared.includes(id)))) {
    return sendNoAccess(exchange, 'asset.download')
  }
  const archives: { size: number, assetIds: string[] }[] = []
  let current = { size: 0, assetIds: [] as string[] }
  // an album's hidden and archived assets are included, the video of a motion photo is not
  // (recording 06-individual-mixed5)
  for (const id of ids) {
    const asset = library.assets.get(id)
    if (!asset || asset.trashed || asset.visibility === 'locked') continue
    current.size += asset.announced ?? fileSize(asset.original)
    current.assetIds.push(id)
    if (current.size > archiveSize) { archives.push(current); current = { size: 0, assetIds: [] } }
  }
  if (current.assetIds.length) archives.push(current)
  sendJson(exchange, 201, { totalSize: archives.reduce((sum, { size }) => sum + size, 0), archives })
}

/** Returns the asset if the link shares it, by itself or as the video of a motion photo. */
function findShared ({ library }: State, link: ShareLink, id: string): Asset | undefined {
  const asset = library.assets.get(id)
  if (!asset || asset.trashed || (asset.visibility === 'locked' && !link.assets)) return undefined
  const ids = library.albums.get(link.album ?? '')?.assets ?? link.assets ?? []
  const isShared = ids.includes(id) || ids.some(other => library.assets.get(other)?.motion === id)
  return isShared ? asset : undefined
}

/** Refuses a file: 3.x hides whether it exists, except for thumbnails. */
const refuseFile = (exchange: Exchange, permission: string): void =>
  isVersion3(exchange.state)
    ? sendError(exchange, 404, 'Not Found')
    : sendNoAccess(exchange, permission)

/** Sends an asset's JSON, or one of its files. */
function sendAsset (exchange: Exchange, link: ShareLink): void {
  const { state, asked: { path } } = exchange
  const [id = '', part = '', subPart = ''] = path.split('/').slice(3)
  if (!UUID.test(id)) {
    const error = { origin: 'string', code: 'invalid_format', format: 'uuid', pattern: '', path: ['id'] }
    return sendError(exchange, 400, ['id must be a UUID'], [{ ...error, message: 'Invalid UUID' }])
  }
  const asset = findShared(state, link, id)
  if (part === '') {
    return asset
      ? sendJson(exchange, 200, assetJson(state, asset, link))
      : sendNoAccess(exchange, 'asset.read')
  }
  if (part === 'original') {
    if (!asset || !link.allowDownload) return refuseFile(exchange, 'asset.download')
    return sendFile(exchange, { name: asset.name, ...asset.original })
  }
  if (part === 'video' && subPart === 'playback') {
    if (!asset) return refuseFile(exchange, 'asset.view')
    if (asset.type !== 'VIDEO') {
      const message = isVersion3(state) ? 'Not Found' : 'Asset not found or asset is not a video'
      return sendError(exchange, 404, message)
    }
    return sendFile(exchange, asset.playback ?? { ...asset.original, type: asset.mime })
  }
  if (part === 'thumbnail') return sendThumbnail(exchange, link, asset)
  sendUnknown(exchange)
}

function sendThumbnail (exchange: Exchange, link: ShareLink, asset: Asset | undefined): void {
  const { state, asked: { query } } = exchange
  const size = query.get('size') ?? 'thumbnail'
  if (size === 'original' && !isVersion3(state)) {
    return sendError(exchange, 400, 'May not request original file')
  }
  if (!['original', 'fullsize', 'preview', 'thumbnail'].includes(size)) {
    const message = 'size must be one of the following values: fullsize, preview, thumbnail'
    const error = { code: 'invalid_value', values: [], path: ['size'], message: '' }
    return sendError(exchange, 400, [message], [error])
  }
  if (!asset) return sendNoAccess(exchange, 'asset.view')
  const key = query.get('key')
  const credential = key ? `key=${key}` : `slug=${query.get('slug')}`
  if (size === 'original') return redirect(exchange, `original?${credential}`)
  const file = asset[size as 'fullsize' | 'preview' | 'thumbnail']
  if (!file && size === 'fullsize') {
    return redirect(exchange, `/api/assets/${asset.id}/thumbnail?size=preview&${credential}`)
  }
  if (!file) return sendError(exchange, 404, 'Asset media not found')
  const extension = file.type === 'image/webp' ? 'webp' : 'jpeg'
  // without metadata, the thumbnail's name is the id; an original still has its own name
  const stem = link.showMetadata || state.version === '2.5.6'
    ? asset.name.replace(/^.*\//, '').replace(/\.[^.]*$/, '')
    : asset.id
  sendFile(exchange, { name: `${stem}_${size}.${extension}`, ...file })
}

function redirect ({ response }: Exchange, location: string): void {
  const body = `Found. Redirecting to ${location}`
  response.writeHead(302, {
    location,
    vary: 'Accept, Accept-Encoding',
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length
  }).end(body)
}
