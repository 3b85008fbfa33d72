/** The stand-in's `search/metadata`, against the recordings …/search-metadata* of Immich 3.1.0 and 2.7.5. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { addAlbum, addLink, emptyLibrary, photo } from './library.ts'
import { newId, startImmich, type Version } from './standin.ts'

/** The fields of an item in 01-album-plain/search-metadata-noexif. */
const FIELDS = [
  'checksum', 'createdAt', 'duplicateId', 'duration', 'fileCreatedAt', 'fileModifiedAt', 'hasMetadata',
  'height', 'id', 'isArchived', 'isEdited', 'isFavorite', 'isOffline', 'isTrashed', 'libraryId',
  'livePhotoVideoId', 'localDateTime', 'originalFileName', 'originalMimeType', 'originalPath', 'ownerId',
  'people', 'resized', 'thumbhash', 'type', 'updatedAt', 'visibility', 'width'
]

async function begin (version: Version) {
  const library = emptyLibrary()
  const hidden = ['timeline', 'archive', 'hidden', 'locked'] as const
  const assets = hidden.map((visibility, n) => photo(n, { name: `${visibility}.jpg`, visibility }))
  const album = addAlbum(library, 'Search', assets)
  const { key } = addLink(library, 'search', { album, showMetadata: false })
  const chosen = addLink(library, 'chosen', {}, assets.slice(0, 2)).key
  const immich = await startImmich(library, { version })
  after(() => immich.close())
  const search = async (key: string, body: unknown) => {
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body)
    }
    const response = await fetch(`${immich.url}/api/search/metadata?key=${key}`, options)
    return { status: response.status, json: await response.json() as any }
  }
  return { album, key, chosen, search }
}

test('3.1.0 answers with the link\'s own album, except locked photos, names included', async () => {
  const { album, key, search } = await begin('3.1.0')
  const { status, json } = await search(key, { albumIds: [album], size: 1000 })
  assert.equal(status, 200)
  assert.deepEqual(Object.keys(json.assets).sort(), ['count', 'facets', 'items', 'nextPage', 'total'])
  assert.deepEqual(
    json.assets.items.map((item: any) => item.originalFileName),
    ['timeline.jpg', 'archive.jpg', 'hidden.jpg']
  )
  assert.deepEqual(Object.keys(json.assets.items[0]).sort(), FIELDS)
  assert.equal(json.assets.nextPage, null)
  const pages = [
    await search(key, { albumIds: [album], size: 2 }),
    await search(key, { albumIds: [album], size: 2, page: 2 })
  ]
  assert.deepEqual(
    pages.map(({ json: { assets: { total, nextPage } } }) => [total, nextPage]),
    [[2, '2'], [1, null]]
  )
  assert.equal((await search(key, { albumIds: [album], size: 2, page: 4 })).json.assets.total, 0)
})

test('3.1.0 refuses other albums, none, a page of 1,001, and links to chosen photos', async () => {
  const { album, key, chosen, search } = await begin('3.1.0')
  const refusals = [
    [key, { albumIds: [newId('other')] }, 'Not found or no album.read access'],
    [key, { size: 3 }, 'Shared link access is only allowed in combination with an albumIds filter'],
    [key, { albumIds: [album], size: 1001 }, 'Validation failed'],
    [chosen, { size: 5 }, 'Shared link access is only allowed in combination with an albumIds filter']
  ] as const
  for (const [key, body, message] of refusals) {
    const { status, json } = await search(key, body)
    assert.deepEqual([status, json.message], [400, message])
  }
})

test('2.7.5 forbids it', async () => {
  const { album, key, search } = await begin('2.7.5')
  const { status, json } = await search(key, { albumIds: [album] })
  assert.deepEqual([status, json.message], [403, 'Forbidden'])
})
