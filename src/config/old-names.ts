/**
 * Rewrites a configuration of an earlier release to today's names and values. The keys of a file show its
 * generation. If it can be read in two ways, the stricter one counts for anything that leaves the server
 * (downloads, metadata, headers). No Node modules here: `docs/config.html` contains this code.
 */
import { object, type Json } from '../json.ts'

/** 1 is 1.x, 2 is 2.0 to 3.x, 4 is 4.0; 5 is 5.0, and any file without a sign of an older release. */
type Generation = 1 | 2 | 4 | 5
const RELEASES: Record<Generation, string> = { 1: '1.x', 2: '2.x or 3.x', 4: '4.0', 5: '5.0' }

/**
 * Keys that show a generation, some of them only by the type of their value. All paths in this file are below
 * `ipp`, except those that begin with lightGallery.
 */
const SIGNS: [Generation, ...string[]][] = [
  [4, 'uploadUrl', 'upload'],
  [2, 'gallery', 'lightbox', 'downloadFromImmichConcurrencyLimit'],
  [2, 'allowDownload=number', 'allowDownload=string'],
  [2, 'showMetadata.description=object', 'showMetadata.exif.fileName', 'showMetadata.exif.fileSize'],
  [2, 'showMetadata.exif.enabled', 'showMetadata.location.enabled', 'showMetadata.location.gps'],
  [1, 'downloadOriginalPhoto', 'groupGalleryByDate', 'allowDownloadAll=boolean'],
  [5, 'singleVideoGallery', 'playOriginalVideos', 'showExpiryDate', 'groupByDate', 'stripMetadata'],
  [5, 'trustedProxies', 'limits', 'allowDownload'],
  // still a key, but one that every file of 1.x has
  [1, 'lightGallery']
]

/** `isNewer`: `to` already existed in 1.x, so `from` wins. `effects`: what happens, by value. */
type Row = { from: string, to: string, values?: Json, isNewer?: true, effects?: Record<string, string> }
const RENAMED: Row[] = [
  // 2.3 to 4.0
  { from: 'showMetadata.exif.fileName', to: 'showMetadata.exif.originalFileName' },
  { from: 'showMetadata.exif.fileSize', to: 'showMetadata.exif.fileSizeInByte' },
  { from: 'showMetadata.location.gps', to: 'showMetadata.location.latitude' },
  { from: 'showMetadata.location.gps', to: 'showMetadata.location.longitude' },
  // 2.0 to 4.0
  { from: 'gallery.singleImage', to: 'singleImageGallery', isNewer: true },
  { from: 'gallery.singleItemAutoOpen', to: 'singleItemAutoOpen', isNewer: true },
  {
    from: 'gallery.showTitle', to: 'showGalleryTitle', isNewer: true,
    effects: { true: 'the heading is the name of the album, and no longer the description of the link' }
  },
  {
    from: 'gallery.showDescription', to: 'showGalleryDescription', isNewer: true,
    effects: { true: 'pages show the description of the link, or else of the album' }
  },
  { from: 'gallery.groupByDate', to: 'groupByDate', values: { true: 'month' } },
  { from: 'gallery.singleVideo', to: 'singleVideoGallery' },
  { from: 'gallery.showExpiryDate', to: 'showExpiryDate' },
  { from: 'lightbox.showArrows', to: 'lightGallery.controls', isNewer: true },
  { from: 'lightbox.mobileArrows', to: 'lightGallery.mobileSettings.controls', isNewer: true },
  // 1.x to 3.2
  { from: 'groupGalleryByDate', to: 'groupByDate', values: { true: 'month' } },
  {
    from: 'downloadOriginalPhoto', to: 'maxDownloadQuality', values: { true: 'original', false: 'preview' },
    effects: { true: 'downloads are originals', false: 'downloads of photos are 1440-pixel previews' }
  }
]
/** Names without a successor, and what happens instead. */
const GONE: Record<string, string> = {
  'lightbox.autoPlayVideos': 'videos play when the visitor starts them',
  'lightbox.options': 'it was for another lightbox; the settings of this one are in lightGallery',
  'gallery.expiryDateFormat': 'dates are written in the visitor\'s language',
  'gallery.expiryDateLocale': 'dates are written in the visitor\'s language',
  'gallery.cacheTime': 'browsers check at each visit whether the page has changed',
  downloadFromImmichConcurrencyLimit: 'limits.zipRequests bounds the requests of a zip',
  uploadUrl: 'visitors cannot upload here',
  upload: 'visitors cannot upload here'
}
/** The EXIF and location flags that `enabled` of 2.3 covered. */
const ENABLED_FLAGS: Record<string, string[]> = {
  exif: [
    'dateTimeOriginal', 'fileName', 'dimensions', 'fileSize', 'make', 'model', 'lensModel', 'exposureTime',
    'iso', 'fNumber', 'focalLength'
  ],
  location: ['city', 'state', 'country', 'gps']
}
/** The meaning of `downloadedFilename` as a number: in a plain file of 1.x, and in releases from 1.14 on. */
const PLAIN_FILE_NAMES = { 0: 'time', 1: 'original', 2: 'id' }
const LATER_FILE_NAMES = { 0: 'original', 1: 'id', 2: 'short-id' }
/** All values that the two download keys ever had, as levels of today's `allowDownloadAll`. */
const LEVELS: Record<string, number> = { 0: 0, 1: 1, 2: 2, true: 1, false: 0 }

/** The right place of each old name, by the last part of its path. */
export const OLD_PLACES = new Map([
  ['gallery', 'ipp.gallery'], ['showDownloadZip', 'ipp.gallery.showDownloadZip'],
  ['lightbox', 'ipp.lightbox'], ['showDownload', 'ipp.lightbox.showDownload'],
  ...RENAMED.map(({ from, to }) => [from.split('.').at(-1), namesOf(to).join('.')] as const)
])

function namesOf (path: string): string[] {
  return path.startsWith('lightGallery') ? path.split('.') : ['ipp', ...path.split('.')]
}

/** Variables of 1.x that have no effect, with what to do instead. */
export const OLD_VARIABLES: Record<string, string> = {
  PORT: 'the port inside the container is IPP_PORT, or 3000',
  PROXY_PUBLIC_URL: 'the address that visitors see is PUBLIC_BASE_URL',
  CACHE_AGE: 'responseHeaders sets how images are cached. "Cache-Control": "public, max-age=60" is 60 s'
}

/** The value at a path. */
function read (config: Json, path: string): unknown {
  return namesOf(path).reduce<unknown>((value, name) => {
    const group = object(value)
    return group && Object.hasOwn(group, name) ? group[name] : undefined
  }, config)
}

/** Sets the value at a path and creates missing groups; undefined removes it, and groups left empty. */
function write (group: Json, [name = '', ...rest]: string[], value: unknown): void {
  const inner = object(group[name])
  if (rest.length === 0) group[name] = value
  else if (inner) write(inner, rest, value)
  else if (value !== undefined && (group[name] ?? null) === null) write(group[name] = {}, rest, value)
  const isEmpty = rest.length > 0 && inner && Object.keys(inner).length === 0
  if (value === undefined && (rest.length === 0 || isEmpty)) delete group[name]
}

function take (config: Json, path: string): unknown {
  const value = read(config, path)
  if (value !== undefined) write(config, namesOf(path), undefined)
  return value
}

/** Whether a button's value, once tested for truthiness, hides it; the text "false" counts as false. */
const isHidden = (value: unknown): boolean => value !== undefined && (!value || value === 'false')

/**
 * The generation of a file: that of the first row of SIGNS with a key that the file has. A numeric
 * `downloadedFilename` beside names of 3.x means 2.
 */
function generationOf (config: Json): Generation {
  const has = (sign: string) => {
    const [path = '', type] = sign.split('=')
    const value = read(config, path)
    return value !== undefined && value !== null && (type === undefined || typeof value === type)
  }
  // current names, but together with a numeric `downloadedFilename` they are from 3.x
  const isThird = has('downloadedFilename=number') &&
    ['maxDownloadQuality', 'maxZoomQuality', 'motionPhotos'].some(has)
  const [generation] = SIGNS.find(([, ...signs]) => signs.some(has)) ?? [5]
  return isThird && generation !== 4 ? 2 : generation
}

/** A table's entry for a value; undefined if it has none, as for any group or list. */
function entryOf <T> (table: Record<string, T>, value: unknown): T | undefined {
  const name = typeof value === 'object' ? '' : String(value)
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** Moves values to their keys' current names. Returns a notice for each. */
function rename (config: Json): string[] {
  // read all values first, because one old name can map to two keys
  const found = RENAMED.map(row => ({ ...row, value: read(config, row.from) }))
  for (const { from } of RENAMED) take(config, from)
  return found.flatMap(({ from, to, value, values = {}, isNewer, effects = {} }) => {
    if (value === undefined || value === null) return []
    const other = read(config, to)
    const name = namesOf(to).join('.')
    if (other !== undefined && !isNewer) return [`ipp.${from} has no effect: ${name} is set`]
    const present = entryOf<unknown>(values, value) ?? value
    write(config, namesOf(to), present)
    const effect = entryOf(effects, value) ?? 'with the same effect'
    const isRival = other !== undefined && other !== present
    const rival = isRival ? `, and wins over ${name}: ${JSON.stringify(other)}` : ''
    const now = `is now ${name}: ${JSON.stringify(present)}`
    return [`ipp.${from}: ${JSON.stringify(value)} ${now}, ${effect}${rival}`]
  })
}

/** Reads metadata in the form of 2.3: `enabled` switches the flags, and a description has two places. */
function readMetadata (config: Json, generation: Generation): string[] {
  const notices: string[] = []
  for (const [name, flags] of Object.entries(ENABLED_FLAGS)) {
    const path = `showMetadata.${name}`
    const enabled = take(config, `${path}.enabled`)
    if (enabled === undefined) continue
    for (const flag of flags) {
      const own = read(config, `${path}.${flag}`)
      const isShown = enabled === true && (own ?? true)
      if (enabled === true || own !== undefined) write(config, namesOf(`${path}.${flag}`), isShown)
    }
    const shown = enabled === true ? `visitors see ${flags.join(', ')}, except those that are false`
      : 'visitors see none of it'
    notices.push(`ipp.${path}.enabled: ${shown}`)
  }
  // a group from 2.3 on, and null for a group is its default
  if (read(config, 'showMetadata.description') === null) take(config, 'showMetadata.description')
  const description = object(read(config, 'showMetadata.description'))
  if (description) {
    const isShown = Object.values(description).includes(true)
    write(config, namesOf('showMetadata.description'), isShown)
    if (isShown) notices.push('ipp.showMetadata.description: shown as a caption and in the details panel')
  }
  if (generation === 4 && read(config, 'showMetadata.description') === true && !description) {
    write(config, namesOf('showMetadata.description'), false)
    notices.push('ipp.showMetadata.description: true showed nothing in 4.0, so it shows nothing')
  }
  const exif = object(read(config, 'showMetadata.exif'))
  if (exif?.timeZone === true && exif.dateTimeOriginal !== true) {
    exif.timeZone = false
    notices.push('ipp.showMetadata.exif.timeZone: not shown without dateTimeOriginal')
  }
  return notices
}

/**
 * Reads the current download keys: without `allowDownload`, lightGallery's button decides; without
 * `allowDownloadAll`, zips are off if single downloads are.
 */
function readDownloads (config: Json): string[] {
  const button = read(config, 'lightGallery.download')
  const isClosed = read(config, 'allowDownload') === undefined && isHidden(button)
  if (isClosed) write(config, ['ipp', 'allowDownload'], false)
  const isOff = read(config, 'allowDownload') === false && read(config, 'allowDownloadAll') === undefined
  if (isOff) write(config, ['ipp', 'allowDownloadAll'], 0)
  if (!isClosed) return []
  const what = isOff ? 'all' : 'single'
  const key = `lightGallery.download: ${JSON.stringify(button)}`
  return [`${key} switches ${what} downloads off, by their address too`]
}

/**
 * Reads the download keys of an old file. From 2.0 on, one level covered single downloads and zips:
 * `allowDownload`, or its earlier name `allowDownloadAll`, or else 0. A file of 1.x may have been used with
 * 2.0 as well, so it is read the same way.
 */
function readOldDownloads (config: Json, generation: Generation): string[] {
  const later = read(config, 'allowDownload')
  const earlier = generation === 4 ? undefined : read(config, 'allowDownloadAll')
  const given = later ?? earlier
  const level = entryOf(LEVELS, given ?? 0)
  const zipLevel = later === true ? entryOf(LEVELS, earlier ?? true) : level
  // a value of no release: the schema reports it
  if (level === undefined || zipLevel === undefined) return []

  const ownButton = take(config, 'lightbox.showDownload')
  const oldButton = read(config, 'lightGallery.download')
  const hasButton = !isHidden(ownButton === undefined ? oldButton : ownButton)
  const hasZipButton = !isHidden(take(config, 'gallery.showDownloadZip'))
  if (oldButton !== undefined) write(config, ['lightGallery', 'download'], hasButton)
  write(config, ['ipp', 'allowDownload'], level > 0 && hasButton)
  write(config, ['ipp', 'allowDownloadAll'], hasZipButton ? zipLevel : 0)

  const name = later === undefined ? 'allowDownloadAll' : 'allowDownload'
  const key = `ipp.${name}: ${JSON.stringify(given)}`
  const buttonName = ownButton === undefined ? 'lightGallery.download' : 'ipp.lightbox.showDownload'
  const isSpeltAsToday = typeof given === (later === undefined ? 'number' : 'boolean')
  const opener = '"allowDownload": true in ipp allows'
  const lines: [boolean, string][] = [
    [given === undefined, `Downloads are off: by its keys, this file is from ${RELEASES[generation]} ` +
      `and does not allow them. ${opener} them where a link's owner does`],
    [given !== undefined && level === 0, `${key} switches all downloads off, single ones and zips. ` +
      `${opener} ${later === undefined ? 'single ones' : 'both'} where a link's owner does`],
    [generation === 4 && later === true, `${key} allows single downloads and zips. 4.0 took it for 0`],
    [level > 0 && !isSpeltAsToday, `${key} allows single downloads and zips, where a link's owner does`],
    [later !== undefined && later !== true && earlier !== undefined,
      `ipp.allowDownloadAll: ${JSON.stringify(earlier)} has no effect: ipp.allowDownload is set`],
    [level > 0 && !hasButton, `${buttonName}: false switches single downloads off, by their address too`],
    [level > 0 && !hasZipButton, 'ipp.gallery.showDownloadZip: false switches zips off, by their address too']
  ]
  return lines.filter(([applies]) => applies).map(([, line]) => line)
}

/** Reads file names as numbers, which had two meanings; without the key, 4.0 hid all names. */
function readFileNames (config: Json, generation: Generation): string[] {
  const given = read(config, 'downloadedFilename')
  const path = ['ipp', 'downloadedFilename']
  if (generation === 4 && given === undefined) {
    write(config, path, 'short-id')
    return ['ipp.downloadedFilename is not set, which hid names in 4.0: downloads are named by "short-id"']
  }
  const isPlain = generation === 5 || generation === 1
  const later = entryOf(LATER_FILE_NAMES, given)
  const word = isPlain ? entryOf(PLAIN_FILE_NAMES, given) : later
  if (word === undefined) return []
  write(config, path, word)
  const doubt = isPlain ? `; in releases from 1.14 on it meant "${later}". Write the word that you want` : ''
  return [`ipp.downloadedFilename: ${given} names downloads by "${word}"${doubt}`]
}

/** Rewrites a configuration in place, and returns a notice with the effect of each change. */
export function translate (config: Json): string[] {
  const generation = generationOf(config)
  const isOld = generation !== 5
  const notices = isOld ? readOldDownloads(config, generation) : readDownloads(config)
  notices.push(...readFileNames(config, generation))
  if (isOld && read(config, 'responseHeaders') === undefined) {
    write(config, ['ipp', 'responseHeaders'], {})
    notices.push('ipp.responseHeaders is not set, which meant none: browsers cache no photos. ' +
      '"responseHeaders": {"Cache-Control": "public, max-age=2592000"} lets them do so for 30 days')
  }
  notices.push(...readMetadata(config, generation), ...rename(config))
  for (const [path, effect] of Object.entries(GONE)) {
    if (take(config, path) !== undefined) notices.push(`ipp.${path} has no effect: ${effect}`)
  }
  return notices
}
