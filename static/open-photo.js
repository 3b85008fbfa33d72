// @ts-check
/**
 * Opens a photo from the grid: its thumbnail and address appear at once, and the lightbox takes over when
 * its scripts are loaded.
 */
import { iconButton, make, say } from './dom.js'
import { glide } from './view-transition.js'
import { relayout } from './grid.js'
import { addressOf, load } from './items.js'
import { grid, home, ratio, t } from './link.js'
import { lazily } from './retry.js'

/** Loads the lightbox, once. */
export const prepareLightbox = lazily(() => import('./lightbox.js'))

/** Aborted when Back or another photo replaces the one being opened. */
let opening = new AbortController()

/** Whether the lightbox is open, as lightGallery marks it. */
const isLightboxOpen = () => document.documentElement.classList.contains('lg-on')

/**
 * Covers the page with the thumbnail of item `n`, if loaded, at the place and size of the photo to come.
 * @param {number} n @param {AbortSignal} signal
 */
function coverWith (n, signal) {
  const tile = /** @type {HTMLImageElement | null} */ (grid.querySelector(`a.tile[data-n="${n}"] img.in`))
  if (!tile || isLightboxOpen()) return undefined
  const picture = make('img', { src: tile.src, alt: '' })
  picture.style.setProperty('--ratio', String(tile.naturalWidth / tile.naturalHeight || ratio[n]))
  // a script that hangs must not hold the visitor here
  const cover = make('div', { className: 'cover' }, picture, iconButton(t.close, 'close', leave))
  addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && cover.isConnected && !isLightboxOpen()) leave()
  }, { signal })
  const { changed, finished } = glide(tile, () => {
    if (signal.aborted) return undefined
    document.body.append(cover)
    return picture
  })
  const remove = () => cover.remove()
  signal.addEventListener('abort', remove)
  return { changed, removeInTime: () => finished.then(remove) }
}

/** Returns to the grid before the lightbox has opened. */
function leave () {
  opening.abort()
  const { n, isDirectVisit } = history.state ?? {}
  if (n !== undefined && !isDirectVisit) history.back()
}

/** Opens item `n`, as a slideshow where `isSlideshow`. @param {number} n */
export async function openLightbox (n, isSlideshow = false) {
  opening.abort()
  opening = new AbortController()
  const { signal } = opening
  const cover = coverWith(n, signal)
  prepareLightbox().catch(() => {})
  await load(n)
  if (signal.aborted) return
  enter(n)
  try {
    const { open } = await prepareLightbox()
    await cover?.changed
    await open(n, isSlideshow, signal)
    // the photo's own page is for browsers without JavaScript
    const page = document.getElementById('photo')
    page?.remove()
    if (page) relayout()
  } catch {
    if (signal.aborted) return
    say(t.tryAgain)
    // the photo's own page needs no script; there, another failure must not load it again
    if (!history.state.isDirectVisit) {
      history.replaceState({ n, isDirectVisit: true }, '')
      location.replace(addressOf(n))
    }
  }
  cover?.removeInTime()
}

/**
 * Gives the page the address of item `n` before the lightbox opens, so that Back leads to the grid.
 * @param {number} n
 */
function enter (n) {
  if (history.state?.n !== undefined) return
  const address = addressOf(n)
  // a visitor who came straight to a photo has no grid to go back to
  const isAtAddress = location.pathname + location.search === address
  const isDirectVisit = isAtAddress || document.getElementById('photo') !== null
  history[isDirectVisit ? 'replaceState' : 'pushState']({ n, isDirectVisit }, '', address)
}

/**
 * Opens or closes the lightbox as the visitor goes back and forward.
 * @param {{ n?: number } | null} state of the history entry
 */
export function onHistory (state) {
  if (typeof state?.n === 'number') return openLightbox(state.n)
  opening.abort()
  // the link to the photos, pressed while a photo opens, would keep that photo's address
  if (location.hash && location.pathname !== home) history.replaceState(state, '', home)
  prepareLightbox().then(({ close }) => close(true), () => {})
}
