/**
 * The one door to Immich. `CALLS` lists every request that is ever sent to it: all of them read, and the only
 * credentials are the visitor's own link and password. `#ask` is the only place in the server that opens a
 * connection, by the built-in fetch. No redirect is followed, and no header of a visitor is copied.
 *
 * Short calls, months of albums, health checks and streams each wait in a queue of their own, so that slow
 * visitors never hold up a lookup.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readWhole, type Body, type Budget, type Parts } from './body.ts'
import { createCache } from './memory-cache.ts'
import { isErrorBody, parseMessage, parsePing, parseVersion } from './gate/immich-json.ts'
import { costOf, parseJson } from './json.ts'
import { createQueue, type Lane, type Queue } from './queue.ts'
import type { Report } from './reachability.ts'
import { Refusal } from './refusal.ts'
import type { AlbumId, AssetId, ByteRange, Key, LinkAddress, Month, Password, Token } from './validate.ts'

// ---------------------------------------------------------------------------------------- the table of calls

/** The credentials of a link: its key, and Immich's token if it has a password. */
export type Access = { key: Key, token?: Token | undefined }
/** The files whose sizes are requested. */
type SizesOf = { albumId: AlbumId } | { assetIds: AssetId[] }
type Query = Record<string, string>
type Call = {
  method?: 'POST', path: string, query?: Query, token?: Token | undefined, body?: string
  queue?: 'months' | 'health'
}
/** A call for an image or a file, and what Immich's types of it begin with. */
type FileCall = Call & { types: RegExp }

const byAddress = (link: LinkAddress): Query => 'key' in link ? { key: link.key } : { slug: link.slug }
const visit = ({ key, token }: Access, path: string, query: Query = {}): Call =>
  ({ path, query: { ...query, key }, token })
const post = (call: Call, body: unknown): Call => ({ ...call, method: 'POST', body: JSON.stringify(body) })
const file = (to: Access, path: string, types: RegExp, query?: Query): FileCall =>
  ({ ...visit(to, path, query), types })

export const CALLS = {
  ping: (): Call => ({ path: 'server/ping', queue: 'health' }),
  version: (): Call => ({ path: 'server/version' }),
  link: (link: LinkAddress, token?: Token): Call =>
    ({ path: 'shared-links/me', query: byAddress(link), token }),
  login: (link: LinkAddress, password: Password): Call =>
    post({ path: 'shared-links/login', query: byAddress(link) }, { password }),
  /** only for Immich before 2.6, which has no login */
  loginByQuery: (link: LinkAddress, password: Password): Call =>
    ({ path: 'shared-links/me', query: { ...byAddress(link), password } }),
  months: (to: Access, albumId: AlbumId, order: string): Call =>
    visit(to, 'timeline/buckets', { albumId, order }),
  month: (to: Access, albumId: AlbumId, order: string, timeBucket: Month): Call =>
    ({ ...visit(to, 'timeline/bucket', { albumId, order, timeBucket }), queue: 'months' }),
  asset: (to: Access, id: AssetId): Call => visit(to, `assets/${id}`),
  image: (to: Access, id: AssetId, size: 'thumbnail' | 'preview' | 'fullsize'): FileCall =>
    file(to, `assets/${id}/thumbnail`, /^image\//, { size }),
  original: (to: Access, id: AssetId): FileCall =>
    file(to, `assets/${id}/original`, /^(?:image|video|application)\/(?!json|xhtml)/),
  playback: (to: Access, id: AssetId): FileCall => file(to, `assets/${id}/video/playback`, /^video\//),
  sizes: (to: Access, of: SizesOf): Call => post(visit(to, 'download/info'), { ...of, archiveSize: 1 }),
  /** names of an album's files, `NAMES_PER_PAGE` at a time; only reads, and only since Immich 3.0.2 */
  names: (to: Access, albumId: AlbumId, page: number): Call =>
    post(visit(to, 'search/metadata'), { albumIds: [albumId], size: NAMES_PER_PAGE, page })
}
const NAMES_PER_PAGE = 1000

// ----------------------------------------------------------------------------------------------- the callers

/**
 * The visitor a call is made for. `lane` is the visitor's address, by which the queues are fair. The signal
 * of `until` ends a stream: its wait for a slot and for headers, and its body. `isInZip`: the zip already
 * holds a slot for all of its files; if they waited for another, zips could wait for each other for ever.
 */
export type Caller = { lane: string, until?: { signal: AbortSignal }, isInZip?: boolean }
/** The visitors who wait for a short call. */
type Waiting = { lane: string | Lane }
/** This program itself, on behalf of no visitor. */
const PROGRAM: Caller = { lane: '' }
/** The ETag of an earlier response, to ask whether it has changed. */
type Known = { etag?: string }
/** The whole if there is no `range`; the headers alone if `head`. */
export type Slice = { head?: boolean, range?: ByteRange }
type Head = { status: number, headers: Headers }
type JsonResponse = Head & { value: unknown }
type Whole = Head & { bytes?: Buffer }
type Parse<T> = (value: unknown, headers: Headers) => T | undefined

/** the sizes of 200,000 files are 16 MB of JSON, and a month of 100,000 photos is 20 MB */
const MAX_JSON_BYTES = 24 * 1024 * 1024
/** the sizes of 200,000 files are 2.8 million, and a month of 100,000 photos 1.7 million; see `costOf` */
const MAX_JSON_COST = 3_000_000
/** for all JSON being read at the same time; parsed, it takes a multiple of that */
const JSON_BUDGET_BYTES = MAX_JSON_BYTES
const MONTHS_AT_ONCE = 16
/** Docker and others give a health check no more than a few seconds */
const PING_TIMEOUT_MS = 5000
/** Immich, or a proxy in front of it, is overloaded; that says nothing about the requested item */
const BUSY_STATUSES = [408, 425, 429]
/** Immich's own status for a request that failed; other 5xx come from proxies in front of it */
const FAILED_STATUS = 500
/** For a failed request: whether the item is missing or not allowed, rather than Immich out of order. */
export const isDenied = (status: number): boolean => status < 500 && !BUSY_STATUSES.includes(status)

const DENIED = [400, 401, 403, 404]
/** The statuses with which Immich says that something is not there or not allowed. */
function deniedBy (path: string): number[] {
  if (path.startsWith('server/')) return []
  return path.startsWith('shared-links') ? [400, 401] : DENIED
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code })
const timeout = (): Error => failure('ETIMEDOUT', 'no response in time')
const codeOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? ''
/** An address without its query, which may hold a secret. */
function withoutQuery (address: string, base: string): string {
  const url = URL.parse(address, base)
  return url ? url.origin + url.pathname : 'nowhere'
}
/** Whether a connection ended before any byte of a response, as when Immich closes an idle one. */
const hasNoResponse = ({ cause }: Error): boolean =>
  ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(cause))

/** A call as fetch takes it. */
function request ({ method, token, body }: Call, { head, range }: Slice, { etag }: Known): RequestInit {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  if (token) headers.cookie = `immich_shared_link_token=${encodeURIComponent(token)}`
  if (body) headers['content-type'] = 'application/json'
  if (range) headers.range = range
  if (etag) headers['if-none-match'] = etag
  // otherwise fetch adds no-cache to a range or a validator, and Immich answers with the whole
  if (range || etag) headers['cache-control'] = 'max-age=0'
  return { method: head ? 'HEAD' : method ?? 'GET', headers, redirect: 'manual', body: body ?? null }
}

// -------------------------------------------------------------------------------------------------- the door

export type UpstreamLimits = {
  upstreamRequests: number, upstreamQueue: number, upstreamStreams: number, upstreamTimeout: number
}

/** The door; the program has one. */
export class Immich {
  #url: string
  /** for how long Immich may be silent, before its response and within it */
  #silenceMs: number
  #report: Report
  #queues: Record<'short' | 'months' | 'health' | 'streams', Queue>
  #budget: Budget = { left: JSON_BUDGET_BYTES }
  // all health checks together cost one ping at a time
  #pings = createCache<true>(0, 1, () => 1)

  constructor (url: string, limits: UpstreamLimits, report: Report) {
    this.#url = url
    this.#silenceMs = limits.upstreamTimeout * 1000
    this.#report = report
    this.#queues = {
      short: createQueue(limits.upstreamRequests, limits.upstreamQueue),
      months: createQueue(MONTHS_AT_ONCE, Infinity),
      health: createQueue(1, Infinity),
      streams: createQueue(limits.upstreamStreams, 0)
    }
  }

  /**
   * Sends one call and resolves with the headers of its response; `controller` ends it before and after them.
   * Throws a Refusal (unreachable) if there is no response, or none that Immich could have given.
   */
  async #ask (call: Call, wanted: Slice, known: Known, controller: AbortController): Promise<Response> {
    const url = `${this.#url}/api/${call.path}?${new URLSearchParams(call.query)}`
    const options = { ...request(call, wanted, known), signal: controller.signal }
    try {
      // calls only read, so one without any response is safe to repeat
      const again = (error: Error) => { if (hasNoResponse(error)) return fetch(url, options); throw error }
      const response = await this.#wait(fetch(url, options).catch(again), controller)
      // fetch decodes it unasked, and Content-Length would no longer be true
      if (response.headers.has('content-encoding')) throw failure('NotImmich', 'an unrequested encoding')
      return response
    } catch (error) {
      const hasLeft = controller.signal.aborted && codeOf(error) !== 'ETIMEDOUT'
      if (!hasLeft) this.#report(error as Error)
      controller.abort()
      throw new Refusal('unreachable', hasLeft ? 'the visitor left' : '')
    }
  }

  /** Waits for what Immich sends next, and ends the call if Immich is silent for too long. */
  async #wait<T> (coming: Promise<T>, controller: AbortController): Promise<T> {
    const timer = setTimeout(() => controller.abort(timeout()), this.#silenceMs)
    try { return await coming } finally { clearTimeout(timer) }
  }

  /**
   * The body of a response. `ended` is called, perhaps several times, when the body is read, fails or is
   * cancelled. Waiting for a slow visitor does not count as Immich's silence.
   */
  #bodyOf (response: Response, controller: AbortController, ended: () => void): Body {
    const reader = response.body?.getReader()
    const next = async () => reader && await this.#wait(reader.read(), controller)
    let isRead = false
    // aborting is not free, and pointless once the body has been read
    const cancel = () => { ended(); if (!isRead) controller.abort() }
    async function * parts (): Parts {
      try {
        for (let part = await next(); part?.value; part = await next()) yield part.value
        isRead = true
      } finally { cancel() }
    }
    return { parts: parts(), cancel }
  }

  /**
   * A response, whole; without `bytes` if its length is more than `limit`, or unknown without a `budget`.
   * Throws a Refusal: unreachable, also if more comes than was announced, or busy.
   */
  async #whole (
    call: Call, known: Known, { lane }: Waiting, limit: number, budget?: Budget
  ): Promise<Whole> {
    const leave = await this.#queues[call.queue ?? 'short'](lane)
    try {
      const controller = new AbortController()
      const response = await this.#ask(call, {}, known, controller)
      const body = this.#bodyOf(response, controller, leave)
      const { status, headers } = response
      const announced = headers.get('content-length')
      const fits = announced === null ? budget !== undefined : Number(announced) <= limit
      if (fits) return { status, headers, bytes: await readWhole(body, limit, budget) }
      body.cancel()
      return { status, headers }
    } finally { leave() }
  }

  /**
   * A call for JSON; the value is undefined if it is not JSON, or too much. Throws a Refusal: unreachable,
   * busy.
   */
  async askJson (call: Call, known: Known = {}, caller: Waiting = PROGRAM): Promise<JsonResponse> {
    const { status, headers, bytes } = await this.#whole(call, known, caller, MAX_JSON_BYTES, this.#budget)
    const isBounded = bytes !== undefined && costOf(bytes) <= MAX_JSON_COST
    return { status, headers, value: isBounded ? parseJson(String(bytes)) : undefined }
  }

  /** Parses a response. Throws a Refusal if Immich denies or fails it, or if something else responded. */
  accept<T> (path: string, { status, headers, value }: JsonResponse, parse: Parse<T>): T {
    const parsed = status === 200 || status === 201 ? parse(value, headers) : undefined
    if (parsed !== undefined) { this.#report(); return parsed }
    // only its words distinguish an unknown link from a missing or wrong password
    const isLocked = status === 401 && ['Password required', 'Invalid password'].includes(parseMessage(value))
    if (isLocked) throw new Refusal('locked')
    const target = headers.get('location')
    const message = target ? `it redirects to ${withoutQuery(target, this.#url)}`
      : `${path} answered ${status}${status < 300 ? ', but not as Immich does' : ''}`
    // a login page in front of Immich denies too, but not in Immich's JSON
    if (deniedBy(path).includes(status) && isErrorBody(value)) throw new Refusal('missing', message)
    const isFailed = status === FAILED_STATUS
    // one photo or month may fail while Immich is healthy; a link may not
    if (!isFailed || deniedBy(path) !== DENIED) {
      this.#report(failure(target ? 'Redirected' : `HTTP_${status}`, message))
    }
    throw new Refusal(isFailed ? 'failed' : 'unreachable', message)
  }

  /**
   * Takes note of a response with a file: a denied one says nothing about Immich's health. Throws a Refusal
   * (unreachable) if it is not a file but, say, a login page in front of Immich.
   */
  #checkFile ({ path, types }: FileCall, status: number, headers: Headers): void {
    const type = headers.get('content-type') ?? ''
    if (status < 300 && types.test(type)) return this.#report()
    const message = `${path} answered ${status} with ${type || 'no type'}`
    const isAway = status < 300 ? type.startsWith('text/html') : !isDenied(status) && status !== FAILED_STATUS
    if (isAway) this.#report(failure(`HTTP_${status}`, message))
    if (status < 300) throw new Refusal('unreachable', message)
  }

  /**
   * Sends a call and parses its response; resolves to `old` if Immich says that it has not changed. Throws a
   * Refusal: missing, locked, failed, unreachable, busy.
   */
  async read<T> (call: Call, parse: Parse<T>, caller?: Waiting, old?: T & Known): Promise<T> {
    const response = await this.askJson(call, old, caller)
    return response.status === 304 && old ? old : this.accept(call.path, response, parse)
  }

  /** Whether Immich answers its ping, within the time that a health check has. */
  async ping (): Promise<boolean> {
    const isWell = this.#pings('', '', () => this.read(CALLS.ping(), parsePing)).catch(() => false)
    return Promise.race([isWell, sleep(PING_TIMEOUT_MS, false, { ref: false })])
  }

  /** Immich's version. Throws a Refusal if nothing answers, or something that is not Immich. */
  version = (): Promise<[number, number, number]> => this.read(CALLS.version(), parseVersion)

  /**
   * An image, whole; without `bytes` if they may be more than `limit`. Throws a Refusal: unreachable, busy.
   */
  async small (call: FileCall, caller: Waiting, limit: number, known: Known): Promise<Whole> {
    const whole = await this.#whole(call, known, caller, limit)
    this.#checkFile(call, whole.status, whole.headers)
    return whole
  }

  /**
   * A file as a stream, which holds its slot until the body has ended or is cancelled. Throws a Refusal: busy
   * if no slot is free, unreachable.
   */
  async stream (call: FileCall, caller: Caller, wanted: Slice): Promise<Head & { body: Body }> {
    const signal = caller.until?.signal
    const leave = caller.isInZip ? () => {} : await this.#queues.streams(caller.lane, signal)
    const controller = new AbortController()
    const abort = () => controller.abort()
    signal?.addEventListener('abort', abort)
    const end = () => { signal?.removeEventListener('abort', abort); leave() }
    if (signal?.aborted) abort()
    try {
      const response = await this.#ask(call, wanted, {}, controller)
      const { status, headers } = response
      this.#checkFile(call, status, headers)
      return { status, headers, body: this.#bodyOf(response, controller, end) }
    } catch (error) { abort(); end(); throw error }
  }
}
