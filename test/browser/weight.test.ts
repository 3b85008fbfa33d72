/** The weight of the page: bytes sent, and elements in very long albums. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { ask, HTML, start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { openAlbum, skip } from './set-up.ts'

describe('the weight of the page', { skip }, async () => {
  const { run, view, album, shown, counter } = await openAlbum()

  test('weight with 10,000 and 50,000 items', async () => {
    for (const [count, limit] of [[10_000, 12_000], [50_000, 40_000]] as const) {
      const library = emptyLibrary()
      // as a phone writes them: a few shapes, and sometimes a crop
      const shapes = [[4000, 3000], [3000, 4000], [1920, 1080], [1080, 1920], [4000, 2667]]
      let seed = 7
      const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff }
      const assets = Array.from({ length: count }, (_, n) => {
        const [width, height] = random() < 0.1 ? [1000 + random() * 3000, 1000 + random() * 3000]
          : shapes[Math.floor(random() ** 2 * 5)]!
        return (n % 40 === 7 ? video : photo)(n, { name: `many ${n}.jpg`, width: Math.round(width!),
          height: Math.round(height!), taken: Date.UTC(2025, 9, 18) - n * 3_000_000 })
      })
      for (const [n, asset] of assets.entries()) {
        asset.id = asset.id.slice(0, 24) + n.toString(16).padStart(12, '0')
      }
      const { key } = addLink(library, `many ${count}`, { album: addAlbum(library, 'Many', assets) })
      const many = await start({ library, ipp: { groupByDate: 'day' } })
      const sent = await ask(many.base, `/share/${key}`, { headers: { ...HTML, 'accept-encoding': 'br' } })
      assert.ok(sent.body.length <= limit, `${count}: ${sent.body.length} bytes`)
      const { page, complaints, context } = await view({}, many.base)
      await page.goto(`/share/${key}`)
      await page.waitForSelector('.laid-out a.tile img.in')
      const nodes = () => page.evaluate(() => document.querySelectorAll('*').length)
      const seen = [await nodes()]
      const height = await page.evaluate(() => document.documentElement.scrollHeight)
      for (const part of [0.1, 0.35, 0.5, 0.9, 1]) {
        await page.evaluate(y => scrollTo(0, y), height * part)
        await page.waitForFunction(() => Array.from(document.querySelectorAll('a.tile img.in'), image =>
          image.getBoundingClientRect().top).some(top => top > 60 && top < innerHeight))
        seen.push(await nodes())
      }
      await page.waitForSelector('.scrubber', { state: 'attached' })
      await page.focus('a.tile >> nth=-1')
      await page.keyboard.press('End')
      const order = [...assets].sort((a, b) => b.taken - a.taken)
      for (const [n, press] of [[count - 1, 'End'], [0, 'Home']] as const) {
        await page.keyboard.press(press)
        await page.waitForFunction(n => (document.activeElement as HTMLElement).dataset.n === String(n), n)
        await page.waitForFunction(n =>
          document.querySelector(`a.tile[data-n="${n}"]`)!.hasAttribute('href'), n)
        await page.keyboard.press('Enter')
        await shown(page)
        const [at, all] = [n + 1, count].map(number => number.toLocaleString('en-GB'))
        assert.equal(await counter(page), `${at} of ${all}`)
        assert.ok(page.url().endsWith(order[n]!.id), 'the right photo')
        seen.push(await nodes())
        await page.keyboard.press('Escape')
        await page.waitForFunction(() => !document.querySelector('.lg-container.lg-show'))
      }
      assert.ok(Math.max(...seen) <= 400, `elements: ${seen}`)
      assert.deepEqual(complaints, [])
      await context.close()
      await many.stop()
    }
  })

  const read = (name: string) => readFileSync(new URL(`../../static/${name}`, import.meta.url), 'utf8')

  test('weight of scripts and styles', async () => {
    const { page, asked } = await view()
    await page.goto(album)
    await page.waitForSelector('.laid-out a.tile img.in')
    await page.click('a.tile[data-n="0"]')
    await shown(page)
    const html = (await run.get(album, { headers: HTML })).text
    const named = html.matchAll(/"(\/share\/static\/[^"]+\.(?:js|css))"/g)
    const early = new Set(Array.from(named, ([, path]) => path!))
    // everything that the first script imports comes with it, and nothing else does
    const needed = (name: string): string[] =>
      [...read(name).matchAll(/^import .* from '\.\/(.+)'$/gm)]
        .flatMap(([, other]) => [other!, ...needed(other!)])
    assert.deepEqual(new Set([...early].map(path => path.split('/').at(-1))),
      new Set(['style.css', 'gallery.js', ...needed('gallery.js')]))
    const scripts = asked.filter(line => /share\/static\/.+\.(js|css)$/.test(line))
    const late = new Set(scripts.map(line => line.split(' ')[1]!).filter(path => !early.has(path)))
    const weigh = async (paths: Iterable<string>, encoding: string) => {
      let sum = 0
      const headers = { 'accept-encoding': encoding }
      for (const path of paths) sum += (await ask(run.base, path, { headers })).body.length
      return sum
    }
    const first = await weigh(early, 'gzip')
    const rest = await weigh(late, 'br')
    assert.ok(first <= 18_000, `first load ${first} by gzip`)
    assert.ok(late.size >= 6 && rest <= 50_000, `the rest ${rest}: ${[...late]}`)
  })
})
