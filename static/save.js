// @ts-check
/** Saves originals through the system's share sheet, which can store them in the phone's photos. */
import { say } from './dom.js'
import { download } from './download.js'
import { imagePath, load } from './items.js'
import { lang, nameOf, options, t } from './link.js'
import { offer, showProgress } from './snackbar.js'
import { measure } from './original-info.js'
import { positionOf, sizeProgress } from './words.js'

/** Files per share sheet; phones refuse many more. */
const MAX_FILES = 30
/** Bytes to hold in memory for the sheet; more is an ordinary download. */
const MAX_BYTES = 100e6
const sample = new File([''], 'photo.jpg', { type: 'image/jpeg' })

/** Whether the share sheet takes files, on a touch screen; elsewhere a download is better. */
export const canSave = () => options.download && matchMedia('(pointer: coarse)').matches &&
  Boolean(navigator.canShare?.({ files: [sample] }))

/** @param {number} bytes of a selection, NaN where they are unknown */
export const fitsSheet = bytes => bytes <= MAX_BYTES

/**
 * Fetches the original of item `n` as a file with its own name. `onBytes` is called with each chunk's size.
 * @param {number} n @param {AbortSignal} signal @param {(bytes: number) => void} onBytes
 */
async function fetchFile (n, signal, onBytes) {
  const response = await fetch(imagePath(await load(n), 'original'), { signal })
  if (!response.ok || !response.body) throw new Error(`item ${n}: ${response.status}`)
  const reader = response.body.getReader()
  const pieces = []
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value)
    onBytes(piece.value.length)
  }
  const disposition = response.headers.get('content-disposition') ?? ''
  const [, name] = /filename\*=UTF-8''([^;]*)/.exec(disposition) ?? []
  const type = response.headers.get('content-type') ?? ''
  return new File(pieces, name ? decodeURIComponent(name) : nameOf(n), { type })
}

/**
 * Hands files to the sheet: at once if the visitor's press still counts, else at another press. Resolves to
 * whether the sheet took them, or to undefined if the visitor closed the offer.
 * @param {File[]} files @returns {Promise<boolean | undefined>}
 */
async function handOver (files) {
  const share = () => navigator.share({ files }).then(() => true, error => error.name === 'AbortError')
  if (navigator.userActivation?.isActive && await share()) return true
  return new Promise(resolve =>
    offer(`${t.save} (${files.length})`, () => resolve(share()), () => resolve(undefined)))
}

/**
 * Fetches all of them, one after another, and shows the progress.
 * @param {number[]} numbers @param {number} total bytes
 * @param {{ bar: ReturnType<typeof showProgress>, signal: AbortSignal, failed: string[] }} job
 */
async function fetchAll (numbers, total, { bar, signal, failed }) {
  let bytes = 0
  /** @type {File[]} */
  const files = []
  for (const [at, n] of numbers.entries()) {
    const title = positionOf((at + 1).toLocaleString(lang), numbers.length.toLocaleString(lang), t.saving)
    const onBytes = (/** @type {number} */ more) => {
      bytes += more
      bar.update(title, sizeProgress(bytes, total), bytes / total)
    }
    onBytes(0)
    const file = await fetchFile(n, signal, onBytes).catch(() => undefined)
    if (signal.aborted) return []
    if (file) files.push(file)
    else failed.push(nameOf(n))
  }
  return files
}

/**
 * Saves these items by the sheet, or as a download if there is none or they are too large for it. Names those
 * that failed. @param {number[]} numbers
 */
export async function save (numbers) {
  if (!canSave()) return download(numbers)
  // pressed twice
  if (document.querySelector('.progress')) return
  const stopping = new AbortController()
  const { signal } = stopping
  const bar = showProgress(t.loading, () => stopping.abort())
  /** @type {string[]} */
  const failed = []
  const total = await measure(numbers, signal)
  const isFitting = fitsSheet(total)
  const files = isFitting ? await fetchAll(numbers, total, { bar, signal, failed }) : []
  bar.remove()
  if (signal.aborted) return
  if (!isFitting) return download(numbers)
  for (let from = 0; from < files.length; from += MAX_FILES) {
    const part = files.slice(from, from + MAX_FILES)
    const isTaken = await handOver(part)
    if (isTaken === undefined) break
    if (!isTaken) failed.push(...part.map(({ name }) => name))
  }
  if (failed.length > 0) say(t.notSaved.replace('{names}', failed.join(', ')))
}
