/**
 * A share and an item cannot be forged: not by type, not by a cast that passes lint, not at run time.
 * Also what each contains.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import type { Item, Share } from '../../src/gate/gate.ts'
import { parseAssetId, parseKey, type AssetId, type Key } from '../../src/validate.ts'
import { HTML, ROOT, start, VISITOR } from '../helpers.ts'
import { addLink, emptyLibrary, photo, video } from '../library.ts'
import { newId } from '../standin.ts'

const FIELDS = {
  isProtected: false, isAlbum: true, title: '', description: '', items: [], isPartial: false, version: ''
}
/** Nothing here compiles: `npm run types` fails if one of these expectations is not met. */
export function forge (share: Share, item: Item, key: Key, id: AssetId): void {
  const can = { download: true, zip: true, originals: true, zoom: true }
  const tells = { facts: true, description: true, names: true }
  // @ts-expect-error a copy is no share
  const copy: Share = { ...share }
  // @ts-expect-error nor is one with other permissions
  const generous: Share = { ...share, can }
  // @ts-expect-error nor one from nothing
  const made: Share = { ...FIELDS, key, can, tells }
  // @ts-expect-error a copy is no item
  const other: Item = { ...item }
  // @ts-expect-error nor is one with another id
  const foreign: Item = { ...item, id }
  // @ts-expect-error nor one from nothing
  const new_: Item = { id, isVideo: false, ratio: 1, thumbhash: '', duration: 0, isSphere: false }
  // @ts-expect-error a share cannot be changed
  share.can.download = true
  // @ts-expect-error nor added to
  share.items.push(item)
  // @ts-expect-error a text is no key
  const text: Key = 'x'
  void [copy, generous, made, other, foreign, new_, text]
}

test('lint lets no cast make a share or an item, except where the gate makes them', async () => {
  const lint = new ESLint({ cwd: fileURLToPath(ROOT) })
  const found = async (code: string, file: string) => {
    const [result] = await lint.lintText(code, { filePath: fileURLToPath(new URL(`src/${file}`, ROOT)) })
    const rules = ['no-restricted-syntax', 'no-warning-comments']
    return result!.messages.filter(({ ruleId }) => rules.includes(ruleId!)).length
  }
  const casts = [
    'export const a = b as Share', 'export const a = b as Item', 'export const a = b as Item[]',
    'export const a = b as { share: Share }', 'export const a = b as readonly Item[]',
    'export const a = b as never', 'export const a = b as any', 'export const a = b as unknown as Foo',
    'export const a = <Share>b', 'export const a: any = b', 'export const f = (b: any) => b',
    '// @ts-ignore\nexport const a = b', '// @ts-expect-error it fits\nexport const a = b'
  ]
  for (const file of ['routes/x.ts', 'zip/x.ts', 'gate/x.ts', 'x.ts']) {
    for (const cast of casts) assert.ok(await found(cast, file) > 0, `${file}: ${cast}`)
    assert.equal(await found('export const a = b as Foo', file), 0)
  }
  // where they are made, the rest of the list still holds
  assert.equal(await found('export const a = b as Share', 'gate/share.ts'), 0)
  assert.ok(await found('export const a = b!', 'gate/share.ts') > 0)
})

test('the gate accepts only the shares and items that it made', async () => {
  const run = await start()
  const { gate } = run.proxy.app
  const open = (link: { key: string }) => gate.open({ key: parseKey(link.key)! }, VISITOR)
  const share = await open(run.links.noDownload)
  // as long as nothing changes, it is the same one, by which pages and zips are cached
  assert.equal(await open(run.links.noDownload), share)
  const other = await open(run.links.album)
  const [item] = share.items as [Item]
  const sibling = gate.find(other, item.id)
  const caller = { lane: 'x' }
  const forged: unknown[] = [
    { ...share }, { ...share, can: other.can }, structuredClone(share), Object.create(share),
    Object.assign({}, other), JSON.parse(JSON.stringify(share)), new Proxy(share, {}), null, undefined,
    'share', {}
  ]
  const isForeign = /not a share of this gate|not an item of this share/
  for (const one of forged as Share[]) {
    await assert.rejects(gate.file(one, item, { as: 'thumbnail' }, caller), isForeign)
    await assert.rejects(gate.facts(one, item, caller), isForeign)
    await assert.rejects(gate.zipFiles(one, [item], caller), isForeign)
    assert.throws(() => gate.find(one, item.id), isForeign)
  }
  const notShared = parseAssetId(run.assets.notShared.id)!
  // an item of another link is foreign, although it is the same photo
  const items: unknown[] =
    [{ ...item }, structuredClone(item), Object.create(item), { ...item, id: notShared }, sibling]
  run.immich.asked.length = 0
  for (const one of items as Item[]) {
    await assert.rejects(gate.file(share, one, { as: 'thumbnail' }, caller), isForeign)
    await assert.rejects(gate.facts(share, one, caller), isForeign)
    await assert.rejects(gate.zipFiles(share, [item, one], caller), isForeign)
  }
  assert.deepEqual(run.immich.asked.filter(({ path }) => path.includes('/assets/')), [])
  assert.throws(() => { (share.can as { download: boolean }).download = true }, TypeError)
  assert.throws(() => { (item as { id: unknown }).id = notShared }, TypeError)
  // a share of another gate is as foreign as one that was made up
  const { proxy } = await start({ library: run.library })
  await assert.rejects(proxy.app.gate.file(share, item, { as: 'thumbnail' }, caller), isForeign)
  await gate.file(share, item, { as: 'thumbnail' }, caller)
})

test('the video part of a motion photo is no item of its own, but a video to play', async () => {
  const library = emptyLibrary()
  const part = video(1, { id: newId('part of a motion photo'), visibility: 'hidden' })
  library.assets.set(part.id, part)
  const { key } = addLink(library, 'moving', {}, [photo(1, { motion: part.id }), photo(2)])
  const run = await start({ library, ipp: { showMetadata: { exif: { make: true } } } })
  for (const path of [`${key}/${part.id}`, `meta/${key}/${part.id}`, `photo/${key}/${part.id}/preview`]) {
    assert.equal((await run.get(`/share/${path}`, { headers: HTML })).status, 404, path)
  }
  assert.equal((await run.get(`/share/video/${key}/${part.id}`)).status, 200)
})

test('a share that may not be downloaded as a zip has no files for one', async () => {
  for (const ipp of [{}, { allowDownloadAll: 0 }]) {
    const run = await start({ ipp })
    const { gate } = run.proxy.app
    const link = 'allowDownloadAll' in ipp ? run.links.album : run.links.noDownload
    const share = await gate.open({ key: parseKey(link.key)! }, VISITOR)
    run.immich.asked.length = 0
    await assert.rejects(gate.zipFiles(share, share.items, { lane: 'x' }), { reason: 'missing' })
    assert.deepEqual(run.immich.asked, [])
  }
})
