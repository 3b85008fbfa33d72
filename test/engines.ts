/** One interface to three engines: Chromium, Firefox, and WebKit by WebDriver under Xvfb. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import puppeteer, { type Page } from 'puppeteer-core'
import { Builder, By, Capabilities, Key, Origin } from 'selenium-webdriver'
import { CHROMIUM } from './browser.ts'
import { freePorts } from './helpers.ts'
import { has } from './tools.ts'

/** The actions of a tour in a browser; `run` takes a function to run in the page. */
export type Hand = {
  go: (url: string) => Promise<unknown>
  back: () => Promise<unknown>
  forward: () => Promise<unknown>
  reload: () => Promise<unknown>
  run: <T, A extends unknown[]>(inPage: (...args: A) => T, ...args: A) => Promise<Awaited<T>>
  click: (selector: string) => Promise<unknown>
  /** A touch at px of the viewport; if an engine has none, the events that it would dispatch. */
  tap: (x: number, y: number) => Promise<unknown>
  press: (key: 'Escape' | 'ArrowRight' | 'Enter') => Promise<unknown>
  type: (selector: string, text: string) => Promise<unknown>
  size: (width: number, height: number) => Promise<unknown>
  close: () => Promise<unknown>
}
export type Engine = { name: string, from: string, isHere: boolean, launch: () => Promise<Hand> }

const firefox = ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync)
const libraries = '/usr/lib/x86_64-linux-gnu/'
const miniBrowser = (existsSync(libraries) ? readdirSync(libraries) : [])
  .filter(name => name.startsWith('webkit2gtk-'))
  .map(name => `${libraries}${name}/MiniBrowser`)
  .find(existsSync)

async function byPuppeteer (browser: 'chrome' | 'firefox', executablePath: string): Promise<Hand> {
  const args = browser === 'chrome' ? ['--no-sandbox', '--disable-gpu', '--disable-quic'] : []
  const running = await puppeteer.launch({ browser, executablePath, headless: true, args })
  const page: Page = await running.newPage()
  return {
    go: url => page.goto(url, { waitUntil: 'domcontentloaded' }),
    back: () => page.goBack({ waitUntil: 'domcontentloaded' }),
    forward: () => page.goForward({ waitUntil: 'domcontentloaded' }),
    reload: () => page.reload({ waitUntil: 'domcontentloaded' }),
    run: (inPage, ...args) => page.evaluate(inPage as never, ...args as never) as never,
    click: selector => page.click(selector),
    tap: (x, y) => page.touchscreen.tap(x, y),
    press: key => page.keyboard.press(key),
    type: (selector, text) => page.type(selector, text),
    size: (width, height) => page.setViewport({ width, height, hasTouch: browser === 'chrome' }),
    close: () => running.close()
  }
}

/** Waits until something listens on a port. */
async function listening (port: number): Promise<void> {
  for (let n = 0; n < 200; n++) {
    const isThere = await new Promise(resolve => {
      const socket = connect(port, '127.0.0.1').on('error', () => resolve(false)).on('connect', () => {
        socket.destroy()
        resolve(true)
      })
    })
    if (isThere) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on ${port}`)
}

async function byWebDriver (binary: string): Promise<Hand> {
  const [port = 0] = await freePorts(1)
  const display = `:${port}`
  const children: ChildProcess[] = [
    spawn('Xvfb', [display, '-screen', '0', '1600x1200x24', '-nolisten', 'tcp'], { stdio: 'ignore' })
  ]
  for (let n = 0; n < 100 && !existsSync(`/tmp/.X11-unix/X${port}`); n++) {
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  children.push(
    spawn('WebKitWebDriver', [`--port=${port}`], {
      stdio: 'ignore',
      env: { ...process.env, DISPLAY: display, LIBGL_ALWAYS_SOFTWARE: '1' }
    })
  )
  await listening(port)
  const wanted = new Capabilities({
    browserName: 'MiniBrowser',
    'webkitgtk:browserOptions': { binary, args: ['--automation'] }
  })
  const driver = await new Builder().usingServer(`http://127.0.0.1:${port}`).withCapabilities(wanted).build()
  const run = <T, A extends unknown[]>(inPage: (...args: A) => T, ...args: A) => driver.executeAsyncScript(
    'const done = arguments[arguments.length - 1]; ' +
      `Promise.resolve((${inPage})(...Array.from(arguments).slice(0, -1)))` +
      '.then(done, error => done(String(error)))',
    ...args
  ) as Promise<Awaited<T>>
  const keys = { Escape: Key.ESCAPE, ArrowRight: Key.ARROW_RIGHT, Enter: Key.ENTER }
  return {
    go: url => driver.get(url),
    back: () => driver.navigate().back(),
    forward: () => driver.navigate().forward(),
    reload: () => driver.navigate().refresh(),
    run,
    click: selector => driver.findElement(By.css(selector)).click(),
    tap: (x, y) => driver.actions().move({ x, y, origin: Origin.VIEWPORT }).press().release().perform(),
    press: key => driver.actions().sendKeys(keys[key]).perform(),
    type: (selector, text) => driver.findElement(By.css(selector)).sendKeys(text),
    size: (width, height) => driver.manage().window().setRect({ width, height }),
    async close () {
      await driver.quit().catch(() => {})
      for (const child of children.reverse()) child.kill()
    }
  }
}

export const ENGINES: Engine[] = [
  {
    name: 'Chromium',
    from: 'chromium',
    isHere: CHROMIUM !== undefined,
    launch: () => byPuppeteer('chrome', CHROMIUM!)
  },
  {
    name: 'Firefox',
    from: 'firefox-esr',
    isHere: firefox !== undefined,
    launch: () => byPuppeteer('firefox', firefox!)
  },
  {
    name: 'WebKit',
    from: 'webkit2gtk-driver xvfb',
    isHere: miniBrowser !== undefined && has('WebKitWebDriver') && has('Xvfb'),
    launch: () => byWebDriver(miniBrowser!)
  }
]
