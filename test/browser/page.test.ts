/** The page in a real Chromium: what it does, what it must never do, and what it weighs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo, video } from '../library.ts'
import { CHROMIUM, fingersOf, launch, openView, SIZES, type View } from '../browser.ts'
import { ask, HTML, start, until } from '../helpers.ts'
import { without } from '../tools.ts'

const skip = CHROMIUM ? false : without('chromium')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

describe('the page', { skip }, async () => {
  const telling = { groupByDate: 'day', maxZoomQuality: 'fullsize', showGalleryDescription: true, showExpiryDate: true, showMetadata: { description: true, exif: true, location: true } }
  const run = await start({ ipp: telling })
  const { links, library } = run
  let browser: Browser
  before(async () => { browser = await launch() })
  after(() => browser.close())
  const view = (how: View = {}, base = run.base) => openView(browser, base, how)
  const album = `/share/${links.album.key}`
  const shown = (page: Page) => page.waitForSelector('.lg-container.lg-show .lg-current.lg-complete')
  const counter = (page: Page) => page.textContent('.lg-counter')
  const idle = (page: Page) => page.waitForLoadState('networkidle')

  test('the tour: scroll, open, zoom, play, slideshow, select, zip, info, Back, Forward, deep link, dark', async () => {
    for (const how of [{ size: 'desk', theme: 'light' }, { size: 'phone', theme: 'dark' }] as const) {
      const { page, context, complaints, asked } = await view(how)
      await page.goto(album)
      await page.waitForSelector('.laid-out a.tile img.in')
      await page.mouse.wheel(0, 3000)
      await page.waitForFunction(() => scrollY > 0 || document.body.dataset.done)
      await page.evaluate(() => scrollTo(0, 0))
      await page.waitForSelector('a.tile[data-n="2"][href]')
      await page.click('a.tile[data-n="2"]')
      await shown(page)
      assert.equal(await counter(page), '3 of 97')
      const big = (await page.getAttribute('a.tile[data-n="0"]', 'href'))!
      const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
      await page.keyboard.press('ArrowRight')
      await page.waitForURL(`${run.base}${album}/${ids[3]}`)
      await page.waitForFunction(() => !document.querySelector('.lg-outer.lg-slide-progress'))
      await page.keyboard.press('i')
      await page.waitForSelector('.ipp-panel dt')
      await page.keyboard.press('Escape')
      assert.equal(await page.locator('.ipp-panel').count(), 0)
      await page.goBack()
      await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      await page.waitForFunction(() => (document.activeElement as HTMLElement).dataset.n === '3')
      await page.goForward()
      await shown(page)
      await page.keyboard.press('Escape')
      await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      await page.waitForURL(run.base + album)
      // a video plays when asked, and asks for nothing before
      const film = library.assets.get(library.albums.get(links.album.album!)!.assets.find(id => library.assets.get(id)!.type === 'VIDEO')!)!
      await page.goto(`${album}/${film.id}`)
      await page.waitForSelector('.lg-current video')
      assert.ok(!asked.some(line => line.includes('/share/video/')), 'bytes of a video before it was played')
      await page.evaluate(() => { const video = document.querySelector<HTMLVideoElement>('.lg-current video')!; video.muted = true; return video.play() })
      await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('.lg-current video')!.currentTime > 0)
      await page.waitForFunction(() => { const box = document.querySelector('.lg-current video')!.getBoundingClientRect(); return box.width > 200 && box.height > 200 && box.y === 0 })
      // the address of a photo opens exactly there, and closing leads to the grid
      await page.goto(big)
      await shown(page)
      assert.equal(await counter(page), '1 of 97')
      await page.click('.lg-close')
      await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      await page.waitForURL(run.base + album)
      await page.click('button[aria-label="Slideshow"]')
      await shown(page)
      await page.waitForSelector('.ipp-play[aria-pressed=true]', { state: 'attached' })
      await page.click('.lg-close')
      await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      await page.click('#select')
      await page.click('a.tile[data-n="1"]')
      await page.click('a.tile[data-n="4"]', { modifiers: ['Shift'] })
      assert.match((await page.textContent('.pick-count'))!, /4 selected/)
      await page.keyboard.press('Escape')
      assert.equal(await page.isVisible('.pick-bar'), false)
      await page.click('button[aria-label="Share"]')
      await page.waitForSelector('.toast.seen')
      await idle(page)
      assert.deepEqual(complaints, [], how.size)
      await context.close()
    }
  })

  test('addresses of earlier releases: #ASSETID and #lg=1&slide=N open that photo', async () => {
    const { page, complaints } = await view()
    const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
    for (const hash of [`#${ids[4]}`, '#lg=1&slide=4']) {
      await page.goto('about:blank')
      await page.goto(`${album}${hash}`)
      await shown(page)
      assert.equal(await counter(page), '5 of 97')
      assert.equal(page.url(), `${run.base}${album}/${ids[4]}`)
    }
    await page.goto('about:blank')
    await page.goto(`${album}#lg=1&slide=97`)
    await page.waitForSelector('a.tile img.in')
    assert.equal(await page.locator('.lg-show').count(), 0)
    assert.deepEqual(complaints, [])
  })

  test('the caption stands below the photo, as text, where it may be told', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    const big = links.mixed.assets!.find(id => library.assets.get(id)!.name === 'original0.jpg')!
    await page.goto(`/share/${links.mixed.key}/${big}`)
    await shown(page)
    await page.waitForFunction(() => document.querySelector('.ipp-caption')?.textContent === 'The lake <b>at dawn</b> & "after"')
    await page.keyboard.press('ArrowRight')
    await page.waitForFunction(() => document.querySelector('.ipp-caption')?.textContent === '')
    assert.deepEqual(complaints, [])
    const other = await start({ library: run.library, ipp: { showMetadata: { exif: true } } })
    await page.goto(`${other.base}/share/${links.mixed.key}/${big}`)
    await shown(page)
    assert.equal(await page.textContent('.ipp-caption'), '')
  })

  test('who is in a hurry: each flick, key and click goes on, also while a slide glides', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    await page.tap('a.tile[data-n="0"]')
    const isCurrent = (n: number) => page.waitForFunction(end => document.querySelector('.lg-current')?.id.endsWith(end), `-${n}`)
    await shown(page)
    const touch = await fingersOf(page)
    const flick = async () => {
      // on the slide that comes, and not on the one that leaves
      await page.waitForFunction(() => document.elementFromPoint(330, 400)?.closest('.lg-current'))
      await touch('touchStart', [330, 400])
      for (const x of [290, 230, 150]) await touch('touchMove', [x, 400])
      await touch('touchEnd')
    }
    let n = 0
    for (const next of [() => page.keyboard.press('ArrowRight'), flick]) {
      for (let times = 0; times < 4; times++) {
        await next()
        await isCurrent(++n)
      }
    }
    await page.waitForURL(url => url.pathname === `${album}/${ids[n]}`)
    // two flicks are no double tap, and a double tap is one
    const zoomed = page.locator('.lg-outer.lg-zoomed')
    assert.equal(await zoomed.count(), 0)
    await until(async () => {
      await page.touchscreen.tap(195, 420)
      await page.touchscreen.tap(195, 420)
      return await zoomed.count() === 1
    })
    await page.setViewportSize(SIZES.desk)
    for (let times = 0; times < 4; times++) {
      await page.evaluate(() => document.querySelector<HTMLElement>('.lg-next')!.click())
      await isCurrent(++n)
    }
    await page.waitForURL(url => url.pathname === `${album}/${ids[n]}`)
    assert.equal(await counter(page), `${n + 1} of 97`)
    assert.deepEqual(complaints, [])
  })

  test('Back while it opens leads to the grid; another is opened while it closes; Back and Forward at once', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    let release = () => {}
    const held = new Promise<void>(resolve => { release = resolve })
    await page.route('**/lightbox.js', async route => { await held; await route.continue() })
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="3"] img.in')
    await page.tap('a.tile[data-n="0"]')
    await page.waitForSelector('.cover')
    await page.evaluate(() => history.back())
    await page.waitForSelector('.cover', { state: 'detached' })
    await page.waitForURL(run.base + album)
    release()
    const open = (...numbers: number[]) => page.evaluate(numbers => {
      for (const n of numbers) document.querySelector<HTMLElement>(`a.tile[data-n="${n}"]`)!.click()
    }, numbers)
    // of two the last, and what was to be opened before does not come up later
    await open(2, 1)
    await shown(page)
    assert.equal(await counter(page), '2 of 97')
    const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
    await page.waitForURL(`${run.base}${album}/${ids[1]}`)
    for (const way of ['Escape', 'Back']) {
      await page.evaluate(async way => {
        const press = (key: string, keyCode: number) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, keyCode, bubbles: true }))
        const gone = new Promise(resolve => addEventListener('popstate', resolve, { once: true }))
        const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
        await wait(400)
        if (way === 'Escape') press('Escape', 27)
        else history.back()
        await gone
        press('Escape', 27)
        // it closes for three times as long
        await wait(100)
        press('ArrowRight', 39)
        document.querySelector<HTMLElement>('a.tile[data-n="3"]')!.click()
      }, way)
      await page.waitForFunction(() => document.querySelector('.lg-show-in .lg-current')?.id.endsWith('-3'))
      await shown(page)
      assert.equal(await counter(page), '4 of 97')
    }
    await page.evaluate(async () => {
      for (const way of [-1, 1, -1, 1]) {
        const gone = new Promise(resolve => addEventListener('popstate', resolve, { once: true }))
        history.go(way)
        await gone
      }
    })
    await page.waitForFunction(() => document.querySelector('.lg-show-in .lg-current')?.id.endsWith('-3'))
    await page.click('.lg-close')
    await page.waitForSelector('.lg-container:not(.lg-show)', { state: 'attached' })
    await page.waitForURL(run.base + album)
    assert.equal(await page.locator('[inert]').count(), 0)
    assert.deepEqual(complaints, [])
  })

  test('two fingers on the grid pick nothing; one that rests there does, and not what has been opened meanwhile', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    const press = (...ids: number[]) => page.evaluate(ids => {
      const tile = document.querySelector('a.tile[data-n="0"]')!
      for (const pointerId of ids) tile.dispatchEvent(new PointerEvent('pointerdown', { pointerId, isPrimary: pointerId === 1, pointerType: 'touch', bubbles: true }))
    }, ids)
    const isSelecting = () => page.evaluate(() => document.body.classList.contains('selecting'))
    await press(1, 2)
    // a long press takes half a second
    await page.waitForTimeout(1000)
    assert.equal(await isSelecting(), false)
    let release = () => {}
    const held = new Promise<void>(resolve => { release = resolve })
    await page.route('**/select.js', async route => { await held; await route.continue() })
    await page.reload()
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    await press(1)
    await page.waitForTimeout(1000)
    await page.evaluate(() => document.querySelector<HTMLElement>('a.tile[data-n="0"]')!.click())
    await shown(page)
    release()
    await idle(page)
    assert.equal(await isSelecting(), false)
    await page.keyboard.press('Escape')
    await page.waitForURL(run.base + album)
    await press(1)
    await page.waitForSelector('body.selecting a.tile.picked[data-n="0"]')
    assert.deepEqual(complaints, [])
  })

  test('a list that goes on being another one is asked for again, the page is loaded anew once, and a photo opens under its own address', async () => {
    const { page, complaints, asked } = await view()
    let others = 3
    await page.route('**/share/items/**', async route => {
      if (others-- <= 0) return route.continue()
      const answer = await route.fetch()
      await route.fulfill({ response: answer, json: { ...await answer.json(), version: 'another' } })
    })
    await page.goto(album)
    await until(() => others <= 1)
    await page.evaluate(() => document.querySelector<HTMLElement>('a.tile[data-n="1"]')!.click())
    await shown(page)
    assert.match(page.url(), /\/[\da-f-]{36}$/)
    assert.equal(asked.filter(line => line === `GET ${album}`).length, 2)
    assert.ok(others <= -1)
    assert.deepEqual(complaints, [])
  })

  test('a double tap before the picture is there breaks nothing', async () => {
    const own = await start({ library, ipp: telling })
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

  test('never black: the thumbnail stands where the picture will be; a tap takes the controls away and brings them back', async () => {
    const own = await start({ library, ipp: telling })
    const { page, complaints } = await view({ size: 'phone' }, own.base)
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="2"] img.in')
    let answer = () => {}
    const asked = new Promise<void>(resolve => { answer = resolve })
    own.immich.fault = ({ query }) => query.get('size') === 'preview' ? { until: asked } : undefined
    await page.tap('a.tile[data-n="2"]')
    await page.waitForFunction(() => {
      const under = document.querySelector<HTMLImageElement>('.lg-current .ipp-under')
      return under && under.naturalWidth > 0 && under.getBoundingClientRect().width >= innerWidth && !document.querySelector('.cover')
    })
    assert.equal(await page.locator('.lg-current.lg-complete').count(), 0)
    answer()
    own.immich.fault = () => undefined
    await shown(page)
    const isBare = () => page.evaluate(() => document.querySelector('.lg-outer')!.classList.contains('ipp-bare'))
    // on the picture, and on the black beside it
    for (const [y, expected] of [[420, true], [760, false], [160, true]] as const) {
      await page.touchscreen.tap(195, y)
      await page.waitForFunction(bare => document.querySelector('.lg-outer')!.classList.contains('ipp-bare') === bare, expected)
    }
    await page.keyboard.press('ArrowRight')
    assert.equal(await isBare(), false)
    assert.equal(await page.locator('.lg-container.lg-show').count(), 1)
    assert.deepEqual(complaints, [])
  })

  test('Back ends a selection before it leaves; a day says whether it is picked; a tile says when it was taken', async () => {
    const own = await start({ library, ipp: { groupByDate: 'day', showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { page, complaints } = await view({}, own.base)
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"][href] img.in')
    assert.match((await page.getAttribute('a.tile[data-n="0"] img', 'alt'))!, /^(Photo|Video) 1, \d+ \w+ \d{4}$/)
    assert.equal(await page.getAttribute('h2', 'aria-label'), (await page.textContent('h2'))!.trim())
    await page.click('#select')
    await page.click('.day >> nth=0')
    await page.waitForSelector('.day[aria-pressed=true]')
    await page.goBack()
    await page.waitForSelector('.pick-bar', { state: 'hidden' })
    assert.equal(page.url(), own.base + album)
    assert.equal(await page.locator('a.tile.picked').count(), 0)
    await page.click('#select')
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !history.state?.isSelecting)
    assert.deepEqual(complaints, [])
  })

  test('small days share a row, each under its heading; a year stands where it changes', async () => {
    const library = emptyLibrary()
    const counts = [1, 2, 1, 1, 30, 2]
    const days = counts.flatMap((count, day) => Array.from({ length: count }, (_, n) => photo(day * 40 + n, { name: `few ${day} ${n}`, width: 3000, height: 4000, taken: Date.UTC(2026, 0, 3 - day, 12) - n * 60_000 })))
    const { key } = addLink(library, 'few', { album: addAlbum(library, 'Few', days), description: 'Many words of it. '.repeat(100) })
    const own = await start({ library, ipp: { groupByDate: 'day', showGalleryDescription: true } })
    for (const [size, language, first, isMirrored] of [['desk', 'en-GB', 4, false], ['phone', 'en-GB', 2, false], ['desk', 'he', 4, true]] as const) {
      const { page, complaints } = await view({ size, language }, own.base)
      await page.goto(`/share/${key}`)
      await page.waitForSelector('.laid-out a.tile img.in')
      const sections = await page.evaluate(() => Array.from(document.querySelectorAll('section'), section => {
        const { top, left, right } = section.getBoundingClientRect()
        const tiles = Array.from(section.querySelectorAll('a.tile'), tile => tile.getBoundingClientRect())
        return { top, left, right, heading: section.querySelector('h2')!.textContent, isWithin: tiles.every(tile => tile.left >= left - 1 && tile.right <= right + 1) }
      }))
      const row = sections.filter(({ top }) => top === sections[0]!.top)
      assert.equal(row.length, first, size)
      assert.ok(sections.every(({ isWithin }) => isWithin), 'no photo is outside of its day')
      for (const [n, { left, right }] of row.slice(1).entries()) assert.ok(isMirrored ? right <= row[n]!.left - 15 : left >= row[n]!.right + 15, `${size}: the ${n}th`)
      if (language === 'en-GB') assert.deepEqual(row.map(({ heading }) => heading!.replace(',', '')), ['Sat 3 Jan 2026', 'Fri 2 Jan', 'Thu 1 Jan', 'Wed 31 Dec 2025'].slice(0, first))
      // an owner's words of another direction stand where the page's do
      for (const place of ['h1', '.bar-title']) assert.equal(await page.evaluate(place => getComputedStyle(document.querySelector(place)!).textAlign, place), isMirrored ? 'right' : 'left')
      // no description pushes the photos away
      const lines = () => page.evaluate(() => Math.round(document.querySelector('.about')!.clientHeight / parseFloat(getComputedStyle(document.querySelector('.about')!).lineHeight)))
      assert.equal(await lines(), 4)
      const before = (await page.locator('a.tile >> nth=0').boundingBox())!.y
      await page.click('.more')
      assert.ok(await lines() > 4)
      assert.ok((await page.locator('a.tile >> nth=0').boundingBox())!.y > before + 40)
      // the arrows follow the writing
      await page.waitForSelector('.scrubber', { state: 'attached' })
      await page.focus('a.tile[data-n="0"]')
      await page.keyboard.press(isMirrored ? 'ArrowLeft' : 'ArrowRight')
      assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.n), '1')
      await page.keyboard.press('ArrowDown')
      assert.ok(await page.evaluate(() => Number((document.activeElement as HTMLElement).dataset.n)) >= (size === 'phone' ? 4 : 5))
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true)
      assert.deepEqual(complaints, [])
    }
  })

  test('a page left open offers what came, at most once a minute, and keeps its place; where nothing may be kept it works all the same', async context => {
    const library = emptyLibrary()
    const name = addAlbum(library, 'Open', Array.from({ length: 70 }, (_, n) => photo(n, { name: `open ${n}` })))
    const { key } = addLink(library, 'open', { album: name })
    const own = await start({ library })
    const { page, complaints, asked } = await view({}, own.base)
    await page.clock.install()
    await page.goto(`/share/${key}`)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.clock.runFor(5000)
    await page.waitForFunction(key => localStorage.getItem(`seen ${key}`), key)
    await page.waitForSelector('.scrubber', { state: 'attached' })
    await page.evaluate(() => scrollTo(0, 300))
    const around = photo(990, { taken: Date.UTC(2020, 0, 1), exif: { projectionType: 'EQUIRECTANGULAR' } })
    library.assets.set(around.id, around)
    library.albums.get(name)!.assets.push(around.id)
    const real = performance.now.bind(performance)
    context.mock.method(performance, 'now', () => real() + 120_000)
    const marks = () => asked.filter(line => line.includes('/share/marks/')).length
    const before = marks()
    const look = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    await look()
    assert.equal(marks(), before, 'within the minute nobody asks')
    await page.clock.runFor(61_000)
    await look()
    await page.waitForSelector('.offer button:has-text("Photos were added. Show them")')
    assert.equal(await page.evaluate(() => scrollY), 300)
    assert.equal(marks(), before + 1)
    await page.click('.offer button.primary')
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.clock.runFor(5000)
    await page.click('.offer button:has-text("New since your last visit: 1")')
    await page.waitForFunction(() => document.activeElement!.matches('a.tile.new[data-n="70"]') && document.activeElement!.querySelector('.badge')?.textContent === '360°')
    assert.deepEqual(complaints, [])

    const blocked = await view({}, own.base)
    await blocked.page.addInitScript(() => {
      for (const kind of ['localStorage', 'sessionStorage']) Object.defineProperty(window, kind, { get () { throw new DOMException('', 'SecurityError') } })
    })
    await blocked.page.goto(`/share/${key}`)
    await blocked.page.waitForSelector('.laid-out a.tile img.in')
    await blocked.page.waitForSelector('.scrubber', { state: 'attached' })
    await blocked.page.click('a.tile[data-n="1"]')
    await shown(blocked.page)
    await idle(blocked.page)
    assert.equal(blocked.asked.filter(line => line.includes('/share/marks/')).length, 0)
    assert.deepEqual(blocked.complaints, [])
  })

  test('a panorama is as high as the screen when it is opened', async () => {
    const library = emptyLibrary()
    const wide = photo(1, { name: 'wide', width: 10_000, height: 1000 })
    const { key } = addLink(library, 'wide', { album: addAlbum(library, 'Wide', [wide, photo(2)]) })
    const own = await start({ library })
    const { page, complaints } = await view({ size: 'phone' }, own.base)
    await page.route('**/preview?*', route => route.request().url().includes(wide.id)
      ? route.fulfill({ contentType: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg" width="10000" height="1000"><rect width="10000" height="1000" fill="#284"/></svg>' }) : route.continue())
    await page.goto(`/share/${key}/${wide.id}`)
    await shown(page)
    await page.waitForFunction(() => document.querySelector('.lg-current img.lg-object')!.getBoundingClientRect().height > innerHeight * 0.9)
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(url => !url.pathname.endsWith(wide.id))
    await page.waitForFunction(() => !document.querySelector('.lg-outer.lg-zoomed'))
    assert.deepEqual(complaints, [])
  })

  test('on a phone few buttons, the rest behind one; Escape takes away what is on top', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="2"][href] img.in')
    await page.tap('a.tile[data-n="2"]')
    await shown(page)
    const tools = () => page.evaluate(() => Array.from(document.querySelectorAll<HTMLElement>('.lg-toolbar .icon-button')).filter(tool => tool.offsetWidth > 0).map(tool => tool.getAttribute('aria-label')).sort())
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
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
    assert.deepEqual(complaints, [])
  })

  test('the slideshow of a day: awake, films to their end, through an hour without Immich, with what is new, and no heavier', async context => {
    const library = emptyLibrary()
    const photos = [photo(1), video(2), photo(3), photo(4)]
    const name = addAlbum(library, 'Shelf', photos)
    const { key } = addLink(library, 'shelf', { album: name })
    const own = await start({ library, ipp: { limits: { retries: 1 } }, lightGallery: { slideShowInterval: 240_000 } })
    const { page, context: window } = await view({ size: 'phone' }, own.base)
    await page.clock.install()
    await page.addInitScript(() => {
      Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => { Object.assign(window, { awake: true }); return { release: async () => { Object.assign(window, { awake: false }) } } } } })
    })
    await page.goto(`/share/${key}?play`)
    await shown(page)
    assert.equal(await page.evaluate(() => (window as any).awake), true)
    assert.equal(page.url(), `${own.base}/share/${key}?play`)
    assert.equal(await page.evaluate(() => document.querySelector('.lg-outer')!.classList.contains('ipp-bare')), true)
    const session = await window.newCDPSession(page)
    const heap = async () => {
      await session.send('HeapProfiler.collectGarbage')
      return (await session.send('Runtime.getHeapUsage')).usedSize / 1e6
    }
    const isBlank = () => page.evaluate(() => {
      const image = document.querySelector<HTMLImageElement>('.lg-current img.lg-object')
      const film = document.querySelector<HTMLVideoElement>('.lg-current video')
      return !(film || (image && image.complete && image.naturalWidth > 1))
    })
    const slide = () => page.textContent('.lg-counter')
    const seen = new Set<string>()
    let first = 0
    // a film runs by a clock of its own
    const endFilm = () => page.evaluate(() => document.querySelector<HTMLVideoElement>('.lg-current video')?.dispatchEvent(new Event('ended')))
    // Immich is away in the fourth hour
    for (let hour = 0; hour < 24; hour++) {
      own.immich.fault = () => hour === 3 ? { status: 503, body: '{}' } : undefined
      for (let minute = 0; minute < 60; minute += 4) {
        await page.clock.runFor(240_500)
        await endFilm()
        seen.add((await slide())!)
        assert.equal(await isBlank(), false, `hour ${hour}, minute ${minute}`)
      }
      if (hour === 1) first = await heap()
    }
    assert.equal(seen.size, 4, [...seen].join())
    const last = await heap()
    assert.ok(last < first * 1.3 + 2, `${first} MB at first, ${last} MB in the end`)
    // what comes is shown, without a touch
    const real = performance.now.bind(performance)
    context.mock.method(performance, 'now', () => real() + 120_000)
    const added = photo(5)
    library.assets.set(added.id, added)
    library.albums.get(name)!.assets.push(added.id)
    for (let n = 0; n < 100 && !/ of 5$/.test((await slide().catch(() => ''))!); n++) {
      await page.clock.runFor(60_000).catch(() => {})
      await endFilm().catch(() => {})
    }
    assert.match((await slide())!, / of 5$/)
    assert.equal(page.url(), `${own.base}/share/${key}?play`)
    await shown(page)
    // a touch brings the controls, and closing it lets the screen sleep
    await page.touchscreen.tap(195, 160)
    await page.click('.lg-close')
    await page.waitForFunction(() => (window as any).awake === false)
    await window.close()
  })

  test('zooming in loads the full resolution, and a motion photo plays on request', async () => {
    const { page, complaints, asked } = await view()
    const ids = (await run.get(`/share/items/${links.mixed.key}/0`)).json()
    const big = links.mixed.assets!.find(id => library.assets.get(id)!.name === 'original0.jpg')!
    await page.goto(`/share/${links.mixed.key}/${big}`)
    await shown(page)
    await page.waitForFunction(() => document.querySelector<HTMLImageElement>('.lg-current img.lg-object')!.naturalWidth > 100)
    assert.ok(!asked.some(line => line.includes(`${big}/fullsize`)))
    await page.dblclick('.lg-current img.lg-object')
    await page.waitForFunction(() => document.querySelector<HTMLImageElement>('.lg-current img.lg-object')!.src.includes('/fullsize?v='))
    const n = Object.keys(ids.motion)[0]!
    await page.goto(`/share/${links.mixed.key}/${ids.id[Number(n)]}`)
    await shown(page)
    assert.ok(!asked.some(line => line.includes(ids.motion[n])))
    await page.click('.ipp-motion')
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('video.ipp-film')!.readyState > 1)
    const gif = ids.id.find((id: string) => library.assets.get(id)!.mime === 'image/gif')
    await page.goto(`/share/${links.mixed.key}/${gif}`)
    await shown(page)
    assert.match((await page.getAttribute('.lg-current img.lg-object', 'src'))!, /fullsize\?v=/)
    assert.deepEqual(complaints, [])
  })

  test('a film that breaks off is tried again and goes on; one that cannot be played says so', async () => {
    const { page } = await view()
    const { id } = (await run.get(`/share/items/${links.album.key}/0`)).json()
    const film = id.find((id: string) => library.assets.get(id)!.type === 'VIDEO')!
    const play = () => page.evaluate(() => {
      const film = document.querySelector<HTMLVideoElement>('.lg-current video')!
      film.muted = true
      film.play().catch(() => {})
    })
    let isBroken = true
    await page.route('**/share/video/**', route => isBroken ? route.abort() : route.continue())
    await page.goto(`${album}/${film}`)
    await page.waitForSelector('.lg-current video')
    await play()
    await page.waitForFunction(() => document.querySelector('.toast')?.textContent?.includes('Trying again'))
    isBroken = false
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('.lg-current video')!.currentTime > 0)
    const heads: string[] = []
    await page.route('**/share/video/**', route => {
      heads.push(route.request().method())
      return route.fulfill({ contentType: 'video/mp4', body: 'no film' })
    })
    await page.goto(`${album}/${film}`)
    await page.waitForSelector('.lg-current video')
    await play()
    await page.waitForFunction(() => document.querySelector<HTMLVideoElement>('.lg-current video')!.error)
    await until(() => heads.includes('HEAD'), 'the question whether it is there')
    await page.waitForTimeout(1500)
    assert.deepEqual(heads, ['GET', 'HEAD'])
    assert.equal(await page.textContent('.toast'), 'This video cannot be played here.')
  })

  test('on a phone: black beside a photo closes nothing, the scrubber takes no touch at rest', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    const under = () => page.evaluate(() => document.elementFromPoint(innerWidth - 8, innerHeight / 2)?.closest('.scrubber') !== null)
    assert.equal(await under(), false, 'at rest the edge is the photos\'')
    await page.tap('a.tile[data-n="2"]')
    await shown(page)
    await page.waitForFunction(() => document.querySelector('.lg-outer.lg-visible'))
    await page.touchscreen.tap(195, 820)
    await page.waitForTimeout(700)
    assert.equal(await page.locator('.lg-container.lg-show').count(), 1, 'black beside the photo closes nothing')
    // it took the controls away
    await page.touchscreen.tap(195, 820)
    await page.waitForFunction(() => !document.querySelector('.ipp-bare'))
    await page.click('.lg-close')
    await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
    assert.deepEqual(complaints, [])
  })

  test('come straight to a photo and closed: the grid is whole, and where it belongs', async () => {
    const last = (await run.get(`/share/items/${links.album.key}/0`)).json().id[40]
    for (const size of ['desk', 'phone'] as const) {
      const { page } = await view({ size })
      await page.goto(`${album}/${last}`)
      await shown(page)
      await page.click('.lg-close')
      await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      await page.waitForFunction(() => document.querySelectorAll('.laid-out a.tile img.in').length > 5)
      const gaps = await page.evaluate(() => {
        const tiles = Array.from(document.querySelectorAll('a.tile'), tile => tile.getBoundingClientRect())
        return { below: Math.max(...tiles.map(({ bottom }) => bottom)) - innerHeight, focused: (document.activeElement as HTMLElement).dataset.n }
      })
      assert.ok(gaps.below >= 0, `the viewport is filled: ${gaps.below}`)
      assert.equal(gaps.focused, '40')
    }
  })

  test('a picture that fails in the lightbox is tried again, says so, and says what is not there', async () => {
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
    await page.waitForFunction(id => Array.from(document.querySelectorAll<HTMLImageElement>('img.lg-object')).some(img => img.src.includes(id!) && img.naturalWidth > 100), ids[4])
    const told: string[] = []
    await page.exposeFunction('told', (text: string) => told.push(text))
    await page.evaluate(() => new MutationObserver(() => (window as any).told(document.querySelector('.toast')!.textContent)).observe(document.querySelector('.toast')!, { childList: true }))
    await page.goto(`${album}/${ids[5]}`)
    await page.waitForFunction(() => document.querySelector('.toast')?.textContent?.startsWith('The preview isn’t'))
  })

  test('axe finds nothing, on any page or state, in both themes and sizes', async () => {
    const photoPage = `${album}/${library.albums.get(links.album.album!)!.assets[0]}`
    for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
      for (const theme of ['light', 'dark'] as const) {
        const { page, context } = await view({ size, theme, calm: true })
        const check = async (state: string, of = page) => {
          await of.evaluate(AXE)
          const { violations } = await of.evaluate(() => (window as any).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
          assert.deepEqual(violations.map((one: any) => `${one.id}: ${one.nodes[0].html.slice(0, 150)}`), [], `${state}, ${size}, ${theme}`)
        }
        for (const [path, state] of [['/', 'home'], [`/share/${links.password.key}`, 'password'], ['/nowhere', 'notice'], [`/share/${links.empty.key}`, 'empty']] as const) {
          await page.goto(path)
          await check(state)
        }
        await page.goto(album)
        await page.waitForSelector('.laid-out a.tile img.in')
        await check('grid')
        const mirrored = await view({ size, theme, calm: true, language: 'ar' })
        await mirrored.page.goto(album)
        await mirrored.page.waitForSelector('.laid-out a.tile img.in')
        await mirrored.page.waitForSelector('.scrubber', { state: 'attached' })
        await check('in Arabic', mirrored.page)
        await mirrored.context.close()
        await page.click('#select')
        await page.click('a.tile[data-n="1"]')
        await check('selecting')
        await page.keyboard.press('Escape')
        await page.click('a.tile[data-n="1"]')
        await shown(page)
        await check('lightbox')
        await page.click('.ipp-info')
        await page.waitForSelector('.ipp-panel dt')
        await check('info')
        await context.close()
        const plain = await view({ size, theme, script: false })
        for (const path of [album, photoPage]) {
          await plain.page.goto(path)
          assert.equal(await plain.page.title() !== '', true)
        }
        await plain.context.close()
      }
    }
  })

  test('by keyboard: into the grid, along it, into the lightbox and back', async () => {
    const { page } = await view()
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement!.className), 'skip')
    // what follows the keys comes after the photos
    await page.waitForSelector('.scrubber', { state: 'attached' })
    await page.focus('a.tile[data-n="0"]')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowDown')
    const n = await page.evaluate(() => Number((document.activeElement as HTMLElement).dataset.n))
    assert.ok(n > 3)
    await page.keyboard.press('End')
    await page.waitForFunction(() => (document.activeElement as HTMLElement).dataset.n === '96')
    await page.keyboard.press('Enter')
    await shown(page)
    assert.equal(await counter(page), '97 of 97')
    await page.waitForFunction(() => document.activeElement!.matches('.lg-container'))
    for (let k = 0; k < 30; k++) {
      await page.keyboard.press('Tab')
      assert.ok(await page.evaluate(() => Boolean(document.activeElement!.closest('.lg-container'))), 'the focus left the lightbox')
    }
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => (document.activeElement as HTMLElement).dataset.n === '96')
    const small = await page.evaluate(() => Array.from(document.querySelectorAll('button, .icon-button, .scrubber')).filter(element => {
      const { width, height } = element.getBoundingClientRect()
      return width > 0 && (width < 40 || height < 40) && getComputedStyle(element).opacity !== '0'
    }).map(element => element.outerHTML.slice(0, 100)))
    assert.deepEqual(small, [])
  })

  test('without script, and where a script does not load, the photos are there', async () => {
    const { page } = await view({ script: false })
    await page.goto(album)
    assert.equal(await page.locator('a.tile img').count(), 60)
    await page.click('a[rel=next]')
    assert.equal(await page.locator('a.tile').count(), 37)
    await page.click('a.tile >> nth=0')
    await page.waitForSelector('article.photo img')
    await page.click('a[rel=prev]')
    await page.waitForSelector('article.photo')
    const broken = await view()
    await broken.page.route('**/gallery.js', route => route.abort())
    await broken.page.goto(album)
    assert.equal(await broken.page.locator('a.tile').count(), 60)
    const half = await view()
    await half.page.route('**/lightgallery.js', route => route.abort())
    await half.page.goto(album)
    await half.page.waitForSelector('.laid-out a.tile[data-n="1"][href]')
    await half.page.click('a.tile[data-n="1"]')
    await half.page.waitForURL(/\/[\da-f-]{36}$/)
    await half.page.waitForSelector('article.photo img')
  })

  test('the position is kept on reload, and at 200 % zoom nothing is cut off', async () => {
    const { page } = await view()
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.evaluate(() => scrollTo(0, 1200))
    await page.waitForFunction(() => history.state?.y === 1200)
    await page.reload()
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.waitForFunction(() => Math.abs(scrollY - 1200) < 5)
    // 200 % of a 1,280 px window is one of 640 px
    await page.setViewportSize({ width: 640, height: 450 })
    await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth)
    assert.equal(await page.isVisible('#select'), true)
  })

  test('a password is asked for and taken, with the right answer for a wrong one', async () => {
    const { page, complaints } = await view()
    await page.goto(`/share/${links.password.key}`)
    await page.fill('#password', 'wrong')
    await page.click('button[type=submit]')
    await page.waitForSelector('[role=alert]')
    await page.fill('#password', PASSWORD)
    await page.click('button[type=submit]')
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    assert.deepEqual(complaints.filter(line => !line.includes('401')), [])
  })

  test('a bad network: tiles say so, and come when it is back', async () => {
    const { page } = await view()
    let broken = true
    await page.route('**/thumbnail?*', route => broken ? route.abort() : route.continue())
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile.failed')
    broken = false
    await page.waitForFunction(() => document.querySelectorAll('.tile.failed').length === 0 && document.querySelectorAll('.tile img.in').length > 5)
  })

  test('a selection begins without a network; a script that does not come is said, and tried again', async () => {
    const { page } = await view()
    await page.goto(album)
    await page.waitForSelector('.pick-bar', { state: 'attached' })
    await page.context().setOffline(true)
    await page.click('#select')
    await page.waitForSelector('body.selecting')
    const late = await view()
    let isBlocked = true
    await late.page.route(/(select|scrubber)\.js$/, route => isBlocked ? route.abort() : route.continue())
    await late.page.goto(album)
    await late.page.click('#select')
    await late.page.waitForSelector('.toast.seen')
    isBlocked = false
    await late.page.waitForSelector('.scrubber', { state: 'attached' })
    await late.page.click('#select')
    await late.page.waitForSelector('body.selecting')
  })

  test('titles are text, whatever is in them, in either direction', async () => {
    const library = emptyLibrary()
    const title = '<img src=x onerror=alert(1)> {{t.skip}} שלום "x" \u202eevil'
    const { key } = addLink(library, 'title', { album: addAlbum(library, title, [photo(1, { exif: { description: '#</p><script>alert(1)</script>' } }), photo(2)]) })
    const other = await start({ library, ipp: telling })
    const { page, complaints } = await view({}, other.base)
    await page.goto(`/share/${key}`)
    assert.equal(await page.textContent('h1'), title)
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    await page.keyboard.press('i')
    await page.waitForFunction(() => document.querySelector('.ipp-panel')?.textContent?.includes('#</p><script>'))
    assert.deepEqual(complaints, [])
  })

  test('what it weighs: 10,000 and 50,000 items', async () => {
    for (const [count, limit] of [[10_000, 12_000], [50_000, 40_000]] as const) {
      const library = emptyLibrary()
      // as a phone writes them: a few shapes, now and then a crop
      const shapes = [[4000, 3000], [3000, 4000], [1920, 1080], [1080, 1920], [4000, 2667]]
      let seed = 7
      const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff }
      const assets = Array.from({ length: count }, (_, n) => {
        const [width, height] = random() < 0.1 ? [1000 + random() * 3000, 1000 + random() * 3000] : shapes[Math.floor(random() ** 2 * 5)]!
        return (n % 40 === 7 ? video : photo)(n, { name: `many ${n}.jpg`, width: Math.round(width!), height: Math.round(height!), taken: Date.UTC(2025, 9, 18) - n * 3_000_000 })
      })
      for (const [n, asset] of assets.entries()) asset.id = asset.id.slice(0, 24) + n.toString(16).padStart(12, '0')
      const { key } = addLink(library, `many ${count}`, { album: addAlbum(library, 'Many', assets) })
      const many = await start({ library, ipp: { groupByDate: 'day' } })
      const sent = await ask(many.base, `/share/${key}`, { headers: { ...HTML, 'accept-encoding': 'br' } })
      assert.ok(sent.body.length <= limit, `${count}: ${sent.body.length} bytes`)
      const { page, complaints, context } = await view({}, many.base)
      await page.goto(`/share/${key}`)
      await page.waitForSelector('.laid-out a.tile img.in')
      const nodes = () => page.evaluate(() => document.querySelectorAll('*').length)
      const seen = [await nodes()]
      const height = await page.evaluate(() => document.documentElement.scrollHeight)
      for (const part of [0.1, 0.35, 0.5, 0.9, 1]) {
        await page.evaluate(y => scrollTo(0, y), height * part)
        await page.waitForFunction(() => Array.from(document.querySelectorAll<HTMLElement>('a.tile')).some(tile => tile.querySelector('img.in') && tile.getBoundingClientRect().top > 60 && tile.getBoundingClientRect().top < innerHeight))
        seen.push(await nodes())
      }
      await page.waitForSelector('.scrubber', { state: 'attached' })
      await page.focus('a.tile >> nth=-1')
      await page.keyboard.press('End')
      const order = [...assets].sort((a, b) => b.taken - a.taken)
      for (const [n, press] of [[count - 1, 'End'], [0, 'Home']] as const) {
        await page.keyboard.press(press)
        await page.waitForFunction(n => (document.activeElement as HTMLElement).dataset.n === String(n), n)
        await page.waitForFunction(n => document.querySelector(`a.tile[data-n="${n}"]`)!.hasAttribute('href'), n)
        await page.keyboard.press('Enter')
        await shown(page)
        assert.equal(await counter(page), `${n + 1} of ${count.toLocaleString('en-GB')}`)
        assert.ok(page.url().endsWith(order[n]!.id), 'the right photo')
        seen.push(await nodes())
        await page.keyboard.press('Escape')
        await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      }
      assert.ok(Math.max(...seen) <= 400, `elements: ${seen}`)
      assert.deepEqual(complaints, [])
      await context.close()
      await many.stop()
    }
  })

  const read = (name: string) => readFileSync(new URL(`../static/${name}`, import.meta.url), 'utf8')
  test('what it weighs: scripts and styles', async () => {
    const { page, asked } = await view()
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    const html = (await run.get(album, { headers: HTML })).text
    const early = new Set([...html.matchAll(/"(\/share\/static\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path!))
    // all that the first script stands on comes with it, and nothing else does
    const needed = (name: string): string[] => [...read(name).matchAll(/^import .* from '\.\/(.+)'$/gm)].flatMap(([, other]) => [other!, ...needed(other!)])
    assert.deepEqual(new Set([...early].map(path => path.split('/').at(-1))), new Set(['style.css', 'gallery.js', ...needed('gallery.js')]))
    const late = new Set(asked.filter(line => /share\/static\/.+\.(js|css|woff2)$/.test(line)).map(line => line.split(' ')[1]!).filter(path => !early.has(path)))
    const weigh = async (paths: Iterable<string>, encoding: string) => {
      let sum = 0
      for (const path of paths) sum += (await ask(run.base, path, { headers: { 'accept-encoding': encoding } })).body.length
      return sum
    }
    const first = await weigh(early, 'gzip')
    const rest = await weigh(late, 'br')
    assert.ok(first <= 18_000, `first load ${first} by gzip`)
    assert.ok(late.size >= 6 && rest <= 50_000, `the rest ${rest}: ${[...late]}`)
  })
})
