/**
 * The owner's permissions × the operator's × each address: nothing leaves that lacks either, and everything
 * that has both is served somewhere. `allowed` is the whole rule.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromBufferPromise } from 'yauzl'
import { ask, HTML, KEEP_ALIVE, start, type Answer, type Ask } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, gif, PASSWORD, photo, video } from '../library.ts'
import type { Asset, ShareLink } from '../standin.ts'

// ------------------------------------------------------------------------------------------------- the rule

type Owner = { download: boolean, metadata: boolean }
const EVERYTHING = {
  allowDownload: true, allowDownloadAll: 1, maxDownloadQuality: 'original', maxZoomQuality: 'fullsize',
  motionPhotos: true, playOriginalVideos: true, stripMetadata: false, downloadedFilename: 'original',
  groupByDate: 'day' as 'day' | 'month' | false, showGalleryDescription: true,
  showMetadata: {
    description: true, exif: { dateTimeOriginal: true, originalFileName: true, make: true },
    location: { city: true }
  }
}
type Operator = typeof EVERYTHING
const NOTHING: Operator = {
  allowDownload: false, allowDownloadAll: 0, maxDownloadQuality: 'preview', maxZoomQuality: 'preview',
  motionPhotos: false, playOriginalVideos: false, stripMetadata: true, downloadedFilename: 'id',
  groupByDate: false, showGalleryDescription: false,
  showMetadata: {
    description: false, exif: { dateTimeOriginal: false, originalFileName: false, make: false },
    location: { city: false }
  }
}
const { showMetadata: NO_METADATA } = NOTHING
const NO_DATES = {
  ...EVERYTHING.showMetadata, exif: { ...EVERYTHING.showMetadata.exif, dateTimeOriginal: false }
}

/** Each operator's differences from `EVERYTHING`. */
const OPERATORS: Record<string, Partial<Operator>> = {
  everything: {},
  nothing: NOTHING,
  'no single downloads': { allowDownload: false },
  'no single downloads, no zoom': { allowDownload: false, maxZoomQuality: 'preview' },
  'no zips': { allowDownloadAll: 0 },
  'no downloads': { allowDownload: false, allowDownloadAll: 0 },
  'no downloads, no zoom': { allowDownload: false, allowDownloadAll: 0, maxZoomQuality: 'preview' },
  'full size': { maxDownloadQuality: 'fullsize', maxZoomQuality: 'preview' },
  'full size, transcodes': { maxDownloadQuality: 'fullsize', playOriginalVideos: false },
  'previews, but zoom': { maxDownloadQuality: 'preview' },
  'previews, no zoom': {
    maxDownloadQuality: 'preview', maxZoomQuality: 'preview', playOriginalVideos: false
  },
  'no clips': { motionPhotos: false },
  'transcodes, no downloads': { playOriginalVideos: false, allowDownload: false, allowDownloadAll: 0 },
  stripped: { stripMetadata: true },
  'stripped, no dates': { stripMetadata: true, showMetadata: NO_DATES, groupByDate: false },
  'stripped, full size': { stripMetadata: true, maxDownloadQuality: 'fullsize' },
  'no metadata': { showMetadata: NO_METADATA, groupByDate: false },
  'months only': { showMetadata: NO_DATES, groupByDate: 'month' },
  'days only': { showMetadata: NO_DATES },
  'named by id': { downloadedFilename: 'id' },
  'named by time': { downloadedFilename: 'time', showMetadata: NO_METADATA }
}

/** Whether each secret may leave. The names are those of `SECRETS`. */
function allowed ({ download, metadata }: Owner, operator: Operator): Record<string, boolean> {
  const { maxDownloadQuality: quality, stripMetadata, showMetadata, groupByDate } = operator
  const single = download && operator.allowDownload
  const zip = download && operator.allowDownloadAll > 0
  const isTaken = single || zip
  const zoom = download && operator.maxZoomQuality === 'fullsize'
  const original = isTaken && quality === 'original'
  // browsers show a JPEG as it is, and a RAW file only as the full size that Immich has of it
  const shownFull = zoom || (isTaken && quality !== 'preview')
  const rawFull = zoom || (single && quality !== 'preview') || (zip && quality === 'fullsize')
  // the owner's "no download" does not reach a video without a transcode, unless the operator says so
  const played = (operator.playOriginalVideos || original) && !stripMetadata
  const isDated = metadata && showMetadata.exif.dateTimeOriginal
  return {
    'the title': true,
    'the description': operator.showGalleryDescription,
    'the photo itself': shownFull, 'its camera notes': shownFull && !stripMetadata,
    'the RAW file': original && !stripMetadata,
    'the full size of the RAW': rawFull, 'camera notes of the RAW': rawFull && !stripMetadata,
    'the video': played,
    'the transcoded video': original && !stripMetadata, 'its transcode': true,
    'the moving GIF': (isTaken || zoom) && !stripMetadata,
    'the clip': operator.motionPhotos && played,
    'a file name': isTaken && metadata && operator.downloadedFilename === 'original',
    'a month': metadata && (groupByDate !== false || showMetadata.exif.dateTimeOriginal),
    'a day': metadata && (groupByDate === 'day' || showMetadata.exif.dateTimeOriginal),
    'a time': isDated,
    'a time in a zip': zip && metadata &&
      ((quality === 'original' && !stripMetadata) || showMetadata.exif.dateTimeOriginal),
    'details: name': metadata && showMetadata.exif.originalFileName,
    'details: time': isDated,
    'details: camera': metadata && showMetadata.exif.make,
    'details: place': metadata && showMetadata.location.city,
    'a caption': metadata && showMetadata.description,
    'never told': false
  }
}

// ---------------------------------------------------------------------------------------------- the secrets

/** 5:02:01 on 4 May 2019 by the camera's clock */
const TAKEN = Date.UTC(2019, 4, 4, 3, 2, 1)
const LOCAL_SECONDS = TAKEN / 1000 + 2 * 3600
const DAY = Math.floor(LOCAL_SECONDS / 86_400)
const MONTH = 2019 * 12 + 4

/** Each secret: the pattern that reveals it, the addresses to search, and the asset it belongs to. */
const SECRETS: Record<string, { text: RegExp, at?: RegExp, of?: string }> = {
  'the title': { text: /Our album|Our choice/ },
  'the description': { text: /About us/ },
  'the photo itself': { text: /photo original/, of: 'photo' },
  'its camera notes': { text: /photo notes/, of: 'photo' },
  'the RAW file': { text: /raw original/, of: 'raw' },
  'the full size of the RAW': { text: /raw fullsize/, of: 'raw' },
  'camera notes of the RAW': { text: /raw notes/, of: 'raw' },
  'the video': { text: /video original/, of: 'video' },
  'the transcoded video': { text: /talkie original/, of: 'talkie' },
  'its transcode': { text: /talkie transcode/, of: 'talkie' },
  'the moving GIF': { text: /gif original/, of: 'gif' },
  'the clip': { text: /clip original/, of: 'motion' },
  'a file name': { text: /Picnic/i, at: /^(?!\/share\/meta)/ },
  'a month': { text: new RegExp(`\\b${MONTH}\\b|(?<!zip of )2019`), at: /^(?!\/share\/meta)/ },
  'a day': { text: new RegExp(`\\b${DAY}\\b|May 4|2019.05.04`), at: /^(?!\/share\/meta)/ },
  'a time': { text: new RegExp(`${LOCAL_SECONDS}|${TAKEN / 1000}|0[35]:02`), at: /^(?!\/share\/meta)/ },
  'a time in a zip': { text: /zip of 2019/, at: /download/ },
  'details: name': { text: /Picnic/, at: /^\/share\/meta/ },
  'details: time': { text: new RegExp(`${LOCAL_SECONDS}|2019`), at: /^\/share\/meta/ },
  'details: camera': { text: /Leica/ },
  'details: place': { text: /Potsdam/ },
  'a caption': { text: /a caption/ },
  'never told': { text: /immich-tag|\/data\/upload|52\.39|Summilux|last-modified/ }
}

/** The smallest JPEG that can be blanked: the camera's notes, then the picture. */
function jpeg (picture: string, notes = ''): Buffer {
  const exif = Buffer.from(`Exif\0\0${notes}`)
  return Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, exif.length + 2]), exif,
    Buffer.from([0xff, 0xda, 0, 2]), Buffer.from(picture), Buffer.from([0xff, 0xd9])
  ])
}
const file = (bytes: string | Buffer, type: string) =>
  ({ bytes: Buffer.from(bytes), type, modified: TAKEN, etag: '"immich-tag"' })
const pictures = (name: string) => ({
  name: `Picnic ${name}`, taken: TAKEN, offsetHours: 2,
  preview: file(jpeg(`${name} preview`), 'image/jpeg'), thumbnail: file(`${name} thumbnail`, 'image/webp'),
  exif: {
    make: 'Leica', lensModel: 'Summilux', city: 'Potsdam', latitude: 52.39, description: 'a caption'
  }
})
const clip = video(6, {
  ...pictures('clip.mp4'), visibility: 'hidden', original: file('clip original', 'video/mp4')
})
/** One of each kind of file. */
const ASSETS: Record<string, Asset> = {
  photo: photo(1, {
    ...pictures('photo.jpg'), original: file(jpeg('photo original', 'photo notes'), 'image/jpeg')
  }),
  raw: photo(2, {
    ...pictures('raw.dng'), mime: 'image/dng', original: file('raw original', 'image/dng'),
    fullsize: file(jpeg('raw fullsize', 'raw notes'), 'image/jpeg')
  }),
  video: video(3, { ...pictures('video.mp4'), original: file('video original', 'video/mp4') }),
  talkie: video(4, {
    ...pictures('talkie.mov'), mime: 'video/quicktime', original: file('talkie original', 'video/quicktime'),
    playback: file('talkie transcode', 'video/mp4')
  }),
  gif: gif(5, { ...pictures('gif.gif'), original: file('gif original', 'image/gif') }),
  motion: photo(7, {
    ...pictures('motion.jpg'), motion: clip.id, original: file(jpeg('a still'), 'image/jpeg')
  })
}

// -------------------------------------------------------------------------------- links and their addresses

const library = emptyLibrary()
library.assets.set(clip.id, clip)
type Kind = { link: ShareLink, home: string, holds: string[] }
/** Links of every kind, with the owner's two permissions. */
function linksOf (owner: Owner): Record<string, Kind> {
  const options = { allowDownload: owner.download, showMetadata: owner.metadata }
  const seed = JSON.stringify(owner)
  const slug = `slug ${seed}`
  const holds = Object.keys(ASSETS)
  const album = addAlbum(library, 'Our album', Object.values(ASSETS))
  const add = (name: string, more: Partial<ShareLink>, of?: string[]): Kind => {
    const link = addLink(library, name + seed, { ...options, ...more }, of?.map(name => ASSETS[name]!))
    const home = link.slug ? `/s/${encodeURIComponent(link.slug)}` : `/share/${link.key}`
    return { link, home, holds: of ?? holds }
  }
  return {
    album: add('album', { album, description: 'About us' }),
    'album by slug': add('slug', { album, slug, description: 'About us' }),
    chosen: add('chosen', { description: 'Our choice' }, holds),
    'protected album': add('protected', { album, password: PASSWORD, description: 'About us' }),
    'protected slug': add('locked slug', { album, password: PASSWORD, slug: `${slug} 2` }),
    'one photo': add('photo', { description: 'Our choice' }, ['photo']),
    'one RAW': add('raw', { description: 'Our choice' }, ['raw']),
    'one video': add('video', { description: 'Our choice' }, ['video']),
    'one GIF': add('gif', { description: 'Our choice' }, ['gif'])
  }
}
const OWNERS: Owner[] =
  [true, false].flatMap(download => [true, false].map(metadata => ({ download, metadata })))
const LINKS = OWNERS.map(owner => ({ owner, kinds: linksOf(owner) }))

/** Every address of a link that could return bytes, a name, a date or a fact. */
function addressesOf ({ link: { key }, home, holds }: Kind): string[] {
  const ids = holds.map(name => ASSETS[name]!.id)
  const sizes = ['', '/thumbnail', '/preview', '/fullsize', '/original']
  return [
    home, `${home}?page=2`, `${home}/download`, `/share/items/${key}/0`, `/share/marks/${key}`,
    ...ids.flatMap(id => [
      `${home}/${id}`, `/share/meta/${key}/${id}`, `/share/video/${key}/${id}`,
      ...sizes.map(size => `/share/photo/${key}/${id}${size}`)
    ]),
    ...holds.includes('motion') ? [`/share/video/${key}/${clip.id}`, `/share/photo/${key}/${clip.id}`] : []
  ]
}

/** The years of the times in a zip; a file without a time has the first that the format knows. */
async function yearsIn (zip: Buffer): Promise<string> {
  const years: string[] = []
  for await (const entry of (await fromBufferPromise(zip)).eachEntry()) {
    years.push(`zip of ${entry.getLastModDate().getFullYear()}`)
  }
  return years.join()
}

/** The secrets that an answer contains, in its headers or its body. */
async function secretsIn (path: string, { headers, body, status }: Answer): Promise<string[]> {
  const { date: _, ...told } = headers
  const isZip = status === 200 && told['content-type'] === 'application/zip' && body.length > 0
  const text = `${JSON.stringify(told)} ${body.toString('latin1')} ${isZip ? await yearsIn(body) : ''}`
  return Object.entries(SECRETS)
    .filter(([, { text: pattern, at = /^/ }]) => at.test(path) && pattern.test(text)).map(([name]) => name)
}

const FORM = { ...HTML, 'content-type': 'application/x-www-form-urlencoded' }
/** The secrets that the addresses of a link reveal, each with the first address that revealed it. */
async function toldBy (base: string, kind: Kind, cookie: string, methods: string[]) {
  const found = new Map<string, string>()
  const request = async (method: string, path: string, more: Ask = {}) => {
    const headers = { ...FORM, host: 'photos.example', cookie }
    const response = await ask(base, path, { method, headers, agent: KEEP_ALIVE, ...more })
    assert.notEqual(response.status, 500, path)
    if (method === 'HEAD') assert.equal(response.body.length, 0, path)
    for (const name of await secretsIn(path, response)) {
      if (!found.has(name)) found.set(name, `${method} ${path}`)
    }
    if (kind.link.password) assert.doesNotMatch(response.text, /og:/, path)
    return response
  }
  for (const method of methods) for (const path of addressesOf(kind)) await request(method, path)
  const body = new URLSearchParams({ assets: JSON.stringify([ASSETS[kind.holds[0]!]!.id]) }).toString()
  const { headers: { location } } = await request('POST', `${kind.home}/download`, { body })
  if (location) await request('GET', location)
  return found
}

/** The allowed secrets that a link of this kind contains. */
function expected ({ holds, link }: Kind, owner: Owner, operator: Operator): string[] {
  const yes = allowed(owner, operator)
  return Object.keys(yes).filter(name => {
    const { of } = SECRETS[name]!
    // the zip of a video that may not leave holds a note, which has no time
    const isNote = holds.every(asset => asset === 'video') && !yes['the video']
    if (name === 'a time in a zip' && isNote) return false
    if (name === 'the description') return yes[name] && link.description === 'About us'
    return yes[name] && (of === undefined || holds.includes(of))
  })
}

// ------------------------------------------------------------------------------------------------ the table

/** These are tried with every kind of link and method; all of them are by `slow/gate-table.test.ts`. */
const IS_FULL = process.env.WHOLE_TABLE !== undefined
const WHOLE = IS_FULL ? Object.keys(OPERATORS) : ['everything', 'nothing']
for (const version of ['3.1.0', '2.7.5'] as const) {
  describe(`Immich ${version}`, () => {
    for (const [name, changes] of Object.entries(OPERATORS)) {
      const isWhole = WHOLE.includes(name)
      if (version === '2.7.5' && !isWhole && name !== 'stripped') continue
      test(`the operator allows: ${name}`, async () => {
        const operator = { ...EVERYTHING, ...changes }
        // show a page for the single photo, so that all links have the same addresses
        const ipp = { ...operator, singleImageGallery: true, limits: { guessesPerVisitor: 1000 } }
        const run = await start({ version, library, ipp, env: { IPP_SECRET: 'a secret of sixteen or more' } })
        for (const { owner, kinds } of LINKS) {
          for (const [kindName, kind] of Object.entries(kinds)) {
            if (!isWhole && kindName !== (name.startsWith('stripped') ? 'chosen' : 'album')) continue
            const { key, slug, password } = kind.link
            const where = `${kindName}, owner ${JSON.stringify(owner)}`
            if (password) {
              assert.deepEqual([...await toldBy(run.base, kind, '', ['GET', 'HEAD'])], [], `${where}, locked`)
            }
            const fields: Record<string, string> = slug ? { slug } : { key }
            const { cookie } = password ? await run.unlock({ ...fields, password }) : { cookie: '' }
            const hasHead = isWhole && (kindName === 'album' || IS_FULL)
            const methods = hasHead ? ['HEAD', 'GET'] : ['GET']
            const told = await toldBy(run.base, kind, cookie, methods)
            const yes = expected(kind, owner, operator)
            const tooMuch = [...told].filter(([secret]) => !yes.includes(secret))
            assert.deepEqual(tooMuch, [], `${where}: revealed, although not allowed`)
            assert.deepEqual(yes.filter(secret => !told.has(secret)), [], `${where}: allowed, but not found`)
          }
        }
      })
    }
  })
}
