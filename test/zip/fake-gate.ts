/** A gate in memory, and a server that sends its zips, for the tests of zips. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { after } from 'node:test'
import type { ZipGate, Item, Media, Share, Wanted, ZipFile } from '../../src/gate/gate.ts'
import type { Log } from '../../src/log.ts'
import { Refusal } from '../../src/refusal.ts'
import { parseRange, resolveRange, type AssetId } from '../../src/validate.ts'
import { createZips, type Zips } from '../../src/zip/zips.ts'
import { listen } from '../helpers.ts'
import { madeUp, newId } from '../standin.ts'

export const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A file of the fake gate. zipFiles returns `tells` for it; a `fault` may throw, or change the body. */
export type Fake = {
  name: string
  bytes?: Buffer
  size?: number
  isZero?: boolean
  isVideo?: boolean
  time?: number
  type?: string
  etag?: string
  tells?: Partial<ZipFile>
  fault?: (tries: number, wanted: Wanted) => Partial<Media> | void | Promise<Partial<Media> | void>
}
const BLOCK = madeUp(0, 65535)
const ZEROS = Buffer.alloc(65536)
/** Bytes from memory, or made up for a size, in parts of at most 64 kB. */
async function * bytesOf(
  { bytes, size = 0, isZero }: Fake, first: number, last: number
): AsyncGenerator<Uint8Array> {
  if (bytes) {
    yield bytes.subarray(first, last + 1)
    return
  }
  for (let at = first; at <= last && at < size;) {
    const part = (isZero ? ZEROS : BLOCK).subarray(at % 65536, Math.min(65536, at % 65536 + last - at + 1))
    at += part.length
    yield part
  }
}
export const sizeOf = ({ bytes, size = 0 }: Fake): number => bytes?.length ?? size
export const wholeOf = (fake: Fake): Buffer =>
  fake.bytes ?? Buffer.concat(Array.from({ length: Math.ceil(sizeOf(fake) / 65536) }, () => BLOCK))
    .subarray(0, sizeOf(fake))

export type Asked = { index: number, wanted: Wanted, first: number, sent: number, signal?: AbortSignal }
/** A gate with one share of these files. `asked` lists the requests; `open` counts the bodies being read. */
export function fakeGate (files: Fake[]) {
  const items = files.map(({ isVideo = false }, n) => {
    const id = newId(`fake ${n}`) as AssetId
    return { id, isVideo, ratio: 1, thumbhash: 'x', duration: 0 } as unknown as Item
  })
  const indexes = new Map(items.map((item, n) => [item, n]))
  const share = {
    key: 'fake', can: { download: true, zip: true, originals: true, zoom: true }, items, title: 'x'
  } as unknown as Share
  const state = { asked: [] as Asked[], open: 0, plans: 0, files, items, share, planned: async () => {} }
  const tries = new Map<number, number>()
  const gate: ZipGate = {
    async file (_share, item, wanted, { until }) {
      const index = indexes.get(item)!
      const fake = files[index]!
      const asked: Asked = { index, wanted, first: 0, sent: 0, ...until && { signal: until.signal } }
      state.asked.push(asked)
      tries.set(index, (tries.get(index) ?? 0) + 1)
      await new Promise(resolve => setImmediate(resolve))
      const changed = await fake.fault?.(tries.get(index)!, wanted) ?? {}
      const size = sizeOf(fake)
      const part = wanted.range && resolveRange(wanted.range, size)
      if (wanted.range && !part) return { status: 416, type: '', name: '', etag: '' }
      const { first, last } = part ?? { first: 0, last: size - 1 }
      asked.first = first
      let isOpen = !wanted.head
      if (isOpen) state.open++
      const cancel = () => { if (isOpen) state.open--; isOpen = false }
      async function * parts () {
        try {
          for await (const bytes of bytesOf(fake, first, last)) {
            if (!isOpen || until?.signal.aborted) throw new Error('cancelled')
            asked.sent += bytes.length
            yield bytes
          }
        } finally { cancel() }
      }
      return {
        status: part ? 206 : 200,
        type: fake.type ?? (fake.isVideo ? 'video/mp4' : 'image/jpeg'),
        name: fake.name,
        etag: fake.etag ?? '"e"',
        length: last - first + 1,
        ...(part && { contentRange: `bytes ${first}-${last}/${size}` }),
        ...!wanted.head && { body: { parts: parts(), cancel } },
        ...changed
      }
    },
    async zipFiles (_share, chosen) {
      state.plans++
      await state.planned()
      return chosen.map(item => {
        const fake = files[indexes.get(item)!]!
        return {
          item,
          name: fake.name,
          size: sizeOf(fake),
          ...fake.time !== undefined && { time: fake.time },
          as: 'zip' as const,
          ...fake.tells
        }
      })
    }
  }
  return Object.assign(state, { gate })
}
export const missing = (): never => { throw new Refusal('missing') }

/** Does the same as the route, over a real socket: headers at once, and a reset if the zip breaks. */
export async function serve (fake: ReturnType<typeof fakeGate>, requests = 4) {
  const lines: string[] = []
  const write = (event: string, fields?: unknown) => {
    lines.push(`${event} ${JSON.stringify(fields ?? {})}`)
  }
  const log: Log = { error: write, warn: write, info: write, debug: write, hashOf: () => 'x' }
  const zips: Zips = createZips(fake.gate, { naming: 'original', requests, log })
  const server = createServer(async (request, response) => {
    const chosen = /\?(\d+)-(\d+)/.exec(request.url!)
    const items = chosen ? fake.items.slice(Number(chosen[1]), Number(chosen[2])) : undefined
    const plan = await zips.plan(fake.share, 'x', items)
    const range = parseRange(request.headers.range)
    const ifRange = request.headers['if-range'] as string | undefined
    const { status, length, etag, contentRange, part } = zips.head(plan, {
      ...range && { range },
      ...ifRange !== undefined && { ifRange }
    })
    response.writeHead(status, {
      'content-type': 'application/zip',
      ...length !== undefined && { 'content-length': length },
      ...etag && { etag },
      ...contentRange && { 'content-range': contentRange }
    })
    response.flushHeaders()
    if (request.method === 'HEAD' || status === 416) { response.end(); return }
    const zip = zips.open(fake.share, plan, { lane: 'x', first: 0, ...part })
    response.on('close', () => zip.cancel())
    let drained = () => {}
    response.on('drain', () => drained()).on('close', () => drained())
    try {
      for await (const bytes of zip.parts) if (!response.write(bytes) && !response.destroyed) {
        await new Promise<void>(resolve => { drained = resolve })
      }
      response.end()
    } catch (error) {
      lines.push(`broken ${(error as Error).message}`)
      request.socket.resetAndDestroy()
    }
  })
  after(() => { server.closeAllConnections(); server.close() })
  return { zips, lines, base: await listen(server) }
}
