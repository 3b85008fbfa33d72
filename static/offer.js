// @ts-check
/** What is offered to the visitor, and stays until it is taken or closed. */
import { iconButton, make } from './dom.js'
import { t } from './link.js'

/**
 * A bar at the bottom, in the place of the one before, with something to press; without `onTake` it only says
 * how far something is. `onClose` is called where it is closed instead. @param {string} text
 * @param {() => void} [onTake] @param {() => void} [onClose]
 */
export function offer (text, onTake, onClose = () => {}) {
  const end = (/** @type {() => void} */ then) => () => {
    bar.remove()
    then()
  }
  const take = { type: 'button', className: 'button primary', onclick: end(onTake ?? onClose) }
  const bar = make('div', { className: 'offer', role: 'status' },
    onTake ? make('button', take, text) : make('p', {}, text),
    iconButton(t.close, 'close', end(onClose)))
  document.querySelector('.offer')?.remove()
  document.body.append(bar)
  return bar
}
