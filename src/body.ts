/** Bodies on their way from Immich to a visitor: as fast as the visitor takes them, never whole in memory. */
import type { ServerResponse } from 'node:http'
import { Refusal } from './refusal.ts'

export type Parts = AsyncIterable<Uint8Array>
/**
 * What Immich sends of a file: to be read once to its end, or to be cancelled, which frees Immich at once.
 */
export type Body = { parts: Parts, cancel: () => void }

/**
 * Sends a body as fast as the visitor takes it. Throws where it fails, and then the visitor's transfer
 * visibly breaks off too; cancels the body where the visitor leaves.
 */
export async function pump (response: ServerResponse, body: Body): Promise<void> {
  let proceed = () => {}
  response.on('drain', () => proceed()).on('close', () => { body.cancel(); proceed() })
  if (response.destroyed) body.cancel()
  try {
    for await (const part of body.parts) {
      const isTaken = response.write(part) || response.destroyed
      if (!isTaken) await new Promise<void>(resolve => { proceed = resolve })
    }
    response.end()
  } catch (error) {
    if (response.destroyed) return
    response.destroy()
    throw error
  }
}

/** The bytes of a body from the `first` to the `last`, both counted from 0. */
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
 * The whole of a body of at most `limit` bytes, which share what is left of `budget` with others while they
 * are read. Throws a Refusal where it breaks off, is longer, or where nothing is left.
 */
export async function readWhole (body: Body, limit: number, budget: { left: number }): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of body.parts) {
      parts.push(part)
      size += part.length
      budget.left -= part.length
      if (size > limit) throw new Error('longer than it may be')
      if (budget.left < 0) throw new Refusal('busy', 'too much is being read at once')
    }
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal('unreachable', (error as Error).message)
  } finally {
    budget.left += size
    body.cancel()
  }
  // in memory of its own: a piece of Node's pool would keep all of the pool, beyond any bound of ours
  const whole = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const part of parts) { whole.set(part, at); at += part.length }
  return whole
}
