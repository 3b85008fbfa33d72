/** JPEGs to blank, whole from the samples and put together by hand. */
import { readFileSync } from 'node:fs'
import { blankJpeg } from '../../src/gate/jpeg.ts'

const sample = (name: string) => readFileSync(new URL(`../samples/${name}`, import.meta.url))
export const ORIGINAL = sample('original0.jpg')
export const PREVIEW = sample('photo05-preview.jpg')

/** A segment with its marker and length; text is Latin-1. */
export function segment (marker: number, content: Buffer | string): Buffer {
  const payload = Buffer.from(content as string, 'latin1')
  const length = payload.length + 2
  return Buffer.concat([Buffer.from([0xff, marker, length >> 8, length & 0xff]), payload])
}

/** The blanked file; undefined if it cannot be blanked. */
export function blanked (bytes: Buffer): Buffer | undefined {
  const copy = Buffer.from(bytes)
  return blankJpeg(copy) ? copy : undefined
}
