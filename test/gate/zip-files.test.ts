/** What the gate tells of a zip's files before they are fetched: names, times and sizes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Item } from '../../src/gate/gate.ts'
import { parseKey } from '../../src/validate.ts'
import { start, VISITOR } from '../helpers.ts'
import { video } from '../library.ts'
import { newId, type Asset, type Version } from '../standin.ts'
import { photosOf, shareZip } from '../zip/album.ts'

const part = video(1, { id: newId('part'), name: 'part.secret.MP4', visibility: 'hidden' })
/** A plain photo, an edited one, a motion photo, and names with no known extension. */
const special: Partial<Asset>[] = [
  { name: 'Ann at 3.15.JPG' }, { edited: true, announced: 5 }, { motion: part.id, name: 'live.heic' },
  { name: 'no extension' }, { name: 'a.secret' }
]
const SHOWN = { exif: { dateTimeOriginal: true } }
/** ms since 1970 by the camera's clock */
const timeOf = ({ taken, offsetHours }: Asset) => taken + offsetHours * 3_600_000

type Show = {
  ipp?: object, link?: { showMetadata?: boolean }, isChosen?: boolean, pick?: number[], version?: Version
}
/** The name, time and size of each file, and what Immich was asked for their sizes. */
async function filesOf ({ ipp = {}, link = {}, isChosen = false, pick, version = '3.1.0' }: Show = {}) {
  const { library, assets, album, chosen } = shareZip(photosOf(5, n => special[n]!), [part])
  const own = Object.assign(isChosen ? chosen : album, link)
  const run = await start({ version, library, ipp: { showMetadata: SHOWN, ...ipp } })
  const { gate } = run.proxy.app
  const share = await gate.open({ key: parseKey(own.key)! }, VISITOR)
  const items: readonly Item[] = pick ? pick.map(n => share.items[n]!) : share.items
  const files = await gate.zipFiles(share, items, { lane: '' })
  const [sizes] = run.immich.asked.filter(({ path }) => path.endsWith('/download/info'))
  return {
    names: files.map(({ name }) => name), times: files.map(({ time }) => time),
    sizes: files.map(({ size }) => size), ids: files.map(({ item }) => item.id),
    heads: run.immich.asked.filter(({ method }) => method === 'HEAD').length,
    asked: sizes && Object.keys(JSON.parse(sizes.body)), album: own.album, assets,
    whole: assets.flatMap(asset => asset.motion ? [asset, part] : [asset])
  }
}
const sizeOf = ({ original }: Asset): number => original.bytes?.length ?? original.size ?? 0

for (const isChosen of [false, true]) {
  const kind = isChosen ? 'chosen photos' : 'an album'
  test(`${kind}: names, times and exact sizes, where all of it may be shown`, async () => {
    const { names, times, sizes, ids, asked, whole, assets } = await filesOf({ isChosen })
    assert.deepEqual(ids, whole.map(({ id }) => id))
    assert.deepEqual(names, whole.map(({ name }) => name))
    // the part of a motion photo has the time of its photo
    assert.deepEqual(times, whole.map(asset => timeOf(asset === part ? assets[2]! : asset)))
    assert.ok(sizes.every((size, n) => size! > 0 && (whole[n] === part || size === sizeOf(whole[n]!))))
    assert.deepEqual(asked, [isChosen ? 'assetIds' : 'albumId', 'archiveSize'])
  })

  test(`${kind}: a selection has no more than its own items`, async () => {
    const { names, asked } = await filesOf({ isChosen, pick: [0, 2] })
    assert.deepEqual(names, ['Ann at 3.15.JPG', 'live.heic', 'part.secret.MP4'])
    assert.deepEqual(asked, ['assetIds', 'archiveSize'])
  })

  test(`${kind}: where names or times may not be shown, known extensions are all that is left`, async () => {
    const bare = ['.jpg', '.jpg', '.heic', '', '', '']
    const owner = await filesOf({ isChosen, link: { showMetadata: false } })
    // Immich gives no names at all with such a link to chosen photos
    assert.deepEqual(owner.names, isChosen ? bare.map(() => '') : bare)
    assert.deepEqual(owner.times, bare.map(() => undefined))
    const operator = await filesOf({ isChosen, ipp: { downloadedFilename: 'id' } })
    assert.deepEqual(operator.names, bare)
    assert.ok(operator.times.every(time => time !== undefined))
  })

  for (const [name, ipp] of Object.entries({
    previews: { maxDownloadQuality: 'preview' }, 'stripped files': { stripMetadata: true }
  })) {
    test(`${kind}, ${name}: sizes are unknown, and times need the operator's permission`, async () => {
      const told = await filesOf({ isChosen, ipp })
      assert.deepEqual([told.sizes, told.asked], [told.whole.map(() => undefined), undefined])
      assert.ok(told.times.every(time => time !== undefined))
      const silent = await filesOf({ isChosen, ipp: { ...ipp, showMetadata: { exif: { make: true } } } })
      assert.ok(silent.times.every(time => time === undefined))
    })
  }
}

test('files are looked at one by one only if that tells a length: not in an album of 2.x', async () => {
  const heads = async (version: Version, isChosen: boolean) => (await filesOf({ version, isChosen })).heads
  // the edited photo and the part of the motion photo
  assert.deepEqual([await heads('3.1.0', false), await heads('3.1.0', true)], [2, 2])
  assert.deepEqual([await heads('2.7.5', false), await heads('2.7.5', true)], [0, 2])
})

test('originals hold their own time, so their names in the zip do too', async () => {
  const { times } = await filesOf({ ipp: { showMetadata: { exif: { make: true } } } })
  assert.ok(times.every(time => time !== undefined))
})
