/** The page as a whole: headings of small days, new photos, passwords, titles, no script, a bad network. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start, until } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo } from '../library.ts'
import { openAlbum, skip, TELLING } from './set-up.ts'

describe('the page: headings, new photos, password, titles, no script, a bad network', { skip }, async () => {
  const { links, view, album, shown, idle } = await openAlbum()

  test('small days share a row, each under its heading; the year is shown where it changes', async () => {
    const library = emptyLibrary()
    const counts = [1, 2, 1, 1, 30, 2]
    const days = counts.flatMap((count, day) => Array.from({ length: count }, (_, n) => {
      const taken = Date.UTC(2026, 0, 3 - day, 12) - n * 60_000
      return photo(day * 40 + n, { name: `few ${day} ${n}`, width: 3000, height: 4000, taken })
    }))
    const { key } = addLink(library, 'few',
      { album: addAlbum(library, 'Few', days), description: 'Many words of it. '.repeat(100) })
    const own = await start({ library, ipp: { groupByDate: 'day', showGalleryDescription: true } })
    const views =
      [['desk', 'en-GB', 4, false], ['phone', 'en-GB', 2, false], ['desk', 'he', 4, true]] as const
    for (const [size, language, first, isMirrored] of views) {
      const { page, complaints } = await view({ size, language }, own.base)
      await page.goto(`/share/${key}`)
      await page.waitForSelector('.laid-out a.tile img.in')
      const sections = await page.evaluate(() => Array.from(document.querySelectorAll('section'), section => {
        const { top, left, right } = section.getBoundingClientRect()
        const tiles = Array.from(section.querySelectorAll('a.tile'), tile => tile.getBoundingClientRect())
        return { top, left, right, heading: section.querySelector('h2')!.textContent,
          isWithin: tiles.every(tile => tile.left >= left - 1 && tile.right <= right + 1) }
      }))
      const row = sections.filter(({ top }) => top === sections[0]!.top)
      assert.equal(row.length, first, size)
      assert.ok(sections.every(({ isWithin }) => isWithin), 'no photo is outside of its day')
      for (const [n, { left, right }] of row.slice(1).entries()) {
        const isApart = isMirrored ? right <= row[n]!.left - 15 : left >= row[n]!.right + 15
        assert.ok(isApart, `${size}: the ${n}th`)
      }
      if (language === 'en-GB') {
        assert.deepEqual(row.map(({ heading }) => heading!.replace(',', '')),
          ['Sat 3 Jan 2026', 'Fri 2 Jan', 'Thu 1 Jan', 'Wed 31 Dec 2025'].slice(0, first))
      }
      // an owner's text in the other writing direction is aligned with the page
      for (const place of ['h1', '.bar-title']) {
        const alignment = await page.evaluate(place =>
          getComputedStyle(document.querySelector(place)!).textAlign, place)
        assert.equal(alignment, isMirrored ? 'right' : 'left')
      }
      // no description pushes the photos out of view
      const lines = () => page.evaluate(() => {
        const about = document.querySelector('.about')!
        return Math.round(about.clientHeight / parseFloat(getComputedStyle(about).lineHeight))
      })
      assert.equal(await lines(), 4)
      const before = (await page.locator('a.tile >> nth=0').boundingBox())!.y
      await page.click('.more')
      assert.ok(await lines() > 4)
      assert.ok((await page.locator('a.tile >> nth=0').boundingBox())!.y > before + 40)
      // the arrows follow the writing direction
      await page.waitForSelector('.scrubber', { state: 'attached' })
      await page.focus('a.tile[data-n="0"]')
      await page.keyboard.press(isMirrored ? 'ArrowLeft' : 'ArrowRight')
      assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.n), '1')
      await page.keyboard.press('ArrowDown')
      const below = await page.evaluate(() => Number((document.activeElement as HTMLElement).dataset.n))
      assert.ok(below >= (size === 'phone' ? 4 : 5))
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true)
      assert.deepEqual(complaints, [])
    }
  })

  test('a page left open offers new photos, and works with storage blocked', async context => {
    const library = emptyLibrary()
    const name = addAlbum(library, 'Open',
      Array.from({ length: 70 }, (_, n) => photo(n, { name: `open ${n}` })))
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
    // the offer covers neither the buttons of a selection nor a photo
    await page.waitForSelector('.news')
    await page.click('#select')
    await page.waitForSelector('.news', { state: 'hidden' })
    await page.keyboard.press('Escape')
    await page.waitForSelector('.news')
    await page.click('a.tile[data-n="1"]')
    await page.waitForSelector('.news', { state: 'hidden' })
    await shown(page)
    await page.keyboard.press('Escape')
    await page.click('.offer button:has-text("New since your last visit: 1")')
    await page.waitForFunction(() => document.activeElement!.matches('a.tile.new[data-n="70"]') &&
      document.activeElement!.querySelector('.badge')?.textContent === '360°')
    assert.deepEqual(complaints, [])

    const blocked = await view({}, own.base)
    await blocked.page.addInitScript(() => {
      const refuse = () => { throw new DOMException('', 'SecurityError') }
      for (const kind of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, kind, { get: refuse })
      }
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

  test('the photos are there without script, and if a script does not load', async () => {
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

  test('the password form opens the link, and reports a wrong password', async () => {
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

  test('while Immich is down the page says that it tries again, and it does', async () => {
    const run = await start()
    const { page } = await view({}, run.base)
    const plain = await view({ script: false }, run.base)
    run.immich.fault = () => ({ status: 503, body: '{}' })
    await page.clock.install()
    for (const one of [page, plain.page]) {
      await one.goto(`/share/${run.links.album.key}`)
      assert.equal(await one.textContent('.card p'), 'This page tries again by itself.')
    }
    assert.equal(await plain.page.locator('meta[http-equiv=refresh]').count(), 1)
    await page.clock.runFor(16_000)
    assert.equal(await page.locator('.card').count(), 1)
    run.immich.fault = () => undefined
    await until(async () => {
      await page.clock.runFor(16_000).catch(() => {})
      return await page.locator('a.tile').count() > 0
    })
  })

  test('a bad network: tiles report it, and load when it is back', async () => {
    const { page } = await view()
    let broken = true
    await page.route('**/thumbnail?*', route => broken ? route.abort() : route.continue())
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile.failed')
    broken = false
    await page.waitForFunction(() => document.querySelectorAll('.tile.failed').length === 0 &&
      document.querySelectorAll('.tile img.in').length > 5)
  })

  test('titles are shown as text, whatever they contain, in either direction', async () => {
    const library = emptyLibrary()
    const title = '<img src=x onerror=alert(1)> {{t.skip}} שלום "x" \u202eevil'
    const described = photo(1, { exif: { description: '#</p><script>alert(1)</script>' } })
    const { key } = addLink(library, 'title', { album: addAlbum(library, title, [described, photo(2)]) })
    const other = await start({ library, ipp: TELLING })
    const { page, complaints } = await view({}, other.base)
    await page.goto(`/share/${key}`)
    assert.equal(await page.textContent('h1'), title)
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    await page.keyboard.press('i')
    await page.waitForFunction(() =>
      document.querySelector('.ipp-panel')?.textContent?.includes('#</p><script>'))
    assert.deepEqual(complaints, [])
  })
})
