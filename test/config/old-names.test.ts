/** The effects of configurations of earlier releases: buttons, addresses, bytes, JSON and headers. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { loadSettings } from '../../src/config/settings.ts'
import { HTML, ROOT, start, type Running } from '../helpers.ts'
import { EXIF, OLD_CONFIGS, type Config } from './old-configs.ts'

const settingsOf = (config: Config, env: Record<string, string> = {}) =>
  loadSettings({ IMMICH_URL: 'http://x', CONFIG: JSON.stringify(config), ...env }, ROOT)
const run = (config: Config) => start({ ipp: {}, env: { CONFIG: JSON.stringify(config) } })

/** The downloads that a visitor gets from the album and from the link with one photo. */
async function downloads ({ get, links, library }: Running) {
  const { album, photo } = links
  const [id] = photo.assets!
  const inAlbum = library.albums.get(album.album!)!.assets[0]
  const page = (await get(`/share/${album.key}`, { headers: HTML })).text
  const photoPage = (await get(`/share/${album.key}/${inAlbum}`, { headers: HTML })).text
  const original = await get(`/share/photo/${photo.key}/${id}/original`)
  const zip = await get(`/share/${album.key}/download`, { method: 'HEAD' })
  const posted = await get(`/share/${album.key}/download`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: `assets=["${inAlbum}"]`
  })
  return {
    zip: [/\/download"/.test(page), zip.status === 200, posted.status === 303],
    single: [/\/original[?"]/.test(photoPage), original.status === 200],
    name: /filename="([^"]*)"/.exec(String(original.headers['content-disposition']))?.[1],
    body: original.body,
    id
  }
}
const ALL = { zip: [true, true, true], single: [true, true] }
const NONE = { zip: [false, false, false], single: [false, false] }
const SINGLE = { ...NONE, single: ALL.single }
const ZIP = { ...NONE, zip: ALL.zip }
const allowed = async (config: Config) => {
  const { zip, single } = await downloads(await run(config))
  return { zip, single }
}
/** The fields that a visitor sees of the link's only photo. */
const told = async (showMetadata: object) => {
  const { get, links: { photo } } = await run({ ipp: { showMetadata } })
  const response = await get(`/share/meta/${photo.key}/${photo.assets![0]}`)
  return Object.keys(response.json()).sort()
}
const notices = (config: Config) => settingsOf(config).notices.join('\n')

for (const [release, config] of Object.entries(OLD_CONFIGS)) {
  test(`${release} as shipped: no downloads, no metadata, and the headers that it sent`, async () => {
    const running = await run(config)
    const { zip, single } = await downloads(running)
    assert.deepEqual({ zip, single }, NONE)
    const { get, links: { photo, album }, settings } = running
    assert.deepEqual((await get(`/share/meta/${photo.key}/${photo.assets![0]}`)).json(), {})
    assert.match(
      (await get(`/share/${album.key}`, { headers: HTML })).text,
      /Summer at the lake|Shared photos/
    )
    const { headers } = await get(`/share/photo/${photo.key}/${photo.assets![0]}/thumbnail`)
    const given = config.ipp?.responseHeaders as Record<string, string> | undefined
    assert.equal(headers['access-control-allow-origin'], given?.['Access-Control-Allow-Origin'])
    assert.match(String(headers['cache-control']), given ? /^public, max-age=300$/ : /^no-cache/)
    assert.doesNotMatch(settings.notices.join('\n'), /unknown|Did you mean/)
  })
  test(`${release} with the line of its notice: downloads, in its quality and under its names`, async () => {
    const line = /("allowDownload": true) in ipp allows/.exec(notices(config))?.[1]
    assert.ok(line, notices(config))
    const running = await run({ ...config, ipp: { ...config.ipp, ...JSON.parse(`{${line}}`) } })
    const { single, name, body } = await downloads(running)
    assert.deepEqual(single, ALL.single)
    const { original, preview } = running.library.assets.get(running.links.photo.assets![0]!)!
    const isPreview = release === '1.4.0'
    assert.ok(body.equals(readFileSync((isPreview ? preview! : original).path!)))
    const isTime = release.startsWith('1.') && config.ipp?.downloadedFilename === 0
    assert.match(String(name), isTime ? /^\d{8}_\d{6}\.jpg$/ : /^original0(?:_preview)?\.jpe?g$/)
  })
}

test('one download key for all, by generation: single photos, zips', async () => {
  const groups = { gallery: { showTitle: true } }
  const lightGallery = { download: true }
  const table: [Config, typeof ALL][] = [
    // 1.x, which may have run under 2.x and 3.x too
    [{ lightGallery: { download: false } }, NONE],
    [{ lightGallery }, NONE],
    [{ ipp: { allowDownloadAll: 1 }, lightGallery }, ALL],
    [{ ipp: { allowDownloadAll: true } }, ALL],
    [{ ipp: { allowDownloadAll: false } }, NONE],
    [{ ipp: { allowDownloadAll: 1 }, lightGallery: { download: false } }, ZIP],
    // 2.x
    [{ ipp: { ...groups, allowDownloadAll: 0 } }, NONE],
    [{ ipp: { ...groups, allowDownloadAll: 1 } }, ALL],
    [{ ipp: { ...groups, allowDownloadAll: 2 } }, ALL],
    [{ ipp: groups }, NONE],
    [{ ipp: { downloadOriginalPhoto: true } }, NONE],
    [{ ipp: { allowDownloadAll: 1, lightbox: { showDownload: false } } }, ZIP],
    // 3.x
    [{ ipp: { allowDownload: 0, allowDownloadAll: 2 } }, NONE],
    [{ ipp: { allowDownload: 1, allowDownloadAll: 0 } }, ALL],
    [{ ipp: { allowDownload: '0' } }, NONE],
    [{ ipp: { ...groups, allowDownload: false, allowDownloadAll: 1 } }, NONE],
    [{ ipp: { allowDownload: 1, gallery: { showDownloadZip: false } } }, SINGLE],
    [{ ipp: { allowDownload: 1, lightbox: { showDownload: true } }, lightGallery: { download: false } }, ALL],
    // buttons were judged by truth
    [{ ipp: { allowDownload: 1, lightbox: { showDownload: 0 }, gallery: { showDownloadZip: null } } }, NONE],
    [{ ipp: { allowDownload: 1, gallery: { showDownloadZip: 'false' } } }, SINGLE],
    [{ ipp: { showMetadata: { exif: { fileName: true } } } }, NONE],
    // 4.0 does not read allowDownloadAll
    [{ ipp: { uploadUrl: '', allowDownloadAll: 1 } }, NONE],
    [{ ipp: { uploadUrl: '', allowDownload: 2 } }, ALL],
    // today
    [{}, ALL],
    [{ ipp: { showHomePage: false } }, ALL],
    [{ ipp: { allowDownloadAll: 0 } }, SINGLE],
    [{ ipp: { allowDownload: false } }, NONE],
    [{ ipp: { allowDownload: false, allowDownloadAll: 1 } }, ZIP],
    [{ ipp: { limits: {}, allowDownload: true }, lightGallery: { download: false } }, ALL],
    [{ ipp: { stripMetadata: false }, lightGallery: { speed: 300 } }, ALL],
    [{ ipp: { stripMetadata: false }, lightGallery: { download: 'false' } }, NONE],
    [{ ipp: { stripMetadata: false }, lightGallery: { download: 0 } }, NONE]
  ]
  for (const [config, expected] of table) {
    assert.deepEqual(await allowed(config), expected, JSON.stringify(config))
  }
})

test('download notices give the effect and the line that allows downloads; a current key has none', () => {
  assert.match(
    notices({ ipp: { gallery: { showTitle: true } } }),
    /^Downloads are off: by its keys, this file is from 2\.x or 3\.x .*"allowDownload": true/
  )
  assert.match(notices({ ipp: { allowDownload: 0 } }), /^ipp\.allowDownload: 0 switches all downloads off/)
  assert.match(
    notices({ ipp: { allowDownload: 0, allowDownloadAll: 1 } }),
    /ipp\.allowDownloadAll: 1 has no effect: ipp\.allowDownload is set/
  )
  assert.match(
    notices({ ipp: { downloadOriginalPhoto: false, allowDownloadAll: 1 } }),
    /downloads of photos are 1440-pixel previews/
  )
  assert.match(
    notices({ ipp: { allowDownload: 1, gallery: { showDownloadZip: false } } }),
    /showDownloadZip: false switches zips off/
  )
  for (const ipp of [
    { allowDownload: false },
    { allowDownloadAll: 0 },
    { allowDownload: true, allowDownloadAll: 2 },
    { maxDownloadQuality: 'fullsize' }
  ]) {
    assert.equal(notices({ ipp }), '', JSON.stringify(ipp))
  }
})

test('metadata of 2.3: enabled sets eleven and four flags, except those that are false', async () => {
  const none = Object.fromEntries(EXIF.split(' ').map(name => [name, false]))
  // the photo in the library has only these fields
  const all = await told({ exif: true })
  assert.ok(all.includes('originalFileName') && all.includes('fileSizeInByte'))
  const without = (...names: string[]) => all.filter(name => !['timeZone', ...names].includes(name))
  assert.deepEqual(await told({ exif: { enabled: true } }), without())
  assert.deepEqual(await told({ exif: { enabled: true, fileName: false } }), without('originalFileName'))
  assert.deepEqual(await told({ exif: { enabled: true, fileSize: false } }), without('fileSizeInByte'))
  assert.deepEqual(await told({ exif: { enabled: true, iso: false } }), without('iso'))
  const places = ['city', 'country', 'latitude', 'longitude', 'state']
  assert.deepEqual(await told({ location: { enabled: true } }), places)
  assert.deepEqual(await told({ location: { enabled: true, gps: false } }), ['city', 'country', 'state'])
  assert.deepEqual(
    await told({
      exif: { enabled: false, iso: true, fileName: true },
      location: { enabled: false, gps: true }
    }),
    []
  )
  assert.deepEqual(await told({ exif: { ...none, fileName: true }, location: { gps: true } }), [
    'latitude',
    'longitude',
    'originalFileName'
  ])
  assert.doesNotMatch(notices({ ipp: { showMetadata: { exif: { enabled: false } } } }), /fileName/)
  assert.deepEqual(await told({ exif: { timeZone: true } }), [])
  assert.deepEqual(await told({ description: { caption: false, sidebar: true } }), ['description'])
})

test('4.0: description: true showed nothing', () => {
  assert.equal(
    settingsOf({ ipp: { uploadUrl: '', showMetadata: { description: true } } }).showMetadata.description,
    false
  )
  assert.equal(settingsOf({ ipp: { showMetadata: { description: true } } }).showMetadata.description, true)
})

test('file names as numbers: as documented for 1.x, or with the meaning of 2.0 and later', async () => {
  const name = async (ipp: Record<string, unknown>) => {
    const { name, id } = await downloads(await run({ ipp: { allowDownload: true, ...ipp } }))
    return String(name).replace(id!, 'ID').replace(id!.slice(0, 8), 'SHORT').replace(/^\d{8}_\d{6}/, 'TIME')
  }
  const groups = { gallery: { showTitle: true } }
  const table: [Record<string, unknown>, string][] = [
    [{ downloadedFilename: 0 }, 'TIME.jpg'],
    [{ downloadedFilename: 1 }, 'original0.jpg'],
    [{ downloadedFilename: 2 }, 'ID.jpg'],
    [{ ...groups, downloadedFilename: 0 }, 'original0.jpg'],
    [{ ...groups, downloadedFilename: 1 }, 'ID.jpg'],
    [{ ...groups, downloadedFilename: 2 }, 'img_SHORT.jpg'],
    [{ maxDownloadQuality: 'original', downloadedFilename: 1 }, 'ID.jpg'],
    [{ uploadUrl: '' }, 'img_SHORT.jpg'],
    [{ downloadedFilename: 'short-id' }, 'img_SHORT.jpg'],
    [groups, 'original0.jpg']
  ]
  for (const [ipp, expected] of table) assert.equal(await name(ipp), expected, JSON.stringify(ipp))
  assert.match(
    notices({ ipp: { downloadedFilename: 1 } }),
    /1 names downloads by "original"; in releases from 1\.14 on it meant "id"/
  )
  assert.doesNotMatch(notices({ ipp: { ...groups, downloadedFilename: 1 } }), /1\.14/)
})

test('the later of two names wins: groups over the flat names of 1.x, today\'s over groups', () => {
  const { showGalleryTitle, singleImageGallery, groupByDate, maxDownloadQuality, lightGallery, notices } =
    settingsOf({
      ipp: {
        showGalleryTitle: true,
        singleImageGallery: false,
        gallery: { showTitle: false, singleImage: true, groupByDate: 'month' },
        groupByDate: 'day',
        downloadOriginalPhoto: true,
        maxDownloadQuality: 'preview',
        lightbox: { showArrows: false, mobileArrows: true }
      },
      lightGallery: { controls: true }
    })
  assert.deepEqual(
    [showGalleryTitle, singleImageGallery, groupByDate, maxDownloadQuality],
    [false, true, 'day', 'preview']
  )
  assert.deepEqual(lightGallery, {
    controls: false,
    download: true,
    mobileSettings: { controls: true, showCloseIcon: true, download: true }
  })
  assert.ok(notices.includes('ipp.downloadOriginalPhoto has no effect: ipp.maxDownloadQuality is set'))
  const title = 'ipp.gallery.showTitle: false is now ipp.showGalleryTitle: false, with the same effect, ' +
    'and wins over ipp.showGalleryTitle: true'
  assert.ok(notices.includes(title))
})

test('names without a successor: a notice says what happens instead', () => {
  const text = notices({
    ipp: {
      allowDownload: 1,
      uploadUrl: '/upload',
      upload: { maxFileSize: 1 },
      downloadFromImmichConcurrencyLimit: 5,
      gallery: { cacheTime: 60, expiryDateFormat: 'D', expiryDateLocale: 'de' },
      lightbox: { options: { stripMetadata: 1 }, autoPlayVideos: true }
    }
  })
  for (const effect of [
    'visitors cannot upload here',
    'limits.zipRequests',
    'check at each visit',
    'the visitor\'s language',
    'another lightbox',
    'videos play when'
  ]) {
    assert.ok(text.includes(effect), effect)
  }
  assert.doesNotMatch(text, /unknown/)
})

test('an old file without responseHeaders sends none, as before; a current one the default', async () => {
  assert.deepEqual(settingsOf({ ipp: { allowDownload: 1 } }).responseHeaders, {})
  assert.match(notices({ ipp: { allowDownload: 1 } }), /responseHeaders is not set, which meant none/)
  assert.equal(
    settingsOf({ ipp: { showHomePage: false } }).responseHeaders['access-control-allow-origin'],
    '*'
  )
})

test('variables of 1.x have no effect, with a notice', () => {
  const { port, publicBaseUrl, notices } = settingsOf(
    {},
    { PORT: '8080', PROXY_PUBLIC_URL: 'nonsense', CACHE_AGE: '0' }
  )
  assert.deepEqual([port, publicBaseUrl], [3000, ''])
  assert.deepEqual(
    notices.map(notice => notice.split(' ')[0]),
    ['PORT=8080', 'PROXY_PUBLIC_URL=nonsense', 'CACHE_AGE=0']
  )
})
