/**
 * A selection of a share's items as a short text for an address, so that a download of it can be resumed by
 * any replica: the list's version, then a bit for each item, deflated.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Item, Share } from '../gate/gate.ts'

const VERSION_LENGTH = 8

/** The text for these items of the share, in characters of base64url. */
export function encodeSelection (share: Share, chosen: ReadonlySet<Item>): string {
  const bits = Buffer.alloc(Math.ceil(share.items.length / 8))
  for (const [n, item] of share.items.entries()) {
    if (chosen.has(item)) bits.writeUInt8(bits.readUInt8(n >> 3) | 1 << (n & 7), n >> 3)
  }
  return share.version.slice(0, VERSION_LENGTH) + deflateRawSync(bits).toString('base64url')
}

/** The items of such a text; undefined if it is malformed, empty, or the list has changed since. */
export function decodeSelection (share: Share, text: string): Item[] | undefined {
  const size = Math.ceil(share.items.length / 8)
  if (!text.startsWith(share.version.slice(0, VERSION_LENGTH))) return undefined
  try {
    const packed = Buffer.from(text.slice(VERSION_LENGTH), 'base64url')
    const bits = inflateRawSync(packed, { maxOutputLength: Math.max(1, size) })
    if (bits.length !== size) return undefined
    const items = share.items.filter((_, n) => bits.readUInt8(n >> 3) & 1 << (n & 7))
    return items.length > 0 ? items : undefined
  } catch { return undefined }
}
