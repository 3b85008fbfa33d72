/**
 * Which of Immich's files is sent for each request: every policy × both kinds of link × every kind of item ×
 * every request, against `expected`, which states the rule a second time. Then what odd responses lead to.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Body } from '../../src/body.ts'
import { createKeys } from '../../src/keys.ts'
import { Files, type Media, type Wanted } from '../../src/gate/files.ts'
import type { Asset, Details } from '../../src/gate/immich-json.ts'
import { makeList, makeShare, type OpenedLink, type Policy } from '../../src/gate/share.ts'
import type { Caller, Immich, Slice } from '../../src/immich.ts'
import { parseAssetId, parseKey } from '../../src/validate.ts'
import { newId, newKey } from '../standin.ts'
import { blanked, ORIGINAL } from './jpegs.ts'

// ------------------------------------------------------------------------------------------------- the files

type Kind = 'thumbnail' | 'preview' | 'fullsize' | 'original' | 'playback'
type File = { type: string, bytes: Buffer }
type FilesOf = Partial<Record<Kind, File>>
const of = (text: string, type: string): File => ({ type, bytes: Buffer.from(text) })
const images = { thumbnail: of('thumbnail', 'image/webp'), preview: of('preview', 'image/jpeg') }
const jpeg: File = { type: 'image/jpeg', bytes: ORIGINAL }
const videoFile = of('the video', 'video/mp4')
const VIDEO = { isVideo: true, duration: 5000 }
/** Each kind of item: its files, and its fields. */
const ITEMS: Record<string, { files: FilesOf, more?: Partial<Asset> }> = {
  jpeg: { files: { ...images, original: jpeg } },
  // a JPEG by name alone
  broken: { files: { ...images, original: of('no jpeg', 'image/jpeg') } },
  png: { files: { ...images, original: of('png', 'image/png') } },
  // Immich could have more than may be asked for
  heic: { files: { ...images, original: of('heic', 'image/heic'), fullsize: jpeg, playback: videoFile } },
  raw: { files: { ...images, original: of('raw', 'image/x-adobe-dng') } },
  gif: { files: { ...images, original: of('gif', 'image/gif') }, more: { duration: 900 } },
  transcoded: {
    files: { ...images, original: videoFile, playback: of('a transcode', 'video/mp4') }, more: VIDEO
  },
  'another type': {
    files: { ...images, original: of('the video', 'video/quicktime'), playback: videoFile }, more: VIDEO
  },
  'as it is': { files: { ...images, original: videoFile, playback: videoFile }, more: VIDEO }
}

const PLAIN: Asset = {
  id: parseAssetId(newId())!, isVideo: false, ratio: 1.5, thumbhash: 'x', duration: 0, isSphere: false,
  isEdited: false, time: 0, name: ''
}
const ids = new Map(Object.keys(ITEMS).map(name => [name, parseAssetId(newId())!]))
const part = parseAssetId(newId())!
const assets = Object.entries(ITEMS).map(([name, { more }]): Asset =>
  ({ ...PLAIN, id: ids.get(name)!, ...more, ...name === 'heic' && { motion: part } }))
/** The video part of the motion photo is one more item. */
const ALL: Record<string, { files: FilesOf, more?: Partial<Asset> }> = {
  ...ITEMS, part: { files: { original: videoFile, playback: videoFile }, more: VIDEO }
}
ids.set('part', part)
const nameOf = (path: string) => [...ids].find(([, id]) => path.includes(id))![0]

// ------------------------------------------------------------------------------------------------ the door

/** An answer of Immich: the headers that differ from those of a plain file, or a status. */
type Odd = { status?: number, headers?: Record<string, string | undefined>, size?: number }
/** This odd answer for one kind of file. */
const oddly = (kind: Kind, odd: Odd) => (asked: Kind): Odd => asked === kind ? odd : {}
/** Immich's door from memory. `open` counts bodies that were neither read to the end nor cancelled. */
function door (odd: (kind: Kind, slice: Slice) => Odd = () => ({})) {
  const seen = {
    open: 0, callers: [] as Caller[], kinds: [] as string[], etags: [] as (string | undefined)[]
  }
  const answer = (path: string, size: string | undefined, slice: Slice) => {
    const kind = (path.endsWith('/thumbnail') ? size : path.split('/').at(-1)) as Kind
    const isImage = ['thumbnail', 'preview', 'fullsize'].includes(kind)
    assert.equal(isImage, path.endsWith('/thumbnail'), `${path} ${size}`)
    seen.kinds.push(`${slice.head ? 'HEAD' : 'GET'} ${kind} ${slice.range ?? ''}`.trim())
    const file = ALL[nameOf(path)]!.files[kind]
    const { status = file ? 200 : 404, headers: more } = odd(kind, slice)
    const headers = new Headers()
    const own = file && {
      'content-type': file.type, 'content-length': String(file.bytes.length), etag: `"${kind}"`,
      'content-disposition': `inline; filename*=UTF-8''${kind}.x`
    }
    for (const [name, value] of Object.entries({ ...own, ...more })) {
      if (value !== undefined) headers.set(name, value)
    }
    return { status, headers, bytes: file?.bytes ?? Buffer.alloc(0) }
  }
  type Call = { path: string, query?: Record<string, string> }
  const immich = {
    async read ({ path }: Call, parse: (value: unknown) => Details | undefined) {
      const { original } = ALL[nameOf(path)]!.files
      return parse({
        id: PLAIN.id, originalMimeType: original!.type, exifInfo: { fileSizeInByte: original!.bytes.length }
      })
    },
    async small ({ path, query }: Call, _: unknown, limit: number, { etag }: { etag?: string }) {
      seen.etags.push(etag)
      const { status, headers, bytes } = answer(path, query?.size, {})
      return { status, headers, ...bytes.length <= limit && { bytes } }
    },
    async stream ({ path, query }: Call, caller: Caller, slice: Slice) {
      seen.callers.push(caller)
      const { status, headers, bytes } = answer(path, query?.size, slice)
      seen.open++
      let isOver = false
      const end = () => { if (!isOver) seen.open--; isOver = true }
      async function * parts () { if (!slice.head) yield bytes; end() }
      return { status, headers, body: { parts: parts(), cancel: end } }
    }
  }
  return { immich: immich as unknown as Immich, seen }
}

async function textOf (body: Body): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const part of body.parts) chunks.push(part)
  return Buffer.concat(chunks)
}
const contentOf = async ({ bytes, body }: Media): Promise<string> => {
  const content = Buffer.from(bytes ?? (body ? await textOf(body) : ''))
  if (content.equals(ORIGINAL)) return 'the jpeg'
  return content.equals(blanked(ORIGINAL)!) ? 'the jpeg, blanked' : content.toString()
}

// ------------------------------------------------------------------------------------------------- the rule

const OPEN: OpenedLink = {
  key: parseKey(newKey())!, isProtected: false, title: '', description: '', allowDownload: true,
  showMetadata: true, assets
}
const EVERYTHING: Policy = {
  slugs: true, download: true, zip: true, quality: 'original', zoom: true, motionPhotos: true,
  playOriginals: true, strip: false, description: true, names: true, dates: 'day', facts: []
}
const YES = [true, false]
const POLICIES = (['original', 'fullsize', 'preview'] as const).flatMap(quality => YES.flatMap(download =>
  YES.flatMap(zip => YES.flatMap(zoom => YES.flatMap(strip => YES.map((playOriginals): Policy =>
    ({ ...EVERYTHING, quality, download, zip, zoom, strip, playOriginals })))))))

/** The content that may leave, or the reason for a refusal. */
function expected (name: string, as: Wanted['as'], policy: Policy, owner: boolean): string {
  const { files, more = {} } = ALL[name]!
  const isTranscoded = ['transcoded', 'another type'].includes(name)
  /** a camera's file, as the operator lets it leave */
  const camera = (file: File): string => {
    if (policy.strip) return file === jpeg ? 'the jpeg, blanked' : 'preview'
    return file === jpeg ? 'the jpeg' : file.bytes.toString()
  }
  const playback = (): string => {
    const isAsItIs = policy.playOriginals || (owner && policy.download && policy.quality === 'original')
    return isTranscoded || (isAsItIs && !policy.strip) ? files.playback!.bytes.toString() : 'withheld'
  }
  const full = (): string => {
    if (['jpeg', 'broken', 'png', 'gif'].includes(name)) return camera(files.original!)
    return files.fullsize ? camera(files.fullsize) : 'preview'
  }
  const download = (): string => {
    if (more.isVideo) {
      if (policy.quality !== 'original') return playback()
      if (policy.strip) return isTranscoded ? files.playback!.bytes.toString() : 'withheld'
      return files.original!.bytes.toString()
    }
    if (policy.quality === 'original' || name === 'gif') return camera(files.original!)
    return policy.quality === 'fullsize' ? full() : 'preview'
  }
  if (as === 'zip') return owner && policy.zip ? download() : 'missing'
  if (as === 'playback') return more.isVideo ? playback() : 'missing'
  if (name === 'part') return 'missing'
  if (as === 'original') return owner && policy.download ? download() : 'missing'
  if (as !== 'fullsize' || more.isVideo) return as === 'thumbnail' ? 'thumbnail' : 'preview'
  const mayTake = owner && policy.download && (policy.quality !== 'preview' || name === 'gif')
  return mayTake || (owner && policy.zoom) ? full() : 'preview'
}

const WANTED = ['thumbnail', 'preview', 'fullsize', 'original', 'playback', 'zip'] as const
const KEY = createKeys('a secret of sixteen')('entity tag')
const CALLER: Caller = { lane: 'a visitor' }
/** A share under this policy, and the files that it gives. */
function share (policy: Policy, link: Partial<OpenedLink> = {}, odd?: Parameters<typeof door>[0]) {
  const own = { ...OPEN, ...link }
  const list = makeList(assets, 'asc', false, policy)
  const given = makeShare(own, list, policy)
  const { immich, seen } = door(odd)
  const files = new Files(immich, policy, KEY, 1)
  const get = (name: string, wanted: Wanted) =>
    files.get(own, given, list.byId.get(ids.get(name)!)!, wanted, CALLER)
  return { get, seen }
}

test('every policy, link, item and request', async () => {
  for (const policy of POLICIES) {
    for (const allowDownload of YES) {
      const { get, seen } = share(policy, { allowDownload })
      for (const name of Object.keys(ALL)) {
        for (const as of WANTED) {
          const where = `${name} as ${as}, owner ${allowDownload}, ${JSON.stringify(policy)}`
          const got = await get(name, { as }).then(contentOf, ({ reason }) => reason)
          assert.equal(got, expected(name, as, policy, allowDownload), where)
          assert.equal(seen.open, 0, where)
          // a HEAD is refused or granted alike, and has no content
          const head = await get(name, { as, head: true }).catch(({ reason }) => reason)
          if (typeof head === 'string') assert.equal(head, got, where)
          else assert.deepEqual([head.body, head.bytes, seen.open], [undefined, undefined, 0], where)
        }
      }
    }
  }
})

test('names: of the original, where names may be shown', async () => {
  const cases: [string, Wanted['as'], Partial<Policy>, string][] = [
    ['jpeg', 'original', {}, 'original.x'], ['jpeg', 'original', { strip: true }, 'original.x'],
    ['broken', 'original', { strip: true }, 'original.x'],
    ['jpeg', 'original', { quality: 'preview' }, 'preview.x'],
    ['transcoded', 'original', { quality: 'preview' }, 'original.x'],
    ['transcoded', 'original', { strip: true }, 'original.x'],
    ['transcoded', 'playback', { strip: true }, 'playback.x'], ['jpeg', 'preview', {}, 'preview.x']
  ]
  for (const [name, as, more, expected] of cases) {
    for (const names of YES) {
      const { get } = share({ ...EVERYTHING, ...more, names })
      assert.equal((await get(name, { as })).name, names ? expected : '', `${name} ${as}`)
    }
    const hidden = share({ ...EVERYTHING, ...more }, { showMetadata: false })
    assert.equal((await hidden.get(name, { as })).name, '')
  }
  // the original of a video may be lost
  const lost = share({ ...EVERYTHING, quality: 'preview' }, {}, oddly('original', { status: 404 }))
  assert.equal((await lost.get('transcoded', { as: 'original' })).name, '')
})

test('a reduced file says so', async () => {
  const isReduced = async (name: string, as: Wanted['as'], more: Partial<Policy>) =>
    (await share({ ...EVERYTHING, ...more }).get(name, { as })).isReduced ?? false
  assert.equal(await isReduced('jpeg', 'original', {}), false)
  assert.equal(await isReduced('jpeg', 'original', { strip: true }), false)
  assert.equal(await isReduced('jpeg', 'original', { quality: 'preview' }), true)
  assert.equal(await isReduced('raw', 'original', { quality: 'fullsize' }), true)
  assert.equal(await isReduced('heic', 'original', { quality: 'fullsize' }), false)
  assert.equal(await isReduced('broken', 'original', { strip: true }), true)
  assert.equal(await isReduced('jpeg', 'preview', {}), false)
})

test('a file of a zip needs no slot of its own; any other does', async () => {
  for (const as of ['zip', 'original'] as const) {
    const { get, seen } = share(EVERYTHING)
    await get('jpeg', { as, head: true })
    assert.deepEqual(seen.callers, [as === 'zip' ? { ...CALLER, isInZip: true } : CALLER])
  }
})

test('without a length, nothing is certain: no blanking, and no transcode by size', async () => {
  const noLength = { headers: { 'content-length': undefined } }
  const strict = { ...EVERYTHING, playOriginals: false, quality: 'preview' } as const
  assert.equal(await contentOf(await share(strict).get('transcoded', { as: 'playback' })), 'a transcode')
  for (const unknown of ['original', 'playback'] as const) {
    const { get } = share(strict, {}, oddly(unknown, noLength))
    await assert.rejects(get('transcoded', { as: 'playback' }), { reason: 'withheld' })
    assert.equal(await contentOf(await get('another type', { as: 'playback' })), 'the video')
  }
  // what Immich recorded counts if the original may not be looked at
  const { get, seen } = share(strict, { allowDownload: false })
  await get('transcoded', { as: 'playback' })
  assert.ok(!seen.kinds.some(kind => kind.includes('original')))
  const length = String(videoFile.bytes.length)
  const unknownType = { headers: { 'content-type': 'video/x', 'content-length': length } }
  const odd = share(strict, {}, oddly('playback', unknownType))
  await assert.rejects(odd.get('another type', { as: 'playback' }), { reason: 'withheld' })

  const most = 64 * 1024 * 1024
  const stripped = async (more: Record<string, string | undefined>) => {
    const { get, seen } = share({ ...EVERYTHING, strip: true }, {}, oddly('original', { headers: more }))
    const media = await get('jpeg', { as: 'original', head: true })
    const { isReduced = false } = media
    const content = await get('jpeg', { as: 'original' }).then(contentOf, ({ reason }) => reason)
    assert.equal(seen.open, 0)
    return [isReduced, content]
  }
  assert.deepEqual(await stripped({}), [false, 'the jpeg, blanked'])
  assert.deepEqual(await stripped({ 'content-length': undefined }), [true, 'preview'])
  assert.deepEqual(await stripped({ 'content-type': 'image/png' }), [true, 'preview'])
  assert.deepEqual(await stripped({ 'content-length': String(most + 1) }), [true, 'preview'])
  // more comes than was announced
  assert.deepEqual(await stripped({ 'content-length': '100' }), [false, 'unreachable'])
  assert.equal((await stripped({ 'content-length': String(most) }))[0], false)
})

test('an Immich that is down has not lost its full size', async () => {
  for (const [status, content] of [[404, 'preview'], [503, 'unreachable']] as const) {
    const { get } = share(EVERYTHING, {}, oddly('fullsize', { status }))
    assert.equal(await get('heic', { as: 'fullsize' }).then(contentOf, ({ reason }) => reason), content)
  }
})

test('memory for blanking is free again after each end', async () => {
  const bytes = Buffer.concat([ORIGINAL.subarray(0, -2), Buffer.alloc(9_000_000, 1)])
  const large = { type: 'image/jpeg', bytes }
  const { jpeg: { files }, broken } = ITEMS as Record<'jpeg' | 'broken', { files: FilesOf }>
  const before = { jpeg: files.original!, broken: broken.files.original! }
  files.original = large
  broken.files.original = { type: 'image/jpeg', bytes: Buffer.alloc(9_000_000) }
  try {
    const { get } = share({ ...EVERYTHING, strip: true })
    for (let n = 0; n < 5; n++) {
      for (const name of ['jpeg', 'broken']) {
        const media = await get(name, { as: 'original' })
        if (media.body) await textOf(media.body)
      }
    }
    // a visitor who does not read keeps a part of it
    const held: Media[] = []
    const holding = async () => {
      for (let n = 0; n < 9; n++) held.push(await get('jpeg', { as: 'original' }))
    }
    await assert.rejects(holding(), { reason: 'busy' })
    for (const { body } of held) body?.cancel()
    await get('jpeg', { as: 'original' })
  } finally {
    files.original = before.jpeg
    broken.files.original = before.broken
  }
})

test('odd answers: statuses, lengths, ranges and tags', async () => {
  const read = async (odd: Odd, wanted: Wanted = { as: 'original' }, name = 'png') => {
    const { get, seen } = share(EVERYTHING, {}, () => odd)
    const media = await get(name, wanted).catch(({ reason, message }) => `${reason}: ${message}`)
    return { media: media as Media, seen, refusal: media as unknown as string }
  }
  for (const [status, reason] of [
    [404, 'missing'], [400, 'missing'], [300, 'missing'], [302, 'missing'],
    [204, 'unreachable'], [429, 'unreachable'], [500, 'unreachable'], [503, 'unreachable']
  ] as const) {
    const { refusal, seen } = await read({ status })
    assert.equal(refusal, `${reason}: original answered ${status}`)
    assert.equal(seen.open, 0)
    assert.equal((await read({ status }, { as: 'preview' })).refusal, `${reason}: preview answered ${status}`)
  }
  assert.equal((await read({ status: 304 }, { as: 'preview' })).refusal, 'missing: preview answered 304')
  const headers = async (headers: Record<string, string | undefined>) => (await read({ headers })).media
  assert.equal((await headers({})).length, 3)
  for (const wrong of ['x3', '3x', '-3', '1e3', '1234567890123456', undefined]) {
    assert.equal((await headers({ 'content-length': wrong })).length, undefined, wrong)
  }
  for (const right of ['bytes 0-2/3', 'bytes */3']) {
    assert.equal((await headers({ 'content-range': right })).contentRange, right)
  }
  for (const wrong of [
    'xbytes 0-2/3', 'bytes 0-2/3x', 'bytes 0-2', 'items 0-2/3', 'bytes 0-2/*', undefined
  ]) {
    assert.equal('contentRange' in await headers({ 'content-range': wrong }), false, wrong)
  }
  const tagOf = async (
    etag: string | undefined, policy = EVERYTHING, as: Wanted['as'] = 'original', name = 'png'
  ) => (await share(policy, {}, () => ({ headers: { etag } })).get(name, { as })).etag
  const tags = await Promise.all([
    tagOf('"a"'), tagOf('"b"'), tagOf('"a"', EVERYTHING, 'preview'),
    tagOf('"a"', EVERYTHING, 'original', 'jpeg')
  ])
  assert.equal(new Set(tags).size, tags.length)
  assert.equal(await tagOf('"a"'), tags[0])
  for (const tag of tags) assert.match(tag, /^"[\w-]{22}"$/)
  assert.equal(await tagOf(undefined), '', 'nobody knows whether it is the same')
  assert.notEqual(await tagOf('"a"', { ...EVERYTHING, strip: true }, 'preview'), tags[3])
})

test('ranges that cannot be satisfied: by Immich, or by anyone', async () => {
  const range = (text: string) => ({ as: 'original', range: text } as Wanted)
  const answered = async (wanted: Wanted, status = 416, contentRange: string | undefined = 'bytes */3') => {
    const { get, seen } = share(EVERYTHING, {}, (_, { range }) =>
      range === 'bytes=0-' ? { status: 206 } : { status, headers: { 'content-range': contentRange } })
    const outcome = await get('png', wanted).then(
      ({ status, length }) => [status, length], ({ reason }) => [reason]
    )
    return [...outcome, seen.kinds.at(-1)]
  }
  assert.deepEqual(await answered(range('bytes=5-')), [416, 0, 'GET original bytes=5-'])
  // Immich refuses a suffix that is longer than the file, and says so with another status
  assert.deepEqual(await answered(range('bytes=-9')), [206, 3, 'GET original bytes=0-'])
  assert.deepEqual(await answered(range('bytes=-9'), 404), [206, 3, 'GET original bytes=0-'])
  assert.deepEqual(await answered(range('bytes=1-')), ['missing', 'GET original bytes=1-'])
  assert.deepEqual(await answered(range('bytes=5-'), 500, 'none'), ['unreachable', 'GET original bytes=5-'])
  assert.deepEqual(await answered({ as: 'original' }), ['missing', 'GET original'])
  for (const wrong of ['xbytes */3', 'bytes */3x', 'bytes 0-2/3']) {
    assert.deepEqual((await answered(range('bytes=5-'), 404, wrong))[0], 'missing', wrong)
  }
  const partial = share(EVERYTHING, {}, () => ({ status: 206 }))
  assert.equal((await partial.get('png', range('bytes=0-1'))).status, 206)
  assert.equal((await partial.get('png', { ...range('bytes=0-1'), head: true })).status, 206)
})

test('images: kept while they are small, and streamed for a range or a HEAD', async () => {
  const { get, seen } = share(EVERYTHING)
  for (let n = 0; n < 3; n++) assert.equal(await contentOf(await get('png', { as: 'preview' })), 'preview')
  assert.deepEqual(seen.kinds, ['GET preview'])
  await get('png', { as: 'preview', head: true })
  await contentOf(await get('png', { as: 'preview', range: 'bytes=0-' } as Wanted))
  assert.deepEqual(seen.kinds, ['GET preview', 'HEAD preview', 'GET preview bytes=0-'])
  assert.deepEqual(seen.etags, [undefined])
})
