// @ts-check
/** Downloads by the browser: one file, a zip of a selection, and a zip of everything after a question. */
import { make } from './dom.js'
import { imagePath, item, load } from './items.js'
import { home, isVideo, options, t, total } from './link.js'
import { sizeAt } from './original-info.js'
import { openSheet } from './sheet.js'
import { counted, sizeText } from './words.js'

/** Downloads these items: one as its file, several as a zip. @param {number[]} numbers */
export async function download (numbers) {
  for (const n of numbers) await load(n)
  const only = numbers.length === 1 ? item(numbers[0]) : undefined
  if (only && options.download) return make('a', { href: imagePath(only, 'original'), download: '' }).click()
  const form = make('form', { method: 'post', action: `${home}/download`, hidden: true },
    make('input', { name: 'assets', value: JSON.stringify(numbers.map(n => item(n)?.id)) }))
  document.body.append(form)
  HTMLFormElement.prototype.submit.call(form)
  form.remove()
}

/** "500 photos and videos" @param {number[]} numbers */
export function countOf (numbers) {
  const videos = numbers.filter(isVideo).length
  const mixed = videos === numbers.length ? 'videos' : 'items'
  return counted(videos === 0 ? 'photos' : mixed, numbers.length)
}

/**
 * Shows the number of files and the size of the whole zip, and offers to download it.
 * @param {string} address of the zip @param {(event: Event) => void} choose starts a selection instead
 */
export async function askDownloadAll (address, choose) {
  const count = countOf([...Array(total).keys()])
  const what = make('p', { className: 'sheet-what', role: 'status' }, count)
  const start = make('button', { type: 'button', className: 'button plain', onclick: choose }, t.choose)
  const link = make('a', { className: 'button primary', href: address }, t.download)
  const sheet = openSheet(t.askDownloadAll, what, make('p', {}, t.zipNote), link, start)
  const closing = new AbortController()
  sheet.addEventListener('close', () => closing.abort())
  const bytes = await sizeAt(address, closing.signal)
  if (bytes) what.textContent = `${count} · ${sizeText(bytes)}`
}
