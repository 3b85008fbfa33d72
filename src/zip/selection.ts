/**
 * A selection of a link's items as a part of an address, so that a download that a browser resumes or repeats
 * is the same selection or fails. Nothing is kept: every replica reads the same from the same address.
 */
import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Item } from '../gate/gate.ts'

/** A proxy in front takes addresses of 8 kB. Random choices among some 40,000 items are longer than this. */
const MAX_CHARACTERS = 7000

/** Changes with the items of a link or their order, and with nothing else. */
function versionOf (items: readonly Item[]): string {
  const hash = createHash('sha256')
  for (const { id } of items) hash.update(id)
  return hash.digest('base64url').slice(0, 10)
}

/** Names `chosen` among all `items`; undefined where the name is too long for an address. */
export function encodeSelection (items: readonly Item[], chosen: ReadonlySet<Item>): string | undefined {
  const bits = new Uint8Array(Math.ceil(items.length / 8))
  for (const [n, item] of items.entries()) {
    if (chosen.has(item)) bits[n >> 3] = (bits[n >> 3] ?? 0) | 1 << (n & 7)
  }
  const name = `${versionOf(items)}.${deflateRawSync(bits).toString('base64url')}`
  return name.length > MAX_CHARACTERS ? undefined : name
}

/** The items that a name stands for; undefined where the list has changed since, or it names none. */
export function decodeSelection (items: readonly Item[], name: string): Item[] | undefined {
  const [, version, code = ''] = /^([\w-]{10})\.([\w-]{1,7000})$/.exec(name) ?? []
  if (version !== versionOf(items)) return undefined
  try {
    const maxOutputLength = Math.ceil(items.length / 8)
    const bits = inflateRawSync(Buffer.from(code, 'base64url'), { maxOutputLength })
    const chosen = items.filter((_, n) => ((bits[n >> 3] ?? 0) & 1 << (n & 7)) !== 0)
    return chosen.length > 0 ? chosen : undefined
  } catch { return undefined }
}
