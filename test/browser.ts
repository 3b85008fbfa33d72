/** A real Chromium for the tests of the page, which records everything that the page must not do. */
import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'

const CHROMIUMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
export const CHROMIUM = CHROMIUMS.find(existsSync)
export const SIZES = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } }

export const launch = (args: string[] = [], hidden: string[] = []): Promise<Browser> => chromium.launch({
  executablePath: CHROMIUM!,
  ignoreDefaultArgs: hidden,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', ...args
  ]
})

type Touch = 'touchStart' | 'touchMove' | 'touchEnd'
type Fingers = (type: Touch, ...at: [x: number, y: number][]) => Promise<unknown>
/** Fingers on a touch screen: they come down, move, and lift. */
export async function fingersOf (page: Page): Promise<Fingers> {
  const session = await page.context().newCDPSession(page)
  return (type, ...at) =>
    session.send('Input.dispatchTouchEvent', { type, touchPoints: at.map(([x, y]) => ({ x, y })) })
}

/** Moves a finger from one point to another, in steps as a hand would. */
export async function swipe (page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const touch = await fingersOf(page)
  await touch('touchStart', from)
  for (const part of [0.1, 0.3, 0.6, 1]) {
    await touch('touchMove', [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part])
  }
  await touch('touchEnd')
}

export type View = {
  size?: keyof typeof SIZES
  theme?: 'light' | 'dark'
  script?: boolean
  calm?: boolean
  language?: string
}
/** A page that collects complaints: console messages, policy violations, failed and foreign requests. */
export async function openView (
  browser: Browser,
  base: string,
  { size = 'desk', theme = 'light', script = true, calm = false, language = 'en-GB' }: View = {}
): Promise<{ context: BrowserContext, page: Page, complaints: string[], asked: string[] }> {
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: theme,
    javaScriptEnabled: script,
    locale: language,
    isMobile: size === 'phone',
    hasTouch: size === 'phone',
    reducedMotion: calm ? 'reduce' : 'no-preference',
    baseURL: base,
    acceptDownloads: true
  })
  await context.grantPermissions(['clipboard-read', 'clipboard-write']).catch(() => {})
  const page = await context.newPage()
  const complaints: string[] = []
  const asked: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', error => complaints.push(`page: ${error.stack ?? error}`))
  page.on('request', request => {
    const url = request.url()
    asked.push(`${request.method()} ${url.replace(base, '')}`)
    if (!url.startsWith(base) && !url.startsWith('data:')) complaints.push(`elsewhere: ${url}`)
  })
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', event =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`)
    )
  )
  return { context, page, complaints, asked }
}
