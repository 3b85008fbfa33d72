/** A photo or a video in the lightbox: caption, zoom, motion, controls, and failures to load. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start, until } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { openAlbum, skip, TELLING } from './set-up.ts'

describe('a photo or video in the lightbox: caption, zoom, playing, failures', { skip }, async () => {
  const { run, links, library, view, album, shown } = await openAlbum()

  test('the caption is below the photo, as text, if it may be shown', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    const big = links.mixed.assets!.find(id => library.assets.get(id)!.name === 'original0.jpg')!
    await page.goto(`/share/${links.mixed.key}/${big}`)
    await shown(page)
    await page.waitForFunction(() =>
      document.querySelector('.ipp-caption')?.textContent === 'The lake <b>at dawn</b> & "after"')
    await page.keyboard.press('ArrowRight')
    await page.waitForFunction(() => document.querySelector('.ipp-caption')?.textContent === '')
    assert.deepEqual(complaints, [])
    const other = await start({ library: run.library, ipp: { showMetadata: { exif: true } } })
    await page.goto(`${other.base}/share/${links.mixed.key}/${big}`)
    await shown(page)
    assert.equal(await page.textContent('.ipp-caption'), '')
  })

  test('a double tap before the picture has loaded breaks nothing', async () => {
    const own = await start({ library, ipp: TELLING })
    const { page, complaints } = await view({ size: 'phone' }, own.base)
    let answer = () => {}
    const asked = new Promise<void>(resolve => { answer = resolve })
    own.immich.fault = ({ query }) => query.get('size') === 'preview' ? { until: asked } : undefined
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="2"] img.in')
    await page.tap('a.tile[data-n="2"]')
    await page.waitForSelector('.lg-current img.lg-object', { state: 'attached' })
    await until(async () => {
      await page.touchscreen.tap(195, 420)
      await page.touchscreen.tap(195, 420)
      return await page.locator('.lg-outer.lg-zoomed').count() === 1
    })
    await page.touchscreen.tap(195, 420)
    answer()
    await shown(page)
    assert.deepEqual(complaints, [])
  })

  test('the thumbnail stands in for the picture; a tap hides the controls and shows them again', async () => {
    const own = await start({ library, ipp: TELLING })
    const { page, complaints } = await view({ size: 'phone' }, own.base)
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="2"] img.in')
    let answer = () => {}
    const asked = new Promise<void>(resolve => { answer = resolve })
    own.immich.fault = ({ query }) => query.get('size') === 'preview' ? { until: asked } : undefined
    await page.tap('a.tile[data-n="2"]')
    await page.waitForFunction(() => {
      const under = document.querySelector<HTMLImageElement>('.lg-current .ipp-under')
      return under && under.naturalWidth > 0 && under.getBoundingClientRect().width >= innerWidth &&
        !document.querySelector('.cover')
    })
    assert.equal(await page.locator('.lg-current.lg-complete').count(), 0)
    answer()
    own.immich.fault = () => undefined
    await shown(page)
    const isBare = () =>
      page.evaluate(() => document.querySelector('.lg-outer')!.classList.contains('ipp-bare'))
    // on the picture, and on the black beside it
    for (const [y, expected] of [[420, true], [760, false], [160, true]] as const) {
      await page.touchscreen.tap(195, y)
      await page.waitForFunction(bare =>
        document.querySelector('.lg-outer')!.classList.contains('ipp-bare') === bare, expected)
    }
    await page.keyboard.press('ArrowRight')
    assert.equal(await isBare(), false)
    assert.equal(await page.locator('.lg-container.lg-show').count(), 1)
    assert.deepEqual(complaints, [])
  })

  test('a panorama opens as high as the screen', async () => {
    const library = emptyLibrary()
    const wide = photo(1, { name: 'wide', width: 10_000, height: 1000 })
    const { key } = addLink(library, 'wide', { album: addAlbum(library, 'Wide', [wide, photo(2)]) })
    const own = await start({ library })
    const { page, complaints } = await view({ size: 'phone' }, own.base)
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10000" height="1000"/>'
    await page.route(`**/${wide.id}/preview?*`,
      route => route.fulfill({ contentType: 'image/svg+xml', body: svg }))
    await page.goto(`/share/${key}/${wide.id}`)
    await shown(page)
    await page.waitForFunction(() =>
      document.querySelector('.lg-current img.lg-object')!.getBoundingClientRect().height > innerHeight * 0.9)
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(url => !url.pathname.endsWith(wide.id))
    await page.waitForFunction(() => !document.querySelector('.lg-outer.lg-zoomed'))
    assert.deepEqual(complaints, [])
  })

  test('on a phone few buttons, and a menu for the rest; Escape closes the topmost layer', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="2"][href] img.in')
    await page.tap('a.tile[data-n="2"]')
    await shown(page)
    const tools = () => page.evaluate(() =>
      Array.from(document.querySelectorAll<HTMLElement>('.lg-toolbar .icon-button'))
        .filter(tool => tool.offsetWidth > 0).map(tool => tool.getAttribute('aria-label')).sort())
    const few = ['Close', 'Details', 'Download', 'More', 'Share']
    assert.deepEqual(await tools(), few)
    await page.click('.ipp-more')
    assert.deepEqual(await tools(), [...few, 'Full screen', 'Slideshow'].sort())
    await page.click('.ipp-info')
    await page.waitForSelector('.ipp-panel dt')
    // another button closes the menu
    assert.deepEqual(await tools(), few)
    await page.keyboard.press('Escape')
    assert.equal(await page.locator('.ipp-panel').count(), 0)
    await page.click('.ipp-more')
    await page.keyboard.press('Escape')
    assert.equal(await page.locator('.lg-container.lg-show').count(), 1)
    assert.deepEqual(await tools(), few)
    await page.click('.ipp-more')
    await page.click('.ipp-play')
    assert.deepEqual(await tools(), [...few, 'Slideshow'].sort(), 'a running slideshow can be stopped')
    // its next photo has the screen to itself
    await page.waitForSelector('.lg-outer.ipp-bare')
    await page.touchscreen.tap(195, 400)
    await page.click('.ipp-play')
    assert.deepEqual(await tools(), few)
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
    assert.deepEqual(complaints, [])
  })

  test('zooming in loads the full resolution, and a motion photo plays on request', async () => {
    const { page, complaints, asked } = await view()
    const ids = (await run.get(`/share/items/${links.mixed.key}/0`)).json()
    const big = links.mixed.assets!.find(id => library.assets.get(id)!.name === 'original0.jpg')!
    await page.goto(`/share/${links.mixed.key}/${big}`)
    await shown(page)
    await page.waitForFunction(() =>
      document.querySelector<HTMLImageElement>('.lg-current img.lg-object')!.naturalWidth > 100)
    assert.ok(!asked.some(line => line.includes(`${big}/fullsize`)))
    await page.dblclick('.lg-current img.lg-object')
    await page.waitForFunction(() =>
      document.querySelector<HTMLImageElement>('.lg-current img.lg-object')!.src.includes('/fullsize?v='))
    const n = Object.keys(ids.motion)[0]!
    await page.goto(`/share/${links.mixed.key}/${ids.id[Number(n)]}`)
    await shown(page)
    assert.ok(!asked.some(line => line.includes(ids.motion[n])))
    await page.click('.ipp-motion')
    await page.waitForFunction(() =>
      document.querySelector<HTMLVideoElement>('video.ipp-video')!.readyState > 1)
    const gif = ids.id.find((id: string) => library.assets.get(id)!.mime === 'image/gif')
    await page.goto(`/share/${links.mixed.key}/${gif}`)
    await shown(page)
    assert.match((await page.getAttribute('.lg-current img.lg-object', 'src'))!, /fullsize\?v=/)
    assert.deepEqual(complaints, [])
  })

  test('a video that breaks off is retried and continues; one that cannot be played says so', async () => {
    const { page } = await view()
    const { id } = (await run.get(`/share/items/${links.album.key}/0`)).json()
    const video = id.find((id: string) => library.assets.get(id)!.type === 'VIDEO')!
    const play = () => page.evaluate(() => {
      const video = document.querySelector<HTMLVideoElement>('.lg-current video')!
      video.muted = true
      video.play().catch(() => {})
    })
    let isBroken = true
    await page.route('**/share/video/**', route => isBroken ? route.abort() : route.continue())
    await page.goto(`${album}/${video}`)
    await page.waitForSelector('.lg-current video')
    await play()
    await page.waitForFunction(() => document.querySelector('.toast')?.textContent?.includes('Trying again'))
    isBroken = false
    await page.waitForFunction(() =>
      document.querySelector<HTMLVideoElement>('.lg-current video')!.currentTime > 0)
    const heads: string[] = []
    await page.route('**/share/video/**', route => {
      heads.push(route.request().method())
      return route.fulfill({ contentType: 'video/mp4', body: 'no video' })
    })
    await page.goto(`${album}/${video}`)
    await page.waitForSelector('.lg-current video')
    await play()
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('.lg-current video')!.error)
    await until(() => heads.includes('HEAD'), 'the question whether it is there')
    await page.waitForTimeout(1500)
    assert.deepEqual(heads, ['GET', 'HEAD'])
    assert.equal(await page.textContent('.toast'), 'This video can’t be played here.')
  })

  test('on a phone: a tap beside a photo closes nothing, and a scrubber at rest takes no touch', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    const under = () => page.evaluate(() =>
      document.elementFromPoint(innerWidth - 8, innerHeight / 2)?.closest('.scrubber') !== null)
    assert.equal(await under(), false, 'at rest the edge is the photos\'')
    await page.tap('a.tile[data-n="2"]')
    await shown(page)
    await page.waitForFunction(() => document.querySelector('.lg-outer.lg-visible'))
    await page.touchscreen.tap(195, 820)
    await page.waitForTimeout(700)
    assert.equal(await page.locator('.lg-container.lg-show').count(), 1,
      'black beside the photo closes nothing')
    // it hid the controls
    await page.touchscreen.tap(195, 820)
    await page.waitForFunction(() => !document.querySelector('.ipp-bare'))
    await page.click('.lg-close')
    await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
    assert.deepEqual(complaints, [])
  })

  test('a picture that fails is retried, with a message; one that does not exist is not', async () => {
    const { page } = await view()
    let broken = true
    const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
    await page.route(`**/${ids[4]}/preview?*`, route => broken ? route.abort() : route.continue())
    await page.route(`**/${ids[5]}/preview?*`, route => route.fulfill({ status: 404 }))
    await page.goto(`${album}/${ids[3]}`)
    await shown(page)
    await page.waitForFunction(() => document.querySelector('.toast')?.textContent?.length)
    await page.keyboard.press('ArrowRight')
    broken = false
    await page.waitForFunction(id =>
      Array.from(document.querySelectorAll<HTMLImageElement>('img.lg-object'))
        .some(img => img.src.includes(id!) && img.naturalWidth > 100), ids[4])
    await page.goto(`${album}/${ids[5]}`)
    await page.waitForFunction(() =>
      document.querySelector('.toast')?.textContent?.startsWith('The preview isn’t'))
  })
})
