/** The library for the demo and the tests: the sample pictures, and one link of every kind. */
import { fileURLToPath } from 'node:url'
import { readFileSync } from 'node:fs'
import { newId, newKey, type Album, type Asset, type Library, type ShareLink } from './standin.ts'

const folder = fileURLToPath(new URL('./samples/', import.meta.url))
const index = JSON.parse(readFileSync(folder + 'index.json', 'utf8')) as
  Record<string, { width: number, height: number, thumbhash: string, duration?: number }>

type Part = Partial<Asset>
/** A photo whose previews are one of the 24 sample pictures. */
export function photo (n: number, more: Part = {}): Asset {
  const sample = `photo${String(n % 24).padStart(2, '0')}`
  const { width, height, thumbhash } = index[`${sample}-preview.jpg`]!
  const preview = { path: `${folder}${sample}-preview.jpg`, type: 'image/jpeg' }
  return {
    id: newId(`photo ${n} ${more.name ?? ''}`),
    type: 'IMAGE',
    name: `IMG_${String(n).padStart(4, '0')}.jpg`,
    mime: 'image/jpeg',
    taken: Date.UTC(2025, 9, 18, 16) - n * 7_200_000,
    offsetHours: 2,
    width,
    height,
    duration: null,
    thumbhash,
    visibility: 'timeline',
    trashed: false,
    motion: null,
    exif: {},
    original: preview,
    preview,
    thumbnail: { path: `${folder}${sample}-thumbnail.webp`, type: 'image/webp' },
    ...more
  }
}

const sampled = (file: string, mime: string, n: number, more: Part): Asset => {
  const { width, height, thumbhash, duration = null } = index[file]!
  const base = file.replace(/\.\w+$/, '')
  const still = more.preview ? {} : {
    preview: { path: `${folder}${base}-preview.jpg`, type: 'image/jpeg' },
    thumbnail: { path: `${folder}${base}-thumbnail.webp`, type: 'image/webp' }
  }
  return photo(n, {
    id: newId(`${file} ${n}`),
    name: file,
    mime,
    width,
    height,
    thumbhash,
    duration,
    original: { path: folder + file, type: mime },
    ...still,
    ...more
  })
}
export const video = (n: number, more: Part = {}): Asset =>
  sampled(n % 2 ? 'video-portrait.mp4' : 'video-landscape.mp4', 'video/mp4', n, { type: 'VIDEO', ...more })
export const gif = (n: number, more: Part = {}): Asset =>
  sampled('animated.gif', 'image/gif', n, { duration: 2010, ...more })
/** A photo with EXIF, GPS and a real full-resolution file. */
export const original = (n: number, more: Part = {}): Asset => {
  const shown = photo(n === 0 ? 2 : n === 1 ? 6 : 4)
  return sampled(`original${n}.jpg`, 'image/jpeg', n, {
    preview: shown.preview!,
    thumbnail: shown.thumbnail!,
    exif: {
      make: 'Canon',
      model: 'Canon EOS R5',
      lensModel: 'RF24-70mm F2.8 L IS USM',
      fNumber: 2.8,
      focalLength: 35,
      iso: 100,
      exposureTime: '1/250',
      latitude: 52.5163,
      longitude: 13.3777,
      city: 'Berlin',
      state: 'State of Berlin',
      country: 'Germany',
      description: 'The lake <b>at dawn</b> & "after"'
    },
    ...more
  })
}

export const link = (seed: string, more: Partial<ShareLink>): ShareLink => ({
  key: newKey(seed),
  slug: null,
  password: null,
  description: null,
  expiresAt: null,
  allowDownload: true,
  showMetadata: true,
  ...more
})

export function emptyLibrary (): Library {
  return { assets: new Map(), albums: new Map(), links: [] }
}
/** Adds an album of these assets to the library, and returns its id. */
export function addAlbum (
  library: Library,
  name: string,
  assets: Asset[],
  more: Partial<Album> = {}
): string {
  const id = newId(`album ${name}`)
  for (const asset of assets) library.assets.set(asset.id, asset)
  library.albums.set(id, {
    id,
    name,
    description: '',
    order: 'desc',
    cover: assets[0]?.id ?? null,
    assets: assets.map(({ id }) => id),
    ...more
  })
  return id
}
/** Adds a link to the library, and returns it. */
export function addLink (
  library: Library,
  seed: string,
  more: Partial<ShareLink>,
  assets: Asset[] = []
): ShareLink {
  for (const asset of assets) library.assets.set(asset.id, asset)
  const added = link(seed, { ...more, ...assets.length && { assets: assets.map(({ id }) => id) } })
  library.links.push(added)
  return added
}

export const PASSWORD = 's3cret pässwörd,+&%'
/** An open album of so many photos, with a video of 40 MB as the last item. */
export function manyPhotos (count = 40) {
  const library = emptyLibrary()
  const large = { size: 40_000_000, type: 'video/mp4' }
  const videoAsset = video(count, { original: large, playback: large })
  const assets = [...Array.from({ length: count }, (_, n) => photo(n)), videoAsset]
  const { key } = addLink(library, 'limits', { album: addAlbum(library, 'Limits', assets) })
  return { library, key, ids: assets.map(({ id }) => id) }
}
/** An album of two photos and a video, shared openly and with a password. */
export function twoPhotosAndVideo () {
  const library = emptyLibrary()
  const large = { size: 3_000_000, type: 'video/mp4' }
  const assets = [photo(1), photo(2), video(3, { original: large, playback: large })]
  const album = addAlbum(library, 'Faults', assets)
  const { key } = addLink(library, 'faults', { album })
  const locked = addLink(library, 'faults, locked', { album, password: PASSWORD })
  const [first, , videoId] = assets.map(({ id }) => id)
  return { library, key, locked: locked.key, first, video: videoId, ids: assets.map(({ id }) => id) }
}
/** One link of every kind, by name. */
export function sampleLibrary () {
  const library = emptyLibrary()
  const part = video(1, { id: newId('motion part'), name: 'MOTION.mp4', visibility: 'hidden' })
  delete part.thumbnail; delete part.preview
  library.assets.set(part.id, part)
  const motion = photo(3, { name: 'PXL_MOTION.jpg', motion: part.id })
  const many = [
    ...Array.from({ length: 90 }, (_, n) => photo(n)),
    original(0),
    original(1),
    original(2),
    video(92),
    video(93),
    gif(94),
    motion
  ]
  const album = addAlbum(library, 'Summer at the lake', many, {
    description: 'Two weeks\nby the <water> & more'
  })
  const hidden = photo(200, { visibility: 'hidden' })
  const locked = photo(201, { visibility: 'locked' })
  const trashed = photo(202, { trashed: true })
  const archived = photo(203, { visibility: 'archive' })
  const mixedAlbum = addAlbum(library, 'Every visibility', [photo(204), hidden, locked, trashed, archived])
  const empty = addAlbum(library, 'Empty', [])
  const ascending = addAlbum(library, 'Oldest first', many.slice(0, 30), { order: 'asc' })
  const notShared = photo(300)
  library.assets.set(notShared.id, notShared)
  const links = {
    album: addLink(library, 'album', { album, description: 'From all of us <3' }),
    password: addLink(library, 'password', { album, password: PASSWORD }),
    slug: addLink(library, 'slug', { album: ascending, slug: 'sömmer 2026/ä?&' }),
    slugPassword: addLink(library, 'slug password', { album, slug: 'secret-slug', password: 'hunter2' }),
    photo: addLink(library, 'one photo', {}, [original(0)]),
    gif: addLink(library, 'one gif', {}, [gif(94)]),
    video: addLink(library, 'one video', {}, [video(92)]),
    photoPassword: addLink(library, 'one photo, password', { password: PASSWORD }, [original(1)]),
    mixed: addLink(library, 'mixed', {}, [original(0), motion, video(93), gif(94), photo(5)]),
    noMetadata: addLink(library, 'no metadata', { album, showMetadata: false }),
    noDownload: addLink(library, 'no download', { album, allowDownload: false }),
    visibility: addLink(library, 'visibility', { album: mixedAlbum }),
    empty: addLink(library, 'empty', { album: empty }),
    deleted: addLink(library, 'deleted', { album: newId('gone') }),
    expired: addLink(library, 'expired', { album, expiresAt: '2026-01-01T00:00:00.000Z' }),
    ending: addLink(library, 'ending', { album, expiresAt: '2100-12-31T23:59:59.000Z' }),
    lockedLater: addLink(library, 'locked later', {}, [photo(205, { visibility: 'locked' }), photo(206)])
  }
  return { library, links, assets: { part, motion, hidden, locked, trashed, archived, notShared } }
}
