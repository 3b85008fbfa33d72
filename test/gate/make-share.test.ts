/** Shares and their lists, made from the owner's and the operator's permissions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Asset } from '../../src/gate/immich-json.ts'
import { isMotionPart, makeList, makeShare, type OpenedLink, type Policy } from '../../src/gate/share.ts'
import { parseAssetId, parseKey, parseSlug } from '../../src/validate.ts'
import { newId, newKey } from '../standin.ts'

const ALL: Policy = {
  slugs: true, download: true, zip: true, quality: 'original', zoom: true, motionPhotos: true,
  playOriginals: true, strip: false, description: true, names: true, dates: 'day',
  facts: ['dateTimeOriginal', 'description']
}
const OPEN: OpenedLink = {
  key: parseKey(newKey())!, isProtected: false, title: 'Title', description: 'About us',
  allowDownload: true, showMetadata: true, assets: []
}
const HOUR = 3_600_000
/** 3 March 2026, 23:00 */
const EVENING = Date.UTC(2026, 2, 3, 23)
const asset = (time: number, more: Partial<Asset> = {}): Asset => ({
  id: parseAssetId(newId())!, isVideo: false, ratio: 1.5, thumbhash: `hash of ${time}`, duration: 0,
  isSphere: false, isEdited: false, time, name: 'a.jpg', ...more
})
const ASSETS = [asset(EVENING), asset(EVENING + HOUR), asset(EVENING - HOUR)]
const share = (link: Partial<OpenedLink> = {}, policy: Partial<Policy> = {}, assets = ASSETS) => {
  const all = { ...ALL, ...policy }
  return makeShare({ ...OPEN, ...link }, makeList(assets, 'asc', false, all), all)
}

test('a permission needs both the owner and the operator', () => {
  const granted = (link: Partial<OpenedLink>, policy: Partial<Policy>) => {
    const { can, tells, days, times, description } = share(link, policy)
    const all = { ...can, ...tells, days: days !== undefined, times: times !== undefined }
    const names = Object.entries(all).flatMap(([name, isGranted]) => isGranted ? [name] : [])
    return [...names, ...description ? ['about'] : []]
  }
  const everything = granted({}, {})
  assert.deepEqual(everything.toSorted(), [
    'about', 'days', 'description', 'download', 'facts', 'names', 'originals', 'times', 'zip', 'zoom'
  ])
  const cases: [Partial<OpenedLink>, Partial<Policy>, string[]][] = [
    [{ allowDownload: false }, {}, ['download', 'zip', 'originals', 'zoom']],
    [{ showMetadata: false }, {}, ['facts', 'names', 'description', 'days', 'times']],
    [{}, { download: false }, ['download']],
    [{}, { zip: false }, ['zip']],
    [{}, { quality: 'fullsize' }, ['originals']],
    [{}, { zoom: false }, ['zoom']],
    [{}, { names: false }, ['names']],
    [{}, { dates: false }, ['days']],
    [{}, { description: false }, ['about']],
    [{}, { facts: ['dateTimeOriginal'] }, ['description']],
    [{}, { facts: ['description'] }, ['times']],
    [{}, { facts: [] }, ['facts', 'description', 'times']]
  ]
  for (const [link, policy, refused] of cases) {
    const expected = everything.filter(name => !refused.includes(name))
    assert.deepEqual(granted(link, policy), expected, refused.join())
  }
  const neither = { download: false, zip: false, quality: 'preview', zoom: false, names: false } as const
  const off = { ...neither, dates: false, facts: [], description: false } as const
  assert.deepEqual(granted({ allowDownload: false, showMetadata: false }, off), [])
  assert.deepEqual(granted({ allowDownload: false, showMetadata: false }, {}), ['about'])
})

test('items come by the camera\'s clock, with their days, months and times', () => {
  const ids = (order: 'asc' | 'desc') => makeList(ASSETS, order, false, ALL).items.map(({ id }) => id)
  const [evening, night, before] = ASSETS.map(({ id }) => id)
  assert.deepEqual(ids('asc'), [before, evening, night])
  assert.deepEqual(ids('desc'), [night, evening, before])
  const day = Date.UTC(2026, 2, 3) / (24 * HOUR)
  assert.deepEqual(share().days, [day, day, day + 1])
  const march = 2026 * 12 + 2
  assert.deepEqual(share({}, { dates: 'month' }).days, [march, march, march])
  assert.deepEqual(share().times, [EVENING - HOUR, EVENING, EVENING + HOUR])
  // a photo that was moved while the months were read is in two of them
  assert.equal(makeList([...ASSETS, ASSETS[0]!], 'asc', false, ALL).items.length, 3)
})

test('the video part of a motion photo is found where motion photos are on, and is not in the list', () => {
  const clip = parseAssetId(newId())!
  const still = asset(EVENING, { motion: clip })
  const on = makeList([still], 'asc', false, ALL)
  assert.deepEqual(on.items.map(({ id, motion }) => [id, motion]), [[still.id, clip]])
  const part = on.byId.get(clip)
  assert.ok(part?.isVideo && isMotionPart(part))
  assert.ok(!isMotionPart(on.items[0]!))
  const off = makeList([still], 'asc', false, { ...ALL, motionPhotos: false })
  assert.deepEqual([off.items[0]!.motion, off.byId.has(clip)], [undefined, false])
  // a clip that is shared by itself is an ordinary video
  const both = makeList([still, asset(EVENING, { id: clip, isVideo: true })], 'asc', false, ALL)
  assert.equal(isMotionPart(both.byId.get(clip)!), false)
  assert.equal(makeList(ASSETS, 'asc', false, ALL).byId.size, 3)
})

test('the cover is the album\'s if the list has it, else the first item', () => {
  const album = (cover?: Asset) => {
    const fields = { id: newId() as never, order: 'asc' as const, count: 3, ...cover && { cover: cover.id } }
    return share({ album: fields }).cover?.id
  }
  const first = ASSETS[2]!.id
  assert.deepEqual([album(), album(ASSETS[1]), album(asset(0))], [first, ASSETS[1]!.id, first])
  assert.equal(share({}, {}, []).cover, undefined)
  const empty = { id: newId() as never, order: 'asc' as const, count: 0 }
  assert.deepEqual([share({ album: empty }).isAlbum, share().isAlbum], [true, false])
})

test('key, slug and expiry are the link\'s; the version changes with what is shown of the list', () => {
  assert.deepEqual([share().slug, share().expiresAt], [undefined, undefined])
  const slug = parseSlug('a slug')!
  const named = share({ slug, expiresAt: EVENING })
  assert.deepEqual([named.key, named.slug, named.expiresAt], [OPEN.key, slug, EVENING])
  const later = ASSETS.map(asset => ({ ...asset, time: asset.time + 1 }))
  const month = { dates: 'month', facts: [] } as const
  const version = (policy: Partial<Policy>, assets = ASSETS) => share({}, policy, assets).version
  assert.notEqual(version({}), version({}, later))
  assert.equal(version(month), version(month, later))
  assert.notEqual(version({ dates: false }), version({ dates: false }, later))
  assert.notEqual(version({ facts: [] }), version(month))
  assert.notEqual(version(month), version(month, ASSETS.slice(1)))
})
