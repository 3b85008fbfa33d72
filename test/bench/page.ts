/**
 * Measures the page at 500, 10,000 and 50,000 items, in one run: bytes, time to the first tiles, elements,
 * heap, layout shift, and frames over 34 ms while scrolling with the CPU slowed four times, against an empty
 * page of the same height.
 */
import type { Page } from 'playwright-core'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { launch, openView } from '../browser.ts'
import { ask, HTML, listen } from '../helpers.ts'
import { createProxy } from '../../src/server.ts'
import { loadSettings } from '../../src/config/settings.ts'
import { startImmich } from '../standin.ts'

const shapes = [[4000, 3000], [3000, 4000], [1920, 1080], [1080, 1920], [4000, 2667]]
let seed = 7
const random = () => { seed = (seed * 1103515245 + 12345) & 0x7fffffff; return seed / 0x7fffffff }
const library = emptyLibrary()
const links = [500, 10_000, 50_000].map(count => {
  const assets = Array.from({ length: count }, (_, n) => {
    const [width, height] = random() < 0.1
      ? [1000 + random() * 3000, 1000 + random() * 3000]
      : shapes[Math.floor(random() ** 2 * 5)]!
    return (n % 40 === 7 ? video : photo)(n, {
      name: `bench ${count} ${n}.jpg`,
      width: Math.round(width!),
      height: Math.round(height!),
      taken: Date.UTC(2025, 9, 18) - n * 3_000_000
    })
  })
  const album = addAlbum(library, `Bench ${count}`, assets)
  return { count, key: addLink(library, `bench ${count}`, { album }).key }
})
const immich = await startImmich(library)
const env = { IMMICH_URL: immich.url, LOG_LEVEL: 'error', CONFIG: '{"ipp":{"groupByDate":"day"}}' }
const proxy = createProxy(loadSettings(env, new URL('../../', import.meta.url)))
const base = await listen(proxy.server)
const browser = await launch(['--js-flags=--expose-gc', '--enable-precise-memory-info'])
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

/** "3 of 120": frames over 34 ms among those of 4 s of scrolling at `speed` px a second; worst of three. */
async function slowFrames (page: Page, speed: number): Promise<string> {
  await page.bringToFront()
  const runs: [slow: number, all: number][] = []
  for (let round = 0; round < 3; round++) {
    runs.push(await page.evaluate(speed => new Promise<[number, number]>(resolve => {
      const times: number[] = []
      const start = performance.now()
      let last = start
      const step = (now: number) => {
        times.push(now - last)
        last = now
        scrollTo(0, (now - start) * speed / 1000)
        if (now - start < 4000) requestAnimationFrame(step)
        else resolve([times.slice(1).filter(ms => ms > 34).length, times.length - 1])
      }
      requestAnimationFrame(step)
    }), speed))
  }
  const [slow, all] = runs.sort((a, b) => b[0] / b[1] - a[0] / a[1])[0]!
  return `${slow} of ${all}`
}

const firsts = new Map<number, number[]>(links.map(({ count }) => [count, []]))
for (const { key } of links) await ask(base, `/share/${key}`, { headers: HTML })
for (let round = 0; round < Number(process.env.ROUNDS ?? 5); round++) {
  for (const { count, key } of links) {
    const { page, context } = await openView(browser, base)
    await page.goto(`/share/${key}`, { waitUntil: 'commit' })
    await page.waitForSelector('.laid-out a.tile img.in')
    firsts.get(count)!.push(await page.evaluate(() => performance.now()))
    await context.close()
  }
}
for (const { count, key } of links) {
  const sent = await ask(base, `/share/${key}`, { headers: { ...HTML, 'accept-encoding': 'br' } })
  const { page, context } = await openView(browser, base)
  await page.addInitScript(() => {
    const shifts = (window as any).shifts = [0]
    new PerformanceObserver(list => {
      for (const entry of list.getEntries() as any[]) if (!entry.hadRecentInput) shifts[0] += entry.value
    }).observe({ type: 'layout-shift', buffered: true })
  })
  await page.goto(`/share/${key}`)
  await page.waitForSelector('.laid-out a.tile img.in')
  await page.waitForLoadState('networkidle')
  const shift = await page.evaluate(() => (window as any).shifts[0])
  const cdp = await context.newCDPSession(page)
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  const empty = await context.newPage()
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await empty.evaluate(height => { document.body.style.height = `${height}px` }, height)
  const slowed = await context.newCDPSession(empty)
  await slowed.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  const speeds = [1500, 4000, 20_000]
  const frames: string[] = []
  for (const speed of speeds) {
    const [grid, none] = [await slowFrames(page, speed), await slowFrames(empty, speed)]
    frames.push(`${grid} against ${none} at ${speed} px/s`)
  }
  await empty.close()
  await page.bringToFront()
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 1 })
  await page.waitForTimeout(500)
  const [nodes, heap] = await page.evaluate(() => {
    (window as any).gc()
    return [document.querySelectorAll('*').length, (performance as any).memory.usedJSHeapSize]
  })
  console.log([
    `${count} items: page ${sent.body.length} bytes (brotli)`,
    `first tiles ${median(firsts.get(count)!).toFixed(0)} ms`,
    `${nodes} elements`,
    `heap ${(heap! / 1e6).toFixed(1)} MB`,
    `layout shift ${shift.toFixed(3)}`,
    `frames over 34 ms: ${frames.join(', ')}`
  ].join(', '))
  await context.close()
}
const growth = median(firsts.get(50_000)!) / median(firsts.get(500)!)
console.log(`first tiles at 50,000: ${growth.toFixed(2)} times those at 500`)

// ------------------------------------------------------------------ the delay after a tap, on a slow phone

/** Has the page note when it was last tapped or a key was pressed. */
const noteInputs = (page: Page) => page.evaluate(() => {
  for (const name of ['touchend', 'keydown']) {
    addEventListener(name, ({ timeStamp }) => { (window as any).inputAt = timeStamp }, { capture: true })
  }
})

/**
 * ms from the tap or key, the first after `since` by the page's clock, until a frame shows item `n`: any
 * picture of it, or the `sharp` one.
 */
const felt = (page: Page, n: number, since: number, sharp: boolean) => page.evaluate(
  ([n, since, sharp]) => new Promise<number>(resolve => {
    const look = () => {
      const start = (window as any).inputAt ?? 0
      const slide = document.querySelector(`.lg-show .lg-item.lg-current`)
      const image = slide?.querySelector<HTMLImageElement>('img.lg-object')
      const isOpenAt = slide?.id.endsWith(`-${n}`)
      const isSharp = isOpenAt && image && image.complete && image.naturalWidth > 100
      const under = isOpenAt ? slide!.querySelector<HTMLImageElement>('.ipp-under') : undefined
      const isUnder = under && under.complete && under.naturalWidth > 0
      const isThere = isSharp || isUnder || document.querySelector('.cover img')
      // the frame after this one is on the screen
      const isDone = start > since && (sharp ? isSharp : isThere)
      requestAnimationFrame(isDone ? () => resolve(performance.now() - start) : look)
    }
    look()
  }),
  [n, since, sharp] as const
)

const all = { first: [] as number[], sharp: [] as number[], next: [] as number[] }
for (let round = 0; round < Number(process.env.ROUNDS ?? 5); round++) {
  const { page, context } = await openView(browser, base, { size: 'phone' })
  const cdp = await context.newCDPSession(page)
  await cdp.send('Network.enable')
  // slow 4G as page speed tools define it: 1.6 Mbit/s, 150 ms
  await cdp.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 150,
    downloadThroughput: 1.6e6 / 8,
    uploadThroughput: 750e3 / 8
  })
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
  await page.goto(`/share/${links[1]!.key}`)
  await page.waitForSelector('a.tile[data-n="3"][href] img.in')
  // a person has looked at the photos for a while
  await page.waitForTimeout(3000)
  await noteInputs(page)
  const [first, sharp] = await Promise.all([
    felt(page, 3, 0, false),
    felt(page, 3, 0, true),
    page.tap('a.tile[data-n="3"]')
  ])
  await page.waitForTimeout(1500)
  const now = await page.evaluate(() => performance.now())
  const [next] = await Promise.all([felt(page, 4, now, false), page.keyboard.press('ArrowRight')])
  all.first.push(first)
  all.sharp.push(sharp)
  all.next.push(next)
  await context.close()
}
console.log([
  `slow 4G, CPU slowed 4 times: something of the photo ${median(all.first).toFixed(0)} ms after the tap`,
  `sharp ${median(all.sharp).toFixed(0)} ms`,
  `the next photo ${median(all.next).toFixed(0)} ms`
].join(', '))
await browser.close()
await proxy.close(0)
await immich.close()
