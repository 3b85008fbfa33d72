/** Names and selections of zips. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Item } from '../../src/gate/gate.ts'
import { createNames } from '../../src/zip/names.ts'
import { decodeSelection, encodeSelection } from '../../src/zip/selection.ts'
import { newId } from '../standin.ts'

const itemsOf = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ id: newId(`i${n}`), isVideo: false }) as unknown as Item)

test('names are unique regardless of case, and 30,000 equal ones take no time', () => {
  const unique = createNames()
  assert.deepEqual(['a.jpg', 'A.JPG', 'a.jpg', 'a (2).jpg'].map(unique), [
    'a.jpg', 'A (2).JPG', 'a (3).jpg', 'a (2) (2).jpg'
  ])
  const many = new Set(Array.from({ length: 30_000 }, () => unique('image.jpg').toLowerCase()))
  assert.equal(many.size, 30_000)
  for (const long of ['x'.repeat(300), '海'.repeat(120)]) {
    assert.ok(Buffer.byteLength(unique(`${long}.jpg`)) <= 220)
  }
})

test('a selection has a compact name, which never stands for another', () => {
  const items = itemsOf(3000)
  const chosen = new Set(items.filter((_, n) => n % 3 === 1 || n > 2900))
  const name = encodeSelection(items, chosen)!
  assert.ok(name.length < 600, `${name.length} characters`)
  assert.deepEqual(decodeSelection(items, name), [...chosen])
  for (const list of [items.slice(1), items.toReversed(), itemsOf(3001)]) {
    assert.equal(decodeSelection(list, name), undefined)
  }
  for (const wrong of [
    '', 'x', name.slice(0, 11), `${name.slice(0, 11)}AAAA`, encodeSelection(items, new Set())!
  ]) {
    assert.equal(decodeSelection(items, wrong), undefined, wrong)
  }
})
