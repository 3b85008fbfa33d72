/**
 * Mishaps of visitors: a script that is blocked or hangs, two presses instead of one, a reload in the
 * wrong moment, a network that comes back, a phone that is turned.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { fingersOf, swipe, type View } from '../browser.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { openAlbum, skip, startSelecting } from './set-up.ts'

const library = emptyLibrary()
const assets = Array.from({ length: 60 }, (_, n) =>
  photo(n, { name: `mishap ${n}`, exif: { description: `What photo ${n + 1} shows` } }))
const path = `/share/${addLink(library, 'mishaps', { album: addAlbum(library, 'Mishaps', assets) }).key}`
const wide = photo(1, { name: 'wide', width: 10_000, height: 1000, exif: { description: 'All around' } })
const strange = addAlbum(library, 'Odd', [wide, video(2), photo(3)])
const odd = `/share/${addLink(library, 'odd', { album: strange }).key}`

describe('mishaps', { skip }, async () => {
  const { run, view, shown } = await openAlbum(library)
  const open = async (how: View = {}, address = path) => {
    const opened = await view({ calm: true, ...how })
    await opened.page.goto(address)
    await opened.page.waitForSelector('.laid-out a.tile[data-n="1"] img.in')
    return opened
  }
  const isClosed = (page: Page) =>
    page.waitForFunction(() => !document.querySelector('.lg-container.lg-show, .cover'))
  const isAt = (page: Page, position: string) => page.waitForFunction(position =>
    document.querySelector('.lg-show .lg-counter')?.textContent === position, position)
  const openPhoto = async (page: Page, n: number) => {
    await page.click(`a.tile[data-n="${n}"]`)
    await shown(page)
  }

  test('a blocked script of the lightbox leads to the photo\'s own page, once', async () => {
    for (const name of ['zoom.js', 'lightbox.css', 'lightgallery.js']) {
      const { page, context } = await view({ calm: true })
      await page.route(`**/${name}`, route => route.abort())
      let documents = 0
      page.on('request', request => { if (request.resourceType() === 'document') documents++ })
      await page.goto(path)
      await page.waitForSelector('.laid-out a.tile img.in')
      await page.click('a.tile[data-n="1"]')
      await page.waitForSelector('#photo img')
      await page.waitForTimeout(2000)
      assert.equal(documents, 2, name)
      await page.goBack()
      await page.waitForSelector('.laid-out a.tile img.in')
      assert.equal(page.url(), run.base + path)
      await context.close()
    }
  })

  test('a lightbox whose script hangs can be left', async () => {
    const { page, context } = await view({ calm: true })
    await page.route('**/zoom.js', () => {})
    await page.goto(path)
    const ways = [() => page.keyboard.press('Escape'), () => page.click('.cover [aria-label="Close"]')]
    for (const leave of ways) {
      await page.waitForSelector('.laid-out a.tile[data-n="1"] img.in')
      await page.click('a.tile[data-n="1"]')
      await page.waitForSelector('.cover')
      await page.waitForURL(/\/share\/[^/]+\/[^/]+$/)
      await leave()
      await page.waitForURL(run.base + path)
      await isClosed(page)
    }
    await context.close()
  })

  test('a press on a photo counts while the last one glides back', async () => {
    const { page, context } = await open({ calm: false })
    await page.waitForSelector('.lg-container', { state: 'attached' })
    await openPhoto(page, 1)
    await page.waitForFunction(() => !document.querySelector('.cover'))
    await page.keyboard.press('Escape')
    await page.waitForTimeout(80)
    const { x, y } = (await page.locator('a.tile[data-n="3"]').boundingBox())!
    await page.mouse.click(x + 20, y + 20)
    await isAt(page, '4 of 60')
    await context.close()
  })

  test('a reload keeps the place that a selection reached, or that a photo was opened from', async () => {
    const { page, context } = await open()
    const isScrolled = (y: number) => page.waitForFunction(y => Math.abs(scrollY - y) < 5, y)
    await page.evaluate(() => scrollTo(0, 300))
    await page.waitForFunction(() => history.state?.y === 300)
    await startSelecting(page)
    await page.evaluate(() => scrollTo(0, 1200))
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !history.state?.isSelecting)
    await page.reload()
    await isScrolled(1200)
    await page.evaluate(() => {
      scrollTo(0, 700)
      const tiles = Array.from(document.querySelectorAll<HTMLElement>('a.tile'))
      tiles.find(tile => tile.getBoundingClientRect().y > 200)!.click()
    })
    await shown(page)
    await page.goBack()
    await isClosed(page)
    await page.reload()
    await isScrolled(700)
    await context.close()
  })

  test('no photo is shown with the details of another', async () => {
    const { page, context } = await open()
    await openPhoto(page, 1)
    await page.keyboard.press('i')
    await page.waitForSelector('.ipp-description:has-text("photo 2")')
    await page.keyboard.press('i')
    await page.route('**/share/meta/**', () => {})
    const asked = page.waitForRequest(/\/share\/meta\//)
    await page.keyboard.press('ArrowRight')
    await asked
    await isAt(page, '3 of 60')
    await page.keyboard.press('i')
    await page.waitForSelector('.ipp-note')
    assert.equal(await page.locator('.ipp-description').count(), 0)
    await context.close()
  })

  test('Tab into details that still glide in moves nothing', async () => {
    const { page, context } = await open({ calm: false })
    await openPhoto(page, 1)
    await page.keyboard.press('i')
    await page.waitForSelector('.ipp-panel')
    await page.keyboard.press('Tab')
    await page.waitForFunction(() => document.activeElement?.closest('.ipp-panel button'))
    assert.equal((await page.locator('.lg-content').boundingBox())!.x, 0)
    await context.close()
  })

  test('a description comes when the network is back', async () => {
    const { page, context } = await open()
    await openPhoto(page, 1)
    await context.setOffline(true)
    await page.keyboard.press('ArrowRight')
    await isAt(page, '3 of 60')
    await page.waitForTimeout(300)
    await context.setOffline(false)
    await page.waitForSelector('.ipp-caption:has-text("photo 3")')
    await context.close()
  })

  test('a panorama fills the height again after a turn, and after details; its words show', async () => {
    const { page, context } = await open({ size: 'phone' }, odd)
    const body = '<svg xmlns="http://www.w3.org/2000/svg" width="10000" height="1000"/>'
    await page.route(url => url.pathname.includes(`${wide.id}/preview`),
      route => route.fulfill({ contentType: 'image/svg+xml', body }))
    await openPhoto(page, 0)
    const filled = () => page.waitForFunction(() => {
      const { height } = document.querySelector('.lg-current .lg-object')!.getBoundingClientRect()
      const room = document.querySelector('.lg-content')!.getBoundingClientRect().height
      return document.querySelector<HTMLElement>('.lg-current .lg-img-wrap')!.style.transform !== '' &&
        height > room * 0.9
    })
    await filled()
    assert.equal(await page.isVisible('.ipp-caption:has-text("All around")'), true)
    await page.setViewportSize({ width: 844, height: 390 })
    await filled()
    await page.setViewportSize({ width: 390, height: 844 })
    await filled()
    await page.click('.ipp-info')
    await page.waitForSelector('.ipp-panel')
    await page.keyboard.press('Escape')
    await filled()
    await context.close()
  })

  test('after a swipe down has closed one photo, the first swipe in the next counts', async () => {
    const { page, context } = await open({ size: 'phone' })
    await openPhoto(page, 1)
    await swipe(page, [195, 300], [195, 600])
    await isClosed(page)
    await openPhoto(page, 1)
    await swipe(page, [330, 400], [60, 400])
    await isAt(page, '3 of 60')
    await context.close()
  })

  test('a drag that waits at the lower edge picks what scrolls by', async () => {
    const { page, context } = await open({ size: 'phone' })
    await page.waitForSelector('.pick-bar', { state: 'attached' })
    const { x, y } = (await page.locator('a.tile[data-n="1"]').boundingBox())!
    const touch = await fingersOf(page)
    await touch('touchStart', [x + 20, y + 20])
    await page.waitForSelector('body.selecting')
    await touch('touchMove', [x + 20, 600])
    await touch('touchMove', [x + 20, 815])
    await page.waitForFunction(() => scrollY > 800)
    await touch('touchEnd')
    const picked = Number((await page.textContent('.pick-count'))!.split(' ')[0])
    const last = await page.evaluate(() => {
      const tiles = Array.from(document.querySelectorAll<HTMLElement>('a.tile'))
      return Number(tiles.findLast(tile => tile.getBoundingClientRect().y < innerHeight - 90)!.dataset.n)
    })
    assert.ok(picked > last - 4, `${picked} picked, of ${last} that scrolled by`)
    await context.close()
  })

  test('two presses on "Download all" ask once, and Back takes the question away', async () => {
    const { page, context } = await view({ calm: true })
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    await page.route('**/download.js', async route => { await held; await route.continue() })
    await page.goto(path)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.click('#zip')
    await page.click('#zip')
    release()
    await page.waitForSelector('.sheet[open]')
    await page.waitForTimeout(200)
    assert.equal(await page.locator('.sheet').count(), 1)
    await page.keyboard.press('Escape')
    await page.waitForSelector('.sheet', { state: 'detached' })
    await startSelecting(page)
    await page.evaluate(() => document.getElementById('zip')!.click())
    await page.waitForSelector('.sheet[open]')
    await page.goBack()
    await page.waitForSelector('.sheet', { state: 'detached' })
    await context.close()
  })

  test('two presses on "Send my selection" show one text to copy', async () => {
    const { page, context } = await open()
    await page.evaluate(() => {
      for (const name of ['share', 'clipboard']) Object.defineProperty(navigator, name, { value: undefined })
    })
    await startSelecting(page)
    await page.click('a.tile[data-n="1"]')
    await page.evaluate(() => {
      const button = document.querySelector<HTMLElement>('.pick-bar [aria-label="Send my selection"]')!
      button.click()
      button.click()
    })
    await page.waitForSelector('.sheet[open]')
    await page.waitForTimeout(500)
    assert.equal(await page.locator('.sheet').count(), 1)
    await context.close()
  })

  test('by keyboard a film takes the focus, and gives it back at its end', async () => {
    const { page, context } = await open({}, odd)
    await openPhoto(page, 1)
    await page.focus('.lg-current .ipp-start')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.activeElement?.matches('.lg-current video[controls]'))
    await page.waitForFunction(() =>
      document.querySelector<HTMLVideoElement>('.lg-current video')!.duration > 0)
    await page.evaluate(() => {
      const film = document.querySelector<HTMLVideoElement>('.lg-current video')!
      film.currentTime = film.duration - 0.05
    })
    await page.waitForFunction(() => document.activeElement?.matches('.lg-current .ipp-start'))
    await page.keyboard.press('ArrowRight')
    await isAt(page, '3 of 3')
    await context.close()
  })

  test('in a selection Ctrl and A pick all, Shift and an arrow the next', async () => {
    const { page, context } = await open()
    await startSelecting(page)
    const picked = () => page.textContent('.pick-count')
    await page.focus('a.tile[data-n="1"]')
    await page.keyboard.press('Space')
    await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.press('Shift+ArrowRight')
    assert.equal(await picked(), '3 selected')
    await page.keyboard.press('ArrowRight')
    assert.equal(await picked(), '3 selected')
    await page.keyboard.press('Control+a')
    assert.equal(await picked(), '60 selected')
    await context.close()
  })
})
