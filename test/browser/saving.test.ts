/** Downloading, saving with the share sheet and sending a selection, in a real Chromium. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { CHROMIUM, launch, openView, type View } from '../browser.ts'
import { start, until } from '../helpers.ts'
import { without } from '../tools.ts'
import { startSelecting } from './set-up.ts'

const skip = CHROMIUM ? false : without('chromium')

/** The files and text that the page gave to the share sheet. */
type Shared = { files?: string[], text?: string }
/** Gives the page a share sheet that accepts everything, as on a phone whose visitor's press has expired. */
const addSheet = (page: Page) => page.addInitScript(() => {
  const shared: Shared[] = []
  Object.assign(window, { shared })
  Object.defineProperty(navigator, 'canShare', { value: () => true })
  Object.defineProperty(navigator, 'userActivation', { value: { isActive: false } })
  const share = async ({ files, text }: { files?: File[], text?: string }) => {
    shared.push({ ...files && { files: files.map(({ name }) => name) }, ...text && { text } })
  }
  Object.defineProperty(navigator, 'share', { value: share })
})
const sharedBy = (page: Page) => page.evaluate(() => (window as unknown as { shared: Shared[] }).shared)

describe('saving', { skip }, async () => {
  const naming = { groupByDate: 'day', showMetadata: { exif: { originalFileName: true } } }
  const run = await start({ ipp: naming })
  const album = `/share/${run.links.album.key}`
  let browser: Browser
  before(async () => { browser = await launch() })
  after(() => browser.close())

  const openAlbum = async (how: View = {}, isSheet = false, base = run.base) => {
    const view = await openView(browser, base, how)
    if (isSheet) await addSheet(view.page)
    await view.page.goto(album)
    await view.page.waitForSelector('.laid-out a.tile img.in')
    return view
  }
  const pick = async (page: Page, ...numbers: number[]) => {
    await startSelecting(page)
    for (const n of numbers) await page.click(`a.tile[data-n="${n}"]`)
  }
  const take = async (page: Page, press: () => Promise<unknown>) => {
    const [download] = await Promise.all([page.waitForEvent('download'), press()])
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) }
  }

  test('"Download all" shows number and size before it fetches anything', async () => {
    const { page, asked, complaints } = await openAlbum({ size: 'phone' })
    const zips = () => asked.filter(line => line.endsWith('/download'))
    await page.click('#zip')
    await page.waitForSelector('.sheet-what:text-matches("^97 photos and videos · [0-9.]+ [kM]B$")')
    assert.deepEqual(zips(), [`HEAD ${album}/download`])
    await page.keyboard.press('Escape')
    await page.waitForSelector('.sheet', { state: 'detached' })
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'zip')
    await page.click('#zip')
    await page.click('.sheet [aria-label="Close"]')
    await page.click('#zip')
    // nothing that can be clicked, only the backdrop of an open sheet
    await page.waitForSelector('.sheet[open]')
    await page.mouse.click(195, 60)
    await page.waitForSelector('.sheet', { state: 'detached' })
    await page.click('#zip')
    await page.click('.sheet .plain')
    await page.waitForSelector('body.selecting')
    assert.deepEqual(zips().filter(line => !line.startsWith('HEAD')), [])
    assert.deepEqual(complaints, [])
  })

  test('a link with one photo offers "Download", which is the photo itself', async () => {
    const settings = { singleImageGallery: true, singleItemAutoOpen: false }
    const own = await start({ library: run.library, ipp: settings })
    for (const script of [true, false]) {
      const { page, complaints } = await openView(browser, own.base, { script })
      await page.goto(`/share/${run.links.photo.key}`)
      if (script) await page.waitForSelector('.laid-out a.tile img.in')
      assert.equal(await page.textContent('#zip'), 'Download')
      assert.equal(await page.getAttribute('#zip', 'aria-label'), 'Download')
      const { name, bytes } = await take(page, () => page.click('#zip'))
      assert.match(name, /\.jpg$/)
      assert.equal(bytes.readUInt16BE(0), 0xffd8, 'a JPEG')
      assert.deepEqual(complaints, [])
    }
  })

  test('an unknown size is left out, and without the dialog the link still downloads', async () => {
    const { page } = await openAlbum()
    const size = page.waitForResponse(answer => answer.request().method() === 'HEAD')
    await page.route('**/download', async route => {
      if (route.request().method() === 'HEAD') await route.fulfill({ status: 503 })
      else await route.continue()
    })
    await page.click('#zip')
    await size
    assert.equal(await page.textContent('.sheet-what'), '97 photos and videos')
    const late = await openView(browser, run.base)
    await late.page.route('**/download.js', route => route.abort())
    await late.page.goto(album)
    await late.page.waitForSelector('.laid-out a.tile img.in')
    assert.equal((await take(late.page, () => late.page.click('#zip'))).name, 'Summer at the lake.zip')
  })

  test('the browser itself downloads a zip, a selection and a photo', async () => {
    const { page } = await openAlbum()
    await page.click('#zip')
    const all = await take(page, () => page.click('.sheet .primary'))
    assert.equal(all.name, 'Summer at the lake.zip')
    assert.ok(all.bytes.equals((await run.get(`${album}/download`)).body))
    await pick(page, 0, 2)
    const press = () => page.click('.pick-bar [aria-label="Download"]')
    const two = await take(page, press)
    assert.ok(two.bytes.length > 1000 && two.bytes.length < all.bytes.length)
    assert.equal(two.bytes.subarray(0, 2).toString(), 'PK')
    // a single photo is downloaded as a file, not as a zip
    await page.click('a.tile[data-n="2"]')
    const one = await take(page, press)
    assert.match(one.name, /^IMG_\d+\.jpg$/)
    assert.equal(one.bytes.subarray(0, 2).toString('hex'), 'ffd8')
    await page.keyboard.press('Escape')
    await page.click('a.tile[data-n="1"]')
    await page.waitForSelector('.lg-container.lg-show .lg-current.lg-complete')
    assert.match((await take(page, () => page.click('.lg-download'))).name, /\.jpg$/)
  })

  test('many photos are saved in parts, one from the lightbox, and closing the offer ends it', async () => {
    const { page, complaints } = await openAlbum({ size: 'phone' }, true)
    const counts = async () => (await sharedBy(page)).map(({ files }) => files?.length)
    await startSelecting(page)
    // 14, 12 and 12 of three days, of which the last is not there before it comes into view
    for (let n = 0; n < 3; n++) {
      const day = `.day[data-first="${[0, 14, 26][n]}"]`
      await page.evaluate(n => scrollTo(0, n * 500), n)
      await page.click(day)
      await page.waitForSelector(`${day}[aria-pressed=true]`)
    }
    await page.click('.pick-bar [aria-label="Save"]')
    await page.click('.offer button:text-is("Save (30)")')
    await page.click('.offer button:text-is("Save (8)")')
    assert.deepEqual(await counts(), [30, 8])
    await page.click('.pick-bar [aria-label="Save"]')
    await page.click('.offer:has-text("Save (30)") [aria-label="Close"]')
    await page.waitForTimeout(500)
    assert.equal(await page.locator('.offer').count(), 0)
    await page.click('.pick-bar [aria-label="Cancel"]')
    await page.evaluate(() => scrollTo(0, 0))
    await page.click('a.tile[data-n="1"]')
    await page.waitForSelector('.lg-container.lg-show .lg-current.lg-complete')
    await page.click('.lg-download')
    await page.click('.offer button:text-is("Save (1)")')
    assert.deepEqual(await counts(), [30, 8, 1])
    assert.deepEqual(complaints, [])
  })

  test('two presses on "Save" save once', async () => {
    const { page, asked } = await openAlbum({ size: 'phone' }, true)
    await pick(page, 0, 2)
    await page.waitForSelector('.pick-bar [aria-label="Save"]')
    await page.evaluate(() => {
      const button = document.querySelector<HTMLElement>('.pick-bar [aria-label="Save"]')!
      button.click()
      button.click()
    })
    await page.click('.offer button:text-is("Save (2)")')
    await page.waitForTimeout(300)
    assert.equal((await sharedBy(page)).length, 1)
    assert.equal(asked.filter(line => line.startsWith('GET') && line.includes('/original?')).length, 2)
  })

  test('saving measures first, shows progress, keeps the names, and can be cancelled', async () => {
    const own = await start({ library: run.library, ipp: naming })
    const { page, asked } = await openAlbum({ size: 'phone' }, true, own.base)
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    own.immich.fault = ({ method, path }) =>
      method === 'GET' && path.endsWith('/original') ? { until: held } : undefined
    await pick(page, 0, 2)
    await page.click('.pick-bar [aria-label="Save"]')
    await page.waitForSelector('.offer:has-text("Saving 1 of 2"):has-text("0 of ") progress')
    const originals = () => asked.filter(line => line.includes('/original?')).map(line => line.split(' ')[0])
    assert.deepEqual(originals(), ['HEAD', 'HEAD', 'GET'])
    await page.click('.offer [aria-label="Cancel"]')
    assert.equal(await page.locator('.offer').count(), 0)
    release()
    await page.click('.pick-bar [aria-label="Save"]')
    await page.click('.offer button:text-is("Save (2)")')
    assert.deepEqual(originals(), ['HEAD', 'HEAD', 'GET', 'GET', 'GET'])
    const [saved, ...others] = await sharedBy(page)
    assert.deepEqual(others, [])
    assert.equal(saved?.files?.length, 2)
    for (const name of saved.files) assert.match(name, /^IMG_\d+\.jpg$/)
  })

  test('a selection too large for the share sheet, or of unknown size, is an ordinary download', async () => {
    for (const [length, size] of [['60000000', '120 MB'], [undefined, '']] as const) {
      const { page, asked, context } = await openAlbum({ size: 'phone' }, true)
      await page.route('**/original?*', async route => {
        if (route.request().method() !== 'HEAD') return route.continue()
        await route.fulfill({ status: 200, headers: length ? { 'content-length': length } : {} })
      })
      // "Download" also stands there until the script knows that this phone can save
      await startSelecting(page)
      await page.waitForSelector('.pick-bar [aria-label="Save"]')
      for (const n of [0, 2]) await page.click(`a.tile[data-n="${n}"]`)
      await page.waitForSelector('.pick-bar [aria-label="Download"]')
      assert.equal(await page.textContent('.pick-size'), size)
      const zip = await take(page, () => page.click('.pick-bar [aria-label="Download"]'))
      assert.equal(zip.name, 'Summer at the lake.zip')
      assert.deepEqual(asked.filter(line => /^GET .*\/original\?/.test(line)), [])
      await context.close()
    }
  })

  test('a photo too large for the share sheet is downloaded as a file from the lightbox', async () => {
    const { page } = await openAlbum({ size: 'phone' }, true)
    await page.route('**/original?*', async route => {
      if (route.request().method() !== 'HEAD') return route.continue()
      await route.fulfill({ status: 200, headers: { 'content-length': '100000001' } })
    })
    await page.click('a.tile[data-n="0"]')
    await page.waitForSelector('.lg-container.lg-show .lg-current.lg-complete')
    assert.match((await take(page, () => page.click('.lg-download'))).name, /^IMG_\d+\.jpg$/)
    assert.equal(await page.locator('.offer').count(), 0)
  })

  test('"Send my selection" gives addresses, and names if they may be shown', async () => {
    const ids = (await run.get(`/share/items/${run.links.album.key}/0`)).json().id as string[]
    const textFor = (names: string[], base: string) => ['Summer at the lake\n2 photos',
      ...names.map((name, at) => `${name}\n${base}${album}/${ids[at * 2]}`)].join('\n\n')
    const metaOf = async (n: number) => (await run.get(`/share/meta/${run.links.album.key}/${ids[n]}`)).json()
    const told: string[] = [(await metaOf(0)).originalFileName, (await metaOf(2)).originalFileName]
    assert.match(told[0]!, /^IMG_/)
    const silent = await start({ library: run.library })
    for (const [base, names] of [[run.base, told], [silent.base, ['Photo 1', 'Photo 3']]] as const) {
      const { page } = await openAlbum({ size: 'phone' }, true, base)
      await pick(page, 0, 2)
      await page.click('.pick-bar [aria-label="Send my selection"]')
      await until(async () => (await sharedBy(page)).length === 1)
      assert.deepEqual(await sharedBy(page), [{ text: textFor([...names], base) }])
    }
    // without a share sheet it is copied, and without a clipboard it is shown
    const { page } = await openAlbum()
    await page.evaluate(() => { Object.defineProperty(navigator, 'share', { value: undefined }) })
    await pick(page, 0, 2)
    await page.click('.pick-bar [aria-label="Send my selection"]')
    await page.waitForSelector('.toast.seen:has-text("Copied.")')
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), textFor(told, run.base))
    await page.evaluate(() => { Object.defineProperty(navigator, 'clipboard', { value: undefined }) })
    await page.click('.pick-bar [aria-label="Send my selection"]')
    assert.equal(await page.inputValue('.sheet textarea'), textFor(told, run.base))
    await page.keyboard.press('Escape')
    await page.waitForSelector('.sheet', { state: 'detached' })
    assert.equal(await page.isVisible('.pick-bar'), true)
  })
})
