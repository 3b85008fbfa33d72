/**
 * Uses the page at random, faster than a person would, for SECONDS (60): photos, buttons, keys, fingers, Back
 * and Forward, other window sizes, a network that breaks. Whenever it rests, the page must be whole: either
 * the grid, all within reach, or one photo under its own address. Each seed opens a new page; SEED=n starts
 * with that one. Exits with 1 if a page was not whole.
 */
import { fingersOf, launch, openView } from './browser.ts'
import { createRandom, start } from './helpers.ts'
import { addLink, photo } from './library.ts'

const SECONDS = Number(process.env.SECONDS ?? 60)
const ROUNDS = 12
const KEYS = ['ArrowRight', 'ArrowLeft', 'Escape', 'Enter', ' ', 'i', 'Tab']
const TILES = 'a.tile'
const BUTTONS =
  '.lg-toolbar .icon-button:not(.lg-download, .ipp-share), .lg-prev, .lg-next, .ipp-panel button'
// leave out controls that leave the page or need the system
const BAR =
  '#actions button:not([title=Share]), .pick-bar button:not([title*=Download]):not([title*=Save]), .day'
/** Complaints of the browser about the broken network, and of lightGallery about fingers while scrolling. */
const EXPECTED = /ERR_FAILED|cancelable=false|offsetWidth/

const run = await start({ ipp: { groupByDate: 'day', maxZoomQuality: 'fullsize',
  showMetadata: { description: true, exif: true, location: true } } })
const pair = addLink(run.library, 'two photos', {}, [photo(5), photo(7)])
const LINKS = [run.links.album, run.links.mixed, run.links.album, pair]
const browser = await launch()

async function play (seed: number): Promise<string> {
  const random = createRandom(seed)
  const { key } = LINKS[seed % LINKS.length]!
  const home = `/share/${key}`
  const ids = (await run.get(`/share/items/${key}/0`)).json().id as string[]
  const isPhone = seed % 2 === 1
  const { page, context, complaints } = await openView(browser, run.base,
    { size: isPhone ? 'phone' : 'desk' })
  const did: string[] = []
  let isBroken = false
  await page.route('**/share/**', async route => {
    if (isBroken && random(4) === 0) return route.abort()
    if (isBroken) await new Promise(resolve => setTimeout(resolve, random(400)))
    await route.continue()
  })

  const click = (selector: string) => page.evaluate(([selector, number]) => {
    const all = [...document.querySelectorAll<HTMLElement>(selector)].filter(element =>
      element.checkVisibility() && !element.closest('[inert]'))
    const one = all[number % all.length]
    one?.click()
    return one && `${selector.slice(0, 8)} ${one.dataset.n ?? one.title}`
  }, [selector, random(1000)] as const)
  const touch = isPhone ? await fingersOf(page) : async () => {}
  const swipe = async (dx: number, dy: number) => {
    // next to a photo, the gesture is the browser's own
    if (!await page.locator('.lg-show-in').count()) return
    await touch('touchStart', [195 - dx / 2, 400 - dy / 2])
    for (const part of [-0.25, 0, 0.25, 0.5]) await touch('touchMove', [195 + dx * part, 400 + dy * part])
    await touch('touchEnd')
  }
  const pinch = async () => {
    await touch('touchStart', [150, 400], [240, 400])
    for (const way of [40, 80]) await touch('touchMove', [150 - way, 400], [240 + way, 400])
    await touch('touchEnd')
  }
  const tap = async () => { if (isPhone) await page.touchscreen.tap(195, 400) }
  const acts: Record<string, () => Promise<unknown>> = {
    photo: () => click(TILES),
    'another photo': () => click(TILES),
    'a third photo': () => click(TILES),
    button: () => click(BUTTONS),
    bar: () => click(BAR),
    'back to the grid': () => page.keyboard.press('Escape'),
    back: () => page.evaluate(() => {
      const { n, isDirectVisit, isSelecting } = history.state ?? {}
      if (isSelecting || (n !== undefined && !isDirectVisit)) history.back()
    }),
    forward: () => page.evaluate(() => history.forward()),
    scroll: () => page.evaluate(y => scrollTo(0, y), random(4000)),
    turn: () => page.setViewportSize(random(2) ? { width: 844, height: 390 } : { width: 390, height: 844 }),
    'break the network': async () => { isBroken = true },
    tap,
    'tap twice': async () => {
      // on a video, Chromium's own controls would violate the page's policy
      if (await page.locator('.lg-current video').count()) return
      await tap()
      await tap()
    },
    pinch,
    'swipe on': () => swipe(-200, 5),
    'swipe back': () => swipe(200, 5),
    'swipe down': () => swipe(5, 250),
    wheel: () => page.mouse.wheel(0, random(2) ? -300 : 300),
    ...Object.fromEntries(KEYS.map(key => [key, () => page.keyboard.press(key)]))
  }

  /** The problem with the page at rest, if there is one. */
  const look = async () => {
    const { path, state, ...seen } = await page.evaluate(() => {
      const current = document.querySelector('.lg-current')
      const box = current?.getBoundingClientRect()
      const room = document.querySelector('.lg-content')?.getBoundingClientRect()
      return {
        path: location.pathname,
        state: history.state,
        isOpen: !!document.querySelector('.lg-show'),
        inert: document.querySelectorAll('body > [inert]').length,
        isHalf: !!document.querySelector('.lg-show:not(.lg-show-in)'),
        isCovered: !!document.querySelector('.cover'),
        currents: [...document.querySelectorAll('.lg-current')].map(slide =>
          Number(slide.id.split('-').at(-1))),
        counter: parseInt(document.querySelector('.lg-counter')?.textContent ?? ''),
        isPlaying: !!document.querySelector('.ipp-play[aria-pressed=true]'),
        isInPlace: box?.x === 0 && box.width === room?.width,
        hasPicture: !!current?.matches('.lg-complete') || !!current?.querySelector('.ipp-under, video'),
        // a photo's own page, whose lightbox could not be loaded
        isOwnPage: !!document.getElementById('photo'),
        isSelecting: document.body.classList.contains('selecting'),
        tiles: [...document.querySelectorAll('a.tile')].filter(tile =>
          tile.getBoundingClientRect().bottom > 0 && tile.getBoundingClientRect().top < innerHeight).length
      }
    })
    const wrong = {
      'half open': seen.isHalf,
      'the cover stays': seen.isCovered,
      'a selection that Back does not end': seen.isSelecting && !state?.isSelecting,
      [complaints.filter(line => !EXPECTED.test(line)).join()]: complaints.some(line => !EXPECTED.test(line)),
      ...seen.isOpen
        ? {
            'the grid is within reach': !seen.inert,
            'nothing to see': !seen.hasPicture,
            'another address': path !== `${home}/${ids[state?.n]}`,
            'another photo': seen.currents.join() !== String(state?.n),
            'another number': seen.counter !== state?.n + 1,
            'out of its place': !seen.isPlaying && !seen.isInPlace
          }
        : {
            'the grid is out of reach': seen.inert > 0,
            'an address of a photo': !seen.isOwnPage && (path !== home || state?.n !== undefined),
            'no photos in sight': !seen.isOwnPage && !seen.tiles
          }
    }
    return Object.entries(wrong).flatMap(([what, is]) => is ? [what] : []).join(', ')
  }
  const rest = async () => {
    isBroken = false
    // a swipe over the grid is the browser's way back
    if (!page.url().startsWith(run.base)) return ''
    let wrong = ''
    for (let times = 0; times < 40; times++) {
      await page.waitForTimeout(250)
      wrong = await look()
      if (!wrong) return ''
    }
    return `${wrong}, after ${did.slice(-16).join(' | ')}`
  }

  // or straight to one of them
  await page.goto(random(3) ? home : `${home}/${ids[random(ids.length)]}`)
  await page.waitForSelector('a.tile, #photo', { state: 'attached' })
  let wrong = ''
  for (let round = 0; round < ROUNDS && !wrong && page.url().startsWith(run.base); round++) {
    for (let times = 1 + random(8); times > 0; times--) {
      const [name, act] = Object.entries(acts)[random(Object.keys(acts).length)]!
      const what = await act()
      did.push(typeof what === 'string' ? what : name)
      await page.waitForTimeout([0, 0, 0, 60, 250][random(5)]!)
    }
    wrong = await rest()
  }
  await context.close()
  return wrong
}

let seed = Number(process.env.SEED ?? 1)
const end = performance.now() + SECONDS * 1000
do {
  const wrong = await play(seed)
  console.log(`seed ${seed}: ${wrong || 'whole'}`)
  if (wrong) process.exitCode = 1
  seed++
} while (performance.now() < end)
await browser.close()
process.exit()
