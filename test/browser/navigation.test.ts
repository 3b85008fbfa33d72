/** Navigation: opening, going to the next photo, Back and Forward, addresses of earlier releases. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fingersOf, SIZES } from '../browser.ts'
import { until } from '../helpers.ts'
import { openAlbum, skip, startSelecting } from './set-up.ts'

describe('navigation: opening, next photos, Back and Forward, addresses', { skip }, async () => {
  const { run, links, library, view, album, shown, counter, idle } = await openAlbum()

  test('a tour: open, details, Back, Forward, play, deep link, slideshow, select, share', async () => {
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
      // a video loads nothing until it is played
      const video = library.albums.get(links.album.album!)!.assets
        .find(id => library.assets.get(id)!.type === 'VIDEO')
      await page.goto(`${album}/${video}`)
      await page.waitForSelector('.lg-current video')
      assert.ok(!asked.some(line => line.includes('/share/video/')), 'bytes of a video before it was played')
      await page.evaluate(() => {
        const video = document.querySelector<HTMLVideoElement>('.lg-current video')!
        video.muted = true
        return video.play()
      })
      await page.waitForFunction(() =>
        document.querySelector<HTMLVideoElement>('.lg-current video')!.currentTime > 0)
      await page.waitForFunction(() => {
        const box = document.querySelector('.lg-current video')!.getBoundingClientRect()
        return box.width > 200 && box.height > 200 && box.y === 0
      })
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
      await startSelecting(page)
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

  test('every flick, key and click counts, even while a slide is still moving', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    await page.tap('a.tile[data-n="0"]')
    const isCurrent = (n: number) =>
      page.waitForFunction(end => document.querySelector('.lg-current')?.id.endsWith(end), `-${n}`)
    await shown(page)
    const touch = await fingersOf(page)
    const flick = async () => {
      // on the slide that comes in, not on the one that goes out
      await page.waitForFunction(() => document.elementFromPoint(330, 400)?.closest('.lg-current'))
      await touch('touchStart', [330, 400])
      for (const x of [290, 230, 150]) await touch('touchMove', [x, 400])
      await touch('touchEnd')
    }
    let n = 0
    // the sixth photo is a panorama, which a flick moves along; a key passes it
    for (const next of [flick, () => page.keyboard.press('ArrowRight')]) {
      for (let times = 0; times < 4; times++) {
        await next()
        await isCurrent(++n)
      }
    }
    await page.waitForURL(url => url.pathname === `${album}/${ids[n]}`)
    // two flicks are not a double tap, but a double tap is one
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

  test('Back while a photo opens, opening while one closes, Back and Forward in a hurry', async () => {
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
    // the last of two opens, and the first does not open later
    await open(2, 1)
    await shown(page)
    assert.equal(await counter(page), '2 of 97')
    const ids = (await run.get(`/share/items/${links.album.key}/0`)).json().id as string[]
    await page.waitForURL(`${run.base}${album}/${ids[1]}`)
    for (const way of ['Escape', 'Back']) {
      await page.evaluate(async way => {
        const press = (key: string, keyCode: number) =>
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key, keyCode, bubbles: true }))
        const gone = new Promise(resolve => addEventListener('popstate', resolve, { once: true }))
        const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
        await wait(400)
        if (way === 'Escape') press('Escape', 27)
        else history.back()
        await gone
        press('Escape', 27)
        // closing takes three times as long as this wait
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

  test('a list of a different version is fetched again, and the page reloads only once', async () => {
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

  test('closing a photo that was opened directly leads to a whole grid at its position', async () => {
    const last = (await run.get(`/share/items/${links.album.key}/0`)).json().id[40]
    for (const size of ['desk', 'phone'] as const) {
      const { page } = await view({ size })
      await page.goto(`${album}/${last}`)
      await shown(page)
      await page.click('.lg-close')
      await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      await page.waitForFunction(() => document.querySelectorAll('.laid-out a.tile img.in').length > 5)
      const look = () => page.evaluate(() => {
        const tiles = Array.from(document.querySelectorAll('a.tile'), tile => tile.getBoundingClientRect())
        return { below: Math.max(...tiles.map(({ bottom }) => bottom)) - innerHeight,
          focused: (document.activeElement as HTMLElement).dataset.n }
      })
      // tiles beyond the viewport are drawn in later frames
      await until(async () => (await look()).below >= 0, 'the viewport to be filled')
      const gaps = await look()
      assert.ok(gaps.below >= 0, `the viewport is filled: ${gaps.below}`)
      assert.equal(gaps.focused, '40')
    }
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
})
