/**
 * The one door to Immich. `CALLS` is all that is ever asked of it: nothing there writes, no call takes a
 * credential but the visitor's own link and password, and `ask` is the only place of this program that opens
 * a connection, by the built-in fetch. No redirect is followed, and no header of a visitor's goes in.
 *
 * What is read whole at once (`read`, `small`) takes one of the places of the short calls; what is streamed
 * to a visitor (`stream`) takes one of the streams, so that slow visitors never hold up a lookup.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readWhole, type Body, type Parts } from './body.ts'
import { createMemory, createQueue, type Queue } from './bounds.ts'
import { parseMessage, parsePing, parseVersion } from './immich-json.ts'
import { createReachability, type Log } from './log.ts'
import { Refusal } from './refusal.ts'
import type { Settings } from './settings.ts'
import { parseJson } from './unknown.ts'
import type { AlbumId, AssetId, ByteRange, Key, LinkRef, Month, Password, Token } from './validate.ts'

// ---------------------------------------------------------------------------------------- the table of calls

/** What opens a link: its key, and Immich's token where it has a password. */
export type Access = { key: Key, token?: Token }
/** Of which files the sizes are wanted. */
export type SizesOf = { albumId: AlbumId } | { assetIds: AssetId[] }
type Query = Record<string, string>
type Queued = { queue?: 'months' | 'health' }
type Call = Queued & { method?: 'POST', path: string, query?: Query, token?: Token, body?: string }

const byRef = (ref: LinkRef): Query => 'key' in ref ? { key: ref.key } : { slug: ref.slug }
const visit = ({ key, token }: Access, path: string, query: Query = {}): Call =>
  ({ path, query: { ...query, key }, ...token && { token } })

export const CALLS = {
  ping: (): Call => ({ path: 'server/ping', queue: 'health' }),
  version: (): Call => ({ path: 'server/version' }),
  link: (ref: LinkRef, token?: Token): Call =>
    ({ path: 'shared-links/me', query: byRef(ref), ...token && { token } }),
  login: (ref: LinkRef, password: Password): Call =>
    ({ method: 'POST', path: 'shared-links/login', query: byRef(ref), body: JSON.stringify({ password }) }),
  /** only where login is not there: Immich before 2.6 */
  loginByQuery: (ref: LinkRef, password: Password): Call =>
    ({ path: 'shared-links/me', query: { ...byRef(ref), password } }),
  months: (to: Access, albumId: AlbumId, order: string): Call =>
    visit(to, 'timeline/buckets', { albumId, order }),
  month: (to: Access, albumId: AlbumId, order: string, timeBucket: Month): Call =>
    ({ ...visit(to, 'timeline/bucket', { albumId, order, timeBucket }), queue: 'months' }),
  details: (to: Access, id: AssetId): Call => visit(to, `assets/${id}`),
  image: (to: Access, id: AssetId, size: 'thumbnail' | 'preview' | 'fullsize'): Call =>
    visit(to, `assets/${id}/thumbnail`, { size }),
  original: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/original`),
  playback: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/video/playback`),
  sizes: (to: Access, of: SizesOf): Call =>
    ({ ...visit(to, 'download/info'), method: 'POST', body: JSON.stringify({ ...of, archiveSize: 1 }) })
}

// ----------------------------------------------------------------------------------------------- the callers

/**
 * Whose request it is. `lane` is the visitor's address, by which the queues are fair; `until` is the
 * visitor's request (whose signal is made when it is asked for) or a controller: it ends the call when nobody
 * waits any longer. The files of a zip share the place of their zip, for one that waited for its own next
 * would wait for ever.
 */
export type Caller = { lane: string, until?: { signal: AbortSignal }, zip?: boolean }
/** Nobody in particular: the program itself. */
const ITSELF: Caller = { lane: '' }
/** What is known from an earlier answer; nothing of a visitor's. */
type Known = { etag?: string }
/** Without `range` all of it; with `head` the headers alone. */
export type Wanted = { head?: boolean, range?: ByteRange }
type Answer = { status: number, headers: Headers }
type Whole = Answer & { bytes?: Buffer }
type Parse<T> = (value: unknown, headers: Headers) => T | undefined

const MAX_JSON = 64 * 1024 * 1024
/** Of all JSON that is being read at once: parsed, it takes some times as much. */
const MAX_JSON_TOGETHER = 2 * MAX_JSON
const MONTHS_TOGETHER = 16
/** ms: health checks, of Docker and others, wait no longer than some seconds. */
const PING_WAIT = 5000
/** Immich, or what stands before it, has no time; that says nothing of what was asked for. */
const BUSY = [408, 425, 429]
/**
 * What Immich itself answers where it fails at what was asked; other statuses are of what stands before it.
 */
const FAILED = 500
/** Whether an answer with this status says that something is not there or not given, not that all is ill. */
export const isDenied = (status: number): boolean => status < 500 && !BUSY.includes(status)

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code })
const timeout = (): Error => failure('ETIMEDOUT', 'no answer in time')
const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? ''
/** Of an address without what may be a secret. */
function withoutQuery (address: string, base: string): string {
  const url = URL.parse(address, base)
  return url ? url.origin + url.pathname : 'nowhere'
}
/** A connection that ended before any byte of an answer, as one does that Immich closed while it was idle. */
const isUnanswered = ({ cause }: Error): boolean =>
  ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(cause))

/** Method, headers and body of a call as fetch takes them. */
function request ({ method, token, body }: Call, { head, range }: Wanted, { etag }: Known): RequestInit {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (token) headers.cookie = `immich_shared_link_token=${encodeURIComponent(token)}`
  if (body) headers['content-type'] = 'application/json'
  if (range) headers.range = range
  if (etag) headers['if-none-match'] = etag
  // else fetch says no-cache where it sees a range or a validator, and Immich answers with the whole
  if (range || etag) headers['cache-control'] = 'max-age=0'
  return { method: head ? 'HEAD' : method ?? 'GET', headers, redirect: 'manual', body: body ?? null }
}

// -------------------------------------------------------------------------------------------------- the door

export class Immich {
  #url: string
  /** ms that Immich may be silent, before and within an answer */
  #silence: number
  #report: (error?: Error) => void
  #queues: Record<'short' | 'months' | 'health' | 'streams', Queue>
  #jsonBudget = { left: MAX_JSON_TOGETHER }
  // whoever asks: health checks together cost one ping at a time
  #pings = createMemory<true>(0, 1, () => 1)

  constructor ({ immichUrl, limits }: Settings, log: Log) {
    this.#url = immichUrl
    this.#silence = limits.upstreamTimeout * 1000
    this.#report = createReachability(immichUrl, log)
    this.#queues = {
      short: createQueue(limits.upstreamRequests, limits.upstreamQueue),
      months: createQueue(MONTHS_TOGETHER, Infinity),
      health: createQueue(1, Infinity),
      streams: createQueue(limits.upstreamStreams, 0)
    }
  }

  /**
   * One call, as far as the headers of its answer; `controller` ends it before and after them. Throws a
   * Refusal (unreachable) where there is no answer, or none that can be Immich's.
   */
  async #ask (call: Call, wanted: Wanted, known: Known, controller: AbortController): Promise<Response> {
    const url = `${this.#url}/api/${call.path}?${new URLSearchParams(call.query)}`
    const options = { ...request(call, wanted, known), signal: controller.signal }
    try {
      // once more where nothing came: no call of the table changes anything
      const again = (error: Error) => { if (isUnanswered(error)) return fetch(url, options); throw error }
      const response = await this.#wait(fetch(url, options).catch(again), controller)
      // fetch has decoded it, though nobody asked for that, and its length would be wrong
      if (response.headers.has('content-encoding')) throw failure('NotImmich', 'an encoding nobody asked for')
      return response
    } catch (error) {
      const hasLeft = controller.signal.aborted && codeOf(error) !== 'ETIMEDOUT'
      if (!hasLeft) this.#report(error as Error)
      controller.abort()
      throw new Refusal('unreachable', hasLeft ? 'the visitor left' : '')
    }
  }

  /** What Immich says next. Where it is silent for too long, the call ends. */
  async #wait<T> (coming: Promise<T>, controller: AbortController): Promise<T> {
    const timer = setTimeout(() => controller.abort(timeout()), this.#silence)
    try { return await coming } finally { clearTimeout(timer) }
  }

  /**
   * The body of an answer. `ended` is called when it was read, failed or was cancelled; perhaps several
   * times. The wait for a visitor who takes his time is not Immich's silence.
   */
  #bodyOf (response: Response, controller: AbortController, ended: () => void): Body {
    const reader = response.body?.getReader()
    const next = async () => reader && await this.#wait(reader.read(), controller)
    let isRead = false
    // an abort costs something even where there is nothing left to end
    const cancel = () => { ended(); if (!isRead) controller.abort() }
    async function * parts (): Parts {
      try {
        for (let part = await next(); part?.value; part = await next()) yield part.value
        isRead = true
      } finally { cancel() }
    }
    return { parts: parts(), cancel }
  }

  /** A call whose answer is read whole at once: no `bytes` where they are more than `limit`. */
  async #whole (
    call: Call, known: Known, { lane }: Caller, limit: number, budget = { left: Infinity }
  ): Promise<Whole> {
    const leave = await this.#queues[call.queue ?? 'short'](lane)
    try {
      const controller = new AbortController()
      const response = await this.#ask(call, {}, known, controller)
      const body = this.#bodyOf(response, controller, leave)
      const { status, headers } = response
      const fits = Number(headers.get('content-length')) <= limit
      if (fits) return { status, headers, bytes: await readWhole(body, limit, budget) }
      body.cancel()
      return { status, headers }
    } finally { leave() }
  }

  /** A call that answers JSON; the value is undefined where that is none. */
  async askJson (call: Call, known: Known = {}, caller = ITSELF): Promise<Answer & { value: unknown }> {
    const { status, headers, bytes } = await this.#whole(call, known, caller, MAX_JSON, this.#jsonBudget)
    return { status, headers, value: parseJson(String(bytes)) }
  }

  /** What `parse` makes of an answer. Throws a Refusal where Immich says no, and where it is not Immich's. */
  accept<T> (path: string, { status, headers, value }: Answer & { value: unknown }, parse: Parse<T>): T {
    const parsed = status === 200 || status === 201 ? parse(value, headers) : undefined
    if (parsed !== undefined) { this.#report(); return parsed }
    // a link that is not there and a password that is missing or wrong are told apart by words alone
    const isLocked = status === 401 && ['Password required', 'Invalid password'].includes(parseMessage(value))
    const denied = path.startsWith('shared-links') ? [400, 401] : [400, 401, 403, 404]
    const target = headers.get('location')
    const message = target ? `it leads to ${withoutQuery(target, this.#url)}`
      : `${path} answered ${status} with something else`
    if (denied.includes(status)) throw new Refusal(isLocked ? 'locked' : 'missing', isLocked ? '' : message)
    if (isDenied(status)) this.#report(failure(target ? 'Redirected' : 'NotImmich', message))
    throw new Refusal(status === FAILED ? 'failed' : 'unreachable', message)
  }

  /**
   * A call and what `parse` makes of its answer; `old` where Immich says that it has not changed. Throws a
   * Refusal: missing, locked, unreachable, busy.
   */
  async read<T> (call: Call, parse: Parse<T>, caller?: Caller, old?: T & Known): Promise<T> {
    const answer = await this.askJson(call, old, caller)
    return answer.status === 304 && old ? old : this.accept(call.path, answer, parse)
  }

  /** True where Immich answers its ping, soon enough for who asks whether all is well. */
  async ping (): Promise<boolean> {
    const isWell = this.#pings('', () => this.read(CALLS.ping(), parsePing)).catch(() => false)
    return Promise.race([isWell, sleep(PING_WAIT, false, { ref: false })])
  }

  /** Immich's version. Throws a Refusal where nothing answers, or something else. */
  version = (): Promise<[number, number, number]> => this.read(CALLS.version(), parseVersion)

  /** An image of at most `limit` bytes, whole; without `bytes` where it is larger. */
  async small (call: Call, caller: Caller, limit: number, known: Known): Promise<Whole> {
    const answer = await this.#whole(call, known, caller, limit)
    if (answer.status < 400) this.#report()
    return answer
  }

  /**
   * A file as a stream, whose place is held until its body has ended or is cancelled. Throws a Refusal (busy)
   * where no place is free.
   */
  async stream (call: Call, caller: Caller, wanted: Wanted): Promise<Answer & { body: Body }> {
    const signal = caller.until?.signal
    const leave = caller.zip ? () => {} : await this.#queues.streams(caller.lane, signal)
    const controller = new AbortController()
    const abort = () => controller.abort()
    signal?.addEventListener('abort', abort)
    try {
      const response = await this.#ask(call, wanted, {}, controller)
      const { status, headers } = response
      if (status < 400) this.#report()
      return { status, headers, body: this.#bodyOf(response, controller, leave) }
    } catch (error) {
      leave()
      throw error
    } finally { signal?.removeEventListener('abort', abort) }
  }
}
