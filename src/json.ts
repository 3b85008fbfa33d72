/** Reads values of unknown shape, such as parsed JSON, without trusting any of it. */

/** An object of which no field is known yet. */
export type Json = Record<string, unknown>

/** An object that is not a list, else undefined. */
export const object = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Json : undefined
/** A text, else ''. */
export const text = (value: unknown): string => typeof value === 'string' ? value : ''
/** A list, else an empty one. */
export const list = (value: unknown): unknown[] => Array.isArray(value) ? value : []
/** A finite number above 0, else 0. */
export const positive = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
/** The value as a branded text if the pattern matches, else undefined. */
export const match = <T extends string>(pattern: RegExp, value: unknown): T | undefined =>
  typeof value === 'string' && pattern.test(value) ? value as T : undefined

/** Percent-decodes a text; undefined if the encoding is malformed. */
export function decode (value: string | undefined): string | undefined {
  // decodeURIComponent is slow, and most values contain nothing to decode
  try { return value?.includes('%') ? decodeURIComponent(value) : value } catch { return undefined }
}

/** The value of a JSON text; undefined if it is not JSON. */
export function parseJson (value: string): unknown {
  try { return JSON.parse(value) } catch { return undefined }
}

/**
 * The cost of parsing a JSON text, as a number of values: one for each comma, and six for each object or
 * list, because one as short as [] takes 100 bytes. Those within its strings count too.
 */
export function costOf (json: Uint8Array): number {
  let cost = 0
  for (let n = 0; n < json.length; n++) {
    if (json[n] === 0x2c) cost++
    else if (json[n] === 0x5b || json[n] === 0x7b) cost += 6
  }
  return cost
}
