// @ts-check
/** Shares an address of this site, or a selection as text. */
import { make, say } from './dom.js'
import { countOf } from './download.js'
import { addressOf, load } from './items.js'
import { t } from './link.js'
import { namesOf } from './original-info.js'
import { openSheet } from './sheet.js'

/**
 * Shares through the system's sheet, else the clipboard, else shows the text to be copied by hand.
 * @param {ShareData} data @param {string} text for the clipboard @param {string} done message after copying
 */
async function handOn (data, text, done) {
  try {
    if (navigator.share) return await navigator.share(data)
    await navigator.clipboard.writeText(text)
    say(done)
  } catch (error) {
    const isCancelled = error instanceof DOMException && error.name === 'AbortError'
    if (!isCancelled) showText(text)
  }
}

/** @param {string} text */
function showText (text) {
  if (!('HTMLDialogElement' in window)) return void prompt(t.copyText, text)
  const area = make('textarea', { readOnly: true, rows: 8, value: text })
  area.onfocus = () => area.select()
  openSheet(t.copyText, area)
  // selecting the text scrolls to its end
  requestAnimationFrame(() => { area.scrollTop = 0 })
}

/** @param {string} path */
export function share (path) {
  const url = new URL(path, location.href).href
  return handOn({ url, title: document.title }, url, t.copied)
}

/** Sends the names and addresses of these items as text. @param {number[]} numbers */
export async function sendChoice (numbers) {
  say(t.loading, false)
  for (const n of numbers) await load(n)
  const names = await namesOf(numbers)
  const lines = numbers.map((n, at) => `${names[at]}\n${new URL(addressOf(n), location.href).href}`)
  const text = [`${document.title}\n${countOf(numbers)}`, ...lines].join('\n\n')
  await handOn({ title: document.title, text }, text, t.choiceCopied)
}
