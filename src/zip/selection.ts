/**
 * A selection of a link's items as a part of an address, so that a download that a browser resumes or repeats
 * has the same items or fails. Nothing is stored: every replica reads the same from the same address.
 */
import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Item } from '../gate/gate.ts'

/** Proxies accept addresses of 8 kB. A random choice among more than about 40,000 items is too long. */
const MAX_CHARACTERS = 7000

/** the versions of lists in memory: one takes 10 ms for 50,000 items */
const versions = new WeakMap<readonly Item[], string>()

/** A version that changes with the items of a link or their order, and with nothing else. */
function versionOf (items: readonly Item[]): string {
  const known = versions.get(items)
  if (known) return known
  const hash = createHash('sha256')
  for (const { id } of items) hash.update(id)
  const version = hash.digest('base64url').slice(0, 10)
  versions.set(items, version)
  return version
}

/** A name for `chosen` among all `items`; undefined if it is too long for an address. */
export function encodeSelection (items: readonly Item[], chosen: ReadonlySet<Item>): string | undefined {
  const bits = new Uint8Array(Math.ceil(items.length / 8))
  for (const [n, item] of items.entries()) {
    if (chosen.has(item)) bits[n >> 3] = (bits[n >> 3] ?? 0) | 1 << (n & 7)
  }
  const name = `${versionOf(items)}.${deflateRawSync(bits).toString('base64url')}`
  return name.length > MAX_CHARACTERS ? undefined : name
}

/** the last selection from each list, so that a download that is resumed finds its plan */
const latest = new WeakMap<readonly Item[], { name: string, chosen: readonly Item[] }>()

/** The items that a name stands for; undefined if the list has changed since, or the name has none. */
export function decodeSelection (items: readonly Item[], name: string): readonly Item[] | undefined {
  const known = latest.get(items)
  if (known?.name === name) return known.chosen
  const [, version, code = ''] = /^([\w-]{10})\.([\w-]{1,7000})$/.exec(name) ?? []
  if (version !== versionOf(items)) return undefined
  try {
    const maxOutputLength = Math.ceil(items.length / 8)
    const bits = inflateRawSync(Buffer.from(code, 'base64url'), { maxOutputLength })
    const chosen = items.filter((_, n) => ((bits[n >> 3] ?? 0) & 1 << (n & 7)) !== 0)
    if (chosen.length === 0) return undefined
    latest.set(items, { name, chosen })
    return chosen
  } catch { return undefined }
}
