/** Settings of old files that take effect in the gate: motion clips, qualities, zoom. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { HTML, start } from '../helpers.ts'
import { entriesOf } from '../unzip.ts'

const fileOf = (file: { path?: string } | undefined) => readFileSync(file!.path!)

test('motionPhotos: false: no clip on the page, by its address or in the zip', async () => {
  for (const motionPhotos of [true, false]) {
    const { get, links: { mixed }, assets: { part } } = await start({ ipp: { motionPhotos } })
    const page = (await get(`/share/${mixed.key}`, { headers: HTML })).text
    const list = (await get(`/share/items/${mixed.key}/0`)).text
    assert.equal(page.includes('class="motion"') || list.includes(part.id), motionPhotos)
    assert.equal((await get(`/share/video/${mixed.key}/${part.id}`)).status, motionPhotos ? 200 : 404)
    const zip = await get(`/share/${mixed.key}/download`)
    const names = (await entriesOf(zip.body)).map(({ name }) => name)
    assert.equal(
      names.filter(name => name.startsWith('PXL_MOTION') || name === 'MOTION.mp4').length,
      motionPhotos ? 2 : 1
    )
  }
})

test('zoom ignores the download keys: full resolution wherever the owner allows downloads', async () => {
  for (const off of [{ allowDownload: false }, { maxDownloadQuality: 'preview' }, { allowDownload: 0 }]) {
    const { get, links: { photo }, library } = await start({ ipp: { maxZoomQuality: 'fullsize', ...off } })
    const { original } = library.assets.get(photo.assets![0]!)!
    const { body } = await get(`/share/photo/${photo.key}/${photo.assets![0]}/fullsize`)
    assert.ok(body.equals(fileOf(original)), JSON.stringify(off))
  }
})

test('maxDownloadQuality: fullsize: the full resolution; preview: named as a preview', async () => {
  for (const maxDownloadQuality of ['fullsize', 'preview'] as const) {
    const { get, links: { photo }, library } = await start({ ipp: { maxDownloadQuality } })
    const { original, preview } = library.assets.get(photo.assets![0]!)!
    const { body, headers } = await get(`/share/photo/${photo.key}/${photo.assets![0]}/original`)
    assert.ok(body.equals(fileOf(maxDownloadQuality === 'fullsize' ? original : preview)), maxDownloadQuality)
    assert.equal(/_preview/.test(String(headers['content-disposition'])), maxDownloadQuality === 'preview')
  }
})

test('preview quality: a video stays a video, and a GIF stays animated', async () => {
  for (const maxDownloadQuality of ['fullsize', 'preview'] as const) {
    const { get, links: { video, gif } } = await start({ ipp: { maxDownloadQuality } })
    const response = await get(`/share/photo/${video.key}/${video.assets![0]}/original`)
    assert.match(String(response.headers['content-type']), /^video\//, maxDownloadQuality)
    const moving = await get(`/share/photo/${gif.key}/${gif.assets![0]}/original`)
    assert.equal(moving.headers['content-type'], 'image/gif', maxDownloadQuality)
  }
})

test('showGalleryTitle: false: only the heading disappears; the tab and the zip keep the name', async () => {
  const { get, links: { album } } = await start({ ipp: { showGalleryTitle: false } })
  const { text } = await get(`/share/${album.key}`, { headers: HTML })
  assert.doesNotMatch(text, /<h1[^>]*>Summer at the lake/)
  assert.match(text, /<title>Summer at the lake/)
  const zip = await get(`/share/${album.key}/download`, { method: 'HEAD' })
  assert.match(String(zip.headers['content-disposition']), /Summer at the lake/)
})
