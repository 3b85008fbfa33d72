/** The look of narrow phones, words from right to left, print, messages, and pictures that fail. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import type { View } from '../browser.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo, video } from '../library.ts'
import { openAlbum, skip, startSelecting } from './set-up.ts'

const library = emptyLibrary()
const assets = Array.from({ length: 240 }, (_, n) => photo(n, { name: `look ${n}` }))
delete assets[1]!.preview
delete assets[1]!.thumbnail
const album = addAlbum(library, 'Look', assets)
const path = `/share/${addLink(library, 'look', { album }).key}`
const narrow = Array.from({ length: 24 }, (_, n) =>
  video(n, { width: 960, height: 1920, duration: n % 2 ? 57_000 : 3_723_000 }))
const films = `/share/${addLink(library, 'films', { album: addAlbum(library, 'Films', narrow) }).key}`
const locked = `/share/${addLink(library, 'look, locked', { album, password: PASSWORD }).key}`

describe('the look', { skip }, async () => {
  const { view, shown } = await openAlbum(library)
  const open = async (how: View = {}) => {
    const opened = await view({ calm: true, ...how })
    await opened.page.goto(path)
    await opened.page.waitForSelector('.laid-out a.tile img.in')
    return opened
  }
  const openPhoto = async (page: Page, n: number) => {
    await page.click(`a.tile[data-n="${n}"]`)
    await shown(page)
  }
  /** The texts of those that end beyond the window's edges. */
  const beyond = (page: Page, selector: string) => page.evaluate(selector =>
    Array.from(document.querySelectorAll<HTMLElement>(selector)).filter(element => {
      const { left, right } = element.getBoundingClientRect()
      return element.offsetParent && (left < 6 || right > innerWidth - 6)
    }).map(({ title, textContent }) => title || textContent), selector)

  test('bars fit a phone of 360 px in languages with long words', async () => {
    for (const language of ['de', 'fr', 'ja', 'hu']) {
      const { page, context } = await open({ size: 'phone', language })
      await page.setViewportSize({ width: 360, height: 740 })
      assert.deepEqual(await beyond(page, '.bar-actions > *'), [], language)
      await startSelecting(page)
      await page.click('a.tile[data-n="0"]')
      const words = '.pick-count, .pick-all, .pick-actions .button'
      assert.deepEqual(await beyond(page, words), [], language)
      // on its side, the height is for photos: all stands in one bar
      await page.setViewportSize({ width: 667, height: 375 })
      assert.deepEqual(await beyond(page, words), [], language)
      assert.ok((await page.locator('.pick-actions').boundingBox())!.y < 56, language)
      await context.close()
    }
  })

  test('words in the lightbox run as the page does', async () => {
    for (const [language, direction, side] of [['ar', 'rtl', 'right'], ['en-GB', 'ltr', 'left']] as const) {
      const { page, context } = await open({ language })
      await openPhoto(page, 0)
      for (const words of ['.ipp-date', '.lg-counter']) {
        assert.equal(await page.locator(words).evaluate(one => getComputedStyle(one).direction), direction)
      }
      const { block, date } = await page.evaluate(side => {
        const edge = (selector: string) => document.querySelector(selector)!.getBoundingClientRect()[side]
        return { block: edge('.ipp-block'), date: edge('.ipp-date') }
      }, side)
      assert.equal(date, block, language)
      // the next photo is where the eye goes on reading
      await page.keyboard.press(direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight')
      await page.waitForFunction(() => /^(2|٢)\D/.test(document.querySelector('.lg-counter')!.textContent!))
      await context.close()
    }
  })

  test('the next photo comes from where the language reads on: by arrow and by finger', async () => {
    const at = (page: Page) => page.waitForFunction(() =>
      !document.querySelector('.lg-slide-progress, .lg-dragging') &&
      parseInt(document.querySelector('.lg-counter')!.textContent!)).then(number => number.jsonValue())
    for (const [language, isMirrored] of [['ar', true], ['en-GB', false]] as const) {
      const { page, context } = await open({ language })
      await openPhoto(page, 0)
      const middle = (selector: string) => page.locator(selector).evaluate(one => {
        const { left, right } = one.getBoundingClientRect()
        return (left + right) / 2
      })
      assert.equal(await middle('.lg-next') < await middle('.lg-prev'), isMirrored)
      assert.equal(await middle('.lg-close') > await middle('.ipp-share'), isMirrored)
      await page.mouse.click(isMirrored ? 40 : 1400, 450)
      assert.equal(await at(page), 2)
      const [from, to] = isMirrored ? [400, 1000] : [1000, 400]
      await page.mouse.move(from, 450)
      await page.mouse.down()
      await page.mouse.move(to, 450, { steps: 4 })
      const next = await middle('.lg-next-slide')
      assert.equal(next < 720, isMirrored, `the next one is at ${next}`)
      assert.ok(Math.abs(await middle('.lg-current') - 720 - (to - from)) < 2, 'the photo follows the finger')
      await page.mouse.up()
      assert.equal(await at(page), 3)
      await context.close()
    }
  })

  test('with text at 200 %, words of the bars are whole or gone, and the sheet\'s wrap', async () => {
    const large = (page: Page) => page.evaluate(() => { document.documentElement.style.fontSize = '200%' })
    /** The texts that are cut: by their own box, or by one that hides what is beyond it. */
    const cut = (page: Page, selector: string) => page.evaluate(selector =>
      Array.from(document.querySelectorAll<HTMLElement>(selector)).filter(one => {
        const { left, right, top } = one.getBoundingClientRect()
        const box = one.parentElement!.getBoundingClientRect()
        const isOut = top >= box.bottom || one.offsetParent === null
        const isBeyond = left < Math.max(0, box.left - 1) || right > Math.min(innerWidth, box.right + 1)
        return !isOut && (isBeyond || one.scrollWidth > one.clientWidth + 1)
      }).map(({ textContent }) => textContent), selector)
    for (const language of ['en-GB', 'de', 'ru']) {
      const { page, context } = await open({ language })
      await large(page)
      for (const width of [390, 701, 768, 1024, 1440]) {
        await page.setViewportSize({ width, height: 844 })
        assert.deepEqual(await cut(page, '.word, .bar-actions > :not(.pill)'), [], `${language} ${width}`)
      }
      await startSelecting(page)
      await page.click('a.tile[data-n="0"]')
      for (const width of [390, 701, 768, 1024, 1440]) {
        await page.setViewportSize({ width, height: 844 })
        const words = '.pick-bar > :not(.pick-actions), .pick-count, .pick-actions .button'
        assert.deepEqual(await cut(page, words), [], `${language} ${width}`)
      }
      await page.keyboard.press('Escape')
      for (const width of [390, 1024]) {
        await page.setViewportSize({ width, height: 844 })
        await page.click('#zip')
        await page.waitForSelector('.sheet[open]')
        assert.deepEqual(await cut(page, '.sheet-body > *'), [], `${language} ${width}`)
        await page.keyboard.press('Escape')
        await page.waitForSelector('.sheet', { state: 'detached' })
      }
      await context.close()
    }
  })

  test('a photo without a picture shows one sentence, and no broken picture', async () => {
    const { page, context } = await open()
    await openPhoto(page, 1)
    await page.waitForSelector('.ipp-missing')
    const isSeen = (selector: string) => page.locator(selector).first().isVisible()
    assert.equal(await isSeen('.lg-current .lg-object'), false)
    assert.equal(await isSeen('.toast.seen'), false)
    assert.match((await page.textContent('.toast'))!, /ready yet/, 'but it is read out')
    // the sentence is in the middle of a tile of the photo's shape, with the photo's placeholder
    const [tile, words] = await page.evaluate(() => ['.ipp-missing', '.ipp-missing span'].map(selector => {
      const { x, y, width, height } = document.querySelector(selector)!.getBoundingClientRect()
      return { x: x + width / 2, y: y + height / 2, ratio: width / height }
    }))
    assert.ok(Math.abs(tile!.ratio / (assets[1]!.width / assets[1]!.height) - 1) < 0.02, `${tile!.ratio}`)
    assert.ok(Math.abs(words!.x - tile!.x) < 1 && Math.abs(words!.y - tile!.y) < 1)
    const ground = await page.locator('.ipp-missing').evaluate(one => getComputedStyle(one).backgroundImage)
    assert.match(ground, /^url\("data:image\/bmp/)
    await context.close()
  })

  test('the duration of a video stays on its picture', async () => {
    const { page, context } = await view({ size: 'phone', calm: true })
    await page.goto(films)
    await page.waitForSelector('.laid-out a.tile img.in')
    /** The durations that leave the picture, and those whose words leave their pill. */
    const beyond = () => page.evaluate(() => {
      const isOut = (inner: Element | Range, outer: Element) => {
        const [{ left, right }, box] = [inner.getBoundingClientRect(), outer.getBoundingClientRect()]
        return left < box.left - 0.5 || right > box.right + 0.5
      }
      const badges = Array.from(document.querySelectorAll('.badge.video'))
      const text = (badge: Element) => {
        const range = document.createRange()
        range.selectNode(badge.lastChild!)
        return range
      }
      const textOf = (badge: Element) => badge.textContent!
      return {
        pills: badges.filter(badge => isOut(badge, badge.parentElement!.querySelector('img')!)).map(textOf),
        words: badges.filter(badge => isOut(text(badge), badge)).map(textOf)
      }
    })
    const { pills, words } = await beyond()
    assert.deepEqual([pills, words], [[], []])
    await page.evaluate(() => { document.documentElement.style.fontSize = '200%' })
    const large = await beyond()
    assert.deepEqual([large.pills, large.words.includes('0:57')], [[], false])
    await page.evaluate(() => { document.documentElement.style.fontSize = '' })
    await startSelecting(page)
    await page.click('.pick-all')
    const picked = await beyond()
    assert.deepEqual([picked.pills, picked.words.includes('0:57')], [[], false])
    await context.close()
  })

  test('a picture that is made meanwhile appears after minutes', async () => {
    const { page, context } = await open()
    await page.clock.install()
    await page.route('**/preview?*', route => route.fulfill({ status: 404 }))
    await page.click('a.tile[data-n="3"]')
    await page.waitForSelector('.lg-current .ipp-missing')
    await page.unroute('**/preview?*')
    await page.clock.runFor(181_000)
    await page.waitForSelector('.lg-current .ipp-missing', { state: 'detached' })
    await page.waitForSelector('.lg-current .lg-object', { state: 'visible' })
    await context.close()
  })

  test('a picture that is tried again is not shown broken', async () => {
    const { page, context } = await open()
    const asked: string[] = []
    await page.route('**/preview?*', route => {
      asked.push(`${route.request().method()} ${route.request().url()}`)
      return route.abort()
    })
    await page.click('a.tile[data-n="3"]')
    await page.waitForSelector('.toast.seen')
    const picture = page.locator('.lg-current .lg-object')
    assert.equal(await picture.isVisible(), false)
    const src = await picture.evaluate((image: HTMLImageElement) => image.src)
    assert.deepEqual(asked.filter(one => one.endsWith(src)), [`GET ${src}`, `HEAD ${src}`])
    await page.unroute('**/preview?*')
    await page.waitForSelector('.lg-current.lg-complete')
    assert.equal(await picture.isVisible(), true)
    await context.close()
  })

  test('a message stands above the progress of a download', async () => {
    const { page, context } = await open({ size: 'phone' })
    await page.waitForFunction(() => document.querySelector('link[href$="tools.css"]'))
    await page.evaluate(async () => {
      const folder = document.querySelector<HTMLLinkElement>('link[href$="/style.css"]')!.href
      const load = (name: string) => import(new URL(name, folder).href)
      const [{ say }, { showProgress }] = await Promise.all([load('dom.js'), load('snackbar.js')])
      showProgress('Saving', () => {}).update('Saving 1 of 2', '1 of 2 MB', 0.5)
      say('Could not load')
    })
    const message = (await page.locator('.toast').boundingBox())!
    assert.ok(message.y + message.height < (await page.locator('.offer').boundingBox())!.y)
    await context.close()
  })

  test('a message has its own time, however soon after another it comes', async () => {
    const { page, context } = await open()
    await page.clock.install()
    await page.evaluate(async () => {
      const { href } = document.querySelector<HTMLLinkElement>('link[href$="/style.css"]')!
      Object.assign(window, await import(new URL('dom.js', href).href))
    })
    const say = (text: string) => page.evaluate(text => (window as any).say(text), text)
    const isSeen = () => page.locator('.toast.seen').count()
    await say('One')
    await page.clock.runFor(3000)
    await say('Two')
    await page.clock.runFor(3000)
    assert.equal(await isSeen(), 1)
    await page.clock.runFor(2000)
    assert.equal(await isSeen(), 0)
    await context.close()
  })

  test('a wrong password\'s field is red, although it has the focus', async () => {
    const { page, context } = await view({ calm: true })
    await page.goto(locked)
    const border = () => page.locator('#password').evaluate(field => getComputedStyle(field).borderTopColor)
    const asked = await border()
    await page.fill('#password', 'wrong')
    await page.click('[type=submit]')
    await page.waitForSelector('#password[aria-invalid]:focus')
    assert.notEqual(await border(), asked)
    const problem = page.locator('.problem')
    assert.equal(await border(), await problem.evaluate(words => getComputedStyle(words).color))
    await context.close()
  })

  test('photos in view are printed whole, on white, and no empty pages', async () => {
    const { page, context } = await open({ theme: 'dark' })
    await page.waitForFunction(() => document.querySelector('link[href$="tools.css"]'))
    await page.evaluate(() => scrollTo(0, 4000))
    await page.waitForTimeout(500)
    const pages = (await page.pdf({ format: 'A4' })).toString('latin1').match(/\/Type\s*\/Page\b/g)!.length
    assert.ok(pages <= 4, `${pages} pages`)
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    assert.equal(ground, 'rgb(255, 255, 255)')
    // paper is narrower than the window, and the script does not lay out anew for it
    const cut = await page.evaluate(() => {
      document.body.style.width = '700px'
      const ends = Array.from(document.querySelectorAll('.tile'), tile => tile.getBoundingClientRect().right)
      document.body.style.width = ''
      return ends.filter(end => end > 700)
    })
    assert.deepEqual(cut, [])
    await page.emulateMedia({ media: 'screen' })
    await page.evaluate(() => scrollTo(0, 0))
    await openPhoto(page, 0)
    await page.emulateMedia({ media: 'print' })
    const ink = await page.locator('.ipp-date').evaluate(date => getComputedStyle(date).color)
    assert.equal(ink, 'rgb(0, 0, 0)')
    assert.equal(await page.locator('main').isVisible(), false)
    await context.close()
  })

  test('+ and - on a photo make rows higher and lower, and the next visit remembers', async () => {
    const { page, context, complaints } = await open()
    const height = () => page.locator('a.tile[data-n="0"]').evaluate(tile => tile.clientHeight)
    const usual = await height()
    await page.waitForTimeout(500)
    await page.focus('a.tile[data-n="0"]')
    for (const key of ['-', '-', '-', '-', '-']) await page.keyboard.press(key)
    const low = await height()
    assert.ok(low < usual * 0.75, `${low} of ${usual}`)
    assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.n), '0')
    await page.reload()
    await page.waitForSelector('.laid-out a.tile img.in')
    assert.equal(await height(), low)
    await page.waitForTimeout(500)
    await page.focus('a.tile[data-n="0"]')
    for (const key of ['+', '+', '+']) await page.keyboard.press(key)
    assert.equal(await height(), usual)
    assert.deepEqual(complaints.filter(line => !line.includes('404')), [])
    await context.close()
  })

  test('few photos are as wide as a 4K screen, and sharp', async () => {
    const few = addAlbum(library, 'Few', assets.slice(2, 5))
    const { page, context } = await view({ calm: true })
    await page.setViewportSize({ width: 3840, height: 2160 })
    await page.goto(`/share/${addLink(library, 'few', { album: few }).key}`)
    await page.waitForSelector('.laid-out a.tile[data-n="2"]')
    const ends = await page.evaluate(() => Array.from(document.querySelectorAll('a.tile'), tile =>
      tile.getBoundingClientRect().right))
    assert.ok(Math.max(...ends) > 3800, `${ends}`)
    await page.waitForFunction(() => Array.from(document.querySelectorAll<HTMLImageElement>('a.tile img'))
      .every(({ src }) => src.includes('/preview?')))
    await context.close()
  })
})
