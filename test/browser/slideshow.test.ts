/** The slideshow in kiosk mode (`?play`), for a day of the browser's clock. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { openAlbum, skip } from './set-up.ts'

describe('the slideshow', { skip }, async () => {
  const { view, shown, album } = await openAlbum()

  test('a control that has the focus keeps it while the controls are hidden; a key shows it', async () => {
    const { page, context } = await view()
    await page.clock.install()
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    await page.focus('.ipp-play')
    await page.keyboard.press('Enter')
    const isHidden = () => page.evaluate(() => document.querySelector('.lg-outer')!.matches('.ipp-bare'))
    for (let n = 0; n < 20 && !await isHidden(); n++) await page.clock.runFor(1000)
    const bar = page.locator('.lg-toolbar')
    assert.equal(await bar.evaluate(bar => getComputedStyle(bar).visibility), 'hidden')
    await page.clock.runFor(1000)
    const isFocused = (name: string) => page.evaluate(name =>
      document.activeElement!.matches(`${name}:focus-visible`), name)
    assert.equal(await isFocused('.ipp-play'), true)
    await page.keyboard.press('Tab')
    assert.equal(await isHidden(), false)
    assert.equal(await isFocused('.ipp-full'), true)
    await context.close()
  })

  test('a slideshow that ends before the screen is kept awake lets it sleep', async () => {
    const { page, context } = await view()
    await page.addInitScript(() => {
      const state = Object.assign(window, { awake: 0, grant: () => {} })
      const lock = { release: async () => { state.awake-- } }
      const request = () => new Promise(resolve => {
        state.grant = () => { state.awake++; resolve(lock) }
      })
      Object.defineProperty(navigator, 'wakeLock', { value: { request } })
    })
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    await page.click('.ipp-play')
    await page.click('.ipp-play')
    assert.equal(await page.evaluate(async () => {
      const state = window as unknown as { awake: number, grant: () => void }
      state.grant()
      await new Promise(resolve => setTimeout(resolve, 50))
      return state.awake
    }), 0)
    await context.close()
  })

  test('it runs for a day: awake, videos to their end, an hour without Immich, new photos', async context => {
    const library = emptyLibrary()
    const photos = [photo(1), video(2), photo(3), photo(4)]
    const name = addAlbum(library, 'Shelf', photos)
    const { key } = addLink(library, 'shelf', { album: name })
    const own = await start({ library, ipp: { limits: { retries: 1 } },
      lightGallery: { slideShowInterval: 240_000 } })
    const { page, context: window } = await view({ size: 'phone' }, own.base)
    await page.clock.install()
    await page.addInitScript(() => {
      const request = async () => {
        Object.assign(window, { awake: true })
        return { release: async () => { Object.assign(window, { awake: false }) } }
      }
      Object.defineProperty(navigator, 'wakeLock', { value: { request } })
    })
    await page.goto(`/share/${key}?play`)
    await shown(page)
    assert.equal(await page.evaluate(() => (window as any).awake), true)
    assert.equal(page.url(), `${own.base}/share/${key}?play`)
    assert.equal(await page.evaluate(() =>
      document.querySelector('.lg-outer')!.classList.contains('ipp-bare')), true)
    const session = await window.newCDPSession(page)
    const heap = async () => {
      await session.send('HeapProfiler.collectGarbage')
      return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6
    }
    const isBlank = () => page.evaluate(() => {
      const image = document.querySelector<HTMLImageElement>('.lg-current img.lg-object')
      const video = document.querySelector<HTMLVideoElement>('.lg-current video')
      return !(video || (image && image.complete && image.naturalWidth > 1))
    })
    const slide = () => page.textContent('.lg-counter')
    const seen = new Set<string>()
    let first = 0
    // a video runs by its own clock
    const endVideo = () => page.evaluate(() =>
      document.querySelector<HTMLVideoElement>('.lg-current video')?.dispatchEvent(new Event('ended')))
    // Immich is away in the fourth hour
    for (let hour = 0; hour < 24; hour++) {
      own.immich.fault = () => hour === 3 ? { status: 503, body: '{}' } : undefined
      for (let minute = 0; minute < 60; minute += 4) {
        await page.clock.runFor(240_500)
        await endVideo()
        seen.add((await slide())!)
        assert.equal(await isBlank(), false, `hour ${hour}, minute ${minute}`)
      }
      if (hour === 1) first = await heap()
    }
    assert.equal(seen.size, 4, [...seen].join())
    const last = await heap()
    assert.ok(last < first * 1.3 + 2, `${first} MB at first, ${last} MB in the end`)
    // a new photo is shown without a touch
    const real = performance.now.bind(performance)
    context.mock.method(performance, 'now', () => real() + 120_000)
    const added = photo(5)
    library.assets.set(added.id, added)
    library.albums.get(name)!.assets.push(added.id)
    for (let n = 0; n < 100 && !/ of 5$/.test((await slide().catch(() => ''))!); n++) {
      await page.clock.runFor(60_000).catch(() => {})
      await endVideo().catch(() => {})
    }
    assert.match((await slide())!, / of 5$/)
    assert.equal(page.url(), `${own.base}/share/${key}?play`)
    await shown(page)
    // a touch brings the controls, and closing the slideshow lets the screen sleep
    await page.touchscreen.tap(195, 160)
    await page.click('.lg-close')
    await page.waitForFunction(() => (window as any).awake === false)
    await window.close()
  })
})
