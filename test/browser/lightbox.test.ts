/** The lightbox in a real Chromium: panoramas, videos, zoom, details, texts, and how it opens and closes. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { CHROMIUM, launch, openView, swipe, type View } from '../browser.ts'
import { start, until } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { without } from '../tools.ts'

const skip = CHROMIUM ? false : without('chromium')
const WORDS = 'Grandpa counted to three and went at two, as he does every year. '.repeat(12)
const TELLING = {
  groupByDate: 'day', maxZoomQuality: 'fullsize',
  showMetadata: { description: true, exif: true, location: true }
}

describe('the lightbox', { skip }, async () => {
  const run = await start({ ipp: TELLING })
  const { links, library } = run
  const album = `/share/${links.album.key}`
  const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
  const numberOf = (name: string) => ids.findIndex(id => library.assets.get(id)!.name === name)
  const videoAt = ids.findIndex(id => library.assets.get(id)!.type === 'VIDEO')
  const described = library.assets.get(ids[1]!)!
  described.exif = { ...described.exif, description: WORDS }
  let browser: Browser
  before(async () => { browser = await launch() })
  after(() => browser.close())
  const view = (how: View = {}, base = run.base) => openView(browser, base, how)
  const isShown = (page: Page) => page.waitForSelector('.lg-show .lg-current.lg-complete')
  const isClosed = (page: Page) =>
    page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
  const tapTile = async (page: Page, n: number) => {
    await page.waitForSelector(`a.tile[data-n="${n}"] img.in`)
    await page.click(`a.tile[data-n="${n}"]`)
    await isShown(page)
  }
  const boxOf = (page: Page, selector: string) => page.evaluate(selector => {
    const { x, y, width, height } = document.querySelector(selector)!.getBoundingClientRect()
    return { x, y, width, height }
  }, selector)

  describe('a panorama on a phone', async () => {
    const library = emptyLibrary()
    const wide = photo(1, { name: 'wide', width: 10_000, height: 1000 })
    const { key } = addLink(library, 'wide', { album: addAlbum(library, 'Wide', [photo(3), wide, photo(2)]) })
    const own = await start({ library, ipp: { maxZoomQuality: 'fullsize' } })
    const open = async () => {
      const { page, complaints, asked } = await view({ size: 'phone' }, own.base)
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10000" height="1000">' +
        '<rect width="9000" height="900"/></svg>'
      const isWide = (url: URL) => url.pathname.includes(`${wide.id}/preview`)
      await page.route(isWide, route => route.fulfill({ contentType: 'image/svg+xml', body: svg }))
      await page.goto(`/share/${key}`)
      const order = (await own.get(`/share/items/${key}/0`)).json().id as string[]
      await tapTile(page, order.indexOf(wide.id))
      await page.waitForSelector('.lg-zoomed')
      await page.waitForFunction(() => {
        const { height } = document.querySelector('.lg-current img.lg-object')!.getBoundingClientRect()
        return height > innerHeight * 0.9
      })
      return { page, complaints, asked, order }
    }

    test('swipes pan along it, and a swipe at its edge goes to the next photo', async () => {
      const { page, complaints, asked, order } = await open()
      const at = order.indexOf(wide.id)
      let swipes = 0
      while (page.url().includes(wide.id) && swipes < 30) {
        await swipe(page, [380, 400], [10, 400])
        await page.waitForTimeout(500)
        swipes++
      }
      assert.ok(page.url().endsWith(order[(at + 1) % 3]!), `${swipes} swipes`)
      // half of 8,440 px of panorama by 370 px a swipe
      assert.ok(swipes > 10 && swipes < 15, `${swipes} swipes`)
      assert.ok(!asked.some(line => line.includes('/fullsize')), 'full size was fetched')
      assert.deepEqual(complaints, [])
    })

    test('a swipe down closes it', async () => {
      const { page } = await open()
      await swipe(page, [195, 300], [195, 600])
      await isClosed(page)
      assert.equal(new URL(page.url()).pathname, `/share/${key}`)
    })
  })

  test('a press anywhere on a video plays it, Space pauses it; poster and video have one size', async () => {
    for (const size of ['desk', 'phone'] as const) {
      const { page, complaints, asked } = await view({ size })
      await page.goto(`${album}/${ids[videoAt]}`)
      await page.waitForSelector('.lg-current .ipp-start')
      await isShown(page)
      const start = await boxOf(page, '.lg-current .ipp-start span')
      assert.equal(start.width, size === 'phone' ? 72 : 80)
      assert.deepEqual(await boxOf(page, '.lg-current video'), await boxOf(page, '.lg-current .ipp-under'))
      assert.ok(!asked.some(line => line.includes('/share/video/')), 'bytes before a press')
      const video = page.locator('.lg-current video')
      const isPaused = () => video.evaluate((element: HTMLVideoElement) => element.paused)
      const hasMoved = () => video.evaluate((element: HTMLVideoElement) => element.currentTime > 0)
      await video.evaluate((element: HTMLVideoElement) => { element.muted = true })
      if (size === 'phone') await page.touchscreen.tap(60, 420)
      else await page.mouse.click(200, 200)
      await until(hasMoved, 'the video')
      assert.equal(await isPaused(), false)
      assert.equal(await page.locator('.lg-current .ipp-start').isVisible(), false)
      await page.keyboard.press(' ')
      await until(isPaused, 'the pause')
      await page.keyboard.press(' ')
      await until(async () => !await isPaused(), 'the video')
      assert.deepEqual(complaints, [])
    }
  })

  test('every button has an icon of the set and a tooltip, and no font is fetched', async () => {
    const { page, asked } = await view()
    await page.goto(album)
    await tapTile(page, 1)
    const buttons = await page.evaluate(() => Array.from(
      document.querySelectorAll('.lg-outer .icon-button, .lg-prev'), one =>
        [one.getAttribute('title'), one.querySelector('use')?.getAttribute('href')]))
    assert.ok(buttons.length >= 8)
    for (const [title, icon] of buttons) assert.ok(title && /^#i-\w+$/.test(icon ?? ''), `${title} ${icon}`)
    assert.deepEqual(asked.filter(line => /woff/.test(line)), [])
  })

  test('a double click reaches full resolution, the wheel zooms, the next is a preview', async () => {
    const { page, complaints, asked } = await view()
    const n = numberOf('original0.jpg')
    await page.goto(`${album}/${ids[n]}`)
    await isShown(page)
    const width = () => boxOf(page, '.lg-current img.lg-object').then(({ width }) => Math.round(width))
    const scale = () => page.evaluate(() => {
      const image = document.querySelector<HTMLImageElement>('.lg-current img.lg-object')!
      const shown = Math.min(image.clientWidth, image.clientHeight * image.naturalWidth / image.naturalHeight)
      const drawn = image.getBoundingClientRect().width / image.clientWidth
      return Math.round(100 * drawn * shown / image.naturalWidth)
    })
    const whole = await width()
    await page.dblclick('.lg-current img.lg-object')
    await until(async () => await scale() === 100, 'full resolution')
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(url => url.pathname.endsWith(ids[n + 1]!))
    await page.waitForFunction(() => !document.querySelector('.lg-zoomed, .lg-slide-progress'))
    assert.ok(!asked.some(line => line.includes(`${ids[n + 1]}/fullsize`)), 'the next one at full size')
    assert.equal(await width(), whole)
    await page.mouse.move(700, 450)
    await page.mouse.wheel(0, -300)
    await until(async () => await width() === 2 * whole, 'twice the size')
    await page.mouse.wheel(0, 900)
    await until(async () => await width() === whole, 'the whole photo')
    assert.equal(await page.locator('.lg-zoomed').count(), 0)
    assert.deepEqual(complaints, [])
  })

  test('a full size that failed to load is fetched at the next zoom', async () => {
    const { page, asked } = await view()
    const id = ids[numberOf('original0.jpg')]!
    const isFullSize = (line: string) => line.includes(`${id}/fullsize`)
    await page.route('**/fullsize?*', route => route.abort())
    await page.goto(`${album}/${id}`)
    await isShown(page)
    await page.dblclick('.lg-current img.lg-object')
    await until(() => asked.filter(isFullSize).length === 1, 'the first try')
    await page.unroute('**/fullsize?*')
    await page.dblclick('.lg-current img.lg-object')
    await page.waitForFunction(() => !document.querySelector('.lg-zoomed'))
    await page.dblclick('.lg-current img.lg-object')
    await page.waitForFunction(() =>
      document.querySelector<HTMLImageElement>('.lg-current img.lg-object')!.src.includes('/fullsize'))
  })

  test('a screen larger than the preview gets the full size, which fills it', async () => {
    const { page, asked } = await view()
    await page.setViewportSize({ width: 3840, height: 2160 })
    const n = numberOf('original0.jpg')
    await page.goto(`${album}/${ids[n]}`)
    await isShown(page)
    await until(() => asked.some(line => line.includes(`${ids[n]}/fullsize`)), 'full size')
    assert.equal((await boxOf(page, '.lg-current img.lg-object')).height, 2160)
  })

  test('a photo grows out of its tile and returns to it, unless motion is reduced', async () => {
    for (const calm of [false, true]) {
      const { page, complaints } = await view({ calm })
      await page.addInitScript(() => {
        const glides: string[] = []
        Object.assign(window, { glides })
        const start = document.startViewTransition.bind(document)
        const named = () => Array.from(document.querySelectorAll('img'))
          .filter(image => getComputedStyle(image).viewTransitionName === 'photo')
          .map(image => image.parentElement!.className.split(' ')[0]).join()
        document.startViewTransition = update => {
          const before = named()
          return start(async () => {
            await (update as () => unknown)()
            glides.push(`${before} > ${named()}`)
          })
        }
      })
      await page.goto(album)
      await tapTile(page, 2)
      await page.waitForSelector('.cover', { state: 'detached' })
      await page.keyboard.press('ArrowRight')
      await page.waitForFunction(() => !document.querySelector('.lg-slide-progress'))
      await page.keyboard.press('Escape')
      await isClosed(page)
      await page.waitForFunction(() => (document.activeElement as HTMLElement).dataset.n === '3')
      const glides = await page.evaluate(() => (window as unknown as { glides: string[] }).glides)
      assert.deepEqual(glides, calm ? [] : ['tile > cover', 'lg-img-wrap > tile'])
      await page.waitForFunction(() => Array.from(document.querySelectorAll('img'))
        .every(image => getComputedStyle(image).viewTransitionName === 'none'))
      assert.deepEqual(complaints, [])
    }
  })

  test('on a desktop the photo, the bar and the arrow move aside for the details', async () => {
    const { page } = await view({ calm: true })
    await page.goto(album)
    await tapTile(page, numberOf('original1.jpg'))
    await page.click('.ipp-info')
    await page.waitForSelector('.ipp-panel dt')
    const panel = await boxOf(page, '.ipp-panel')
    for (const selector of ['.lg-current img.lg-object', '.lg-toolbar', '.lg-next', '.lg-download']) {
      const { x, width } = await boxOf(page, selector)
      assert.ok(x + width <= panel.x, selector)
    }
    assert.equal(await page.getAttribute('.ipp-info', 'aria-pressed'), 'true')
    const text = await page.textContent('.ipp-panel')
    assert.match(text!, /Canon EOS R5/)
    assert.doesNotMatch(text!, /UTC|GMT/)
  })

  test('on a phone a drag down closes the details, and a short one does not', async () => {
    const { page, complaints } = await view({ size: 'phone', calm: true })
    await page.goto(album)
    await tapTile(page, 1)
    await page.click('.ipp-info')
    await page.waitForSelector('.ipp-panel dt')
    const { y } = await boxOf(page, '.ipp-panel')
    await swipe(page, [195, y + 20], [195, y + 60])
    assert.equal(await page.locator('.ipp-panel').count(), 1)
    const { y: photoY, height } = await boxOf(page, '.lg-current img.lg-object')
    assert.ok(photoY >= 52 && photoY + height <= y + 1, 'the photo stands between the bar and the sheet')
    await swipe(page, [195, y + 20], [195, y + 220])
    assert.equal(await page.locator('.ipp-panel').count(), 0)
    assert.equal(await page.locator('.lg-show').count(), 1)
    assert.deepEqual(complaints, [])
  })

  test('details that failed to load are fetched when the network is back', async () => {
    const { page } = await view()
    await page.goto(album)
    await page.waitForSelector('.lg-container', { state: 'attached' })
    await page.route('**/share/meta/**', route => route.abort())
    await tapTile(page, 2)
    await page.keyboard.press('i')
    await page.waitForSelector('.ipp-note:has-text("Trying again")')
    await page.unroute('**/share/meta/**')
    await page.waitForSelector('.ipp-panel dt')
  })

  test('details pressed while the lightbox closes do not open, nor with the next photo', async () => {
    const { page } = await view()
    await page.goto(album)
    await tapTile(page, 2)
    await page.evaluate(() => {
      document.querySelector<HTMLElement>('.lg-close')!.click()
      document.querySelector<HTMLElement>('.ipp-info')!.click()
    })
    await isClosed(page)
    await tapTile(page, 3)
    assert.equal(await page.locator('.ipp-panel, .ipp-aside').count(), 0)
  })

  test('a description that comes late is not shown with the next photo', async () => {
    const { page, context } = await view()
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    await page.route(`**/${described.id}`, async route => { await held; await route.continue() })
    await page.goto(album)
    await tapTile(page, 1)
    await isShown(page)
    const factsOf = (id: string) => page.waitForResponse(response => response.url().endsWith(id))
    const [late, next] = [factsOf(described.id), factsOf(ids[2]!)]
    await page.keyboard.press('ArrowRight')
    await (await next).finished()
    release()
    await (await late).finished()
    await page.waitForTimeout(200)
    assert.ok(!(await page.textContent('.ipp-caption'))!.includes('Grandpa'))
    await context.close()
  })

  test('a long description shows two lines and More, and scrolls by keyboard when it is open', async () => {
    for (const size of ['desk', 'phone'] as const) {
      const { page } = await view({ size })
      await page.goto(album)
      await tapTile(page, 1)
      await page.waitForSelector('.ipp-more-text:text-is("More")')
      const lines = () => page.evaluate(() => {
        const caption = document.querySelector('.ipp-caption')!
        return Math.round(caption.clientHeight / parseFloat(getComputedStyle(caption).lineHeight))
      })
      assert.equal(await lines(), 2)
      await page.click('.ipp-more-text')
      assert.ok(await lines() > 2)
      assert.equal(await page.getAttribute('.ipp-caption', 'tabindex'), '0')
      await page.click('.ipp-more-text:text-is("Less")')
      assert.equal(await lines(), 2)
      await page.keyboard.press('ArrowRight')
      await page.waitForFunction(() => document.querySelector('.ipp-caption')!.textContent === '')
      assert.equal(await page.locator('.ipp-more-text').isVisible(), false)
      // a description that was left open is closed when the photo is opened again
      await page.keyboard.press('ArrowLeft')
      await page.click('.ipp-more-text:text-is("More")')
      await page.keyboard.press('Escape')
      await isClosed(page)
      await tapTile(page, 1)
      await page.waitForSelector('.ipp-more-text:text-is("More")')
      assert.equal(await lines(), 2)
    }
  })
})
