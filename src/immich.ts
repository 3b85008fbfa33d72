/**
 * The one door to Immich. `CALLS` is all that is ever asked of it: nothing there writes, no call takes a credential but
 * the visitor's own link and password, and `ask` is the only place of this program that calls fetch.
 *
 * Above it stand the rules of who may see what (`open`, `list`, `find`) and the caches: links and lists for a minute,
 * small images up to a total. Nothing that failed is kept, and what several ask for at once is asked once.
 */
import {
  mediaType, parseDetails, parseDisposition, parseLink, parseMessage, parseMonth, parseMonths, parseSizes, parseToken,
  parseVersion, resolveRange, type AlbumId, type AssetId, type ByteRange, type Details, type EntityTag, type HttpDate,
  type Item, type Key, type LinkInfo, type LinkRef, type Month, type Password, type Settings, type Token, type Visitor
} from './validate.ts'
import type { Log } from './log.ts'

/** Why something is not given. Nothing of it reaches a visitor but the status. */
export type Reason = 'missing' | 'locked' | 'wrong password' | 'unreachable' | 'busy'
export class Refusal extends Error {
  reason: Reason
  constructor (reason: Reason, message: string = reason) { super(message); this.reason = reason }
}

/** An opened link: what a visitor who holds `token`, or needs none, may use. */
export type Link = LinkInfo & { token?: Token }
export type List = {
  items: Item[]
  byId: Map<AssetId, Item>
  /** what each month answered, to be asked again only whether it changed */
  months: Map<Month, { etag: string | null, items: Item[] }>
}
type Listing = { count: number, list: Promise<List> }
export type Conditions = Pick<Visitor, 'range' | 'ifRange' | 'ifNoneMatch' | 'ifModifiedSince'>
/** What Immich answered for an image or a video: named fields, nothing passed on whole. */
export type Media = {
  status: 200 | 206 | 304 | 416
  type: string
  length?: number
  contentRange?: string
  etag?: string
  modified?: string
  /** the file's own name, where Immich tells it */
  name: string
  body?: Body | Buffer
}
/** A body on its way: `read` gives undefined at the end, and throws a Refusal where Immich fails or falls silent. */
export type Body = { read: () => Promise<Uint8Array | undefined>, cancel: () => void }
export type MediaKind = 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback'
/** Whose request it is: the gate serves the lanes in turn, and `signal` ends what nobody waits for. */
export type Caller = { lane: string, signal?: AbortSignal }

// ----------------------------------------------------------------------------------------------------------- the door

type Call = { method?: 'POST', path: string, query?: Record<string, string>, token?: Token, body?: unknown }
type Access = { key: Key, token?: Token }
const visit = ({ key, token }: Access, path: string, query = {}): Call => ({ path, query: { ...query, key }, ...token && { token } })

const CALLS = {
  ping: (): Call => ({ path: 'server/ping' }),
  version: (): Call => ({ path: 'server/version' }),
  link: (ref: LinkRef, token?: Token): Call => ({ path: 'shared-links/me', query: ref, ...token && { token } }),
  login: (ref: LinkRef, password: Password): Call =>
    ({ method: 'POST', path: 'shared-links/login', query: ref, body: { password } }),
  /** only where login is not there: Immich before 2.6 */
  loginByQuery: (ref: LinkRef, password: Password): Call => ({ path: 'shared-links/me', query: { ...ref, password } }),
  months: (to: Access, albumId: AlbumId, order: string): Call => visit(to, 'timeline/buckets', { albumId, order }),
  month: (to: Access, albumId: AlbumId, order: string, timeBucket: Month): Call =>
    visit(to, 'timeline/bucket', { albumId, order, timeBucket }),
  details: (to: Access, id: AssetId): Call => visit(to, `assets/${id}`),
  thumbnail: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/thumbnail`, { size: 'thumbnail' }),
  preview: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/thumbnail`, { size: 'preview' }),
  fullsize: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/thumbnail`, { size: 'fullsize' }),
  original: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/original`),
  playback: (to: Access, id: AssetId): Call => visit(to, `assets/${id}/video/playback`),
  sizes: (to: Access, of: { albumId: AlbumId } | { assetIds: AssetId[] }): Call =>
    ({ ...visit(to, 'download/info'), method: 'POST', body: { ...of, archiveSize: 1 } })
}

type AskOptions = { head?: boolean, headers?: Record<string, string>, signal?: AbortSignal }

// ----------------------------------------------------------------------------------------------- what bounds and keeps

/**
 * At most `size` at once and `queue` waiting. Those who wait are served by lane in turn, so that one visitor's many
 * requests do not delay another's few. Resolves to what frees the place.
 */
function createGate (size: number, queue: number) {
  const lanes = new Map<string, (() => void)[]>()
  let open = 0
  let waiting = 0
  const free = () => {
    const [lane, turns] = lanes.entries().next().value ?? []
    if (!lane || !turns) { open--; return }
    lanes.delete(lane)
    const next = turns.shift()!
    if (turns.length) lanes.set(lane, turns)
    waiting--
    next()
  }
  const place = () => { let held = true; return () => { if (held) { held = false; free() } } }
  return async ({ lane, signal }: Caller): Promise<() => void> => {
    signal?.throwIfAborted()
    if (open < size) { open++; return place() }
    if (waiting >= queue) throw new Refusal('busy')
    waiting++
    await new Promise<void>((resolve, reject) => {
      const turns = lanes.get(lane) ?? []
      lanes.set(lane, turns)
      const leave = () => {
        turns.splice(turns.indexOf(turn), 1)
        if (turns.length === 0) lanes.delete(lane)
        waiting--
        reject(signal?.reason)
      }
      const turn = () => { signal?.removeEventListener('abort', leave); resolve() }
      turns.push(turn)
      signal?.addEventListener('abort', leave, { once: true })
    })
    return place()
  }
}

const FRESH = 60_000
/**
 * Values at most a minute old, by name. One load serves all who ask; from half a minute on the old value serves while
 * a new one loads. What refuses is forgotten, and so are the longest unused beyond `limit`, counted by `weigh`.
 */
function createMemory<T> (limit: number, weigh: (value: T) => number, complete: (value: T) => Promise<unknown>) {
  type Entry = { since: number, value: Promise<T>, last?: T, weight: number, next?: Entry | undefined }
  const entries = new Map<string, Entry>()
  let total = 0
  const forget = (name: string, entry: Entry) => {
    if (entries.get(name) !== entry) return
    entries.delete(name)
    total -= entry.weight
  }
  const keep = (name: string, entry: Entry) => {
    const old = entries.get(name)
    if (old) forget(name, old)
    entries.set(name, entry)
    total += entry.weight
    for (const [oldest, other] of entries) if (total > limit && other !== entry) forget(oldest, other)
  }
  const load = (name: string, loader: (old?: T) => Promise<T>, old?: T): Entry => {
    const entry: Entry = { since: performance.now(), value: loader(old), weight: 1, ...old && { last: old } }
    entry.value.then(async value => {
      await complete(value)
      entry.last = value
      const weight = weigh(value)
      if (entries.get(name) === entry) total += weight - entry.weight
      entry.weight = weight
      if (entries.get(name) === entry) keep(name, entry)
    }).catch(() => forget(name, entry))
    return entry
  }
  return (name: string, loader: (old?: T) => Promise<T>): Promise<T> => {
    const entry = entries.get(name)
    const age = entry ? performance.now() - entry.since : Infinity
    if (!entry || age >= FRESH) {
      const next = entry?.next ?? load(name, loader, entry?.last)
      keep(name, next)
      return next.value
    }
    if (age >= FRESH / 2 && !entry.next) {
      const next = entry.next = load(name, loader, entry.last)
      next.value.then(complete).then(() => keep(name, next), error => {
        entry.next = undefined
        if (error instanceof Refusal && (error.reason === 'missing' || error.reason === 'locked')) forget(name, entry)
      })
    } else keep(name, entry)
    return entry.value
  }
}

const IMAGE_FRESH = 300_000
/** Above this an image is streamed and not kept. */
const SMALL = 2 * 1024 * 1024
const MONTHS_AT_ONCE = 4
const MAX_JSON = 256 * 1024 * 1024
type Image = Media & { body: Buffer, since: number }
type Loading = { image: Promise<Image | Media>, abort: AbortController, waiting: number }

/** Runs `work` on each of `inputs`, a few at a time; results in order, the first failure fails all. */
async function each<In, Out> (inputs: In[], atOnce: number, work: (input: In) => Promise<Out>): Promise<Out[]> {
  const results: Out[] = []
  let next = 0
  const worker = async () => {
    while (next < inputs.length) {
      const n = next++
      try { results[n] = await work(inputs[n]!) } catch (error) { next = inputs.length; throw error }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return results
}

export type Immich = ReturnType<typeof createImmich>

export function createImmich (settings: Settings, log: Log) {
  const { limits, immichUrl } = settings
  const short = createGate(limits.upstreamRequests, limits.upstreamQueue)
  const long = createGate(limits.upstreamStreams, 0)
  const links = createMemory<Link>(limits.links, () => 1, async () => {})
  const lists = createMemory<Listing>(limits.listItems, listing => listing.count + 1, listing => listing.list)
  const images = new Map<string, Image>()
  const loading = new Map<string, Loading>()
  let imageBytes = 0
  let down = false

  /** Says once that Immich cannot be reached, and what to try; and once that it can again. */
  function report (error?: unknown): void {
    if (!error) {
      if (down) log.info('Immich answers again', { url: immichUrl })
      down = false
      return
    }
    if (down) return
    down = true
    const cause = (error as { cause?: { code?: string, message?: string } }).cause
    const code = cause?.code ?? (error as Error).name
    const advice = /ENOTFOUND|EAI_AGAIN/.test(code) ? 'its name is not known here: check IMMICH_URL and the network'
      : code === 'ECONNREFUSED' ? 'nothing listens there: is Immich running, is the port right?'
        : /Timeout|ETIMEDOUT|UND_ERR_HEADERS_TIMEOUT/i.test(code) ? 'no answer in time: is Immich busy or a firewall between?'
          : /CERT|SSL|TLS|SELF_SIGNED/i.test(code) ? 'its certificate is not trusted here: see docs/mtls.md'
            : error instanceof Refusal ? 'what answers there is not Immich: check IMMICH_URL' : 'check IMMICH_URL'
    log.error('Immich cannot be reached', { url: immichUrl, failed: cause?.message || (error as Error).message, code, advice })
  }

  /** Puts one call to Immich. The response's body is still to come; a redirect is an answer, and never followed. */
  async function ask (call: Call, { head, headers, signal }: AskOptions): Promise<Response> {
    const url = `${immichUrl}/api/${call.path}${call.query ? `?${new URLSearchParams(call.query)}` : ''}`
    const timer = new AbortController()
    const timeout = setTimeout(() => timer.abort(new DOMException('no answer in time', 'TimeoutError')), limits.upstreamTimeout * 1000)
    try {
      const response = await fetch(url, {
        method: head ? 'HEAD' : call.method ?? 'GET',
        headers: {
          'accept-encoding': 'identity',
          // else fetch adds no-cache beside If-None-Match, and Immich then sends the whole (jpeg-thumb-inm-nocache)
          'cache-control': 'max-age=0',
          ...headers,
          ...call.token && { cookie: `immich_shared_link_token=${encodeURIComponent(call.token)}` },
          ...call.body !== undefined && { 'content-type': 'application/json' }
        },
        ...call.body !== undefined && { body: JSON.stringify(call.body) },
        redirect: 'manual',
        signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal
      })
      report()
      return response
    } catch (error) {
      if (signal?.aborted) throw error
      report(timer.signal.aborted ? timer.signal.reason : error)
      throw new Refusal('unreachable')
    } finally { clearTimeout(timeout) }
  }

  /** A call that answers JSON: its status and its value, undefined where that is none. */
  async function askJson (call: Call, headers: Record<string, string> = {}, caller: Caller = { lane: '' }) {
    const release = await short(caller)
    try {
      const late = AbortSignal.timeout(limits.upstreamTimeout * 1000)
      const response = await ask(call, { headers, signal: late })
      const chunks: Uint8Array[] = []
      let size = 0
      for await (const chunk of response.body ?? []) {
        chunks.push(chunk)
        if ((size += chunk.length) > MAX_JSON) throw new Error('too much JSON')
      }
      let value: unknown
      try { value = JSON.parse(Buffer.concat(chunks).toString()) } catch { value = undefined }
      if (response.status >= 500 || (response.status >= 300 && response.status < 400 && response.status !== 304)) {
        throw new Refusal('unreachable', `${call.path} answered ${response.status}`)
      }
      return { status: response.status, value, headers: response.headers }
    } catch (error) {
      if (error instanceof Refusal) throw error
      throw new Refusal('unreachable', (error as Error).message)
    } finally { release() }
  }

  const refuse = (status: number, path: string): Refusal => {
    if ([400, 401, 403, 404].includes(status)) return new Refusal('missing')
    return new Refusal('unreachable', `${path} answered ${status}`)
  }

  /** What Immich said no to: 401 is used for a missing link and for a missing password, told apart by its words. */
  function refuseLink (status: number, value: unknown): Refusal {
    const message = parseMessage(value)
    if (status === 401 && message === 'Password required') return new Refusal('locked')
    if (status === 401 && message === 'Invalid password') return new Refusal('locked')
    if (status === 401 || status === 400) return new Refusal('missing')
    const refusal = new Refusal('unreachable', `shared-links answered ${status}, which Immich would not`)
    report(refusal)
    return refusal
  }

  async function load (ref: LinkRef, token?: Token): Promise<Link> {
    const { status, value } = await askJson(CALLS.link(ref, token))
    if (status !== 200) throw refuseLink(status, value)
    const link = parseLink(value)
    if (!link) throw new Refusal('unreachable', 'shared-links/me answered something else')
    // Whatever Immich thinks: without the token of an unlock, a link that has a password stays shut.
    if (link.protected && !token) throw new Refusal('locked')
    return { ...link, ...token && { token } }
  }

  async function loadMonths (link: Link, old?: Listing): Promise<Listing> {
    const { album } = link
    const finish = (items: Item[], months: List['months'] = new Map()): List => ({
      items, months, byId: new Map(items.flatMap(item => item.motion ? [[item.id, item], [item.motion, motionPart(item)]] : [[item.id, item]]))
    })
    if (!album) return { count: link.items!.length, list: Promise.resolve(finish(link.items!)) }
    const buckets = await askJson(CALLS.months(link, album.id, album.order))
    if (buckets.status !== 200) throw refuse(buckets.status, 'timeline/buckets')
    const months = parseMonths(buckets.value)
    const before = old ? (await old.list.catch(() => undefined))?.months : undefined
    const list = each(months, MONTHS_AT_ONCE, async ({ month }) => {
      const known = before?.get(month)
      const headers: Record<string, string> = known?.etag ? { 'if-none-match': known.etag } : {}
      const { status, value, headers: answered } = await askJson(CALLS.month(link, album.id, album.order, month), headers)
      if (status === 304 && known) return [month, known] as const
      const items = parseMonth(value)
      if (status !== 200 || !items) throw refuse(status === 200 ? 500 : status, 'timeline/bucket')
      return [month, { etag: answered.get('etag'), items }] as const
    }).then(months => finish(months.flatMap(([, { items }]) => items), new Map(months)))
    list.catch(() => {})
    return { count: months.reduce((sum, { count }) => sum + count, 0), list }
  }

  /** The image or video itself, as a stream. `conditions` go on as they are; nothing else of the visitor's does. */
  async function stream (kind: MediaKind, link: Link, id: AssetId, conditions: Conditions, caller: Caller, head: boolean): Promise<Media> {
    const release = await (kind === 'original' || kind === 'playback' ? long : short)(caller)
    try {
      const headers = {
        ...conditions.range && { range: conditions.range },
        ...conditions.range && conditions.ifRange && { 'if-range': conditions.ifRange },
        ...conditions.ifNoneMatch && { 'if-none-match': conditions.ifNoneMatch },
        ...conditions.ifModifiedSince && { 'if-modified-since': conditions.ifModifiedSince }
      }
      const response = await ask(CALLS[kind](link, id), { head, headers, ...caller.signal && { signal: caller.signal } })
      const { status } = response
      const contentRange = response.headers.get('content-range') ?? undefined
      if (status !== 200 && status !== 206 || head) await response.body?.cancel()
      const media = {
        type: mediaType(response.headers.get('content-type')),
        name: parseDisposition(response.headers.get('content-disposition')),
        ...optionalHeader(response, 'etag', 'etag'),
        ...optionalHeader(response, 'modified', 'last-modified')
      }
      if (status === 304) { release(); return { status, ...media } }
      const size = Number(/^bytes \*\/(\d+)$/.exec(contentRange ?? '')?.[1] ?? -1)
      if (conditions.range && (status === 404 || status === 416 || status === 500) && size >= 0) {
        release()
        // Immich refuses a suffix longer than the file, which RFC 9110 section 14.1.2 says means all of it
        if (resolveRange(conditions.range, size)) {
          return await stream(kind, link, id, { ...conditions, range: 'bytes=0-' as ByteRange }, caller, head)
        }
        return { ...media, status: 416, contentRange: contentRange! }
      }
      if (status >= 500) throw new Refusal('unreachable', `${kind} answered ${status}`)
      if (status !== 200 && status !== 206) throw new Refusal('missing')
      const encoded = response.headers.has('content-encoding')
      const length = response.headers.get('content-length')
      if (head || !response.body) release()
      return {
        ...media,
        status,
        ...length && !encoded && { length: Number(length) },
        ...status === 206 && contentRange && { contentRange },
        ...response.body && !head && { body: openBody(response.body, limits.upstreamTimeout, release) }
      }
    } catch (error) { release(); throw error }
  }

  /** Whole and in memory where it is small; streamed where it is not. */
  async function loadImage (kind: 'thumbnail' | 'preview', link: Link, id: AssetId, old: Image | undefined, caller: Caller) {
    const conditions = old?.etag ? { ifNoneMatch: old.etag as EntityTag } : {}
    const media = await stream(kind, link, id, conditions, caller, false)
    if (media.status === 304 && old) return { ...old, since: performance.now() }
    const { body } = media
    if (media.status !== 200 || !body || !('read' in body) || !(media.length! <= SMALL)) return media
    const bytes = Buffer.allocUnsafeSlow(media.length!)
    let filled = 0
    for (let chunk; (chunk = await body.read());) {
      if (filled + chunk.length <= bytes.length) bytes.set(chunk, filled)
      filled += chunk.length
    }
    if (filled !== bytes.length) throw new Refusal('unreachable', `${kind} is not as long as announced`)
    return { ...media, body: bytes, since: performance.now() }
  }

  function keepImage (name: string, image: Image): void {
    const old = images.get(name)
    if (old) imageBytes -= old.body.length
    images.delete(name)
    images.set(name, image)
    imageBytes += image.body.length
    for (const [oldest, { body }] of images) {
      if (imageBytes <= limits.imageCacheMiB * 1024 * 1024) break
      images.delete(oldest)
      imageBytes -= body.length
    }
  }

  return {
    /** True where Immich answers its ping. */
    async ping (): Promise<boolean> {
      return askJson(CALLS.ping()).then(({ status, value }) => status === 200 && JSON.stringify(value) === '{"res":"pong"}', () => false)
    },
    /** Immich's version; undefined where what answers is not Immich. Throws a Refusal where nothing does. */
    async version (): Promise<[number, number, number] | undefined> {
      return parseVersion((await askJson(CALLS.version())).value)
    },
    /** The link as it was within the last minute. Throws a Refusal: missing, locked, unreachable, busy. */
    async open (ref: LinkRef, token?: Token): Promise<Link> {
      const link = await links(JSON.stringify([ref, token]), () => load(ref, token))
      if (link.expiresAt !== undefined && link.expiresAt <= Date.now()) throw new Refusal('missing')
      return link
    },
    /** Proves a password: the link and Immich's token for it. Throws a Refusal: wrong password, missing, unreachable. */
    async unlock (ref: LinkRef, password: Password): Promise<{ link: LinkInfo, token: Token }> {
      let answer = await askJson(CALLS.login(ref, password))
      if (answer.status === 404) answer = await askJson(CALLS.loginByQuery(ref, password))
      if (answer.status === 401 && parseMessage(answer.value) === 'Invalid password') throw new Refusal('wrong password')
      if (answer.status !== 200 && answer.status !== 201) throw refuseLink(answer.status, answer.value)
      const link = parseLink(answer.value)
      const cookie = answer.headers.getSetCookie().map(line => /^immich_shared_link_token=([^;]*)/.exec(line)?.[1])
        .find(value => value !== undefined)
      // percent-encoded by Immich; a value that does not decode is no token
      const token = parseToken(cookie && URL.canParse(`x:${cookie}`) ? decodeToken(cookie) : undefined)
      if (!link || !token) throw new Refusal('missing')
      return { link, token }
    },
    /** How many items the link lists, known before their list is. */
    async count (link: Link): Promise<number> {
      return (await lists(link.key, old => loadMonths(link, old))).count
    },
    /** What the link lists, as it was within the last minute, in the order of its album. */
    async list (link: Link): Promise<List> {
      return (await lists(link.key, old => loadMonths(link, old))).list
    },
    async details (link: Link, item: Item, caller: Caller): Promise<Details> {
      const { status, value } = await askJson(CALLS.details(link, item.id), {}, caller)
      const details = status === 200 ? parseDetails(value) : undefined
      if (!details) throw refuse(status === 200 ? 500 : status, 'assets')
      return details
    },
    /** The sizes in bytes of the originals of these, or of the link's whole album; of motion photos the still part. */
    async sizes (link: Link, assetIds?: AssetId[]): Promise<Map<AssetId, number>> {
      const of = assetIds ? { assetIds } : { albumId: link.album!.id }
      const { status, value } = await askJson(CALLS.sizes(link, of))
      if (status !== 201) throw refuse(status, 'download/info')
      return parseSizes(value)
    },
    /** An image or a video of the link, streamed: thumbnails and previews from memory where they are there. */
    async media (kind: MediaKind, link: Link, item: Item, conditions: Conditions, caller: Caller, head = false): Promise<Media> {
      if ((kind !== 'thumbnail' && kind !== 'preview') || conditions.range) {
        return stream(kind, link, item.id, conditions, caller, head)
      }
      const name = `${kind} ${item.id}`
      const known = images.get(name)
      if (known && performance.now() - known.since < IMAGE_FRESH) {
        images.delete(name)
        images.set(name, known)
        return unchanged(known, conditions) ? { ...known, status: 304 } : known
      }
      if (head) return stream(kind, link, item.id, conditions, caller, head)
      let shared = loading.get(name)
      const first = !shared
      if (!shared) {
        const abort = new AbortController()
        shared = { image: loadImage(kind, link, item.id, known, { lane: caller.lane, signal: abort.signal }), abort, waiting: 0 }
        loading.set(name, shared)
        const done = () => loading.get(name) === shared && loading.delete(name)
        shared.image.then(image => { done(); if (isKept(image)) keepImage(name, image) }, done)
      }
      shared.waiting++
      const leave = () => { if (--shared.waiting === 0) { shared.abort.abort(); loading.delete(name) } }
      caller.signal?.addEventListener('abort', leave, { once: true })
      const image = await shared.image
      caller.signal?.removeEventListener('abort', leave)
      // what is too large to keep is a stream, and a stream has one reader
      if (!isKept(image)) return first ? image : stream(kind, link, item.id, conditions, caller, head)
      return unchanged(image, conditions) ? { ...image, status: 304 } : image
    }
  }
}

const isKept = (image: Image | Media): image is Image => Buffer.isBuffer(image.body)
/** The video part of a motion photo, as an item of its own that can be played and nothing else. */
const motionPart = (item: Item): Item => ({ ...item, id: item.motion!, video: true, thumbhash: '', motion: item.motion! })

function decodeToken (cookie: string): string | undefined {
  try { return decodeURIComponent(cookie) } catch { return undefined }
}

/** RFC 9110 section 13.1.2 and 13.1.3: whether the visitor has this very image already. */
export function unchanged (media: { etag?: string, modified?: string }, { ifNoneMatch, ifModifiedSince }: Conditions): boolean {
  const opaque = (tag: string) => tag.trim().replace(/^W\//, '')
  if (ifNoneMatch) {
    return ifNoneMatch.trim() === '*' || (media.etag !== undefined &&
      ifNoneMatch.split(',').some(tag => opaque(tag) === opaque(media.etag!)))
  }
  return ifModifiedSince !== undefined && media.modified !== undefined &&
    Date.parse(media.modified) <= Date.parse(ifModifiedSince satisfies HttpDate)
}

function optionalHeader (response: Response, field: 'etag' | 'modified', name: string): { etag?: string, modified?: string } {
  const value = response.headers.get(name)
  return value ? { [field]: value } : {}
}

/** A response's body, read chunk by chunk; its end, failure or cancelling runs `release`. */
function openBody (stream: ReadableStream<Uint8Array>, seconds: number, release: () => void): Body {
  const reader = stream.getReader()
  let silent = false
  const cancel = () => { release(); reader.cancel().catch(() => {}) }
  return {
    cancel,
    async read () {
      const timer = setTimeout(() => { silent = true; cancel() }, seconds * 1000)
      try {
        const { value } = await reader.read()
        if (silent) throw new Error('Immich fell silent')
        if (!value) release()
        return value
      } catch (error) {
        cancel()
        throw new Refusal('unreachable', (error as Error).message)
      } finally { clearTimeout(timer) }
    }
  }
}
