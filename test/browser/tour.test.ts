/** A tour through the page, as a visitor would take it, in the three engines of phones and desktops. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { ENGINES, type Hand } from '../engines.ts'
import { start } from '../helpers.ts'
import { addAlbum, addLink, PASSWORD, photo } from '../library.ts'

for (const engine of ENGINES) {
  if (!engine.isHere && process.env.CI) {
    throw new Error(`no ${engine.name}: CI must run these (.ci/run installs it)`)
  }
  const skip = engine.isHere ? false : `${engine.name} is not here: apt-get install ${engine.from}`
  describe(`the tour in ${engine.name}`, { skip }, async () => {
    const run = await start({ ipp: { groupByDate: 'day', showMetadata: { exif: true, description: true } } })
    const { links, library } = run
    const album = `${run.base}/share/${links.album.key}`
    const ids: string[] = (await run.get(`/share/items/${links.album.key}/0`)).json().id
    let hand: Hand
    const given = engine.launch()
    after(async () => (await given).close())

    /** Waits until a condition of the page holds. */
    async function until<A extends unknown[]> (
      what: string, inPage: (...args: A) => unknown, ...args: A
    ): Promise<void> {
      let last: unknown
      for (let n = 0; n < 400; n++) {
        last = await hand.run(inPage, ...args).catch(error => String(error))
        if (last === true) return
        await new Promise(resolve => setTimeout(resolve, 50))
      }
      throw new Error(`waited in vain: ${what} (${last})`)
    }
    const gridIsThere = () =>
      until('the grid', () => document.querySelectorAll('.laid-out a.tile[href] img.in').length > 3)
    const isShown = () => until('the lightbox', () =>
      Boolean(document.querySelector('.lg-container.lg-show .lg-visible .lg-current.lg-complete')))
    const isClosed = () => until('the grid again', () => !document.querySelector('.lg-container.lg-show'))
    const counter = () => hand.run(() => document.querySelector('.lg-counter')!.textContent)
    const here = () => hand.run(() => location.href)
    /** Collects the errors that the page throws from here on. */
    const listen = () => hand.run(() => {
      const thrown: string[] = []
      Object.assign(window, { thrown })
      addEventListener('error', event => { if (event.message) thrown.push(event.message) })
      addEventListener('unhandledrejection', event => thrown.push(String(event.reason)))
      document.addEventListener('securitypolicyviolation', event =>
        thrown.push(`policy: ${event.violatedDirective}`))
    })
    const thrown = () => hand.run(() => (window as unknown as { thrown: string[] }).thrown)

    test('grid, lightbox, touch, Back and Forward, another size', async () => {
      hand = await given
      await hand.size(390, 844)
      await hand.go(album)
      await gridIsThere()
      await listen()
      await hand.click('a.tile[data-n="2"]')
      await isShown()
      assert.equal(await counter(), '3 of 97')
      assert.equal(await here(), `${album}/${ids[2]}`)
      const isBare = () => hand.run(() => document.querySelector('.lg-outer')!.classList.contains('ipp-bare'))
      // on a busy machine a driver's tap may last too long to count as one
      for (let n = 0; n < 20 && !await isBare(); n++) {
        await hand.tap(195, 420)
        await new Promise(resolve => setTimeout(resolve, 200))
      }
      assert.equal(await isBare(), true)
      await hand.press('ArrowRight')
      await until('the next', address => location.href === address, `${album}/${ids[3]}`)
      assert.equal(await isBare(), false)
      await until('the next at rest', () => !document.querySelector('.lg-outer.lg-slide-progress'))
      for (const [width, height] of [[844, 390], [1200, 800], [390, 844]] as const) {
        await hand.size(width, height)
      }
      await hand.back()
      await isClosed()
      await until('the focus on the tile', () => (document.activeElement as HTMLElement).dataset.n === '3')
      assert.equal(await here(), album)
      await hand.forward()
      await isShown()
      await hand.press('Escape')
      await isClosed()
      assert.deepEqual(await thrown(), [])
    })

    test('a video plays on request', async () => {
      const video = library.albums.get(links.album.album!)!.assets.find(id =>
        library.assets.get(id)!.type === 'VIDEO')!
      await hand.go(`${album}/${video}`)
      await isShown()
      await until('the video', () => Boolean(document.querySelector('.lg-current video')))
      const canPlay = await hand.run(() =>
        document.createElement('video').canPlayType('video/mp4; codecs="avc1.42E01E"'))
      await hand.run(() => { document.querySelector<HTMLVideoElement>('.lg-current video')!.muted = true })
      await hand.click('.lg-current .ipp-start')
      const isMoving = () => document.querySelector<HTMLVideoElement>('.lg-current video')!.currentTime > 0
      if (canPlay) await until('it moves', isMoving)
      else if (process.env.CI) throw new Error('no decoder for H.264: CI must have one (.ci/run installs it)')
      else test(`${engine.name} plays the video`,
        { skip: 'no decoder for it: apt-get install gstreamer1.0-libav' }, () => {})
      await hand.click('.lg-close')
      await isClosed()
    })

    test('the address of a photo opens it, and closing it leads to a whole grid', async () => {
      await hand.go(`${album}/${ids[40]}`)
      await isShown()
      assert.equal(await counter(), '41 of 97')
      await hand.click('.lg-close')
      await isClosed()
      await until('a whole grid', () => {
        const bottoms = Array.from(document.querySelectorAll('a.tile'), tile =>
          tile.getBoundingClientRect().bottom)
        return Math.max(...bottoms) >= innerHeight &&
          (document.activeElement as HTMLElement).dataset.n === '40'
      })
      await until('its address', href => location.href === href, album)
    })

    test('a reload keeps the position', async () => {
      await hand.go(album)
      await gridIsThere()
      await until('kept', () => {
        // a late change of the layout keeps the photos in place, not the number
        if (scrollY !== 900) scrollTo(0, 900)
        return history.state?.y === 900
      })
      await hand.reload()
      await gridIsThere()
      await until('the place', () => Math.abs(scrollY - 900) < 5)
    })

    test('a wrong password, Back, a reload, the right one', async () => {
      const locked = `${run.base}/share/${links.password.key}`
      await hand.go(locked)
      await hand.type('#password', 'wrong')
      await hand.click('button[type=submit]')
      await until('the answer', () => Boolean(document.querySelector('[role=alert]')))
      await hand.reload()
      await until('the form', () => Boolean(document.querySelector('#password')))
      await hand.back()
      await until('the form or what was before', () => document.readyState === 'complete')
      await hand.go(locked)
      await hand.type('#password', PASSWORD)
      await hand.click('button[type=submit]')
      await gridIsThere()
      assert.equal(await here(), locked)
    })

    test('a selection: two photos are selected, and Back ends it and stays on the page', async () => {
      await hand.go(album)
      await gridIsThere()
      await listen()
      await hand.click('#select')
      await until('the selection', () => document.body.classList.contains('selecting'))
      await hand.click('a.tile[data-n="1"]')
      await hand.click('a.tile[data-n="2"]')
      await until('two', () => /^2 /.test(document.querySelector('.pick-count')!.textContent!))
      await hand.back()
      await until('no selection', () => !document.body.classList.contains('selecting'))
      assert.equal(await here(), album)
      assert.deepEqual(await thrown(), [])
    })

    test('saving with the share sheet: fetched, handed over at a press, failures reported', async () => {
      await hand.go(album)
      await gridIsThere()
      // a phone has a share sheet
      await hand.run(() => {
        const shared: string[][] = []
        const media = window.matchMedia
        const matchMedia = (query: string) =>
          query === '(pointer: coarse)' ? { matches: true } : media.call(window, query)
        Object.assign(window, { shared, matchMedia })
        Object.defineProperty(navigator, 'canShare', { configurable: true, value: () => true })
        Object.defineProperty(navigator, 'userActivation', { configurable: true, value: { isActive: false } })
        Object.defineProperty(navigator, 'share', {
          configurable: true,
          value: async ({ files }: { files: File[] }) => {
            shared.push(files.map(({ name, type, size }) => `${name} ${type} ${size > 1000}`))
          }
        })
      })
      // its size is known, but the file does not come
      run.immich.fault = ({ method, path }) => method === 'GET' && path.includes(ids[2]!) &&
        path.endsWith('/original') ? { status: 404, body: '{}' } : undefined
      await hand.click('#select')
      await until('the selection', () => document.body.classList.contains('selecting'))
      for (const n of [0, 1, 2]) await hand.click(`a.tile[data-n="${n}"]`)
      // it appears once the selection has been measured
      await until('the button', () =>
        !document.querySelector<HTMLElement>('.pick-bar [aria-label="Save"]')!.hidden)
      await hand.click('.pick-bar [aria-label="Save"]')
      await until('the offer', () => document.querySelector('.offer button')?.textContent === 'Save (2)')
      await hand.click('.offer button')
      await until('the sheet', () => (window as unknown as { shared: string[][] }).shared.length === 1)
      run.immich.fault = () => undefined
      assert.deepEqual(await hand.run(() => (window as unknown as { shared: string[][] }).shared),
        [[0, 1].map(n => `${library.assets.get(ids[n]!)!.name} ${library.assets.get(ids[n]!)!.mime} true`)])
      await until('what is missing', () =>
        /^Couldn’t save: \w+ 3$/.test(document.querySelector('.toast')!.textContent!))
    })

    test('new photos: offered, kept over a reload, gone on the next visit', async context => {
      const photos = [photo(900), photo(901), photo(902)]
      const name = addAlbum(library, 'Growing', photos)
      const { key } = addLink(library, 'growing', { album: name })
      const growing = `${run.base}/share/${key}`
      const stored = (kind: 'localStorage' | 'sessionStorage') =>
        hand.run((kind, key) => window[kind].getItem(`seen ${key}`)?.length ?? 0, kind, key)
      await hand.go(growing)
      await until('the marks', key => localStorage.getItem(`seen ${key}`)?.length === 12, key)
      assert.equal(await hand.run(() => document.querySelectorAll('.offer').length), 0)
      // tomorrow
      await hand.run(() => sessionStorage.clear())
      const added = photo(903, { taken: Date.UTC(2024, 0, 1) })
      library.assets.set(added.id, added)
      library.albums.get(name)!.assets.push(added.id)
      const real = performance.now.bind(performance)
      context.mock.method(performance, 'now', () => real() + 120_000)
      await hand.go(growing)
      await until('the news', () =>
        document.querySelector('.offer button')?.textContent === 'New since your last visit: 1')
      await hand.click('.offer button')
      await until('the new one', () => (document.activeElement as HTMLElement).matches('a.tile.new'))
      assert.equal(await stored('localStorage'), 16)
      await hand.reload()
      await until('the news again', () => Boolean(document.querySelector('.offer button')))
      await hand.run(() => sessionStorage.clear())
      await hand.go(growing)
      await until('the marks', () => sessionStorage.length > 0)
      assert.equal(await hand.run(() => document.querySelectorAll('.offer, .new').length), 0)
    })

    test('Immich is down: tiles say so, and load when it is back', async () => {
      run.immich.fault = ({ path }) => path.endsWith('/thumbnail') ? { status: 503, body: '{}' } : undefined
      const away = Array.from({ length: 5 }, (_, n) => photo(950 + n))
      const { key } = addLink(library, 'away', { album: addAlbum(library, 'Away', away) })
      await hand.go(`${run.base}/share/${key}`)
      await until('tiles that failed', () => document.querySelectorAll('.laid-out a.tile.failed').length > 0)
      run.immich.fault = () => undefined
      await until('all of them', () => document.querySelectorAll('.tile.failed').length === 0 &&
        document.querySelectorAll('.tile img.in').length > 3)
    })
  })
}
