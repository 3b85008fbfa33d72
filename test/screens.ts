/** `npm run screens`: takes screenshots of each page, at both sizes and in both themes, for docs/screens. */
import { fileURLToPath } from 'node:url'
import { mkdirSync } from 'node:fs'
import { createProxy } from '../src/server.ts'
import { loadSettings } from '../src/config/settings.ts'
import { launch, openView, SIZES } from './browser.ts'
import { listen } from './helpers.ts'
import { sampleLibrary } from './library.ts'
import { startImmich } from './standin.ts'

const { library, links } = sampleLibrary()
const immich = await startImmich(library)
const config = { ipp: { groupByDate: 'day', showGalleryDescription: true,
  showMetadata: { description: true, exif: true, location: true } } }
const proxy = createProxy(loadSettings({ IMMICH_URL: immich.url, LOG_LEVEL: 'error',
  CONFIG: JSON.stringify(config) }, new URL('../', import.meta.url)))
const base = await listen(proxy.server)
const folder = fileURLToPath(new URL('../docs/screens/', import.meta.url))
mkdirSync(folder, { recursive: true })
const browser = await launch()
const album = `/share/${links.album.key}`
for (const size of Object.keys(SIZES) as (keyof typeof SIZES)[]) {
  for (const theme of ['light', 'dark'] as const) {
    const { page, context } = await openView(browser, base, { size, theme, calm: true })
    const shot = (name: string) =>
      page.screenshot({ path: `${folder}${name}-${size}-${theme}.jpg`, type: 'jpeg', quality: 70 })
    for (const [name, path] of [['home', '/'], ['password', `/share/${links.password.key}`],
      ['notice', '/nowhere']] as const) {
      await page.goto(path)
      await shot(name)
    }
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.waitForLoadState('networkidle')
    await shot('grid')
    await page.evaluate(() => scrollTo(0, 1500))
    await page.waitForTimeout(600)
    await shot('scrolled')
    await page.evaluate(() => scrollTo(0, 0))
    await page.click('#select')
    await page.waitForSelector('body.selecting')
    await page.click('a.tile[data-n="1"]')
    await page.click('a.tile[data-n="3"]', { modifiers: ['Shift'] })
    await shot('selecting')
    await page.keyboard.press('Escape')
    await page.click('a.tile[data-n="3"]')
    await page.waitForSelector('.lg-container.lg-show .lg-current.lg-complete')
    await page.waitForTimeout(600)
    await shot('lightbox')
    await page.click('.ipp-info')
    await page.waitForSelector('.ipp-panel dt')
    await shot('info')
    await context.close()
  }
}
await browser.close()
await proxy.close(0)
await immich.close()
