/** docs/config.html is built from the schema and the program's own code, and agrees with the program. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { loadSettings } from '../../src/config/settings.ts'
import { CHROMIUM, launch } from '../browser.ts'
import { buildPage } from './config-page/build.ts'
import { ROOT } from '../helpers.ts'
import { OLD_CONFIGS } from '../config/old-configs.ts'
import { without } from '../tools.ts'
import { parse } from 'yaml'

const file = new URL('docs/config.html', ROOT)
test('it is up to date: npm run config-page', () => assert.equal(readFileSync(file, 'utf8'), buildPage()))

describe('in a browser, from disk', { skip: CHROMIUM ? false : without('chromium') }, () => {
  let browser: Browser
  before(async () => { browser = await launch() })
  after(() => browser.close())
  const open = async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', message => complaints.push(message.text()))
    page.on('pageerror', error => complaints.push(String(error)))
    page.on('request', request => { if (request.url() !== String(file)) complaints.push(request.url()) })
    await page.goto(String(file))
    return {
      page,
      complaints,
      told: () => page.locator('#told li').allTextContents(),
      config: async () => (await page.textContent('#config'))!
    }
  }

  test('it makes a minimal configuration that the program accepts, and a compose file', async () => {
    const { page, complaints, config } = await open()
    assert.equal(await config(), '(not needed)')
    await page.selectOption('[id="ipp.groupByDate"]', '"day"')
    await page.check('[id="ipp.showMetadata.exif.iso"]')
    await page.fill('[id="ipp.limits.zips"]', '3')
    await page.fill('#PUBLIC_BASE_URL', 'https://photos.example.com')
    await page.click('text=Generate')
    const made = await config()
    assert.deepEqual(JSON.parse(made),
      { ipp: { groupByDate: 'day', showMetadata: { exif: { iso: true } }, limits: { zips: 3 } } })
    const { services: { 'immich-public-proxy': service } } = parse((await page.textContent('#compose'))!)
    assert.deepEqual(service.volumes, ['./config.json:/app/config.json:ro'])
    const settings = loadSettings({ ...service.environment, CONFIG: made }, ROOT)
    assert.deepEqual([settings.notices, settings.groupByDate, settings.secret.length], [[], 'day', 64])
    assert.match((await page.textContent('#variables'))!,
      new RegExp(['^IMMICH_URL=http://immich-server:2283', 'PUBLIC_BASE_URL=https://photos\\.example\\.com',
        'IPP_SECRET=[\\da-f]{64}$'].join('\n')))
    assert.deepEqual(complaints, [])
    await page.close()
  })

  test('old configurations give the notices and settings of the program', async () => {
    const { page, complaints, told, config } = await open()
    for (const old of [
      { ipp: { allowDownloadAll: true, groupGalleryByDate: true, downloadOriginalPhoto: false } },
      { ipp: { gallery: { groupByDate: 'day', showDownloadZip: false }, maxDownloadQuality: 'fullsize',
        lightbox: { options: {} }, downloadedFilename: 2 } },
      { ipp: { limits: {} }, lightGallery: { speed: 300 } },
      { ipp: { responseHeaders: {}, motionPhotos: false } },
      { ipp: { allowDownload: 0, showMetadata: { description: { caption: true, sidebar: false },
        exif: { enabled: true, iso: false }, location: { enabled: false, city: true } } } },
      { lightGallery: { download: false }, ipp: {} }, { ipp: { limits: { zips: '4' }, nonsense: 1 } },
      ...Object.values(OLD_CONFIGS)
    ]) {
      const text = JSON.stringify(old)
      const program = loadSettings({ IMMICH_URL: 'http://immich', CONFIG: text }, ROOT)
      await page.fill('#old', text)
      assert.deepEqual(await told(), program.notices.length ? program.notices
        : ['Nothing to change: all names and values are current.'], text)
      const made = await config()
      const again = loadSettings({ IMMICH_URL: 'http://immich', CONFIG: made.startsWith('(') ? '{}' : made },
        ROOT)
      const of = ({ values }: typeof again) =>
        Object.fromEntries(Object.entries(values).filter(([name]) => name.startsWith('ipp.')))
      assert.deepEqual(of(again), of(program), text)
      assert.deepEqual(again.notices, [], text)
    }
    await page.fill('#old', '{"ipp":{"groupByDate":"week"}}')
    assert.match((await told()).join(), /the program would not start: ipp\.groupByDate: got "week", expected/)
    await page.fill('#old', '{oops')
    assert.match((await told()).join(), /This is not JSON/)
    assert.deepEqual(complaints, [])
    await page.close()
  })
})
