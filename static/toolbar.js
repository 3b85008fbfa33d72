// @ts-check
/**
 * The lightbox's toolbar: close and the counter at its start, actions on a photo at its end. On a phone some
 * of them are in a menu.
 */
import { detailsButton } from './details.js'
import { closest, icon, iconButton, make } from './dom.js'
import { item } from './items.js'
import { home, isVideo, lang, options, t, total } from './link.js'
import { canSave, save } from './save.js'
import { share } from './share.js'
import { playButton } from './slideshow.js'
import { lg, mobile, outer, own } from './slides.js'
import { toggleMotion } from './video.js'
import { positionOf } from './words.js'

const isPhone = /iPhone|iPad|iPod|Android/i.test(navigator.userAgent)
const bar = /** @type {HTMLElement} */ (outer.querySelector('.lg-toolbar'))
const counter = make('div', { className: 'lg-counter', role: 'status', hidden: own.counter === false })

/** @param {boolean} [isOpen] without it, open becomes closed and closed open */
function toggleMenu (isOpen) {
  more.ariaExpanded = String(bar.classList.toggle('ipp-open', isOpen))
}
const more = iconButton(t.more, 'more', () => toggleMenu(), 'ipp-more')
more.ariaExpanded = 'false'

/** Closes the menu. Returns whether it was open. */
export function closeMenu () {
  const isOpen = bar.classList.contains('ipp-open')
  toggleMenu(false)
  return isOpen
}
outer.addEventListener('click', event => {
  if (!closest(event, '.ipp-more')) closeMenu()
}, { capture: true })

const motion =
  iconButton(t.motion, 'motion', () => toggleMotion(lg.index), 'ipp-motion', make('span', {}, t.motion))

const root = document.documentElement
const toggleFull = () => document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()
const full = iconButton(t.fullscreen, 'full', () => toggleFull().catch(() => {}), 'ipp-full',
  make('span', {}, t.fullscreen))
// some browsers can only show videos full screen
full.hidden = !document.fullscreenEnabled || own.fullScreen === false
document.addEventListener('fullscreenchange', () => {
  const isFull = document.fullscreenElement !== null
  full.firstChild?.replaceWith(icon(isFull ? 'unfull' : 'full'))
  full.ariaPressed = String(isFull)
})

const download =
  iconButton(canSave() ? t.save : t.download, 'download', () => save([lg.index]), 'lg-download')
download.hidden = !options.download || own.download === false || (isPhone && mobile.download === false)

// lightGallery's own buttons get icons of the set
for (const [name, label] of [['close', t.close], ['prev', t.previous], ['next', t.next]]) {
  const button = outer.querySelector(`.lg-${name}`)
  button?.replaceChildren(icon(name))
  button?.setAttribute('title', label)
}
outer.querySelector('.lg-close')?.classList.add('icon-button')

const menu = make('div', { className: 'ipp-menu' }, playButton, motion, full)
bar.append(counter, menu,
  iconButton(t.share, 'share', () => share(`${home}/${item(lg.index)?.id}`), 'ipp-share'),
  detailsButton, download, more)
// Tab reaches the bar before the arrows
outer.prepend(bar)

/** Brings the counter and the menu up to date with item `n`. @param {number} n */
export function showItem (n) {
  counter.textContent = positionOf((n + 1).toLocaleString(lang), total.toLocaleString(lang))
  motion.hidden = !item(n)?.motion || isVideo(n)
  more.hidden = !menu.querySelector(':scope > :not([hidden])')
}
