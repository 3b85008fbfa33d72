/** Zips: plans that visitors share, the response to a request for a zip, and the zip itself. */
import { randomBytes } from 'node:crypto'
import type { Item, Share, ZipGate } from '../gate/gate.ts'
import { once, type Log } from '../log.ts'
import { forgetOldest } from '../memory-cache.ts'
import type { ByteRange, Key } from '../validate.ts'
import { resolveRange } from '../validate.ts'
import { Ruler } from './format.ts'
import type { Naming } from '../file-name.ts'
import { planZip, type Plan } from './plan.ts'
import { createChecksums, type Checksums } from './checksums.ts'
import { Zip, type Part, type ZipContext } from './stream.ts'

/**
 * Bytes that Immich may have to send before the first byte of a resumed zip, because a proxy in front waits
 * only a minute for it. A file counts as `MIN_FILE_BYTES` or more, because Immich takes some ms to find it.
 */
const MAX_UNSEEN_BYTES = 1024 * 1024 * 1024
const MIN_FILE_BYTES = 256 * 1024
/** The number of links with wrong sizes, and of plans that had a note, to remember. */
const MAX_REMEMBERED = 10_000

export type Conditions = Readonly<{ range?: ByteRange, ifRange?: string }>
/**
 * The status and headers of a zip, and the requested part. `length` is for Content-Length; it, `etag` and
 * ranges are absent if the length of the zip is not known.
 */
export type ZipHead = Readonly<{
  status: 200 | 206 | 416, length?: number, etag?: string, contentRange?: string
  part?: Readonly<{ first: number, last: number }>
}>

/** Bytes that Immich has to send before byte `first` of a resumed zip, counted up to `MAX_UNSEEN_BYTES`. */
function unseenBytes ({ entries }: Plan, first: number, checksums: Checksums): number {
  const ruler = new Ruler()
  let unseen = 0
  for (const { file, name } of entries) {
    if (ruler.offset >= first || unseen > MAX_UNSEEN_BYTES) break
    const size = file.size ?? 0
    const start = ruler.add(Buffer.byteLength(name), size)
    const wanted = Math.min(size, first - start)
    if (wanted <= 0) continue
    const known = checksums.before(file, wanted)?.bytes ?? 0
    if (known < size) unseen += Math.max(wanted - known, MIN_FILE_BYTES)
  }
  return unseen
}

function remember<V> (map: Map<string, V>, key: string, value: V): void {
  map.set(key, value)
  forgetOldest(map, MAX_REMEMBERED)
}

/** `requests` limits the requests of one zip to Immich at once. */
type Options = Readonly<{ naming: Naming, requests: number, log: Log }>
export type Zips = ReturnType<typeof createZips>

/** All zips of this process, with the checksums and plans that they share; each kind has a limit. */
export function createZips (gate: ZipGate, { naming, requests, log }: Options) {
  /** plans of whole links and of selections, for as long as their lists of items are in memory */
  let plans = new WeakMap<Share, WeakMap<readonly Item[], Promise<Plan>>>()
  const linksWithWrongSizes = new Map<Key, true>()
  /** for plans that had a note: the suffix of the next ETag, by the plan's ETag */
  const retiredEtags = new Map<string, string>()
  const checksums = createChecksums()

  const context: ZipContext = {
    gate, checksums, log, naming, requests, warnOfLength: once(log.warn),
    retireEtag ({ etag = '' }) { remember(retiredEtags, etag, randomBytes(6).toString('base64url')) },
    distrustSizes ({ key }) { remember(linksWithWrongSizes, key, true); plans = new WeakMap() }
  }
  const tagOf = (etag: string): string => `"${etag}${retiredEtags.get(etag) ?? ''}"`

  return {
    /**
     * The plan of a zip of a whole link, or of a selection. Visitors share it, so no visitor who leaves
     * ends it. Throws the gate's Refusal.
     */
    async plan (share: Share, lane: string, items = share.items): Promise<Plan> {
      const make = async () => {
        const files = await gate.zipFiles(share, items, { lane })
        return planZip(files, naming, !linksWithWrongSizes.has(share.key))
      }
      const known = plans.get(share) ?? new WeakMap<readonly Item[], Promise<Plan>>()
      plans.set(share, known)
      const plan = known.get(items) ?? make()
      known.set(items, plan)
      plan.catch(() => known.delete(items))
      return plan
    },

    /**
     * The status and headers for a request. A range gets the whole zip if Immich would have to send too much
     * first. It also gets the whole zip if If-Range is absent and a zip of this plan had a note, because the
     * visitor may have different bytes.
     * Another replica, or this one after a restart, does not know about the note. It breaks off the transfer
     * while the file is missing, but notices nothing if Immich has the file again by then.
     */
    head (plan: Plan, { range, ifRange }: Conditions): ZipHead {
      const { length } = plan
      if (length === undefined || plan.etag === undefined) return { status: 200 }
      const etag = tagOf(plan.etag)
      const isSame = ifRange === undefined ? !retiredEtags.has(plan.etag) : ifRange === etag
      if (!range || !isSame) return { status: 200, length, etag }
      const part = resolveRange(range, length)
      if (!part) return { status: 416, length: 0, etag, contentRange: `bytes */${length}` }
      const { first, last } = part
      if (unseenBytes(plan, first, checksums) > MAX_UNSEEN_BYTES) return { status: 200, length, etag }
      const contentRange = `bytes ${first}-${last}/${length}`
      return { status: 206, length: last - first + 1, etag, contentRange, part }
    },

    /**
     * The zip, or a part of it. Send its headers at once: the first byte of a part may take some time.
     */
    open: (share: Share, plan: Plan, part: Part): Zip => new Zip(context, share, plan, part)
  }
}
