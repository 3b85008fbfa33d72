/** Values of which nothing is known yet, such as parsed JSON. */

/** A value whose fields nothing is known of yet. */
export type Unknown = Record<string, unknown>
export const object = (value: unknown): Unknown | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Unknown : undefined
export const text = (value: unknown): string => typeof value === 'string' ? value : ''
export const list = (value: unknown): unknown[] => Array.isArray(value) ? value : []
export const positive = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
export const match = <T extends string>(pattern: RegExp, value: unknown): T | undefined =>
  typeof value === 'string' && pattern.test(value) ? value as T : undefined
export function decode (value: string | undefined): string | undefined {
  // trying costs, and most have nothing to decode
  try { return value?.includes('%') ? decodeURIComponent(value) : value } catch { return undefined }
}

export function parseJson (value: string): unknown {
  try { return JSON.parse(value) } catch { return undefined }
}
