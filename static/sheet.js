// @ts-check
/** A modal sheet: at the bottom of a phone, in the middle of a larger screen. */
import { closest, iconButton, make } from './dom.js'
import { t } from './link.js'

/** How long a closed sheet stays in the page to glide out. */
const LEAVING_MS = 300

/**
 * Opens a sheet, unless one is open already, as after two presses. Its buttons, Escape and a press beside it
 * close it. Returns the open sheet.
 * @param {string} title @param {...Node} children
 */
export function openSheet (title, ...children) {
  const open = /** @type {HTMLDialogElement | null} */ (document.querySelector('.sheet[open]'))
  if (open) return open
  const close = iconButton(t.close, 'close', () => {})
  const sheet = make('dialog', { className: 'sheet', ariaLabel: title },
    make('div', { className: 'sheet-body' }, make('h2', {}, title), ...children, close))
  // a class, because :has() in a style costs time for each tile that is added to the grid
  const { classList } = document.documentElement
  sheet.onclose = () => {
    classList.remove('behind-sheet')
    setTimeout(() => sheet.remove(), LEAVING_MS)
  }
  // the body fills the sheet, so only a press on the backdrop hits the sheet itself; it closes before its
  // button acts, because that may move the focus
  sheet.addEventListener('click', event => {
    if (event.target === sheet || closest(event, 'a, button')) sheet.close()
  }, { capture: true })
  // Escape must not end a selection or the lightbox behind it as well
  sheet.onkeydown = event => event.stopPropagation()
  // Back ends what is behind it
  addEventListener('popstate', () => sheet.close(), { once: true })
  document.body.append(sheet)
  sheet.showModal()
  // room for the scrollbar only where there is one
  classList.toggle('with-bar', innerWidth > document.documentElement.clientWidth)
  classList.add('behind-sheet')
  return sheet
}
