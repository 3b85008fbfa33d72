/** The page checked with axe and used by keyboard. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { SIZES } from '../browser.ts'
import { openAlbum, skip, startSelecting } from './set-up.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

describe('axe and the keyboard', { skip }, async () => {
  const { links, library, view, album, shown, counter } = await openAlbum()

  test('axe finds nothing, on any page or state, in both themes and sizes', async () => {
    const photoPage = `${album}/${library.albums.get(links.album.album!)!.assets[0]}`
    for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
      for (const theme of ['light', 'dark'] as const) {
        const { page, context } = await view({ size, theme, calm: true })
        const check = async (state: string, of = page) => {
          await of.evaluate(AXE)
          const { violations } = await of.evaluate(() => (window as any).axe.run(document,
            { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
          assert.deepEqual(violations.map((one: any) => `${one.id}: ${one.nodes[0].html.slice(0, 150)}`), [],
            `${state}, ${size}, ${theme}`)
        }
        for (const [path, state] of [['/', 'home'], [`/share/${links.password.key}`, 'password'],
          ['/nowhere', 'notice'], [`/share/${links.empty.key}`, 'empty']] as const) {
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
        await startSelecting(page)
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
    // the script for the keys loads after the photos
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
      assert.ok(await page.evaluate(() => Boolean(document.activeElement!.closest('.lg-container'))),
        'the focus left the lightbox')
    }
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => (document.activeElement as HTMLElement).dataset.n === '96')
    const small = await page.evaluate(() =>
      Array.from(document.querySelectorAll('button, .icon-button, .scrubber')).filter(element => {
      const { width, height } = element.getBoundingClientRect()
      return width > 0 && (width < 40 || height < 40) && getComputedStyle(element).opacity !== '0'
    }).map(element => element.outerHTML.slice(0, 100)))
    assert.deepEqual(small, [])
  })
})
