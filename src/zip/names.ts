/** Names of the files in a zip: safe on every system, unique, and the same each time. */
import { downloadName, type Naming } from '../file-name.ts'
import type { ZipFile } from '../gate/gate.ts'

/** Most file systems allow 255 bytes; a note's name is its file's with a suffix. */
const MAX_NAME_BYTES = 220
const NOTE_SUFFIX = ' is missing.txt'

/**
 * The name of a file in a zip, before it is made unique. `number` is its place in the zip, from 1. `type` is
 * the media type of the bytes that are sent, '' if it is not known yet: then the name keeps its extension. A
 * file without a name of its own is named by its id.
 */
export function nameOf (
  file: ZipFile, number: number, naming: Naming, type: string, isPreview = false
): string {
  const { item, name } = file
  const hasExtension = /\.[^.]{1,10}$/.test(name)
  const guess = item.isVideo ? 'video/mp4' : 'image/jpeg'
  const known = type || (hasExtension ? '' : guess)
  // the current time would change the name each time; a number does not
  const time = String(number).padStart(5, '0')
  return downloadName(naming, item.id, name, known, isPreview, time)
}

/** The name of the note in place of a missing file. */
export const noteName = (name: string): string => name + NOTE_SUFFIX

/** A name with its number, from 2 on, cut to the maximum length. */
function numbered (name: string, number: number): string {
  const [, stem = '', extension = ''] = /^(.*?)((?:_preview)?\.[^.]{1,10})?$/s.exec(name) ?? []
  const rest = (number > 1 ? ` (${number})` : '') + extension
  let short = stem
  while (Buffer.byteLength(short + rest) > MAX_NAME_BYTES) short = Array.from(short).slice(0, -1).join('')
  return short + rest
}

/** Returns a function that makes names unique, regardless of case, and short enough. */
export function createNames (): (name: string) => string {
  const taken = new Set<string>()
  /** the number to try next for a name in lower case */
  const next = new Map<string, number>()
  return name => {
    const wanted = numbered(name, 1).toLowerCase()
    for (let number = next.get(wanted) ?? 1; ; number++) {
      const unique = numbered(name, number)
      if (taken.has(unique.toLowerCase())) continue
      taken.add(unique.toLowerCase())
      next.set(wanted, number + 1)
      return unique
    }
  }
}
