/** Texts in a zip about files that are not in it. */
import type { Absence } from './fetch.ts'

/** A file that is not in the zip; `name` is the one that it would have had. */
export type Missing = Readonly<{ name: string, isVideo: boolean, absence: Absence }>

export const SUMMARY_NAME = 'Files not included.txt'

const WHY: Record<Absence, string> = {
  missing: 'it is missing on the server',
  withheld: 'only its original exists, and originals are not shared here'
}

/** The text in place of one file. */
export const noteText = ({ isVideo, absence }: Missing): Buffer =>
  Buffer.from(`This ${isVideo ? 'video' : 'photo'} is not included, because ${WHY[absence]}.\n`)

/** The text at the end of a zip, which names every file that is not in it. */
export function summaryText (files: readonly Missing[]): Buffer {
  const lines = files.map(({ name, absence }) => `${name}: ${WHY[absence]}\n`)
  return Buffer.from(`Not included in this zip:\n\n${lines.join('')}`)
}

const BLANK_LINES = Buffer.alloc(64 * 1024, '\n')

/** A text of exactly this size: cut off, or followed by blank lines. */
export function * padded (text: Buffer, size: number): Generator<Buffer> {
  yield text.subarray(0, size)
  for (let left = size - text.length; left > 0; left -= BLANK_LINES.length) {
    yield BLANK_LINES.subarray(0, left)
  }
}
