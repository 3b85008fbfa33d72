/** Bodies on their way from Immich to a visitor. */
import type { Release } from './queue.ts'
import { Refusal } from './refusal.ts'
import { createShares, quarter } from './shares.ts'

export type Parts = AsyncIterable<Uint8Array>
/** A file as Immich sends it. Read it once to its end, or cancel it, which frees Immich at once. */
export type Body = { parts: Parts, cancel: () => void }
/** Bytes that several readers may hold in memory together. */
export type Budget = { left: number }

/** The bytes of a body from `first` to `last`, both counted from 0. */
export async function * between (parts: Parts, first: number, last: number): Parts {
  let at = 0
  for await (const part of parts) {
    const wanted = part.subarray(Math.max(0, first - at), Math.max(0, last + 1 - at))
    at += part.length
    if (wanted.length > 0) yield wanted
    if (at > last) return
  }
}

/**
 * The whole body, of at most `limit` bytes, which count against `budget` while they are read. Throws a
 * Refusal: `unreachable` if the body is interrupted or too long, `busy` if the budget is spent.
 */
export async function readWhole (
  body: Body, limit: number, budget: Budget = { left: Infinity }
): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of body.parts) {
      parts.push(part)
      size += part.length
      budget.left -= part.length
      if (size > limit) throw new Refusal('unreachable', 'longer than allowed')
      if (budget.left < 0) throw new Refusal('busy', 'too much is being read at once')
    }
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal('unreachable', (error as Error).message)
  } finally {
    budget.left += size
    body.cancel()
  }
  // not from Node's pool: a slice of it would keep the whole pool in memory
  const whole = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const part of parts) { whole.set(part, at); at += part.length }
  return whole
}

type Held = { bytes: Buffer, release: Release }
/**
 * Memory of `total` bytes for whole files. A visitor may hold a quarter of it, or one file of any size as
 * long as nobody else in the same /48 holds any.
 */
export function createMemory (total: number) {
  const shares = createShares(quarter(total))
  let left = total

  /** Reserves memory for this visitor; undefined if there is none. */
  function reserve (visitor: string, bytes: number): Release | undefined {
    if (bytes > left || !shares.mayHold(visitor, bytes)) return undefined
    let isHeld = true
    const change = (by: number) => { left -= by; shares.add(visitor, by) }
    change(bytes)
    return () => { if (isHeld) change(-bytes); isHeld = false }
  }

  /**
   * Reads a body of `length` bytes; call `release` when they are no longer needed. Throws a Refusal: `busy`
   * if there is no memory, `unreachable` if the body is interrupted or longer.
   */
  async function read (body: Body, length: number, visitor: string): Promise<Held> {
    const release = reserve(visitor, length)
    try {
      if (!release) throw new Refusal('busy', 'too many files are in memory')
      return { bytes: await readWhole(body, length), release }
    } catch (error) {
      release?.()
      body.cancel()
      throw error
    }
  }
  return { reserve, read }
}

/** These bytes as a body; `end` is called, perhaps several times, when it is sent or cancelled. */
export function bodyFrom (bytes: Uint8Array, end: () => void): Body {
  async function * parts (): Parts {
    try {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
    } finally { end() }
  }
  return { parts: parts(), cancel: end }
}
