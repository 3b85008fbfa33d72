/**
 * No hash, tag, id or length that leaves depends on anything that the visitor may not know: two libraries
 * that differ only in those facts give the same answers, byte for byte.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HTML, start, type Answer, type Options, type Running } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import type { Asset, Library } from '../standin.ts'

const MINUTE = 60_000
const file = (text: string, type: string, modified: number) => ({ bytes: Buffer.from(text), type, modified })
/** Three photos and a video; the libraries differ in times, names and camera facts, but not in bytes. */
function assetsOf (world: 1 | 2): Asset[] {
  const taken = (n: number) => Date.UTC(2020, 5, 10 - n * 3, 12) + (world - 1) * (n + 17) * MINUTE
  const secrets = (n: number) => ({
    id: photo(n).id, name: world === 1 ? `Anna ${n}.jpg` : `Bert and others ${n}.jpg`, taken: taken(n),
    offsetHours: world,
    exif: { make: `Maker ${world}`, city: `City ${world}`, description: `Caption ${world}` },
    original: file(`original ${n}`, 'image/jpeg', taken(n))
  })
  // not an extension, although it looks like one
  const place = world === 1 ? 'Picnic at St.Johann' : 'Picnic at St.Gallen'
  const videoParts = { ...secrets(9), original: file('video', 'video/mp4', taken(9)), mime: 'video/mp4' }
  const third = photo(2, { ...secrets(2), name: place })
  return [photo(0, secrets(0)), photo(1, secrets(1)), third, video(9, videoParts)]
}
/** An album, chosen photos and one photo, with metadata off. */
function libraryOf (world: 1 | 2): Library {
  const library = emptyLibrary()
  const assets = assetsOf(world)
  const off = { showMetadata: false }
  addLink(library, 'album', { ...off, album: addAlbum(library, 'Same title', assets) })
  addLink(library, 'chosen', off, assets)
  addLink(library, 'one', off, assets.slice(0, 1))
  return library
}
const GENEROUS = {
  groupByDate: 'day', downloadedFilename: 'original', singleImageGallery: true,
  showMetadata: { description: true, exif: { dateTimeOriginal: true, make: true }, location: { city: true } }
}
const SECRET = { IPP_SECRET: 'a secret of sixteen or more' }

function addressesOf (library: Library): string[] {
  return library.links.flatMap(({ key, album, assets }) => {
    const ids = assets ?? library.albums.get(album!)!.assets
    const perItem = ids.flatMap(id => [
      `/share/${key}/${id}`, `/share/meta/${key}/${id}`, `/share/video/${key}/${id}`,
      `/share/photo/${key}/${id}`,
      ...['thumbnail', 'preview', 'fullsize', 'original'].map(size => `/share/photo/${key}/${id}/${size}`)
    ])
    const home = `/share/${key}`
    return [home, `${home}/download`, `/share/items/${key}/0`, `/share/marks/${key}`, ...perItem]
  })
}
const get = (run: Running, path: string): Promise<Answer> =>
  run.get(path, { headers: { ...HTML, host: 'photos.example' } })
/** Everything in an answer except its Date. */
function wholeOf ({ status, headers, body }: Answer, isEtagShown: boolean): unknown {
  const { date: _, etag, ...others } = headers
  return { status, headers: { ...others, ...isEtagShown && { etag } }, body: body.toString('latin1') }
}
const begin = (world: 1 | 2, options: Options) =>
  start({ library: libraryOf(world), ipp: GENEROUS, env: SECRET, ...options })

for (const version of ['3.1.0', '2.7.5'] as const) {
  describe(`Immich ${version}`, () => {
    test('with metadata off, no response depends on a time, a name or a camera', async () => {
      const [one, two] = [await begin(1, { version }), await begin(2, { version })]
      for (const path of addressesOf(one.immich.library)) {
        const responses = [await get(one, path), await get(two, path)] as const
        // the ETag of a file is made of Immich's, and keyed
        const isMedia = /^(image|video)\//.test(responses[0].headers['content-type'] ?? '')
        const [first, second] = responses.map(response => wholeOf(response, !isMedia))
        assert.deepEqual(first, second, path)
      }
    })

    test('the same with metadata on, if the operator shows none', async () => {
      const ipp = { groupByDate: false, downloadedFilename: 'id', stripMetadata: true }
      const shown = async (world: 1 | 2) => {
        const library = libraryOf(world)
        for (const link of library.links) link.showMetadata = true
        return start({ version, library, ipp, env: SECRET })
      }
      const [one, two] = [await shown(1), await shown(2)]
      for (const path of addressesOf(one.immich.library)) {
        const responses = [await get(one, path), await get(two, path)] as const
        const isMedia = /^(image|video)\//.test(responses[0].headers['content-type'] ?? '')
        const [first, second] = responses.map(response => wholeOf(response, !isMedia))
        assert.deepEqual(first, second, path)
      }
    })

    test('a tag that is derived from a secret is keyed; all others are equal on every replica', async () => {
      const [one, two] = [await begin(1, { version }), await begin(1, { version, env: {} })]
      for (const path of addressesOf(one.immich.library)) {
        const [first, second] = [await get(one, path), await get(two, path)]
        const isMedia = /^(image|video)\//.test(first.headers['content-type'] ?? '')
        const { etag } = first.headers
        if (isMedia) assert.notEqual(etag, second.headers.etag, path)
        else assert.deepEqual(wholeOf(first, true), wholeOf(second, true), path)
        if (isMedia) assert.match(etag!, /^"[\w-]{22}"$/, path)
      }
    })

    test('the list\'s version changes only with the facts that are shown', async () => {
    type Change = (assets: Asset[]) => Asset[]
      const versionOf = async (change: Change, ipp: Options['ipp'] = GENEROUS, isShown = true) => {
        const library = emptyLibrary()
        const { key } = addLink(library, 'x', { showMetadata: isShown }, change(assetsOf(1)))
        const run = await start({ version, library, ipp })
        const items = (await run.get(`/share/items/${key}/0`)).json().version as string
        assert.equal((await run.get(`/share/marks/${key}`)).json().version, items)
        await run.stop()
        return items
      }
      const later = ([first, ...others]: Asset[]) => [{ ...first!, taken: first!.taken + MINUTE }, ...others]
      const same = await versionOf(assets => assets)
      assert.match(same, /^[\w-]{16}$/)
      assert.equal(await versionOf(assets => assets), same)
      assert.notEqual(await versionOf(later), same, 'a time that is told')
      assert.notEqual(await versionOf(assets => assets.slice(1)), same, 'one less')
      const redrawn = ([first, ...others]: Asset[]) => [{ ...first!, thumbhash: 'AAAA' }, ...others]
      assert.notEqual(await versionOf(redrawn), same, 'another picture')
      const days = { groupByDate: 'day' }
      const untold = await versionOf(assets => assets, days)
      assert.equal(await versionOf(later, days), untold, 'a time within the same day')
      const tomorrow = ([first, ...others]: Asset[]) =>
        [{ ...first!, taken: first!.taken + 1440 * MINUTE }, ...others]
      assert.notEqual(await versionOf(tomorrow, days), untold, 'another day')
      const none = await versionOf(assets => assets, GENEROUS, false)
      assert.equal(await versionOf(tomorrow, GENEROUS, false), none)
    })
  })
}
