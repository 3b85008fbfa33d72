// @ts-check
/**
 * The grid: what is near the viewport, of a link of any length. The lightbox and the selection come when
 * needed.
 */
import { lastAtMost, layOut, meanColour, placeholder, readSkeleton } from './layout.js'

/**
 * @typedef {{ id: string[], thumbhash: string[], duration: string[], motion: Record<number, string>,
 *   time?: number[], version: string }} Stretch
 * @typedef {{ key: string, home: string, lang: string, group: 'day' | 'month' | false,
 *   runs: [number, number][], stretch: number, version: string, zip: boolean, download: boolean,
 *   zoom: boolean, info: boolean, autoOpen: boolean, lightGallery: Record<string, unknown>,
 *   t: Record<string, string> }} Options
 */

const grid = /** @type {HTMLElement} */ (document.getElementById('photos'))
const bar = /** @type {HTMLElement} */ (document.getElementById('bar'))
export const actions = /** @type {HTMLElement} */ (document.getElementById('actions'))
/** @type {Options} */
export const options = JSON.parse(grid.dataset.options ?? '{}')
export const { t, key, home, lang } = options
const { ratio, video } = readSkeleton(grid.dataset.skeleton ?? '')
export const total = ratio.length
export const isVideo = (/** @type {number} */ n) => video[n] === 1
export const calm = matchMedia('(prefers-reduced-motion: reduce)')

// --------------------------------------------------------------------------------------------- small helpers

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [fields] properties; those with a dash are attributes
 * @param {...(Node | string)} children
 */
export function make (tag, fields = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(fields)) {
    if (name.includes('-') || name === 'role') element.setAttribute(name, String(value))
    else Object.assign(element, { [name]: value })
  }
  element.append(...children)
  return element
}

/** @param {string} path */
export function icon (path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  const shape = document.createElementNS(svg.namespaceURI, 'path')
  shape.setAttribute('d', path)
  svg.append(shape)
  return svg
}

/** @param {string} label @param {string} path @param {(event: Event) => void} onclick */
export const iconButton = (label, path, onclick) =>
  make('button', { type: 'button', className: 'icon', title: label, ariaLabel: label, onclick }, icon(path))

export const ICONS = {
  play: 'M8 5v14l11-7z', select: 'M4 12l5 5L20 6', close: 'M6 6l12 12M18 6 6 18',
  share: 'M12 15V4m0 0L8 8m4-4 4 4M5 12v7h14v-7', download: 'M12 4v11m0 0 5-5m-5 5-5-5M5 20h14',
  info: 'M12 11v6m0-10v.01M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0',
  motion: 'M8 12a4 4 0 1 0 8 0 4 4 0 1 0-8 0M12 3a9 9 0 0 1 9 9M12 21a9 9 0 0 1-9-9'
}

const live = document.body.appendChild(make('div', { className: 'toast', role: 'status' }))
/** Says something to everybody: seen for a moment, and read out. @param {string} text */
export function say (text, seen = true) {
  live.classList.toggle('seen', seen)
  live.textContent = text
  clearTimeout(Number(live.dataset.timer))
  const hide = () => { live.classList.remove('seen'); live.textContent = '' }
  live.dataset.timer = String(setTimeout(hide, 4000))
}

/** @param {string} path */
export async function share (path) {
  const url = new URL(path, location.href).href
  try {
    if (navigator.share) return await navigator.share({ url, title: document.title })
    await navigator.clipboard.writeText(url)
    say(t.copied)
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'AbortError')) say(url)
  }
}

const months = options.group === 'month'
/** @param {Intl.DateTimeFormatOptions} format */
const dates = format => new Intl.DateTimeFormat(lang, { timeZone: 'UTC', ...format })
const [month, date, weekday] =
  [dates({ year: 'numeric', month: 'long' }), dates({ dateStyle: 'long' }), dates({ weekday: 'long' })]
/** When a group of the server's begins. @param {number} group */
const timeOf = group => months ? Date.UTC(Math.floor(group / 12), group % 12) : group * 86_400_000

// ----------------------------------------------------------------------------- the list, a stretch at a time

/** @type {Map<number, Stretch>} */
const stretches = new Map()
/** @type {Map<number, Promise<void>>} */
const pending = new Map()

/**
 * Loads the stretch of item `n`, trying again for as long as it takes. @param {number} n @returns
 * {Promise<void>}
 */
export function load (n) {
  const k = Math.floor(n / options.stretch)
  if (stretches.has(k)) return Promise.resolve()
  const known = pending.get(k)
  if (known) return known
  const attempt = async () => {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 15_000)) {
      try {
        const answer = await fetch(`/share/items/${key}/${k}`)
        // the unlock or the link itself has ended, or the list has changed: the page has to be asked for
        // again
        const stretch = answer.ok ? /** @type {Stretch} */ (await answer.json()) : undefined
        if (answer.status === 404 || (stretch && stretch.version !== options.version)) return startAgain()
        if (!stretch) throw new Error(String(answer.status))
        stretches.set(k, stretch)
        document.body.classList.remove('offline')
        unfilled = true
        return queueFrame()
      } catch {
        document.body.classList.add('offline')
        say(t.failed)
        const later = new Promise(resolve => setTimeout(resolve, wait))
        const online = new Promise(resolve => addEventListener('online', resolve, { once: true }))
        await Promise.race([later, online])
      }
    }
  }
  const promise = attempt().finally(() => pending.delete(k))
  pending.set(k, promise)
  return promise
}

function startAgain () {
  if (Date.now() - Number(sessionStorage.getItem('again')) < 10_000) return
  sessionStorage.setItem('again', String(Date.now()))
  location.reload()
}

/**
 * What is known of item `n`; undefined before its stretch is there.
 * @param {number} n
 */
export function item (n) {
  const stretch = stretches.get(Math.floor(n / options.stretch))
  const at = n % options.stretch
  if (!stretch) return undefined
  const { id, thumbhash, duration, motion, time } = stretch
  const [own, hash, length] = [id[at], thumbhash[at], duration[at]]
  return { id: own, thumbhash: hash, duration: length, motion: motion[at], time: time?.[at] }
}

const nameOf = (/** @type {number} */ n) => `${isVideo(n) ? t.video : t.photo} ${n + 1}`

// -------------------------------------------------------------------------------------------------- the grid

/** @type {import('./layout.js').Layout} */
let layout
let metrics = { width: 0, gap: 0 }
let [gridTop, outerSize] = [0, 0]
/** @type {Map<number, HTMLElement>} */
const sections = new Map()
/** @type {Map<number, HTMLAnchorElement>} */
const tiles = new Map()
/**
 * Nodes that the server made, taken over when their place is drawn. @type {Map<number, HTMLAnchorElement>}
 */
const adopted = new Map(Array.from(grid.querySelectorAll('a'), tile => [Number(tile.dataset.n), tile]))
/** What else wants to dress a tile or a heading (the selection). */
export const hooks = {
  /** @type {(tile: HTMLAnchorElement, n: number) => void} */
  tile: () => {},
  /** @type {(n: number, event: MouseEvent) => boolean} */
  click: () => false
}

const PILLS = { video: 'M7 4v16l13-8z', motion: 'M12 8a4 4 0 1 0 0 8 4 4 0 1 0 0-8' }

function measure () {
  const style = getComputedStyle(document.documentElement)
  const padding = getComputedStyle(grid)
  outerSize = grid.clientWidth
  const width = outerSize - parseFloat(padding.paddingLeft) - parseFloat(padding.paddingRight)
  metrics = { width, gap: parseFloat(style.getPropertyValue('--gap')) }
  const [heading, space] = options.group ? [44, 8] : [0, 0]
  const target = Number(style.getPropertyValue('--row'))
  layout = layOut(ratio, options.runs, { ...metrics, target, heading, space })
  grid.style.height = `${layout.height}px`
  gridTop = grid.getBoundingClientRect().top + scrollY
}

/** @param {number} n */
function rowOf (n) { return lastAtMost(layout.rowFirst, n, layout.rowFirst.length - 1) }
/** @param {number} n */
export function topOf (n) { return gridTop + layout.rowTop[rowOf(n)] }

/** @param {number} index */
function makeSection (index) {
  const { top, height, group, first, count } = layout.sections[index]
  const section = make('section')
  if (options.group) {
    const day = (months ? month : date).format(timeOf(group))
    const heading = make('h2', {}, make('button', {
      type: 'button', className: 'day', 'data-first': first, 'data-count': count, hidden: !options.zip,
      ariaLabel: t.selectDay.replace('{day}', day)
    }, icon(ICONS.select)), day)
    if (!months) heading.append(' ', make('span', {}, weekday.format(timeOf(group))))
    section.append(heading)
  }
  section.style.top = `${top}px`
  section.style.height = `${height}px`
  // placed among its neighbours, so that the order of the keyboard is the order of the eyes
  const next = Math.min(...[...sections.keys()].filter(other => other > index))
  grid.insertBefore(section, sections.get(next) ?? null)
  sections.set(index, section)
  return section
}

const fresh = /** @type {HTMLAnchorElement} */ (make('a', {}, make('img', { decoding: 'async' })))
/** @param {number} n */
function makeTile (n) {
  const tile = adopted.get(n) ?? /** @type {HTMLAnchorElement} */ (fresh.cloneNode(true))
  adopted.delete(n)
  tile.className = 'tile'
  tile.dataset.n = String(n)
  const img = /** @type {HTMLImageElement} */ (tile.firstChild)
  img.alt = nameOf(n)
  if (img.loading === 'lazy') img.loading = 'eager'
  if (img.complete && img.naturalWidth) img.classList.add('in')
  tiles.set(n, tile)
  return tile
}

function onImage (/** @type {Event} */ { type, target }) {
  const img = /** @type {HTMLImageElement} */ (target)
  const tile = /** @type {HTMLElement} */ (img.parentElement)
  const n = Number(tile.dataset.n)
  if (type === 'load') {
    // what nobody sees need not fade, which would cost frames
    img.classList.toggle('fade', isSeen(rowOf(n)))
    img.classList.add('in')
    tile.classList.remove('failed')
  } else if (img.getAttribute('src')) {
    tile.classList.add('failed')
    tile.title = t.failed
    const { src } = img
    img.removeAttribute('src')
    const wait = Math.min(15_000, Number(tile.dataset.wait ?? 1000))
    tile.dataset.wait = String(wait * 2)
    setTimeout(() => { if (tile.isConnected) img.src = src }, wait)
  }
}

/**
 * Gives a tile what is known of its item: a picture only where the scrolling is slow enough to see it, and
 * what stands for the picture only where that is `seen`.
 */
function fill (/** @type {number} */ n, tile = tiles.get(n), seen = isSeen(rowOf(n))) {
  const img = /** @type {HTMLImageElement | undefined} */ (tile?.firstChild)
  // each frame comes by here with all that are seen, and most have their picture
  const known = img?.classList.contains('in') ? undefined : item(n)
  if (!tile || !img || !known) return
  if (!tile.getAttribute('href')) tile.href = `${home}/${known.id}`
  const [path, text, title] = isVideo(n) ? [PILLS.video, known.duration, '']
    : [known.motion && PILLS.motion, '', t.motion]
  if (path && !tile.querySelector('.pill')) {
    tile.append(make('span', { className: 'pill', title }, icon(path), text))
  }
  const { style } = tile
  if (known.thumbhash && !style.backgroundColor) style.backgroundColor = meanColour(known.thumbhash)
  if (known.thumbhash && seen && !fast) style.backgroundImage ||= `url(${placeholder(known.thumbhash)})`
  if (img.getAttribute('src') || tile.classList.contains('failed')) return
  if (fast || pictures-- <= 0) unfilled = true
  else img.src = `/share/photo/${key}/${known.id}/thumbnail`
}

/** What of the grid is in the viewport. */
let [seenFrom, seenTo] = [0, 0]
/**
 * How many tiles nobody sees yet, and how many pictures, may still begin in this frame: each costs a slow
 * phone some ms. `unfilled` where there is a tile that waits for its picture.
 */
let [spare, pictures, unfilled] = [6, 6, true]
/** @param {number} row */
const isSeen = row => layout.rowTop[row] + layout.rowHeight[row] > seenFrom && layout.rowTop[row] < seenTo
let [fast, lastY, lastAt, settling] = [false, 0, 0, 0]

/** Draws what is near the viewport and takes away what is not, but never the tile that has the focus. */
export function draw () {
  const screen = innerHeight
  seenFrom = scrollY - gridTop
  seenTo = seenFrom + screen
  const [from, to] = [seenFrom - screen * 0.6, seenTo + screen * 0.6]
  const rows = layout.rowFirst.length - 1
  const firstRow = lastAtMost(layout.rowTop, from)
  const wanted = new Set()
  for (let row = firstRow; row < rows && layout.rowTop[row] < to; row++) {
    const [start, end] = [layout.rowFirst[row], layout.rowFirst[row + 1]]
    let x = 0
    const height = layout.rowHeight[row]
    const seen = isSeen(row)
    for (let n = start; n < end; n++) {
      const width = ratio[n] * height
      wanted.add(n)
      let tile = tiles.get(n)
      if (!tile && (seen || spare-- > 0)) {
        const index = lastAtMost(sectionFirsts, n)
        const section = sections.get(index) ?? makeSection(index)
        tile = makeTile(n)
        const top = layout.rowTop[row] - layout.sections[index].top
        tile.style.cssText = `left:${x}px;top:${top}px;width:${width}px;height:${height}px`
        const before = tiles.get(n - 1)
        const next = before?.parentNode === section ? before.nextSibling
          : Array.from(section.querySelectorAll('a')).find(other => Number(other.dataset.n) > n)
        section.insertBefore(tile, next ?? null)
        hooks.tile(tile, n)
        load(n)
        fill(n, tile, seen)
      } else if (tile && seen) fill(n, tile, seen)
      x += width + metrics.gap
    }
  }
  for (const [n, tile] of tiles) {
    if (wanted.has(n) || tile === document.activeElement) continue
    const img = /** @type {HTMLImageElement} */ (tile.firstChild)
    if (!img.complete) img.removeAttribute('src')
    tile.remove()
    tiles.delete(n)
  }
  for (const [index, section] of sections) {
    if (section.querySelector('a') || section.contains(document.activeElement)) continue
    section.remove()
    sections.delete(index)
  }
  if (unfilled) {
    unfilled = false
    for (const n of tiles.keys()) fill(n)
  }
  if (!fast && (unfilled || spare < 0)) queueFrame()
}

/** @type {number[]} */
let sectionFirsts = []
function relayout () {
  const inGrid = layout && scrollY > gridTop
  const anchor = inGrid ? layout.rowFirst[lastAtMost(layout.rowTop, scrollY - gridTop)] : 0
  const within = inGrid ? scrollY - topOf(anchor) : 0
  for (const section of sections.values()) section.remove()
  sections.clear()
  tiles.clear()
  measure()
  sectionFirsts = layout.sections.map(({ first }) => first)
  if (inGrid) scrollTo(0, topOf(anchor) + within)
  draw()
  drawScrubber()
}

let queued = false
function queueFrame () {
  if (!queued) requestAnimationFrame(frame)
  queued = true
}
function frame (/** @type {number} */ now) {
  queued = false
  clearTimeout(settling)
  const speed = Math.abs(scrollY - lastY) / Math.max(1, now - lastAt)
  fast = speed > 2.5
  ;[spare, pictures] = speed > 0 ? [2, 1] : [6, 6]
  lastY = scrollY
  lastAt = now
  // nobody can see a tile that is gone within a frame or two
  if (speed < 10) draw()
  if (fast) settling = window.setTimeout(queueFrame, 110)
  bar.classList.toggle('scrolled', lastY > 60)
  moveScrubber(lastY)
}
addEventListener('scroll', queueFrame, { passive: true })

grid.addEventListener('focusin', draw)
// neither of them bubbles
for (const type of ['load', 'error']) grid.addEventListener(type, onImage, true)
grid.addEventListener('click', event => {
  const target = /** @type {Element} */ (event.target)
  const tile = /** @type {HTMLElement | null} */ (target.closest('.tile'))
  if (!tile || event.ctrlKey || event.metaKey || event.button !== 0) return
  event.preventDefault()
  const n = Number(tile.dataset.n)
  if (!hooks.click(n, event)) openLightbox(n)
})

/** Puts the keyboard on item `n`, wherever it is. @param {number} n */
export function focusTile (n) {
  const [top, height] = [topOf(n), layout.rowHeight[rowOf(n)]]
  const inView = top >= scrollY + 110 && top + height <= scrollY + innerHeight
  if (!inView) scrollTo(0, Math.max(0, top - (innerHeight - height) / 2))
  draw()
  tiles.get(n)?.focus({ preventScroll: true })
}

grid.addEventListener('keydown', event => {
  const tile = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('.tile'))
  if (!tile || event.altKey || event.ctrlKey || event.metaKey) return
  const n = Number(tile.dataset.n)
  const row = rowOf(n)
  const beside = (/** @type {number} */ other) => {
    if (other < 0 || other >= layout.rowFirst.length - 1) return n
    const [start, end] = [layout.rowFirst[other], layout.rowFirst[other + 1]]
    let middle = tile.offsetLeft + tile.offsetWidth / 2
    for (let at = start; at < end; at++) {
      middle -= ratio[at] * layout.rowHeight[other] + metrics.gap
      if (middle <= 0) return at
    }
    return end - 1
  }
  const ends = { ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: total - 1 }
  const to = { ...ends, ArrowDown: beside(row + 1), ArrowUp: beside(row - 1) }[event.key]
  if (to === undefined || to < 0 || to >= total) return
  event.preventDefault()
  focusTile(to)
})

// ---------------------------------------------------------------------------------------------- the scrubber

const thumb = make('span', { className: 'scrub-thumb' })
const label = make('span', { className: 'scrub-label' })
const scrubber = make('div', {
  className: 'scrubber', role: 'slider', tabIndex: 0,
  ariaLabel: t.dates, ariaOrientation: 'vertical', ariaValueMin: '0'
}, thumb, label)
/** The first item of each month. @type {{ first: number, name: string, year: number }[]} */
let stops = []
/** Heights that would cost a layout each to ask for while scrolling. */
let [range, track] = [1, 0]
/** @type {number[]} */
let stopTops = []

function drawScrubber () {
  stops = []
  for (const { first, group } of layout.sections) {
    const [name, year] = [month.format(timeOf(group)), new Date(timeOf(group)).getUTCFullYear()]
    if (stops.at(-1)?.name !== name) stops.push({ first, name, year })
  }
  scrubber.hidden = !options.group || layout.height < innerHeight * 2.5
  scrubber.setAttribute('aria-valuemax', String(stops.length - 1))
  scrubber.replaceChildren(thumb, label)
  range = Math.max(1, document.documentElement.scrollHeight - innerHeight)
  track = scrubber.clientHeight
  stopTops = stops.map(({ first }) => topOf(first))
  let [said, below] = [0, -Infinity]
  for (const [n, { year }] of stops.entries()) {
    const at = Math.min(1, (stopTops[n] - 110) / range) * track
    if (at - below < (year === said ? 10 : 22)) continue
    const [className, text] = year === said ? ['scrub-tick', ''] : ['scrub-year', String(year)]
    scrubber.append(make('span', { className, style: `top:${Math.max(0, at)}px` }, text))
    said = year
    below = at
  }
  moveScrubber()
}
function moveScrubber (y = scrollY) {
  if (scrubber.hidden || !stops.length) return
  const now = lastAtMost(stopTops, y + 120)
  const at = `${Math.round(Math.min(1, y / range) * track)}px`
  // each change costs a frame some ms, and most are of less than a pixel
  if (at !== thumb.style.top) thumb.style.top = label.style.top = at
  const text = stops[now].name
  if (label.textContent !== text) {
    label.textContent = text
    scrubber.setAttribute('aria-valuenow', String(now))
    scrubber.setAttribute('aria-valuetext', text)
  }
}
scrubber.addEventListener('pointerdown', event => {
  const drag = (/** @type {PointerEvent} */ { clientY }) => {
    const box = scrubber.getBoundingClientRect()
    scrollTo(0, Math.max(0, Math.min(1, (clientY - box.top) / box.height)) * range)
  }
  scrubber.setPointerCapture(event.pointerId)
  scrubber.classList.add('held')
  scrubber.onpointermove = drag
  scrubber.onpointerup = scrubber.onpointercancel = () => {
    scrubber.onpointermove = null
    scrubber.classList.remove('held')
  }
  drag(event)
})
scrubber.addEventListener('keydown', event => {
  const now = Number(scrubber.getAttribute('aria-valuenow'))
  const forward = { ArrowDown: 1, ArrowRight: 1, PageDown: 6, End: Infinity }
  const step = { ...forward, ArrowUp: -1, ArrowLeft: -1, PageUp: -6, Home: -Infinity }[event.key]
  if (step === undefined) return
  event.preventDefault()
  const stop = stops[Math.max(0, Math.min(stops.length - 1, now + step))]
  scrollTo(0, stop === stops[0] ? 0 : topOf(stop.first) - 100)
})

// --------------------------------------------------------------------------------- the lightbox, and the bar

/** @type {Promise<typeof import('./lightbox.js')> | undefined} */
let lightbox
const prepare = () => { lightbox ??= import('./lightbox.js'); return lightbox }
/** @param {number} n */
async function openLightbox (n, slideshow = false) {
  try {
    const [{ open }] = await Promise.all([prepare(), load(n)])
    await open(n, { slideshow })
    // the picture of a photo's own page, which the lightbox has taken over
    document.getElementById('photo')?.remove()
  } catch {
    lightbox = undefined
    say(t.failed)
    const address = `${home}/${item(n)?.id}`
    if (item(n) && location.pathname !== address) location.assign(address)
  }
}

function start () {
  grid.classList.add('laid-out')
  grid.replaceChildren()
  document.getElementById('pages')?.remove()
  document.querySelector('.intro')?.removeAttribute('hidden')
  grid.after(scrubber)
  const buttons = []
  if (total > 1) buttons.push(iconButton(t.slideshow, ICONS.play, () => openLightbox(firstInView(), true)))
  buttons.push(iconButton(t.share, ICONS.share, () => share(home)))
  if (options.zip && total > 1) {
    const enter = async (/** @type {Event} */ event) => (await import('./select.js')).start(event)
    buttons.push(Object.assign(iconButton(t.select, ICONS.select, enter), { id: 'select' }))
    // a long press, or the button of a day
    let timer = 0
    grid.addEventListener('pointerdown', event => {
      if (event.pointerType !== 'mouse') timer = window.setTimeout(() => enter(event), 500)
    })
    const ends = ['pointerup', 'pointercancel', 'scroll']
    for (const name of ends) addEventListener(name, () => clearTimeout(timer))
    grid.oncontextmenu = () => !document.body.classList.contains('selecting')
    grid.addEventListener('click', event => {
      if (/** @type {Element} */ (event.target).closest('.day')) enter(event)
    })
  }
  actions.prepend(...buttons)
  relayout()
  addEventListener('resize', () => outerSize === grid.clientWidth ? drawScrubber() : relayout())
  grid.addEventListener('pointerover', prepare, { once: true, passive: true })
  const idle = window.requestIdleCallback ?? setTimeout
  addEventListener('load', () => idle(() => prepare().catch(() => { lightbox = undefined })))
  const at = grid.dataset.open ?? (options.autoOpen ? '0' : undefined)
  if (at) openLightbox(Number(at))
  addEventListener('popstate', async ({ state }) => {
    const { close } = await prepare()
    if (typeof state?.n === 'number') openLightbox(state.n)
    else close()
  })
}

/** The first item that is wholly in view. */
function firstInView () {
  const row = scrollY < gridTop ? 0 : lastAtMost(layout.rowTop, scrollY - gridTop + 60) + 1
  return layout.rowFirst[Math.min(layout.rowFirst.length - 2, row)]
}

if (total) start()
