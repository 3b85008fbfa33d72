// @ts-check
/** Offers and progress bars at the bottom of the page. */
import { iconButton, make } from './dom.js'
import { t } from './link.js'

/** Shows a bar, replacing the last one. @param {string} className @param {...Node} children */
function place (className, ...children) {
  const bar = make('div', { className: `offer ${className}` }, ...children)
  document.querySelector('.offer')?.remove()
  // before the toast, which then stands above it
  document.querySelector('.toast')?.before(bar)
  return bar
}

/**
 * Shows a button with `text`, and returns its bar. `onClose` is called if the visitor closes it instead.
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
  return bar
}

/**
 * Shows progress, with a button that cancels.
 * @param {string} text @param {() => void} onCancel
 */
export function showProgress (text, onCancel) {
  const title = make('p', { className: 'offer-title' }, text)
  const note = make('p', { className: 'offer-note' })
  const track = make('progress', { ariaLabel: text })
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
