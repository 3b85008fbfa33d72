// @ts-check
/** What stays at the bottom of the page until it is taken or closed. */
import { iconButton, make } from './dom.js'
import { t } from './link.js'

/** Shows a bar in the place of the one before. @param {string} className @param {...Node} children */
function place (className, ...children) {
  const bar = make('div', { className: `offer ${className}` }, ...children)
  document.querySelector('.offer')?.remove()
  document.body.append(bar)
  return bar
}

/**
 * Offers something to press. `onClose` is called where it is closed instead.
 * @param {string} text @param {() => void} onTake @param {() => void} [onClose]
 */
export function offer (text, onTake, onClose = () => {}) {
  const end = (/** @type {() => void} */ then) => () => {
    bar.remove()
    then()
  }
  const bar = place('invitation',
    make('button', { type: 'button', className: 'button primary', onclick: end(onTake) }, text),
    iconButton(t.close, 'close', end(onClose)))
  bar.role = 'status'
}

/**
 * Shows how far something is, with a button that cancels it.
 * @param {string} text @param {() => void} onCancel
 */
export function showProgress (text, onCancel) {
  const title = make('p', { className: 'offer-title' }, text)
  const note = make('p', { className: 'offer-note' })
  const track = /** @type {HTMLProgressElement} */ (make('progress', { ariaLabel: text }))
  const bar = place('progress', title, note, track, iconButton(t.cancel, 'close', () => {
    bar.remove()
    onCancel()
  }))
  return {
    remove: () => bar.remove(),
    /** @param {string} now @param {string} detail @param {number} part from 0 to 1 */
    update (now, detail, part) {
      title.textContent = track.ariaLabel = now
      note.textContent = detail
      track.value = part
    }
  }
}
