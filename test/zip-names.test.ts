/** Names and selections of zips, and what Immich tells of an album's files in advance. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectNames, collectZipFiles, parseNames } from '../src/gate/zip-files.ts'
import type { Item, Media } from '../src/gate/gate.ts'
import { Refusal } from '../src/refusal.ts'
import { createNames } from '../src/zip/names.ts'
import { decodeSelection, encodeSelection } from '../src/zip/selection.ts'
import { newId } from './standin.ts'

const itemsOf = (count: number) => Array.from({ length: count }, (_, n) => ({ id: newId(`i${n}`), isVideo: false }) as unknown as Item)

test('names are unique without regard to case, and 30,000 equal ones take no time', () => {
  const unique = createNames()
  assert.deepEqual(['a.jpg', 'A.JPG', 'a.jpg', 'a (2).jpg'].map(unique), ['a.jpg', 'A (2).JPG', 'a (3).jpg', 'a (2) (2).jpg'])
  const many = new Set(Array.from({ length: 30_000 }, () => unique('image.jpg').toLowerCase()))
  assert.equal(many.size, 30_000)
  for (const long of ['x'.repeat(300), '海'.repeat(120)]) assert.ok(Buffer.byteLength(unique(`${long}.jpg`)) <= 220)
})

test('a selection is named compactly, and never stands for another', () => {
  const items = itemsOf(3000)
  const chosen = new Set(items.filter((_, n) => n % 3 === 1 || n > 2900))
  const name = encodeSelection(items, chosen)!
  assert.ok(name.length < 600, `${name.length} characters`)
  assert.deepEqual(decodeSelection(items, name), [...chosen])
  for (const list of [items.slice(1), items.toReversed(), itemsOf(3001)]) assert.equal(decodeSelection(list, name), undefined)
  for (const wrong of ['', 'x', name.slice(0, 11), `${name.slice(0, 11)}AAAA`, encodeSelection(items, new Set())!]) assert.equal(decodeSelection(items, wrong), undefined, wrong)
})

test('names come page by page, and are unknown where Immich refuses', async () => {
  const page = (n: number, next: string | null) => parseNames({ assets: { items: [{ id: newId(`i${n}`), originalFileName: `${n}.jpg`, isEdited: n === 1, originalPath: '/secret' }], nextPage: next } })!
  const names = await collectNames(async n => page(n - 1, n < 3 ? String(n + 1) : null))
  assert.deepEqual([...names!.values()], [0, 1, 2].map(n => ({ name: `${n}.jpg`, isEdited: n === 1 })))
  assert.equal(await collectNames(async () => { throw new Refusal('missing') }), undefined)
  await assert.rejects(collectNames(async () => { throw new Refusal('unreachable') }), /^Error/)
  for (const wrong of [null, {}, { assets: {} }, []]) assert.equal(parseNames(wrong), undefined)
})

test('a missing motion part, or an edited photo, costs its size and not the plan', async () => {
  const items = itemsOf(4)
  const [, edited, part, gone] = items
  const files = await collectZipFiles(items, {
    names: async () => new Map([[items[0]!.id, { name: 'a.HEIC', isEdited: false }], [edited!.id, { name: 'b.jpg', isEdited: true }]]),
    sizes: async () => new Map(items.map(({ id }) => [id, 10])),
    head: async item => {
      if (item === gone) throw new Refusal('missing')
      return { status: 200, type: 'image/jpeg', name: item === part ? 'a.MP4' : 'b.jpg', etag: '', length: 99 } satisfies Media
    }
  }, { areOriginals: true, tellsNames: false, timeOf: () => undefined, isMotionPart: item => item === part || item === gone })
  assert.deepEqual(files.map(({ name, size }) => [name, size]), [['.HEIC', 10], ['.jpg', 99], ['.MP4', 99], ['', undefined]])
})
