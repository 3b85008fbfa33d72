// @ts-check
/** The caption below a photo: its description, cut to two lines at first, and the date it was taken. */
import { make } from './dom.js'
import { describe, moment } from './details.js'
import { item } from './items.js'
import { isVideo, options, t } from './link.js'
import { lg, on, outer } from './slides.js'

const text = make('p', { className: 'ipp-caption', dir: 'auto' })
const date = make('p', { className: 'ipp-date' })
const more = make('button', { type: 'button', className: 'ipp-more-text', onclick: () => setOpen(!isOpen()) })
const line = make('div', { className: 'ipp-line' }, date, more)
const block = make('div', { className: 'ipp-block' }, text, line)

/** The item whose caption is shown. */
let shown = -1

const isOpen = () => block.classList.contains('ipp-open')
/** @param {boolean} isOpen */
function setOpen (isOpen) {
  block.classList.toggle('ipp-open', isOpen)
  more.textContent = isOpen ? t.less : t.more
  more.setAttribute('aria-expanded', String(isOpen))
  // a long text scrolls, by keyboard too
  text.tabIndex = isOpen ? 0 : -1
  text.scrollTop = 0
}

/** Shows "More" only if the description is longer than its two lines. */
function measure () {
  if (!isOpen()) more.hidden = text.scrollHeight <= text.clientHeight
}

outer.querySelector('.lg-components')?.replaceChildren(block)
new ResizeObserver(measure).observe(text)
on('lgAfterClose', () => { shown = -1 })

/** Shows the date and description of item `n`, as far as they are shared. @param {number} n */
export async function showCaption (n) {
  const known = item(n)
  const time = known?.time === undefined ? '' : moment.format(known.time * 1000)
  date.textContent = [time, isVideo(n) && known?.duration].filter(Boolean).join(' · ')
  // the same item may be reported again when its picture has come, and "More" may have been pressed by then
  if (n !== shown) {
    text.textContent = ''
    more.hidden = true
    setOpen(false)
  }
  shown = n
  const facts = options.caption ? await describe(n, () => n === shown && n === lg.index) : undefined
  if (!facts) return
  text.textContent = facts.description ?? ''
  measure()
}
