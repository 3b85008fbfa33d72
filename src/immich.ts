/**
 * The one door to Immich. `CALLS` is all that is ever asked of it: nothing there writes, no call takes a
 * credential but the visitor's own link and password, and `ask` is the only place of this program that opens a
 * connection. It does so by node:http, which costs half of what fetch does (`docs/performance.md`).
 *
 * Above it stand the rules of who may see what (`open`, `list`) and what is remembered: links and lists for a
 * minute, small images up to a total. Nothing that failed is kept, and what several ask for at once is asked
 * once.
 */
import { createHash } from 'node:crypto'
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { connect, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Log } from './log.ts'
import type { Settings } from './settings.ts'
import {
  decode, mediaType, parseDetails, parseDisposition, parseJson, parseLink, parseMessage, parseMonth,
  parseMonths, parseSizes, parseToken, parseVersion, resolveRange, type AlbumId, type AssetId, type ByteRange,
  type Conditions, type Details, type EntityTag, type Item, type Key, type LinkInfo, type LinkRef, type Month,
  type Password, type Token
} from './validate.ts'

/** Why something is not given. Nothing of it reaches a visitor but the status. */
export type Reason = 'missing' | 'locked' | 'wrong password' | 'unreachable' | 'busy'
export class Refusal extends Error {
  reason: Reason
  constructor (reason: Reason, message: string = reason) { super(message); this.reason = reason }
}

export const isRefusal = (error: unknown, reason: Reason): boolean =>
  error instanceof Refusal && error.reason === reason

/** An opened link: what a visitor who holds `token`, or needs none, may use. */
export type Link = LinkInfo & { token?: Token }
type Answered = { etag?: string, items: Item[] }
/** `byId` has the video parts of motion photos too. `months` is what to ask again only whether it changed. */
export type List = { items: Item[], byId: Map<AssetId, Item>, months: Map<Month, Answered>, version: string }
/**
 * What Immich answered for an image or a video: named fields, nothing passed on whole. `name` is the file's
 * own; what it holds is in `body`, still to be read, or in `bytes`.
 */
export type Media = {
  status: 200 | 206 | 304 | 416, type: string, name: string, body?: Readable, bytes?: Buffer
  length?: number, contentRange?: string, etag?: string, modified?: string
}
export type MediaKind = 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback'
/** Whose request it is: the gate serves the lanes in turn, and `signal` ends what nobody waits for. */
export type Caller = { lane: string, signal?: AbortSignal }

// -------------------------------------------------------------------------------------------------- the door

type Query = Record<string, string>
/** Headers; those that are undefined are not sent. */
type Given = Record<string, string | undefined>
type Call = { method?: 'POST', path: string, query?: Query, token?: Token, body?: unknown }
type Access = { key: Key, token?: Token }
const visit = ({ key, token }: Access, path: string, query: Query = {}): Call =>
  ({ path, query: { ...query, key }, token })

const CALLS = {
  ping: (): Call => ({ path: 'server/ping' }),
  version: (): Call => ({ path: 'server/version' }),
  link: (ref: LinkRef, token?: Token): Call => ({ path: 'shared-links/me', query: ref, token }),
  login: (ref: LinkRef, password: Password): Call =>
    ({ method: 'POST', path: 'shared-links/login', query: ref, body: { password } }),
  /** only where login is not there: Immich before 2.6 */
  loginByQuery: (ref: LinkRef, password: Password): Call =>
    ({ path: 'shared-links/me', query: { ...ref, password } }),
  months: (to: Access, albumId: AlbumId, order: string) => visit(to, 'timeline/buckets', { albumId, order }),
  month: (to: Access, albumId: AlbumId, order: string, timeBucket: Month) =>
    visit(to, 'timeline/bucket', { albumId, order, timeBucket }),
  details: (to: Access, id: AssetId) => visit(to, `assets/${id}`),
  image: (to: Access, id: AssetId, size: 'thumbnail' | 'preview' | 'fullsize') =>
    visit(to, `assets/${id}/thumbnail`, { size }),
  original: (to: Access, id: AssetId) => visit(to, `assets/${id}/original`),
  playback: (to: Access, id: AssetId) => visit(to, `assets/${id}/video/playback`),
  sizes: (to: Access, of: { albumId: AlbumId } | { assetIds: AssetId[] }): Call =>
    ({ ...visit(to, 'download/info'), method: 'POST', body: { ...of, archiveSize: 1 } })
}

// ------------------------------------------------------------------------------------- what bounds and keeps

type Gate = (caller: Caller) => Promise<() => void>
/**
 * At most `size` at once and `queue` waiting. Those who wait are served in rounds, one of each lane a round,
 * so that one visitor's many requests do not delay another's few. Resolves to what frees the place.
 */
function createGate (size: number, queue: number): Gate {
  type Turn = { lane: string, round: number, start: () => void }
  const waiting = new Set<Turn>()
  let [open, round] = [0, 0]
  const free = () => {
    let next: Turn | undefined
    for (const turn of waiting) if (!next || turn.round < next.round) next = turn
    if (!next) { open--; return }
    waiting.delete(next)
    round = next.round
    next.start()
  }
  return async ({ lane, signal }) => {
    signal?.throwIfAborted()
    if (open < size) open++
    else if (waiting.size >= queue) throw new Refusal('busy')
    else {
      const { promise, resolve: start, reject } = Promise.withResolvers<void>()
      const before = [...waiting].filter(turn => turn.lane === lane).length
      const turn = { lane, round: round + before + 1, start }
      const leave = () => { waiting.delete(turn); reject(signal!.reason) }
      waiting.add(turn)
      signal?.addEventListener('abort', leave)
      await promise.finally(() => signal?.removeEventListener('abort', leave))
    }
    let held = true
    return () => { if (held) { held = false; free() } }
  }
}

/**
 * Values at most `fresh` ms old, by name. One load serves all who ask; from half that age on the old value
 * serves while a new one loads. What refuses is forgotten, and so are those loaded longest ago where all are
 * more than `limit`, counted by `weigh`.
 */
function createMemory<T> (fresh: number, limit: number, weigh: (value: T) => number) {
  type Entry = { since: number, weight: number, last?: T, value?: Promise<T>, next?: Promise<T> }
  const entries = new Map<string, Entry>()
  let total = 0
  const forget = (name: string, entry: Entry) => {
    if (entries.get(name) === entry && entries.delete(name)) total -= entry.weight
  }
  const load = (name: string, entry: Entry, loader: (old?: T) => Promise<T>): Promise<T> => {
    const since = performance.now()
    const value = loader(entry.last)
    value.then(last => {
      Object.assign(entry, { since, value, last, next: undefined })
      if (entries.get(name) !== entry) return
      // the last to go
      forget(name, entry)
      entries.set(name, entry)
      total += entry.weight = weigh(last)
      for (const [oldest, other] of entries) {
        if (total <= limit) break
        forget(oldest, other)
      }
    }, error => {
      entry.next = undefined
      const over = isRefusal(error, 'missing') || isRefusal(error, 'locked')
      if (over || since - entry.since >= fresh) forget(name, entry)
    })
    return value
  }
  return (name: string, loader: (old?: T) => Promise<T>): Promise<T> => {
    const entry = entries.get(name) ?? { since: -Infinity, weight: 0 }
    const age = performance.now() - entry.since
    if (entry.since < 0) entries.set(name, entry)
    if (age >= fresh / 2) entry.next ??= load(name, entry, loader)
    return age < fresh ? entry.value! : entry.next!
  }
}

const [MINUTE, MIB] = [60_000, 1024 * 1024]
/** Above this an image is streamed and not kept. */
const SMALL = 2 * MIB
const MAX_JSON = 256 * MIB
const MONTHS_AT_ONCE = 4

/**
 * Gives the memory of a chunk back that nobody needs any more. V8 would do so too, but not before 64 MB have
 * piled up and at the cost of a full collection each time: half the CPU time of a large download.
 */
export function release (chunk: Buffer<ArrayBuffer>): void {
  if (isWhole(chunk)) chunk.buffer.transfer(0)
}
/** Not a part of something larger, as of a pool of Node's. */
const isWhole = ({ length, buffer }: Buffer<ArrayBuffer>): boolean => length === buffer.byteLength

/**
 * Connections to Immich that are used again. One that is idle ends before Immich ends it: by what Immich says
 * of that, else after a minute. Each reads into one buffer of its own, of which the parser copies what it
 * gives on: else every read, of whatever length, would take 64 kB anew.
 */
function createAgent (secure: boolean): Agent {
  const agent = new (secure ? SecureAgent : Agent)({ keepAlive: true, timeout: MINUTE })
  const callback = function (this: Socket, size: number, buffer: Uint8Array): boolean {
    return this.emit('data', buffer.subarray(0, size))
  }
  if (!secure) {
    agent.createConnection = options =>
      connect({ ...options as { port: number }, onread: { buffer: Buffer.allocUnsafeSlow(65_536), callback } })
  }
  return agent
}

/** The whole of a body of at most `limit` bytes. */
const readWhole = (body: Readable, limit: number) => new Promise<Buffer>((resolve, reject) => {
  const chunks: Buffer<ArrayBuffer>[] = []
  let size = 0
  body.on('data', (chunk: Buffer<ArrayBuffer>) => {
    chunks.push(chunk)
    if ((size += chunk.length) > limit) body.destroy()
  })
  body.on('end', () => {
    const [first] = chunks
    if (first && chunks.length === 1 && isWhole(first)) return resolve(first)
    // of its own: a piece of a pool would keep all of the pool in memory, beyond any bound of ours
    const whole = Buffer.allocUnsafeSlow(size)
    chunks.reduce((at, chunk) => at + chunk.copy(whole, at), 0)
    chunks.forEach(release)
    resolve(whole)
  })
  body.on('error', () => {})
  body.on('close', () => {
    if (!body.readableEnded) reject(new Refusal('unreachable', 'a body that broke off, or was too long'))
  })
})

export type Immich = ReturnType<typeof createImmich>

export function createImmich (settings: Settings, log: Log) {
  const { limits, immichUrl } = settings
  const silence = limits.upstreamTimeout * 1000
  const { protocol, hostname, port, pathname } = new URL(`${immichUrl}/api/`)
  const agent = createAgent(protocol === 'https:')
  const server = { agent, protocol, host: hostname.replace(/^\[|\]$/g, ''), port }
  const short = createGate(limits.upstreamRequests, limits.upstreamQueue)
  const long = createGate(limits.upstreamStreams, 0)
  const links = createMemory<Link>(MINUTE, limits.links, () => 1)
  const lists = createMemory<List>(MINUTE, limits.listItems, ({ items }) => items.length || 1)
  const images =
    createMemory<Media>(5 * MINUTE, limits.imageCacheMiB * MIB, ({ bytes }) => bytes?.length ?? 500)
  let down = false

  /** Says once that Immich cannot be reached, and what to try; and once that it can again. */
  function report (error?: Failure): void {
    if (!error && down) log.info('Immich answers again', { url: immichUrl })
    if (error && !down) {
      const { code = error.name } = error
      // each address of a name that has several fails for itself
      const failed = error.errors?.map(({ message }) => message).join(', ') || error.message
      log.error('Immich cannot be reached', { url: immichUrl, failed, code, advice: adviceFor(code) })
    }
    down = error !== undefined
  }

  /**
   * Puts one call to Immich when the gate lets it, and waits for no part of the answer longer than Immich may
   * be silent. The place at the gate is held until the body has ended or is destroyed. A redirect is an
   * answer, never followed.
   */
  async function ask (call: Call, given: Given, gate: Gate, { lane, signal }: Caller, head = false) {
    const { method = 'GET', path, query, token, body } = call
    const headers: Given = {
      'accept-encoding': 'identity', 'content-type': body ? 'application/json' : undefined,
      cookie: token && `immich_shared_link_token=${encodeURIComponent(token)}`, ...given
    }
    for (const name in headers) if (headers[name] === undefined) delete headers[name]
    const release = await gate({ lane, signal })
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const asked = request({
          ...server, method: head ? 'HEAD' : method, headers, ...signal && { signal },
          path: `${pathname}${path}?${new URLSearchParams(query)}`
        })
        const late = () =>
          asked.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
        const timer = setTimeout(late, silence)
        asked.on('error', reject)
        // after an answer, or after an error; after a change of protocols, which nobody asked for, after neither
        asked.on('close', () => { clearTimeout(timer); release(); reject(CLOSED) })
        asked.on('response', answer => {
          clearTimeout(timer)
          // where something is there to be read, it is the visitor who takes his time
          answer.setTimeout(silence, () => answer.readableLength ? answer.socket.setTimeout(silence) : late())
          report()
          resolve(answer)
        })
        asked.end(body && JSON.stringify(body))
      })
    } catch (error) {
      release()
      signal?.throwIfAborted()
      report(error as Failure)
      throw new Refusal('unreachable')
    }
  }

  /** A call that answers JSON: its status and its value, undefined where that is none. */
  async function askJson (call: Call, given: Given = {}, caller: Caller = { lane: '' }) {
    const answer = await ask(call, given, short, caller)
    const { statusCode: status = 0, headers } = answer
    const value = parseJson(String(await readWhole(answer, MAX_JSON)))
    const odd = status >= 500 || (status >= 300 && status < 400 && status !== 304)
    if (odd) throw new Refusal('unreachable', `${call.path} answered ${status}`)
    return { status, headers, value }
  }

  /** What `parse` makes of an answer; `old` where Immich says that it has not changed. Throws a Refusal. */
  async function askFor<T> (
    call: Call, parse: (value: unknown, headers: IncomingHttpHeaders) => T | undefined, caller?: Caller,
    old?: T & { etag?: string }
  ): Promise<T> {
    const { status, value, headers } = await askJson(call, { 'if-none-match': old?.etag }, caller)
    if (status === 304 && old) return old
    const parsed = status === 200 || status === 201 ? parse(value, headers) : undefined
    if (parsed !== undefined) return parsed
    if ([400, 401, 403, 404].includes(status)) throw new Refusal('missing')
    throw new Refusal('unreachable', `${call.path} answered ${status}, or something else`)
  }

  /**
   * What Immich said no to: 401 is for a missing link and for a missing password, told apart by its words.
   */
  function refuseLink (status: number, value: unknown): Refusal {
    const locked = status === 401 && ['Password required', 'Invalid password'].includes(parseMessage(value))
    if (status === 401 || status === 400) return new Refusal(locked ? 'locked' : 'missing')
    const refusal = new Refusal('unreachable', `shared-links answered ${status}, which Immich would not`)
    report({ name: 'NotImmich', message: refusal.message })
    return refusal
  }

  async function loadLink (ref: LinkRef, token?: Token): Promise<Link> {
    const { status, value } = await askJson(CALLS.link(ref, token))
    if (status !== 200) throw refuseLink(status, value)
    const link = parseLink(value)
    if (!link) throw new Refusal('unreachable', 'shared-links/me answered something else')
    // Whatever Immich thinks: without the token of an unlock, a link that has a password stays shut.
    if (link.protected && !token) throw new Refusal('locked')
    return { ...link, ...token && { token } }
  }

  async function loadList (link: Link, old?: List): Promise<List> {
    const { album, items = [] } = link
    if (!album) return makeList(items)
    const months = await askFor(CALLS.months(link, album.id, album.order), parseMonths)
    const read = (value: unknown, { etag }: IncomingHttpHeaders): Answered | undefined => {
      const items = parseMonth(value)
      return items && { etag, items }
    }
    const answered: List['months'] = new Map()
    const left = months.values()
    await Promise.all(Array.from({ length: MONTHS_AT_ONCE }, async () => {
      for (const month of left) {
        const call = CALLS.month(link, album.id, album.order, month)
        answered.set(month, await askFor(call, read, undefined, old?.months.get(month)))
      }
    }))
    return makeList(months.flatMap(month => answered.get(month)!.items), answered)
  }

  /**
   * The image or video itself, as a stream. `conditions` go on as they are; nothing else of the visitor's
   * does.
   */
  async function stream (
    kind: MediaKind, link: Link, id: AssetId, conditions: Conditions, caller: Caller, head = false
  ): Promise<Media> {
    const { range, ifRange, ifNoneMatch, ifModifiedSince } = conditions
    const file = kind === 'original' || kind === 'playback'
    const body = await ask(file ? CALLS[kind](link, id) : CALLS.image(link, id, kind), {
      range, 'if-range': range && ifRange, 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince
    }, file ? long : short, caller, head)
    const { statusCode: status = 0, headers } = body
    const contentRange = headers['content-range']
    const media = {
      type: mediaType(headers['content-type']), name: parseDisposition(headers['content-disposition']),
      etag: headers.etag, modified: headers['last-modified'], contentRange
    }
    if (status === 200 || status === 206) {
      const length = headers['content-encoding'] ? undefined : headers['content-length']
      const told: Media = { ...media, status, ...length && { length: Number(length) } }
      if (!head) return { ...told, body }
      body.resume()
      return told
    }
    // what has no body ends at once, and its connection is used again
    if (status === 304) { body.resume(); return { ...media, status } }
    body.destroy()
    const size = Number(/^bytes \*\/(\d+)$/.exec(contentRange ?? '')?.[1] ?? -1)
    if (range && size >= 0 && [404, 416, 500].includes(status)) {
      if (!resolveRange(range, size)) return { ...media, status: 416, length: 0 }
      // Immich refuses a suffix longer than the file, which RFC 9110 section 14.1.2 says means all of it
      return stream(kind, link, id, { ...conditions, range: 'bytes=0-' as ByteRange }, caller, head)
    }
    throw new Refusal(status >= 500 ? 'unreachable' : 'missing', `${kind} answered ${status}`)
  }

  /** A small image with its bytes; one that is not small without, which who wants it then streams. */
  async function loadImage (kind: MediaKind, link: Link, id: AssetId, lane: string, old?: Media) {
    // nobody's signal: others may be waiting for it too
    const media = await stream(kind, link, id, { ifNoneMatch: old?.etag as EntityTag }, { lane })
    if (media.status === 304 && old) return old
    const { length = Infinity, body, ...told } = media
    if (!body) throw new Refusal('unreachable', `${kind} without a body`)
    if (length > SMALL) { body.destroy(); return told }
    const bytes = await readWhole(body, length)
    if (bytes.length < length) throw new Refusal('unreachable', `${kind} is not as long as announced`)
    return { ...told, length, bytes }
  }

  return {
    /** Files whose announced size was wrong (edited photos): a zip with one of them has no length. */
    misjudged: new Set<AssetId>(),
    /** True where Immich answers its ping. */
    ping: (): Promise<boolean> => askJson(CALLS.ping())
      .then(({ status, value }) => status === 200 && JSON.stringify(value) === '{"res":"pong"}', () => false),
    /** Immich's version; undefined where what answers is not Immich. Throws a Refusal where nothing does. */
    version: async () => parseVersion((await askJson(CALLS.version())).value),
    /** The link as it was within the last minute. Throws a Refusal: missing, locked, unreachable, busy. */
    async open (ref: LinkRef, token?: Token): Promise<Link> {
      const link = await links(JSON.stringify([ref, token]), () => loadLink(ref, token))
      if (link.expiresAt !== undefined && link.expiresAt <= Date.now()) throw new Refusal('missing')
      return link
    },
    /** Proves a password: the link and Immich's token for it. Throws a Refusal: wrong password, missing, … */
    async unlock (ref: LinkRef, password: Password): Promise<{ link: LinkInfo, token: Token }> {
      let answer = await askJson(CALLS.login(ref, password))
      if (answer.status === 404) answer = await askJson(CALLS.loginByQuery(ref, password))
      const { status, value, headers } = answer
      if (status === 401 && parseMessage(value) === 'Invalid password') throw new Refusal('wrong password')
      if (status !== 200 && status !== 201) throw refuseLink(status, value)
      const cookie = headers['set-cookie']
        ?.map(line => /^immich_shared_link_token=([^;]*)/.exec(line)?.[1]).find(Boolean)
      const [link, token] = [parseLink(value), parseToken(decode(cookie))]
      if (!link || !token) throw new Refusal('missing')
      return { link, token }
    },
    /** What the link lists, as it was within the last minute, in the order of its album. */
    list: (link: Link): Promise<List> => lists(link.key, old => loadList(link, old)),
    details: (link: Link, { id }: Item, caller: Caller): Promise<Details> =>
      askFor(CALLS.details(link, id), parseDetails, caller),
    /**
     * The sizes in bytes of the originals of these, or of the link's whole album; of motion photos the still
     * part.
     */
    sizes: (link: Link, assetIds?: AssetId[]): Promise<Map<AssetId, number>> =>
      askFor(CALLS.sizes(link, assetIds ? { assetIds } : { albumId: link.album!.id }), parseSizes),
    /**
     * An image or a video of the link, streamed; thumbnails and previews from memory where they are there.
     */
    async media (
      kind: MediaKind, link: Link, { id }: Item, conditions: Conditions, caller: Caller, head = false
    ): Promise<Media> {
      const small = (kind === 'thumbnail' || kind === 'preview') && !conditions.range && !head
      const image = small && await images(`${kind} ${id}`, old => loadImage(kind, link, id, caller.lane, old))
      if (!image || !image.bytes) return stream(kind, link, id, conditions, caller, head)
      if (!unchanged(image, conditions)) return image
      return { ...image, status: 304, bytes: undefined, length: undefined }
    }
  }
}

/** As node:http gives it. */
type Failure = Error & { code?: string, errors?: Error[] }
const CLOSED: Failure = Object.assign(new Error('closed without an answer'), { code: 'NotImmich' })

/** What to try where a connection failed with this code. */
export const adviceFor = (code: string): string => ADVICE.find(([pattern]) => pattern.test(code))![1]
const ADVICE: [RegExp, string][] = [
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known here: check IMMICH_URL and the network'],
  [/ECONNREFUSED/, 'nothing listens there: is Immich running, is the port right?'],
  [/Timeout|ETIMEDOUT|UND_ERR_HEADERS/i, 'no answer in time: is Immich busy, or a firewall between?'],
  [/WRONG_VERSION/, 'what listens there does not speak https: write http:// in IMMICH_URL'],
  [/CERT|SSL|TLS|SELF_SIGNED/i, 'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS'],
  [/NotImmich|HPE_/, 'what answers there is not Immich: check IMMICH_URL'],
  [/./, 'check IMMICH_URL']
]

function makeList (items: Item[], months: List['months'] = new Map()): List {
  const byId = new Map(items.map(item => [item.id, item]))
  // the video part of a motion photo: an item of its own that can be played, and nothing else
  for (const item of items) {
    if (item.motion) byId.set(item.motion, { ...item, id: item.motion, video: true, thumbhash: '' })
  }
  const hash = createHash('sha256')
  for (const { id, motion, time, thumbhash } of items) hash.update(`${id} ${motion} ${time} ${thumbhash}\n`)
  return { items, months, byId, version: hash.digest('base64url').slice(0, 16) }
}

/** RFC 9110 section 13.1.2 and 13.1.3: whether the visitor has this very thing already. */
export function unchanged (
  { etag, modified }: { etag?: string, modified?: string }, { ifNoneMatch, ifModifiedSince }: Conditions
): boolean {
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  if (ifNoneMatch?.trim() === '*') return true
  if (ifNoneMatch) return ifNoneMatch.split(',').some(tag => etag && opaque(tag) === opaque(etag))
  return ifModifiedSince !== undefined && Date.parse(modified ?? '') <= Date.parse(ifModifiedSince)
}
