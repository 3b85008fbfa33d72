/** An album, and a link to chosen photos, whose zips the tests download through the real program. */
import assert from 'node:assert/strict'
import { ask, type Answer, type Running } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { madeUp, type Asset, type Version } from '../standin.ts'
import { entriesOf } from '../unzip.ts'

export const PATHS = [
  'album by key', 'album by slug', 'chosen photos by key', 'chosen photos by slug'
] as const
export const SERVERS: readonly Version[] = ['3.1.0', '2.7.5']

/** Photos of a little more than 30,000 bytes; `change` sets the special fields of each. */
export function photosOf (count: number, change: (n: number) => Partial<Asset> = () => ({})): Asset[] {
  return Array.from({ length: count }, (_, n) => {
    const bytes = madeUp(n * 1000, n * 1000 + 30_000 + n)
    return photo(n, { name: `${n}.jpg`, original: { bytes, type: 'image/jpeg' }, ...change(n) })
  })
}

/** Shares photos, including the `hidden` ones, in an album and as chosen photos, each by key and by slug. */
export function shareZip (assets: Asset[], hidden: Asset[] = []) {
  const library = emptyLibrary()
  for (const asset of hidden) library.assets.set(asset.id, asset)
  const album = addLink(library, 'zip', { slug: 'the album', album: addAlbum(library, 'Zip', assets) })
  const chosen = addLink(library, 'chosen', { slug: 'the chosen' }, assets)
  const pathOf = (name: typeof PATHS[number]): string => {
    const link = name.startsWith('album') ? album : chosen
    return name.endsWith('slug')
      ? `/s/${encodeURIComponent(link.slug!)}/download`
      : `/share/${link.key}/download`
  }
  return { library, assets, album, chosen, pathOf, path: pathOf('album by key') }
}

/** Requests a zip; a connection that was reset before the headers counts as broken too. */
export const fetchZip = (
  { base }: Running, path: string, headers: Record<string, string> = {}
): Promise<Answer> =>
  ask(base, path, { headers }).catch(error => {
    assert.equal(error.code, 'ECONNRESET')
    return { status: 0, headers: {}, body: Buffer.alloc(0), text: '', complete: false, json: () => undefined }
  })

export const namesIn = async (zip: Buffer): Promise<string[]> =>
  (await entriesOf(zip)).map(({ name }) => name)

/** Chooses items with the form; returns the address to which it redirects. */
export async function choose ({ get }: Running, path: string, ids: unknown): Promise<string> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams({ assets: JSON.stringify(ids) }).toString()
  const response = await get(path, { method: 'POST', headers, body })
  assert.equal(response.status, 303)
  return response.headers.location!
}

/** Makes the stand-in lose the originals of these assets. */
export function lose ({ immich }: Running, lost: readonly Asset[]): void {
  const paths = new Set(lost.map(({ id }) => `/api/assets/${id}/original`))
  immich.fault = ({ path }) => paths.has(path) ? { status: 404 } : undefined
}
