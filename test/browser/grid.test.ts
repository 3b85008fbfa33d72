/** The grid in a real Chromium: headings, selection, scrubber, and its behaviour when something fails. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { CHROMIUM, fingersOf, launch, openView, type View } from '../browser.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { start } from '../helpers.ts'
import { without } from '../tools.ts'
import { startSelecting } from './set-up.ts'

const DAY = 86_400_000
const library = emptyLibrary()
/** An album whose days have these numbers of photos, the newest first. */
function albumOf (name: string, counts: number[], step = DAY) {
  const days = counts.flatMap((count, day) => Array.from({ length: count }, (_, n) => photo(n % 20, {
    name: `${name} ${day} ${n}`, width: n % 3 ? 4000 : 3000, height: n % 3 ? 3000 : 4000,
    taken: Date.UTC(2026, 0, 3, 12) - day * step - n * 60_000
  })))
  const expiresAt = new Date(Date.UTC(2100, 11, 31, 22)).toISOString()
  return `/share/${addLink(library, name, { album: addAlbum(library, name, days), expiresAt }).key}`
}
const long = albumOf('long', Array.from({ length: 60 }, () => 7), 6 * DAY)
const years = albumOf('years', Array.from({ length: 90 }, () => 10))
const oneDay = albumOf('one day', [5])
const some = albumOf('some', [3, 1, 14])
/** a wide day, and one as narrow as its heading */
const days = albumOf('days', [7, 1, 4, 14], 6 * DAY)

/** Days of two photos, each beside a day of one photo that is as narrow as may be. */
const shapes = [[3000, 2000], [4000, 3100], [3000, 4000]] as const
const pairs = `/share/${addLink(library, 'pairs', { album: addAlbum(library, 'Pairs',
  Array.from({ length: 72 }, (_, n) => photo(n % 20, {
    name: `pairs ${n}`, width: shapes[n % 3]![0], height: shapes[n % 3]![1],
    taken: Date.UTC(2025, 10, 26, 12) - (2 * Math.floor(n / 3) + Math.floor(n % 3 / 2)) * DAY - n * 60_000
  }))) }).key}`

describe('the grid', { skip: CHROMIUM ? false : without('chromium') }, async () => {
  const run = await start({ library, ipp: { groupByDate: 'day', showExpiryDate: true } })
  let browser: Browser
  before(async () => { browser = await launch() })
  after(() => browser.close())
  const nothing = (): Promise<unknown> => Promise.resolve()
  const open = async (path: string, how: View = {}, prepare: (page: Page) => Promise<unknown> = nothing) => {
    const opened = await openView(browser, run.base, { calm: true, ...how })
    await prepare(opened.page)
    await opened.page.goto(path, { waitUntil: 'domcontentloaded' })
    return opened
  }
  const filled = (page: Page) => page.waitForSelector('.laid-out a.tile[data-n="0"] img.in')
  const headings = (page: Page) => page.evaluate(() =>
    Array.from(document.querySelectorAll('.grid h2'), ({ textContent }) => textContent!.trim()))

  test('server and script write the same headings', async () => {
    for (const language of ['en-GB', 'de', 'ja', 'ar']) {
      const plain = await open(long, { language, script: false })
      const served = await headings(plain.page)
      const scripted = await open(long, { language })
      await filled(scripted.page)
      const made = await headings(scripted.page)
      assert.ok(made.length >= 3)
      assert.deepEqual(made, served.slice(0, made.length), language)
      await plain.context.close()
      await scripted.context.close()
    }
  })

  test('a link with one day has it in the summary, not in a heading; few photos, taller rows', async () => {
    for (const script of [true, false]) {
      const { page, context } = await open(oneDay, { script })
      assert.match((await page.textContent('.summary'))!, /5 photos · 3 Jan 2026/)
      assert.deepEqual(await headings(page), [])
      const target = await page.evaluate(() => getComputedStyle(document.querySelector('.grid')!).minHeight)
      assert.equal(target, script ? '400px' : '240px')
      await context.close()
    }
  })

  // both cost frames while scrolling: laying out texts whose pictures have not come, and matching :has()
  test('the text of a picture comes with its address; no style on the page uses :has()', async () => {
    const { page, context } = await open(long, { language: 'en-GB' })
    await filled(page)
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight / 2))
    await page.waitForFunction(() => {
      const images = Array.from(document.querySelectorAll<HTMLImageElement>('.laid-out .tile img'))
      const isBare = images.some(image => image.alt && !image.getAttribute('src'))
      if (isBare) throw new Error('a text without a picture')
      const isDone = images.every(image => /^Photo \d+$/.test(image.alt))
      return scrollY > 1000 && images.length > 20 && isDone
    })
    await page.waitForFunction(() => document.querySelector('link[href*="tools.css"]'))
    const texts = await page.evaluate(() => Promise.all(Array.from(document.styleSheets, async ({ href }) =>
      (await fetch(href!)).text())))
    assert.ok(texts.length >= 2)
    for (const text of texts) assert.doesNotMatch(text, /:has\(/)
    await context.close()
  })

  test('the expiry is shown in the visitor\'s time zone', async () => {
    const context = await browser.newContext({ timezoneId: 'Asia/Tokyo', locale: 'en-GB' })
    const page = await context.newPage()
    await page.goto(run.base + oneDay)
    // 22:00 UTC on 31 December
    assert.match((await page.textContent('#expiry'))!, /1 January 2101.*0?7:00.*(GMT\+9|JST)/)
    await context.close()
  })

  test('dragging after a long press selects the photos it passes and deselects those it leaves', async () => {
    const { page, context } = await open(some, { size: 'phone' })
    await filled(page)
    await page.waitForSelector('.pick-bar', { state: 'attached' })
    const middle = async (n: number): Promise<[number, number]> => {
      const { x, y, width, height } = (await page.locator(`a.tile[data-n="${n}"]`).boundingBox())!
      return [x + width / 2, y + height / 2]
    }
    const picked = (numbers: number[]) => page.waitForFunction(wanted => {
      const tiles = document.querySelectorAll<HTMLElement>('a.tile.picked')
      return Array.from(tiles, tile => tile.dataset.n).join() === wanted
    }, numbers.join())
    const fingers = await fingersOf(page)
    const top = await page.evaluate(() => scrollY)
    await fingers('touchStart', await middle(0))
    await picked([0])
    await fingers('touchMove', await middle(2))
    await fingers('touchMove', await middle(4))
    await picked([0, 1, 2, 3, 4])
    await fingers('touchMove', await middle(2))
    await picked([0, 1, 2])
    await fingers('touchEnd')
    assert.equal(await page.evaluate(() => scrollY), top, 'a drag that picks does not scroll')
    await picked([0, 1, 2])
    await context.close()
  })

  test('a day shows whether none, some or all of it is selected; all can be selected at once', async () => {
    const { page, context } = await open(some)
    await filled(page)
    const days = () => page.evaluate(() =>
      Array.from(document.querySelectorAll('.day'), day => day.getAttribute('aria-pressed')).slice(0, 3))
    await startSelecting(page)
    await page.click('a.tile[data-n="0"]')
    assert.deepEqual(await days(), ['mixed', 'false', 'false'])
    await page.click('.day >> nth=0')
    assert.deepEqual(await days(), ['true', 'false', 'false'])
    await page.click('.pick-all')
    assert.deepEqual(await days(), ['true', 'true', 'true'])
    assert.match((await page.textContent('.pick-count'))!, /18/)
    assert.equal(await page.getAttribute('.pick-all', 'aria-pressed'), 'true')
    await context.close()
  })

  test('a day shows its ring while the mouse is on it, and nothing moves', async () => {
    const { page, context } = await open(days)
    await filled(page)
    await page.waitForSelector('link[href*="selection.css"]', { state: 'attached' })
    await page.mouse.move(720, 5)
    const look = (n: number) => page.evaluate(n => {
      const words = document.querySelectorAll('h2 span')[n]!
      const ring = document.querySelectorAll('.day')[n]!
      const { left, right } = words.getBoundingClientRect()
      const isCut = words.scrollWidth > words.clientWidth
      const end = words.closest('section')!.getBoundingClientRect().right
      return { words: [left, right, isCut], isSeen: getComputedStyle(ring).opacity === '1',
        isWithin: ring.getBoundingClientRect().right <= end + 1 }
    }, n)
    for (const n of [0, 1]) {
      const before = await look(n)
      assert.equal(before.isSeen, false)
      assert.equal(before.words[2], false, 'the words are whole')
      await page.hover(`h2 >> nth=${n}`)
      assert.deepEqual(await look(n), { ...before, isSeen: true })
      assert.equal(before.isWithin, true)
    }
    await page.click('.day >> nth=1')
    await page.waitForSelector('.day[aria-pressed=true]')
    await context.close()
  })

  test('End focuses the last photo before its stretch has come; Home shows the title too', async () => {
    let release = () => {}
    const held = new Promise<void>(resolve => { release = resolve })
    const { page, context } = await open(years, {}, page =>
      page.route(/\/items\/[^/]+\/[1-9]/, route => held.then(() => route.continue())))
    await page.waitForSelector('.scrubber', { state: 'attached' })
    await page.focus('a.tile[data-n="0"]')
    const press = async (key: string, n: number) => {
      await page.keyboard.press(key)
      await page.waitForFunction(n => (document.activeElement as HTMLElement).dataset.n === String(n), n)
    }
    await press('End', 899)
    await press('ArrowLeft', 898)
    release()
    await page.waitForSelector('a.tile[data-n="898"][href]')
    await press('Home', 0)
    assert.equal(await page.evaluate(() => scrollY), 0)
    await page.evaluate(() => scrollTo(0, 80))
    await press('Home', 0)
    assert.equal(await page.evaluate(() => scrollY), 0)
    await context.close()
  })

  test('a picture that hangs, or a script that is blocked, holds up nothing else', async () => {
    const { page, context } = await open(long, {}, async page => {
      await page.route('**/thumbnail?*', () => {})
      await page.route(/(new-photos|share|thumbhash)\.js$/, route => route.abort())
    })
    await page.waitForSelector('.scrubber', { timeout: 20_000 })
    await page.focus('a.tile[data-n="0"]')
    await page.keyboard.press('ArrowRight')
    await page.waitForFunction(() => (document.activeElement as HTMLElement).dataset.n === '1')
    await startSelecting(page)
    await context.close()
  })

  test('in a selection the days that share a row keep their whole names on a phone', async () => {
    for (const language of ['en-GB', 'en-US', 'de', 'fr', 'uk', 'hu']) {
      const { page, context } = await open(pairs, { language, size: 'phone' })
      await filled(page)
      await startSelecting(page)
      const cut = () => page.evaluate(() =>
        Array.from(document.querySelectorAll('.beside h2 span'), words => ({
          text: words.textContent, over: words.scrollWidth - words.clientWidth
        })))
      for (let y = 0; y < 3000; y += 500) {
        await page.evaluate(y => scrollTo(0, y), y)
        await page.waitForTimeout(150)
        const days = await cut()
        assert.ok(days.length > 1, 'days stand beside one another')
        assert.deepEqual(days.filter(({ over }) => over > 0), [], language)
      }
      await context.close()
    }
  })

  test('photos end beside the scrollbar where it takes room', async t => {
    const classic = await launch(['--disable-features=FluentOverlayScrollbar'], ['--hide-scrollbars'])
    t.after(() => classic.close())
    for (const path of [some, long]) {
      const { page, context } = await openView(classic, run.base, { calm: true })
      await page.setViewportSize({ width: 600, height: 300 })
      await page.goto(path)
      await filled(page)
      for (const width of [600, 1440]) {
        await page.setViewportSize({ width, height: 300 })
        await page.waitForTimeout(100)
        const { ends, tiles, beyond } = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.documentElement
          const grid = document.getElementById('photos')!
          const tiles = Array.from(grid.querySelectorAll('a'), tile => tile.getBoundingClientRect().right)
          const { right } = grid.getBoundingClientRect()
          const ends = right - parseFloat(getComputedStyle(grid).paddingRight)
          return { ends, tiles: Math.max(...tiles), beyond: scrollWidth - clientWidth }
        })
        assert.ok(ends < width - 5, `a scrollbar takes room: ${path} ${width} ${ends}`)
        assert.equal(beyond, 0, `${path} ${width}`)
        assert.ok(Math.abs(tiles - ends) < 1, `${path} ${width}: ${tiles}, not ${ends}`)
      }
      await context.close()
    }
  })

  test('a missing picture is not requested again and again, and its tile says so', async () => {
    let asked = 0
    const { page, context } = await open(some, {}, page => page.route('**/thumbnail?*', route => {
      asked++
      return route.fulfill({ status: 404 })
    }))
    const sign = '.tile.failed use[href="#i-clock"]'
    await page.waitForFunction(sign => document.querySelectorAll(sign).length >= 10, sign)
    const before = asked
    await page.waitForTimeout(3000)
    assert.equal(asked, before)
    // the picture and one HEAD each
    assert.ok(asked <= 36, `${asked} requests for 18 photos`)
    assert.match((await page.getAttribute('.tile.failed', 'title'))!, /ready yet/)
    await context.close()
  })

  test('a reload keeps the position even if storage is blocked', async () => {
    const { page, context } = await open(long, {}, page => page.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get () { throw new DOMException('refused', 'SecurityError') } })
      }
    }))
    await filled(page)
    await page.evaluate(() => scrollTo(0, 2000))
    await page.waitForFunction(() => history.state?.y === 2000)
    await page.reload()
    await page.waitForFunction(() => Math.abs(scrollY - 2000) < 5)
    await context.close()
  })
})
