/** Configurations of the earlier generations, as their options are documented in the design: they start it unchanged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadSettings } from '../src/settings.ts'
import { ask, HTML, ROOT, start } from './helpers.ts'

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
  assert.equal(loadSettings({ IMMICH_URL: 'http://immich:2283', IPP_CONFIG: new URL('config.json', ROOT).pathname }, ROOT).notices.length, 0)
  assert.ok(ask)
})
