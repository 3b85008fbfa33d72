// @ts-check
/**
 * Saving by the system's own sheet, which leads to the phone's photos: fetched first, some at a time, and
 * what could not be had is named.
 */
import { say } from './dom.js'
import { imagePath, item, load } from './items.js'
import { lang, nameOf, options, t } from './link.js'
import { offer } from './offer.js'

/** Files and bytes of one sheet; with more a phone refuses, or has no memory. */
const MOST_FILES = 30
const MOST_BYTES = 100e6
const sample = new File([''], 'photo.jpg', { type: 'image/jpeg' })

/** Whether there is such a sheet, on what is held in a hand; elsewhere a file is best where files go. */
export const canSave = () => options.download && matchMedia('(pointer: coarse)').matches &&
  Boolean(navigator.canShare?.({ files: [sample] }))

/** @param {number} n @param {number} of */
const positionOf = (n, of) =>
  t.position.replace('{n}', n.toLocaleString(lang)).replace('{total}', of.toLocaleString(lang))

/** @param {string | null} disposition */
function fileNameIn (disposition) {
  const [, encoded] = /filename\*=UTF-8''([^;]*)/.exec(disposition ?? '') ?? []
  return decodeURIComponent(encoded ?? '')
}

/** The original of item `n`, as its sender named it. @param {number} n */
async function fetchFile (n) {
  await load(n)
  const known = item(n)
  if (!known) throw new Error('not listed any more')
  const answer = await fetch(imagePath(known, 'original'))
  if (!answer.ok) throw new Error(String(answer.status))
  const file = await answer.blob()
  const name = fileNameIn(answer.headers.get('content-disposition')) || nameOf(n)
  return new File([file], name, { type: file.type })
}

/**
 * Hands files to the system: at once, where the visitor's press still counts, else at the next one. Whether
 * it took them, or undefined where the visitor wants no more. @param {File[]} files
 * @returns {Promise<boolean | undefined>}
 */
async function handOver (files) {
  const share = () => navigator.share({ files }).then(() => true, error => error.name === 'AbortError')
  if (navigator.userActivation?.isActive && await share()) return true
  return new Promise(resolve =>
    offer(`${t.save} (${files.length})`, () => resolve(share()), () => resolve(undefined)))
}

/** Saves these items, and says how far it is. @param {number[]} numbers */
export async function save (numbers) {
  /** @type {string[]} */
  const failed = []
  let isStopped = false
  let next = 0
  while (next < numbers.length && !isStopped) {
    /** @type {File[]} */
    const files = []
    let bytes = 0
    while (next < numbers.length && files.length < MOST_FILES && bytes < MOST_BYTES && !isStopped) {
      const n = numbers[next++]
      const progress = `${t.loading} ${positionOf(next, numbers.length)}`
      const bar = offer(progress, undefined, () => { isStopped = true })
      const file = await fetchFile(n).catch(() => undefined)
      bar.remove()
      bytes += file?.size ?? 0
      if (file) files.push(file)
      else failed.push(nameOf(n))
    }
    if (isStopped || files.length === 0) continue
    const isTaken = await handOver(files)
    if (isTaken === undefined) isStopped = true
    if (isTaken === false) failed.push(...files.map(({ name }) => name))
  }
  if (failed.length > 0) say(t.notSaved.replace('{names}', failed.join(', ')))
}
