/**
 * The one door to Immich. `CALLS` is all that is ever asked of it: nothing there writes, no call takes a
 * credential but the visitor's own link and password, and `ask` is the only place of this program that
 * opens a connection. It does so by node:http, which costs half of what fetch does (`docs/performance.md`).
 *
 * Above it stand the rules of who may see what (`open`, `list`) and what is remembered: links and lists for a
 * minute, small images up to a total. Nothing that failed is kept, and what several ask for at once is asked
 * once.
 */
import { createHash } from 'node:crypto'
import { Agent, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net'
import { Readable } from 'node:stream'
import type { Log } from './log.ts'
import type { Settings } from './settings.ts'
import { blank } from './strip.ts'
import {
  decode, mediaType, parseDetails, parseDisposition, parseJson, parseLink, parseMessage, parseMonth,
  parseMonths, parsePing, parseSizes, parseToken, parseVersion, resolveRange, type AlbumId, type AssetId,
  type ByteRange, type Conditions, type Details, type EntityTag, type Item, type LinkInfo,
  type LinkRef, type Month, type Password, type Token
} from './validate.ts'

/** Why something is not given. Nothing of it reaches a visitor but the status. */
export type Reason = 'missing' | 'locked' | 'unreachable' | 'busy'
export class Refusal extends Error {
  reason: Reason
  constructor (reason: Reason, message: string = reason) { super(message); this.reason = reason }
}

export const isRefusal = (error: unknown, why: Reason) => error instanceof Refusal && error.reason === why

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
type Ending = { signal: AbortSignal }
/**
 * Whose request it is, and how much of the answer is wanted: the gate serves the lanes in turn, `until` (a
 * visitor's request, or a controller) says when nobody waits any longer, `head` is for what has no body,
 * `conditions` go on to Immich as they are.
 */
export type Caller = { lane: string, until?: Ending, head?: boolean, conditions?: Conditions }

// -------------------------------------------------------------------------------------------------- the door

/** A query, or headers; those that are undefined are not sent. */
type Given = Record<string, string | undefined>
type Call = {
  method?: 'POST', path: string, query?: Given, token?: Token, body?: string, gate?: 'files' | 'months'
}
const visit = ({ key, token }: Link, path: string, query: Given = {}): Call =>
  ({ path, query: { ...query, key }, token })

const CALLS = {
  ping: (): Call => ({ path: 'server/ping' }),
  version: (): Call => ({ path: 'server/version' }),
  link: (ref: LinkRef, token?: Token): Call => ({ path: 'shared-links/me', query: ref, token }),
  login: (ref: LinkRef, password: Password): Call =>
    ({ method: 'POST', path: 'shared-links/login', query: ref, body: JSON.stringify({ password }) }),
  /** only where login is not there: Immich before 2.6 */
  loginByQuery: (ref: LinkRef, password: Password): Call =>
    ({ path: 'shared-links/me', query: { ...ref, password } }),
  months: (to: Link, albumId: AlbumId, order: string) => visit(to, 'timeline/buckets', { albumId, order }),
  month: (to: Link, albumId: AlbumId, order: string, timeBucket: Month): Call =>
    ({ ...visit(to, 'timeline/bucket', { albumId, order, timeBucket }), gate: 'months' }),
  details: (to: Link, id: AssetId) => visit(to, `assets/${id}`),
  image: (to: Link, id: AssetId, size: 'thumbnail' | 'preview' | 'fullsize') =>
    visit(to, `assets/${id}/thumbnail`, { size }),
  original: (to: Link, id: AssetId): Call => ({ ...visit(to, `assets/${id}/original`), gate: 'files' }),
  playback: (to: Link, id: AssetId): Call => ({ ...visit(to, `assets/${id}/video/playback`), gate: 'files' }),
  sizes: (to: Link, of: { albumId: AlbumId } | { assetIds: AssetId[] }): Call =>
    ({ ...visit(to, 'download/info'), method: 'POST', body: JSON.stringify({ ...of, archiveSize: 1 }) })
}

// ------------------------------------------------------------------------------------- what bounds and keeps

/**
 * At most `size` at once and `queue` waiting. Those who wait are served in rounds, one of each lane a round,
 * so that one visitor's many requests do not delay another's few. Resolves to what frees the place.
 */
function createGate (size: number, queue: number) {
  type Turn = { lane: string, round: number, start: () => void }
  const waiting: Turn[] = []
  let [open, round] = [0, 0]
  const free = () => {
    const next = waiting.shift()
    if (!next) { open--; return }
    round = next.round
    next.start()
  }
  return async (lane: string, signal?: AbortSignal): Promise<() => void> => {
    signal?.throwIfAborted()
    if (open < size) open++
    else if (waiting.length >= queue) throw new Refusal('busy')
    else {
      const { promise, resolve: start, reject } = Promise.withResolvers<void>()
      const before = waiting.filter(turn => turn.lane === lane).length
      const turn = { lane, round: round + before + 1, start }
      const leave = () => { waiting.splice(waiting.indexOf(turn), 1); reject(signal!.reason) }
      waiting.splice(waiting.findLastIndex(other => other.round <= turn.round) + 1, 0, turn)
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

/** What a stream gives. */
export type Chunk = Buffer<ArrayBuffer>
/**
 * Gives the memory of a chunk back once it is sent. V8 would do so too, but not before 64 MB have piled up,
 * and at the cost of a full collection each time: half the CPU time of a large download. What is but a part
 * of something larger is not given back, which is why nothing that is kept may be all of its buffer.
 */
export function release ({ length, buffer }: Chunk): void {
  if (length === buffer.byteLength) buffer.transfer(0)
}

export type Parts = AsyncIterable<Buffer>
/** A body that is passed through a generator; whichever ends early ends the other. */
export const through = (body: Readable, by: (parts: Parts) => Parts): Readable =>
  Readable.from(by(body)).on('close', () => body.destroy())

/**
 * Connections to Immich that are used again. One that is idle ends before Immich ends it: by what Immich says
 * of that, else after a minute. Each reads into one buffer of its own, of which the parser copies what it
 * gives on: else every read, of whatever length, would take 64 kB anew. All go to one server, so no name for
 * it need be made up with each request.
 */
function createAgent (secure: boolean): Agent {
  const agent = new (secure ? SecureAgent : Agent)({ keepAlive: true, timeout: MINUTE })
  const callback = function (this: Socket, size: number, buffer: Uint8Array): boolean {
    return this.emit('data', buffer.subarray(0, size))
  }
  const plain: Agent['createConnection'] = options => connect({
    ...options as TcpNetConnectOpts, onread: { buffer: Buffer.allocUnsafeSlow(65_536), callback }
  })
  return Object.assign(agent, { getName: () => 'immich', ...!secure && { createConnection: plain } })
}

/** The whole of a body of at most `limit` bytes. Throws a Refusal where it breaks off or is longer. */
async function readWhole (body: Readable, limit: number): Promise<Buffer> {
  const chunks: Chunk[] = []
  let size = 0
  body.on('data', (chunk: Chunk) => {
    chunks.push(chunk)
    if ((size += chunk.length) > limit) body.destroy(new Error('longer than it may be'))
  })
  const ended = new Promise((resolve, reject) => body.on('end', resolve).on('error', reject))
  await ended.catch(error => { throw new Refusal('unreachable', error.message) })
  // a piece of a pool would keep all of the pool, beyond any bound of ours; a byte too many: see `release`
  const whole = Buffer.allocUnsafeSlow(size + 1)
  chunks.reduce((at, chunk) => at + chunk.copy(whole, at), 0)
  chunks.forEach(release)
  return whole.subarray(0, size)
}

export type Immich = ReturnType<typeof createImmich>

export function createImmich (settings: Settings, log: Log) {
  const { limits, immichUrl } = settings
  const silence = limits.upstreamTimeout * 1000
  const { protocol, host, hostname, port, pathname } = new URL(`${immichUrl}/api/`)
  const agent = createAgent(protocol === 'https:')
  const server = { agent, protocol, host: hostname.replace(/^\[|\]$/g, ''), port }
  const gates = {
    short: createGate(limits.upstreamRequests, limits.upstreamQueue),
    files: createGate(limits.upstreamStreams, 0), months: createGate(MONTHS_AT_ONCE, Infinity)
  }
  const links = createMemory<Link>(MINUTE, limits.links, () => 1)
  const lists = createMemory<List>(MINUTE, limits.listItems, ({ items }) => items.length || 1)
  const images =
    // what is kept takes 2 kB beside its bytes: 16,000 images of 1 kB were 51 MB
    createMemory<Media>(5 * MINUTE, limits.imageCacheMiB * MIB, ({ bytes }) => 2000 + (bytes?.length ?? 0))
  let down = false

  /** Says once that Immich cannot be reached, and what to try; and once that it can again. */
  function report (error?: Failure): void {
    if (!error && down) log.info('Immich answers again', { url: immichUrl })
    if (error && !down) {
      const { code = error.name } = error
      // each address of a name that has several fails for itself
      const failed = error.errors?.map(({ message }) => message).join(', ') || error.message
      const [, advice] = ADVICE.find(([pattern]) => pattern.test(`${code} ${failed}`))!
      log.error('Immich cannot be reached', { url: immichUrl, failed, code, advice })
    }
    down = error !== undefined
  }

  /**
   * Puts one call to Immich when the gate lets it, and waits for no part of the answer longer than Immich may
   * be silent. The place at the gate is held until the body has ended or is destroyed. A redirect is an
   * answer, never followed.
   */
  async function ask (call: Call, given: Given, { lane, until, head }: Caller) {
    const { method = 'GET', path, query, token, body, gate = 'short' } = call
    const headers = ['host', host, 'accept-encoding', 'identity']
    if (token) headers.push('cookie', `immich_shared_link_token=${encodeURIComponent(token)}`)
    if (body) headers.push('content-type', 'application/json', 'content-length', `${Buffer.byteLength(body)}`)
    for (const name in given) if (given[name] !== undefined) headers.push(name, given[name])
    const leave = await gates[gate](lane, until?.signal)
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const asked = request({
          ...server, method: head ? 'HEAD' : method, headers, ...until && { signal: until.signal },
          path: `${pathname}${path}?${new URLSearchParams(query as Record<string, string>)}`
        })
        const late = () =>
          asked.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }))
        const timer = setTimeout(late, silence)
        asked.on('error', reject)
        // after an answer or an error; where Immich changes protocols, which nobody asked for, after neither
        asked.on('close', () => { clearTimeout(timer); leave(); reject(CLOSED) })
        asked.on('response', answer => {
          clearTimeout(timer)
          // where something is there to be read, it is the visitor who takes his time
          answer.setTimeout(silence, () => answer.readableLength ? answer.socket.setTimeout(silence) : late())
          resolve(answer)
        })
        asked.end(body)
      })
    } catch (error) {
      leave()
      until?.signal.throwIfAborted()
      report(error as Failure)
      throw new Refusal('unreachable')
    }
  }

  type Answer = Awaited<ReturnType<typeof askJson>>
  type Parse<T> = (value: unknown, headers: IncomingHttpHeaders) => T | undefined
  /** A call that answers JSON; the value is undefined where that is none. */
  async function askJson (call: Call, given: Given = {}, { lane, until }: Caller = { lane: '' }) {
    const body = await ask(call, given, { lane, until })
    const { statusCode: status = 0, headers } = body
    return { status, headers, value: parseJson(String(await readWhole(body, MAX_JSON))) }
  }

  /** What `parse` makes of an answer. Throws a Refusal where Immich says no, and where it is not Immich's. */
  function accept<T> (path: string, { status, headers, value }: Answer, parse: Parse<T>): T {
    const parsed = status === 200 || status === 201 ? parse(value, headers) : undefined
    if (parsed !== undefined) { report(); return parsed }
    // a link that is not there and a password that is missing or wrong are told apart by words alone
    const locked = status === 401 && ['Password required', 'Invalid password'].includes(parseMessage(value))
    const denied = path.startsWith('shared-links') ? [400, 401] : [400, 401, 403, 404]
    if (denied.includes(status)) throw new Refusal(locked ? 'locked' : 'missing')
    const message = `${path} answered ${status} with something else`
    if (status < 500) report({ name: 'NotImmich', message })
    throw new Refusal('unreachable', message)
  }

  /** A call and what `parse` makes of its answer; `old` where Immich says that it has not changed. */
  async function askFor<T> (call: Call, parse: Parse<T>, caller?: Caller, old?: T & { etag?: string }) {
    const answer = await askJson(call, { 'if-none-match': old?.etag }, caller)
    return answer.status === 304 && old ? old : accept(call.path, answer, parse)
  }

  async function loadLink (ref: LinkRef, token?: Token): Promise<Link> {
    const link = await askFor(CALLS.link(ref, token), parseLink)
    // Whatever Immich thinks: without the token of an unlock, a link that has a password stays shut.
    if (link.protected && !token) throw new Refusal('locked')
    return { ...link, ...token && { token } }
  }

  async function loadList (link: Link, old?: List): Promise<List> {
    const { album, items = [] } = link
    if (!album) return makeList(items)
    const months = await askFor(CALLS.months(link, album.id, album.order), parseMonths)
    const read: Parse<Answered> = (value, { etag }) => {
      const items = parseMonth(value)
      return items && { etag, items }
    }
    const stop = new AbortController()
    const caller = { lane: link.key, until: stop }
    const answered = new Map(await Promise.all(months.map(async month => {
      const call = CALLS.month(link, album.id, album.order, month)
      return [month, await askFor(call, read, caller, old?.months.get(month))] as const
      // where one fails the others are of no use
    })).finally(() => stop.abort()))
    return makeList(months.flatMap(month => answered.get(month)!.items), answered)
  }

  /** The image or video itself, as a stream. */
  async function stream (kind: MediaKind, link: Link, id: AssetId, caller: Caller): Promise<Media> {
    const { range, ifRange, ifNoneMatch, ifModifiedSince } = caller.conditions ?? {}
    const file = kind === 'original' || kind === 'playback'
    const body = await ask(file ? CALLS[kind](link, id) : CALLS.image(link, id, kind), {
      range, 'if-range': range && ifRange, 'if-none-match': ifNoneMatch, 'if-modified-since': ifModifiedSince
    }, caller)
    const { statusCode: status = 0, headers } = body
    const contentRange = headers['content-range']
    const media = {
      type: mediaType(headers['content-type']), name: parseDisposition(headers['content-disposition']),
      etag: headers.etag, modified: headers['last-modified'], contentRange
    }
    if (status === 200 || status === 206 || status === 304) {
      report()
      const length = headers['content-encoding'] ? undefined : headers['content-length']
      const told: Media = { ...media, status, ...length && { length: Number(length) } }
      if (!caller.head && status !== 304) return { ...told, body }
      // what has no body ends at once, and its connection is used again
      body.resume()
      return told
    }
    body.destroy()
    const size = Number(/^bytes \*\/(\d+)$/.exec(contentRange ?? '')?.[1] ?? -1)
    if (range && size >= 0 && [404, 416, 500].includes(status)) {
      if (!resolveRange(range, size)) return { ...media, status: 416, length: 0 }
      // Immich refuses a suffix longer than the file, which RFC 9110 section 14.1.2 says means all of it
      return stream(kind, link, id, { ...caller, conditions: { range: 'bytes=0-' as ByteRange } })
    }
    throw new Refusal(status >= 500 ? 'unreachable' : 'missing', `${kind} answered ${status}`)
  }

  /**
   * The original of `stripMetadata`, whole and from its beginning: a blanked JPEG, else Immich's preview of
   * an image, else its transcode of a video. Throws a Refusal where there is none.
   */
  async function stripped (link: Link, { id, video }: Item, { lane, until, head }: Caller): Promise<Media> {
    const get = (kind: MediaKind, head?: boolean) => stream(kind, link, id, { lane, until, head })
    if (video) {
      const [original, playback] = await Promise.all([get('original', true), get('playback', true)])
      if (original.length === playback.length && original.modified === playback.modified) {
        throw new Refusal('missing', 'stripMetadata: Immich has no transcode of this video')
      }
      return { ...await get('playback', head), name: original.name }
    }
    const { body, ...media } = await get('original', head)
    if (media.type === 'image/jpeg') return { ...media, ...body && { body: through(body, blank) } }
    body?.destroy()
    return { ...await get('preview', head), name: media.name }
  }

  /** A small image with its bytes; one that is not small without, which who wants it then streams. */
  async function loadImage (kind: MediaKind, link: Link, { id }: Item, lane: string, old?: Media) {
    // nobody's signal: others may be waiting for it too
    const media = await stream(kind, link, id, { lane, conditions: { ifNoneMatch: old?.etag as EntityTag } })
    if (media.status === 304 && old) return old
    const { length = Infinity, body, ...told } = media
    if (!body) throw new Refusal('unreachable', `${kind} without a body`)
    if (length > SMALL) { body.destroy(); return told }
    return { ...told, length, bytes: await readWhole(body, length) }
  }

  return {
    /** Files whose announced size was wrong (edited photos): a zip with one of them has no length. */
    misjudged: new Set<AssetId>(),
    /** True where Immich answers its ping. */
    ping: (): Promise<boolean> => askFor(CALLS.ping(), parsePing).catch(() => false),
    /** Immich's version. Throws a Refusal where nothing answers, or something else. */
    version: () => askFor(CALLS.version(), parseVersion),
    /** The link as it was within the last minute. Throws a Refusal: missing, locked, unreachable, busy. */
    async open (ref: LinkRef, token?: Token): Promise<Link> {
      const link = await links(JSON.stringify([ref, token]), () => loadLink(ref, token))
      if (link.expiresAt !== undefined && link.expiresAt <= Date.now()) throw new Refusal('missing')
      return link
    },
    /** Proves a password: the link and Immich's token for it. Throws a Refusal: locked where it is wrong. */
    async unlock (ref: LinkRef, password: Password): Promise<{ link: LinkInfo, token: Token }> {
      const login = await askJson(CALLS.login(ref, password))
      const answer = login.status === 404 ? await askJson(CALLS.loginByQuery(ref, password)) : login
      if (parseMessage(answer.value) === 'Password required') throw new Refusal('missing', 'not heard')
      return accept('shared-links/login', answer, (value, headers) => {
        const cookie = headers['set-cookie']?.find(line => line.startsWith('immich_shared_link_token='))
        const [link, token] = [parseLink(value), parseToken(decode(/=([^;]*)/.exec(cookie ?? '')?.[1]))]
        if (link && !token) throw new Refusal('missing', 'a link without a password')
        return link && token && { link, token }
      })
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
     * An image or a video of the link, streamed; thumbnails and previews from memory where they are there,
     * and no original with its metadata where the operator wants none.
     */
    async media (kind: MediaKind, link: Link, item: Item, caller: Caller): Promise<Media> {
      const { lane, head, conditions = {} } = caller
      if (kind === 'original' && settings.stripMetadata) return stripped(link, item, caller)
      const small = (kind === 'thumbnail' || kind === 'preview') && !conditions.range && !head
      const image = small && await images(`${kind} ${item.id}`, old => loadImage(kind, link, item, lane, old))
      if (!image || !image.bytes) return stream(kind, link, item.id, caller)
      if (!unchanged(image, conditions)) return image
      return { ...image, status: 304, bytes: undefined, length: undefined }
    }
  }
}

/** As node:http gives it. */
type Failure = Error & { code?: string, errors?: Error[] }
const CLOSED: Failure = Object.assign(new Error('closed without an answer'), { code: 'NotImmich' })

/** What to try where a connection failed with this code and these words. */
const ADVICE: [RegExp, string][] = [
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known here: check IMMICH_URL and the network'],
  [/ECONNREFUSED/, 'nothing listens there: is Immich running, is the port right?'],
  [/Timeout|ETIMEDOUT/i, 'no answer in time: is Immich busy, or a firewall between?'],
  [/WRONG_VERSION|wrong version/, 'what listens there does not speak https: write http:// in IMMICH_URL'],
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
export function unchanged ({ etag, modified }: Partial<Media>, conditions: Conditions): boolean {
  const { ifNoneMatch, ifModifiedSince } = conditions
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  if (ifNoneMatch?.trim() === '*') return true
  if (ifNoneMatch) return ifNoneMatch.split(',').some(tag => etag && opaque(tag) === opaque(etag))
  return ifModifiedSince !== undefined && Date.parse(modified ?? '') <= Date.parse(ifModifiedSince)
}
