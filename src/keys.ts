/** The secret keys of this process, one for each purpose (HKDF, RFC 5869). */
import { createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto'

/** A key for one purpose reveals nothing about the others. */
type Purpose = 'unlock cookie' | 'entity tag' | 'link in the log'
export type Keys = (purpose: Purpose) => KeyObject

/** Derives the keys from `secret`; an empty one means random keys that last as long as the process. */
export function createKeys (secret: string): Keys {
  const material = secret === '' ? randomBytes(32) : secret
  const derive = (purpose: Purpose) => hkdfSync('sha256', material, 'immich-public-proxy', purpose, 32)
  return purpose => createSecretKey(Buffer.from(derive(purpose)))
}
