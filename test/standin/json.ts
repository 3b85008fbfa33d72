/** The JSON that the stand-in sends for links, albums, assets and months of the timeline, by version. */
import { createHash } from 'node:crypto'
import { isVersion3, newId, type Album, type Asset, type ShareLink, type State } from './model.ts'
import { fileSize } from './send.ts'

const isoTime = (ms: number): string => new Date(ms).toISOString()
/** `2026-11-23T07:10:52.1`, the times of the timeline. */
const bareTime = (ms: number): string => isoTime(ms).replace(/\.?0*Z$/, '')
/** `2026-11-23T07:10:52.1+00:00`, the times of a link's assets, and of EXIF data. */
const offsetTime = (ms: number): string => bareTime(ms) + '+00:00'
/** `HH:MM:SS.mmm`, the durations of 2.x; null for a still. */
const clock = (ms: number | null): string | null => ms === null ? null : isoTime(ms).slice(11, 23)

/** Returns the local time at which the asset was taken, as if that were UTC. */
const localTime = (asset: Asset): number => asset.taken + asset.offsetHours * 3_600_000
/** Returns the asset's bucket in the timeline: the first day of its month. */
export const monthOf = (asset: Asset): string => isoTime(localTime(asset)).slice(0, 7) + '-01'

/** Returns 1 for the oldest first, and -1 for the newest first. */
const signOf = (query: URLSearchParams): number => query.get('order') === 'asc' ? 1 : -1

/** Returns the assets that an album's count and search include: hidden and archived ones too. */
export const availableAssets = (state: State, album: Album): Asset[] =>
  album.assets
    .map(id => state.library.assets.get(id)!)
    .filter(({ trashed, visibility }) => !trashed && visibility !== 'locked')

/** Returns what the timeline lists of an album, in its order. */
export function timelineAssets (state: State, album: Album, query: URLSearchParams): Asset[] {
  const visibility = query.get('visibility')
  const trashed = query.get('isTrashed') === 'true'
  const isListed = (asset: Asset) => visibility
    ? asset.visibility === visibility
    : asset.visibility === 'timeline' || asset.visibility === 'archive'
  const localDay = (asset: Asset) => Math.floor(localTime(asset) / 86_400_000)
  // 3.x and 2.7 sort by local day, then fileCreatedAt; 2.5 by fileCreatedAt alone
  const compareDays = (a: Asset, b: Asset) => state.version === '2.5.6' ? 0 : localDay(a) - localDay(b)
  return album.assets
    .map(id => state.library.assets.get(id)!)
    .filter(asset => state.careless || (asset.trashed === trashed && isListed(asset)))
    .sort((a, b) => signOf(query) * (compareDays(a, b) || a.taken - b.taken))
}

/** Returns the months of these assets, each with its count. */
export function bucketsJson (assets: Asset[], query: URLSearchParams): unknown {
  const counts = new Map<string, number>()
  for (const asset of assets) counts.set(monthOf(asset), (counts.get(monthOf(asset)) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => signOf(query) * (a < b ? -1 : 1))
    .map(([timeBucket, count]) => ({ timeBucket, count }))
}

/** Returns one month of the timeline: for each field the values of all assets. */
export function bucketJson (state: State, assets: Asset[], link: ShareLink): unknown {
  const is3 = isVersion3(state)
  const column = (valueOf: (asset: Asset) => unknown) => assets.map(valueOf)
  const places = {
    city: column(asset => asset.exif.city ?? null),
    country: column(asset => asset.exif.country ?? null)
  }
  return {
    ...!is3 && places,
    duration: column(asset => is3 ? asset.duration : clock(asset.duration)),
    id: column(asset => asset.id),
    visibility: column(asset => asset.visibility),
    isFavorite: column(() => false),
    isImage: column(asset => asset.type === 'IMAGE'),
    isTrashed: column(asset => asset.trashed),
    livePhotoVideoId: column(asset => asset.motion),
    fileCreatedAt: column(asset => bareTime(asset.taken)),
    localOffsetHours: column(asset => asset.offsetHours),
    ...is3 && { createdAt: column(asset => bareTime(asset.taken)) },
    ownerId: column(() => newId('owner')),
    projectionType: column(asset => asset.exif.projectionType ?? null),
    ratio: column(asset => Math.round(asset.width / asset.height * 1000) / 1000),
    status: column(asset => asset.trashed ? 'trashed' : 'active'),
    thumbhash: column(asset => asset.thumbhash),
    ...is3 && link.showMetadata && places
  }
}

function exifJson (asset: Asset): unknown {
  return {
    make: null, model: null, exifImageWidth: asset.width, exifImageHeight: asset.height,
    fileSizeInByte: fileSize(asset.original), orientation: '1',
    dateTimeOriginal: offsetTime(asset.taken), modifyDate: offsetTime(asset.taken), timeZone: 'UTC',
    lensModel: null, fNumber: null, focalLength: null, iso: null, exposureTime: null,
    latitude: null, longitude: null, city: null, state: null, country: null,
    description: '', projectionType: null, rating: null, ...asset.exif
  }
}

/** Returns an asset: an entry of a link's list, or the longer JSON of an asset requested by its id. */
export function assetJson (
  state: State,
  asset: Asset,
  link: ShareLink,
  { isListed = false } = {}
): Record<string, unknown> {
  const is3 = isVersion3(state)
  const time = isListed ? offsetTime : isoTime
  const basic = {
    id: asset.id,
    type: asset.type,
    originalMimeType: asset.mime,
    thumbhash: asset.thumbhash,
    localDateTime: time(localTime(asset)),
    duration: is3 ? asset.duration : clock(asset.duration) ?? '0:00:00.00000',
    livePhotoVideoId: asset.motion,
    hasMetadata: link.showMetadata,
    width: asset.width,
    height: asset.height
  }
  if (!link.showMetadata) return basic
  return {
    ...basic,
    createdAt: time(asset.taken),
    ...!is3 && { deviceAssetId: `${asset.name}-1`, deviceId: 'lab' },
    ownerId: newId('owner'),
    libraryId: null,
    originalPath: `/data/upload/owner/${asset.id}${asset.name.slice(asset.name.lastIndexOf('.'))}`,
    originalFileName: asset.name,
    fileCreatedAt: time(asset.taken),
    fileModifiedAt: time(asset.taken),
    updatedAt: time(asset.taken),
    isFavorite: false,
    isArchived: asset.visibility === 'archive',
    isTrashed: asset.trashed,
    visibility: asset.visibility,
    exifInfo: exifJson(asset),
    ...!isListed && { tags: [], stack: null },
    people: [],
    ...!isListed && !is3 && { unassignedFaces: [] },
    checksum: createHash('sha1').update(asset.id).digest('base64'),
    isOffline: false,
    duplicateId: null,
    resized: true,
    isEdited: asset.edited === true
  }
}

function albumJson (state: State, album: Album): unknown {
  const times = timelineAssets(state, album, new URLSearchParams()).map(asset => asset.taken)
  const owner = newId('owner')
  return {
    albumName: album.name,
    description: album.description,
    albumThumbnailAssetId: album.cover,
    createdAt: '2026-11-23T07:10:51.327551+00:00',
    updatedAt: '2026-11-23T07:10:52.057599+00:00',
    id: album.id,
    ...!isVersion3(state) && {
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
    ...times.length && {
      startDate: offsetTime(Math.min(...times)),
      endDate: offsetTime(Math.max(...times))
    },
    assetCount: availableAssets(state, album).length,
    isActivityEnabled: true,
    order: album.order
  }
}

/** Returns the token that shows the link's password was entered. */
export const tokenOf = (link: ShareLink): string =>
  createHash('sha256').update(`${link.key}${link.password}`).digest('base64')

/** Returns a link with its assets or its album; 2.5 includes the token once the link is unlocked. */
export function linkJson (state: State, link: ShareLink, { isUnlocked = false } = {}): unknown {
  const album = link.album ? state.library.albums.get(link.album) : undefined
  return {
    id: newId(link.key),
    description: link.description,
    password: link.password,
    ...isUnlocked && state.version === '2.5.6' && { token: tokenOf(link) },
    userId: newId('owner'),
    key: link.key,
    type: album ? 'ALBUM' : 'INDIVIDUAL',
    createdAt: '2026-11-23T07:10:52.085Z',
    expiresAt: link.expiresAt,
    assets: (link.assets ?? [])
      .map(id => state.library.assets.get(id)!)
      .filter(asset => state.careless || !asset.trashed)
      .map(asset => assetJson(state, asset, link, { isListed: true })),
    ...album && { album: albumJson(state, album) },
    allowUpload: false,
    allowDownload: link.allowDownload,
    showMetadata: link.showMetadata,
    slug: link.slug
  }
}
