/** Configurations of the earlier generations, as their options are documented in the design: they start it unchanged. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadSettings } from '../../src/config/settings.ts'
import { ask, HTML, ROOT, start } from '../helpers.ts'

const running = async (config: { ipp: object, lightGallery?: object }) => {
  const run = await start({ ipp: config.ipp as Record<string, unknown>, ...config.lightGallery && { lightGallery: config.lightGallery as Record<string, unknown> } })
  const page = async (link: { key: string }) => await run.get(`/share/${link.key}`, { headers: HTML })
  return { run, page, notices: run.settings.notices }
}

test('1.x: ipp beside lightGallery, flat names', async () => {
  const { run, page, notices } = await running({
    ipp: {
      responseHeaders: { 'Cache-Control': 'public, max-age=86400', 'Access-Control-Allow-Origin': '*' },
      singleImageGallery: true, downloadOriginalPhoto: false, showTitle: true, allowDownloadAll: 0, customInvalidResponse: 410
    },
    lightGallery: { controls: true, download: true, mobileSettings: { controls: false, showCloseIcon: true, download: true } }
  })
  assert.deepEqual(notices, ['ipp.showTitle is now ipp.showGalleryTitle'])
  const single = await page(run.links.photo)
  assert.match(String(single.headers['content-type']), /text\/html/)
  assert.equal((await run.get('/share/nothing')).status, 410)
  const album = await page(run.links.album)
  assert.match(album.text, /Summer at the lake/)
  assert.doesNotMatch(album.text, /href="[^"]*\/download"/)
  const [id] = run.links.photo.assets!
  const picture = await run.get(`/share/photo/${run.links.photo.key}/${id}/original`)
  assert.match(String(picture.headers['content-disposition']), /_preview|\.jpe?g/)
  const address = /"(\/share\/photo\/[^"]*\/thumbnail\?v=[^"]*)"/.exec(album.text)![1]!
  assert.equal((await run.get(address)).headers['cache-control'], 'public, max-age=86400')
  assert.equal((await run.get(`/share/photo/${run.links.photo.key}/${id}`)).headers['cache-control'], 'public, max-age=300')
})

test('2.x: groups of options, download quality by name', async () => {
  const { run, page, notices } = await running({
    ipp: {
      gallery: { singleImage: true, singleVideo: true, showTitle: false, showDescription: true, allowDownload: true, groupByDate: 'day' },
      lightbox: { autoOpen: false, maxDownloadQuality: 'preview', maxZoomQuality: 'preview' }
    }
  })
  assert.equal(notices.length, 9)
  for (const notice of notices) assert.match(notice, /^ipp\.(gallery|lightbox)\.\w+ is now ipp\.\w+$/)
  assert.equal(run.settings.downloadOriginalPhoto, false)
  assert.equal(run.settings.allowDownloadAll, 1)
  assert.equal(run.settings.singleItemAutoOpen, false)
  const album = await page(run.links.album)
  assert.doesNotMatch(album.text, /<h1[^>]*>Summer at the lake/)
  assert.match(album.text, /From all of us/)
  assert.match(album.text, /&#34;group&#34;:&#34;day&#34;/)
})

test('3.x: today\'s names in groups, metadata flags', async () => {
  const { run, page, notices } = await running({
    ipp: {
      gallery: { singleImageGallery: false, singleItemAutoOpen: true, showGalleryTitle: true, showGalleryDescription: false, allowDownloadAll: 1, downloadOriginalPhoto: true, showMetadata: { description: true, exif: { make: true, model: true }, location: { city: true } } },
      showHomePage: false, allowSlugLinks: false, downloadedFilename: 2
    },
    lightGallery: { speed: 300 }
  })
  assert.ok(notices.length >= 7)
  const { album, photo, slug } = run.links
  assert.equal((await run.get('/share')).status, 404)
  assert.equal((await run.get(`/s/${encodeURIComponent(slug.slug!)}`)).status, 404)
  const [id] = photo.assets!
  const meta = (await run.get(`/share/meta/${photo.key}/${id}`)).json()
  assert.deepEqual(Object.keys(meta).sort(), ['city', 'description', 'make', 'model'])
  assert.match(String((await run.get(`/share/photo/${photo.key}/${id}/original`)).headers['content-disposition']), new RegExp(`${id}\\.jpg`))
  assert.match((await page(album)).text, /&#34;speed&#34;:300/)
})

test('the variables: a file by path, one inline, a port, an address with a slash or /api', () => {
  assert.equal(loadSettings({ IMMICH_URL: 'http://immich:2283/', IPP_PORT: '8080', CONFIG: '{"ipp":{"showHomePage":false}}' }, ROOT).port, 8080)
  assert.equal(loadSettings({ IMMICH_URL: 'http://immich:2283/api', CONFIG: '{}' }, ROOT).immichUrl, 'http://immich:2283')
  assert.equal(loadSettings({ IMMICH_URL: 'http://immich:2283', IPP_CONFIG: fileURLToPath(new URL('config.json', ROOT)) }, ROOT).notices.length, 0)
  assert.ok(ask)
})

/** Files of the shapes that the releases shipped, written from their documentation: what each must come to here. */
const exif = ['dateTimeOriginal', 'fileName', 'dimensions', 'fileSize', 'make', 'model', 'lensModel', 'exposureTime', 'iso', 'fNumber', 'focalLength']
const flags = (names: string[], value: boolean) => Object.fromEntries(names.map(name => [name, value]))
const settingsOf = (ipp: Record<string, unknown>, more: Record<string, unknown> = {}) => loadSettings({ IMMICH_URL: 'http://x', CONFIG: JSON.stringify({ ipp, ...more }) }, ROOT)
const tells = ({ showMetadata: { description, exif, location } }: ReturnType<typeof settingsOf>) =>
  Object.entries({ description, ...exif, ...location }).filter(([name, value]) => value && name !== 'webLink').map(([name]) => name)

test('1.4.3 to 1.8: a zip by true and false', () => {
  assert.equal(settingsOf({ allowDownloadAll: false }).allowDownloadAll, 0)
  assert.equal(settingsOf({ allowDownloadAll: true }).allowDownloadAll, 1)
  assert.equal(settingsOf({ allowDownloadAll: '2' }).allowDownloadAll, 2)
  assert.equal(settingsOf({ groupGalleryByDate: true }).groupByDate, 'month')
  assert.equal(settingsOf({ groupGalleryByDate: false }).groupByDate, false)
})

test('2.3: what was switched off is off, whatever its flags say; true is all', () => {
  const shipped = { description: { caption: false, sidebar: false }, exif: { enabled: false, ...flags(exif, true) }, location: { enabled: false, city: true, gps: true } }
  const off = settingsOf({ showMetadata: shipped })
  assert.deepEqual(tells(off), [])
  assert.ok(off.notices.some(notice => notice.startsWith('ipp.showMetadata.exif.enabled: nothing')))
  const on = settingsOf({ showMetadata: { description: { caption: false, sidebar: true }, exif: { enabled: true, iso: false }, location: { enabled: true } } })
  assert.ok(tells(on).includes('description') && tells(on).includes('make') && tells(on).includes('latitude') && !tells(on).includes('iso'))
})

test('3.x as shipped starts, gives no download at all, and tells nothing', async () => {
  const ipp = {
    maxDownloadQuality: 'original', maxZoomQuality: 'preview', downloadedFilename: 0, allowDownload: 0, downloadFromImmichConcurrencyLimit: 20,
    showMetadata: { description: { caption: false, sidebar: false }, exif: { timeZone: false, ...flags(exif, false) }, location: { city: false, state: false, country: false, gps: false } },
    gallery: { singleImage: false, singleVideo: true, singleItemAutoOpen: true, showTitle: true, showDescription: false, showExpiryDate: false, expiryDateFormat: 'YYYY-MM-DD', expiryDateLocale: '', groupByDate: false, showDownloadZip: true, cacheTime: 300 },
    lightbox: { showArrows: true, showDownload: true, mobileArrows: false, autoPlayVideos: false }
  }
  const { run, page, notices } = await running({ ipp })
  assert.deepEqual(tells(run.settings), [])
  assert.ok(notices.some(notice => /^ipp\.gallery\.cacheTime: /.test(notice)) && notices.every(notice => !/unknown/.test(notice)), notices.join('\n'))
  const { album } = run.links
  const id = run.library.albums.get(album.album!)!.assets[0]!
  const [grid, photo] = [await page(album), await run.get(`/share/${album.key}/${id}`, { headers: HTML })]
  for (const { status, text } of [grid, photo]) { assert.equal(status, 200); assert.doesNotMatch(text, /\/original|\/download"/) }
  for (const path of [`/share/${album.key}/download`, `/share/photo/${album.key}/${id}/original`]) assert.equal((await run.get(path)).status, 404, path)
})

test('what an operator had switched off stays off, by the page and on the bytes', async () => {
  const off: [{ ipp: object, lightGallery?: object }, 'zip' | 'photo'][] = [
    [{ ipp: { gallery: { showDownloadZip: false }, allowDownload: 1 } }, 'zip'], [{ ipp: { lightbox: { showDownload: false }, allowDownload: 1 } }, 'photo'],
    [{ ipp: {}, lightGallery: { download: false } }, 'photo']
  ]
  for (const [config, what] of off) {
    const { run, page } = await running(config)
    const { album } = run.links
    const big = [...run.library.assets.values()].find(({ name }) => name === 'original0.jpg')!
    const link = run.links.photo
    assert.equal(/\/download"/.test((await page(album)).text), what !== 'zip', JSON.stringify(config))
    assert.equal((await run.get(`/share/${album.key}/download`, { method: 'HEAD' })).status, what === 'zip' ? 404 : 200)
    assert.equal((await run.get(`/share/photo/${link.key}/${link.assets![0]}/original`)).status, what === 'zip' ? 200 : 404)
    const full = await run.get(`/share/photo/${link.key}/${link.assets![0]}/fullsize`)
    assert.equal(full.body.equals(readFileSync(big.original.path!)), what === 'zip', 'not by its full size either')
  }
})

test('every former key has an equal or says what happens instead, and the new one wins', () => {
  const { former } = JSON.parse(readFileSync(new URL('config.schema.json', ROOT), 'utf8'))
  for (const [path, rows] of Object.entries(former) as [string, { to?: string, notice?: string }[]][]) {
    const ipp: any = {}
    path.split('.').reduce((group, name, n, all) => group[name] ??= n < all.length - 1 ? {} : null, ipp)
    // a value that nothing takes: the key of today is named, not the file refused as a whole
    const told = (() => { try { return settingsOf(ipp).notices.join('\n') } catch (error) { return String(error) } })()
    for (const { to, notice } of rows) assert.ok(told.includes(notice ?? to!.replace('lightGallery.', '')), `${path}: ${told}`)
  }
  const { downloadedFilename, showGalleryTitle, notices } = settingsOf({ downloadedFilename: '2', showGalleryTitle: true, showTitle: false, gallery: { showTitle: false } })
  assert.deepEqual([downloadedFilename, showGalleryTitle], ['id', true])
  assert.ok(notices.includes('ipp.downloadedFilename: 2 is now "id"'))
  const old = loadSettings({ IMMICH_URL: 'http://x', PORT: '8080', PROXY_PUBLIC_URL: 'https://p.example', CONFIG: '{}' }, ROOT)
  assert.deepEqual([old.port, old.publicBaseUrl], [8080, 'https://p.example'])
})
