/** Gets the files of one zip from the gate, and retries where a zip would otherwise be interrupted. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Item, Media, Share, Wanted, ZipFile, ZipGate } from '../gate/gate.ts'
import { Refusal } from '../refusal.ts'
import { parseRange } from '../validate.ts'

/** The wait doubles after each try: with six tries, 6.2 s in all. */
const FIRST_WAIT_MS = 200
const MAX_TRIES = 6

/** Why a file is not in the zip: Immich cannot give it, or the operator's settings withhold it. */
export type Absence = 'missing' | 'withheld'
/** `isProven`: Immich gave another file in between, so that only this one can be missing. */
export type Absent = Readonly<{ absence: Absence, isProven: boolean }>
type Fetched = Readonly<{ media: Media }> | Absent
/** The files of a zip share its slot; `controller` ends all requests that are under way. */
type Caller = Readonly<{ lane: string, controller: AbortController }>

/** Fetches the files of one zip. */
export class Fetcher {
  #gate: ZipGate
  #share: Share
  #caller: Caller
  /** the last item whose file Immich gave */
  #given?: Item

  constructor (gate: ZipGate, share: Share, caller: Caller) {
    this.#gate = gate
    this.#share = share
    this.#caller = caller
  }

  #ask (item: Item, wanted: Wanted): Promise<Media> {
    const { lane, controller } = this.#caller
    return this.#gate.file(this.#share, item, wanted, { lane, until: controller })
  }

  /**
   * A file from byte `from` on. Immich also answers 404 if it failed to read a file, so a 404 is retried like
   * a 503. It is believed after the last try, or after the next one if Immich still has another file. Throws
   * a Refusal if Immich stays unreachable, and any other error of the gate.
   */
  async get ({ item }: ZipFile, from = 0): Promise<Fetched> {
    const { signal } = this.#caller.controller
    const range = from > 0 ? parseRange(`bytes=${from}-`) : undefined
    let isProven = false
    for (let tries = 1; ; tries++) {
      try {
        const media = await this.#ask(item, { as: 'zip', ...range && { range } })
        this.#given = item
        return { media }
      } catch (error) {
        if (!(error instanceof Refusal) || signal.aborted) throw error
        const { reason } = error
        if (reason === 'withheld') return { absence: reason, isProven: true }
        const isMissing = reason === 'missing' || reason === 'failed'
        if (isMissing && (isProven || tries === MAX_TRIES)) return { absence: 'missing', isProven }
        if (tries === MAX_TRIES || reason === 'locked' || reason === 'limited') throw error
        isProven = isMissing && await this.#hasOthers(item)
      }
      await sleep(FIRST_WAIT_MS * 2 ** (tries - 1), undefined, { signal })
    }
  }

  /** Whether Immich still has the file that it gave last. */
  async #hasOthers (missing: Item): Promise<boolean> {
    if (!this.#given || this.#given === missing) return false
    return this.#ask(this.#given, { as: 'zip', head: true }).then(() => true, () => false)
  }

  /** The parts of a file. If it is interrupted, it is resumed. Throws if that fails too. */
  async * read (file: ZipFile, first: Media, from = 0): AsyncGenerator<Uint8Array> {
    let media = first
    let bytes = from
    for (let tries = 1; ; tries++) {
      const { body, bytes: whole = new Uint8Array() } = media
      try {
        for await (const part of body?.parts ?? [whole]) {
          bytes += part.length
          yield part
        }
        return
      } catch (error) {
        if (tries === MAX_TRIES || this.#caller.controller.signal.aborted) throw error
        await sleep(FIRST_WAIT_MS, undefined, { signal: this.#caller.controller.signal })
        const rest = await this.get(file, bytes)
        if (!('media' in rest)) throw error
        media = rest.media
        if (!isRest(media, bytes, first.etag)) { media.body?.cancel(); throw error }
      } finally { body?.cancel() }
    }
  }
}

/** Whether this is the rest of the file with this ETag, from byte `from` on; without one nobody knows. */
export const isRest = ({ status, contentRange, etag }: Media, from: number, expected: string): boolean =>
  etag !== '' && etag === expected &&
  (from === 0 ? status === 200 : status === 206 && (contentRange ?? '').startsWith(`bytes ${from}-`))
