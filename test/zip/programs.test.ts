/** Zips read by third-party programs: names that are safe everywhere, and the right bytes. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { madeUp, newId } from '../standin.ts'
import { entriesOf } from '../unzip.ts'
import { sha } from './fake-gate.ts'
import { makeZip, smallFiles } from './make.ts'
import { folder, READERS } from './readers.ts'

const NAMES = [
  'IMG_1.jpg', 'img_1.JPG', 'IMG_1.jpg', 'it\'s a "quote".jpg', '../../etc/passwd.jpg', 'C:\\x\\y.jpg',
  'new\r\nline.jpg', 'CON.jpg', 'ünï 🌊.jpg', 'RTL \u202egpj.exe.jpg', 'no extension',
  `${'long '.repeat(60)}.jpg`, '海'.repeat(120) + '.jpg', '.hidden.jpg', 'trailing. .jpg', 'a/b.jpg'
]
const EXPECTED = [
  'IMG_1.jpg', 'img_1 (2).JPG', 'IMG_1 (3).jpg', 'ünï 🌊.jpg', '_CON.jpg', 'MOTION.mp4', 'MOTION.jpg',
  'no extension.jpg'
]

/** Photos with names that cause trouble, and a motion photo. */
function trouble () {
  const library = emptyLibrary()
  const assets = NAMES.map((name, n) =>
    photo(n, {
      id: newId(`zip ${n}`),
      name,
      original: { bytes: madeUp(n * 1000, n * 1000 + 40_000 + n), type: 'image/jpeg' }
    })
  )
  const moving = { bytes: Buffer.from('the moving part'), type: 'video/mp4' }
  const part = video(1, { id: newId('part'), name: 'MOTION.mp4', visibility: 'hidden', original: moving })
  const still = { bytes: Buffer.from('the still part'), type: 'image/jpeg' }
  assets.push(photo(NAMES.length, { name: 'MOTION.jpg', motion: part.id, original: still }))
  const album = addAlbum(library, 'Zip: "names" / all', assets)
  library.assets.set(part.id, part)
  return { library, files: [...assets, part], key: addLink(library, 'zip', { album }).key }
}

test('five programs read a zip whose names cause trouble', async () => {
  const { library, files, key } = trouble()
  const zip = await (await start({ library })).get(`/share/${key}/download`)
  assert.match(
    zip.headers['content-disposition']!,
    /^attachment; filename="Zip_ _names_ _ all\.zip"; filename\*=UTF-8''Zip_/
  )
  const entries = await entriesOf(zip.body)
  assert.deepEqual(
    entries.map(({ sha }) => sha).sort(), files.map(({ original }) => sha(original.bytes!)).sort()
  )
  const names = entries.map(({ name }) => name)
  assert.equal(new Set(names.map(name => name.toLowerCase())).size, files.length)
  for (const name of names) {
    assert.doesNotMatch(name, /[\\/:*?"<>|\x00-\x1f\u202e]|^(con|nul)(\.|$)|[. ]$/i)
    assert.ok(Buffer.byteLength(name) <= 255)
  }
  for (const name of EXPECTED) assert.ok(names.includes(name), `${name} in ${names}`)
  const path = join(folder, 'names.zip')
  writeFileSync(path, zip.body)
  for (const [program, read] of READERS) assert.equal(read(path), files.length, program)
})

for (const count of [1, 100, 900]) {
  test(`${count} entries do not need ZIP64, which Apple's Archive Utility cannot read`, async () => {
    const { path, isZip64 } = await makeZip(smallFiles(count))
    assert.ok(!isZip64)
    for (const [program, read] of READERS) assert.equal(read(path), count, program)
  })
}
