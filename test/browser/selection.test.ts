/** How a selection begins and ends. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from '../helpers.ts'
import { openAlbum, skip, startSelecting } from './set-up.ts'

describe('a selection: how it begins and ends', { skip }, async () => {
  const { run, library, view, album, shown, idle } = await openAlbum()

  test('a long press selects; two fingers do not, nor a press whose photo was opened since', async () => {
    const { page, complaints } = await view({ size: 'phone' })
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"] img.in')
    const press = (...ids: number[]) => page.evaluate(ids => {
      const tile = document.querySelector('a.tile[data-n="0"]')!
      for (const pointerId of ids) {
        tile.dispatchEvent(new PointerEvent('pointerdown',
          { pointerId, isPrimary: pointerId === 1, pointerType: 'touch', bubbles: true }))
      }
    }, ids)
    const isSelecting = () => page.evaluate(() => document.body.classList.contains('selecting'))
    await press(1, 2)
    // a long press takes half a second
    await page.waitForTimeout(1000)
    assert.equal(await isSelecting(), false)
    let release = () => {}
    const held = new Promise<void>(resolve => { release = resolve })
    await page.route('**/selection.js', async route => { await held; await route.continue() })
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

  test('Back ends a selection; a day shows whether it is selected, a tile when it was taken', async () => {
    const own = await start({ library,
      ipp: { groupByDate: 'day', showMetadata: { exif: { dateTimeOriginal: true } } } })
    const { page, complaints } = await view({}, own.base)
    await page.goto(album)
    await page.waitForSelector('a.tile[data-n="0"][href] img.in')
    assert.match((await page.getAttribute('a.tile[data-n="0"] img', 'alt'))!,
      /^(Photo|Video) 1, \d+ \w+ \d{4}$/)
    assert.equal(await page.getAttribute('h2', 'aria-label'), (await page.textContent('h2'))!.trim())
    await startSelecting(page)
    await page.click('.day >> nth=0')
    await page.waitForSelector('.day[aria-pressed=true]')
    await page.goBack()
    await page.waitForSelector('.pick-bar', { state: 'hidden' })
    assert.equal(page.url(), own.base + album)
    assert.equal(await page.locator('a.tile.picked').count(), 0)
    await startSelecting(page)
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => !history.state?.isSelecting)
    assert.deepEqual(complaints, [])
  })

  test('a selection begins offline; a script that fails to load is reported and retried', async () => {
    const { page } = await view()
    await page.goto(album)
    await page.waitForSelector('.pick-bar', { state: 'attached' })
    await page.context().setOffline(true)
    await startSelecting(page)
    const late = await view()
    let isBlocked = true
    await late.page.route(/(selection|scrubber)\.js$/, route => isBlocked ? route.abort() : route.continue())
    await late.page.goto(album)
    await late.page.click('#select')
    await late.page.waitForSelector('.toast.seen')
    isBlocked = false
    await late.page.waitForSelector('.scrubber', { state: 'attached' })
    await late.page.click('#select')
    await late.page.waitForSelector('body.selecting')
  })
})
