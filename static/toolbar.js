// @ts-check
/**
 * The lightbox's toolbar: close and the counter at its start, actions on a photo at its end. On a phone some
 * of them are in a menu.
 */
import { closest, icon, iconButton, make } from './dom.js'
import { imagePath, item } from './items.js'
import { home, isVideo, lang, options, t, total } from './link.js'
import { canSave, save } from './save.js'
import { share } from './share.js'
import { lg, mobile, outer, own } from './slides.js'
import { positionOf } from './words.js'

/**
 * What the bar's buttons call.
 * @typedef {{ play: () => void, motion: () => void, details: () => void }} Actions
 */

const isPhone = /iPhone|iPad|iPod|Android/i.test(navigator.userAgent)
const isDownloadable = options.download && own.download !== false && !(isPhone && mobile.download === false)
const bar = /** @type {HTMLElement} */ (outer.querySelector('.lg-toolbar'))
const counter = make('div', { className: 'lg-counter', role: 'status' })
const menu = make('div', { className: 'ipp-menu' })

/** Adds a button to the menu; its label is visible on a phone.
 * @param {string} name @param {string} label @param {string} iconName @param {() => void} onclick */
function addToMenu (name, label, iconName, onclick) {
  const button = iconButton(label, iconName, onclick)
  button.classList.add(name)
  button.append(make('span', {}, label))
  menu.append(button)
  return button
}

/** @param {HTMLElement} button @param {string} name of its icon */
const setIcon = (button, name) => button.querySelector('use')?.setAttribute('href', `#i-${name}`)

/** @param {boolean} isOpen */
function openMenu (isOpen) {
  bar.classList.toggle('ipp-open', isOpen)
  more.setAttribute('aria-expanded', String(isOpen))
}
const more = iconButton(t.more, 'more', () => openMenu(!bar.classList.contains('ipp-open')))
more.classList.add('ipp-more')
more.setAttribute('aria-expanded', 'false')

/** Closes the menu. Returns whether it was open. */
export function closeMenu () {
  const isOpen = bar.classList.contains('ipp-open')
  openMenu(false)
  return isOpen
}

/** Adds a full-screen button if the browser can show more than videos full screen. */
function addFullScreen () {
  if (!document.fullscreenEnabled || own.fullScreen === false) return
  const root = document.documentElement
  const toggle = () => document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()
  const button = addToMenu('ipp-full', t.fullscreen, 'full', () => toggle().catch(() => {}))
  document.addEventListener('fullscreenchange', () => {
    const isFull = document.fullscreenElement !== null
    setIcon(button, isFull ? 'unfull' : 'full')
    button.setAttribute('aria-pressed', String(isFull))
  })
}

/** @param {string} name @param {HTMLElement} button */
function add (name, button) {
  button.classList.add(name)
  bar.append(button)
  return button
}

function addDownload () {
  const label = canSave() ? t.save : t.download
  const fields = { className: 'icon-button', title: label, ariaLabel: label, download: '' }
  const link = make('a', fields, icon('download'))
  link.addEventListener('click', event => {
    if (!canSave()) return
    event.preventDefault()
    save([lg.index])
  })
  add('lg-download', link)
  return /** @type {HTMLAnchorElement} */ (link)
}

/** Gives lightGallery's own buttons icons of the set. */
function dressButtons () {
  for (const [selector, name, label] of
    [['.lg-close', 'close', t.close], ['.lg-prev', 'prev', t.previous], ['.lg-next', 'next', t.next]]) {
    const button = /** @type {HTMLElement | null} */ (outer.querySelector(selector))
    button?.replaceChildren(icon(name))
    if (button) button.title = label
  }
  outer.querySelector('.lg-close')?.classList.add('icon-button')
}

/**
 * Fills the toolbar. Returns functions that update it for another item and for the slideshow.
 * @param {Actions} actions
 */
export function createToolbar (actions) {
  dressButtons()
  // Tab reaches the bar before the arrows
  outer.prepend(bar)
  if (own.counter !== false) bar.append(counter)
  const play = addToMenu('ipp-play', t.slideshow, 'slideshow', actions.play)
  play.hidden = total === 1
  const motion = addToMenu('ipp-motion', t.motion, 'motion', actions.motion)
  addFullScreen()
  bar.append(menu)
  add('ipp-share', iconButton(t.share, 'share', () => share(`${home}/${item(lg.index)?.id}`)))
  if (options.info) add('ipp-info', iconButton(t.info, 'details', actions.details))
  const download = isDownloadable ? addDownload() : undefined
  bar.append(more)
  outer.addEventListener('click', event => {
    if (!closest(event, '.ipp-more')) closeMenu()
  }, { capture: true })

  /** @param {number} n */
  function showItem (n) {
    const known = item(n)
    counter.textContent = positionOf((n + 1).toLocaleString(lang), total.toLocaleString(lang))
    motion.hidden = !known?.motion || isVideo(n)
    more.hidden = !menu.querySelector(':scope > :not([hidden])')
    if (download && known) download.href = imagePath(known, 'original')
  }
  /** @param {boolean} isPlaying */
  function showPlaying (isPlaying) {
    play.setAttribute('aria-pressed', String(isPlaying))
    setIcon(play, isPlaying ? 'pause' : 'slideshow')
  }
  return { showItem, showPlaying }
}
