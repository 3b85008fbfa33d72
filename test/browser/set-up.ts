/** Shared by the tests of the page: a server that shows everything, a browser, and an album of 97. */
import { after, before } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { CHROMIUM, launch, openView, type View } from '../browser.ts'
import { start } from '../helpers.ts'
import type { Library } from '../standin.ts'
import { without } from '../tools.ts'

/** The reason to skip these tests, or false if there is a Chromium. */
export const skip = CHROMIUM ? false : without('chromium')

/** A configuration that shows visitors everything that the owner allows. */
export const TELLING = {
  groupByDate: 'day', maxZoomQuality: 'fullsize', showGalleryDescription: true, showExpiryDate: true,
  showMetadata: { description: true, exif: true, location: true }
}

/** Starts a server and a browser for the suite that calls it. */
export async function openAlbum (library?: Library) {
  const run = await start({ ...library && { library }, ipp: TELLING })
  let browser: Browser
  before(async () => { browser = await launch() })
  after(() => browser.close())
  return {
    run,
    links: run.links,
    library: run.library,
    /** Opens a window; see openView. */
    view: (how: View = {}, base = run.base) => openView(browser, base, how),
    /** The path of the album. */
    album: `/share/${run.links.album.key}`,
    /** Resolves when the lightbox shows a photo. */
    shown: (page: Page) => page.waitForSelector('.lg-container.lg-show .lg-current.lg-complete'),
    /** "3 of 97" */
    counter: (page: Page) => page.textContent('.lg-counter'),
    idle: (page: Page) => page.waitForLoadState('networkidle')
  }
}

/** Presses "Select", and waits for the script that comes with the first press. */
export async function startSelecting (page: Page): Promise<void> {
  await page.click('#select')
  await page.waitForSelector('body.selecting')
}
