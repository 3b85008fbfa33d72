/**
 * Every route × every kind of link × every kind of unlock × every version of Immich. `expected` alone states
 * what the promises require.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createKeys } from '../../src/keys.ts'
import { cookieName, createSeal } from '../../src/gate/unlock.ts'
import { parseLinkAddress, type LinkAddress } from '../../src/validate.ts'
import { HTML, KEEP_ALIVE, start } from '../helpers.ts'
import { PASSWORD, addLink, photo, video, sampleLibrary } from '../library.ts'
import { newKey, VERSIONS, type ShareLink } from '../standin.ts'

const SECRET = 'a secret of sixteen'
const KEY = createKeys(SECRET)('unlock cookie')
const UNLOCKS = [
  'none', 'right', 'garbage', 'tampered', 'expired', 'of the future', 'of another link', 'of another process',
  'the bare token'
] as const
type Unlock = typeof UNLOCKS[number]
const VALID: Unlock[] = ['none', 'right', 'the bare token']
type Kind = {
  link: ShareLink
  ref: LinkAddress
  gone?: boolean
  empty?: boolean
  foreign: string
  photo: string
  video: string
}
const ROUTES = [
  'page', 'item', 'foreign item', 'items', 'meta', 'foreign meta', 'photo', 'thumbnail', 'preview',
  'fullsize', 'original', 'foreign photo', 'video', 'foreign video', 'video of a photo', 'zip', 'zip of one',
  'zip of a foreign one'
] as const
type Route = typeof ROUTES[number]

/** The promises: the status, and whether the answer may contain anything from the link. */
function expected (route: Route, kind: Kind, unlock: Unlock): { status: number, told: boolean } {
  const { link, gone, empty } = kind
  const nothing = { status: 404, told: false }
  // 7: unknown, expired, deleted and malformed links get the same answer
  if (gone) return nothing
  // 2: nothing without exactly this link's unlock; browsers get the form, except at addresses for scripts
  const asks = !['items', 'meta', 'foreign meta', 'zip of one', 'zip of a foreign one'].includes(route)
  if (link.password !== null && unlock !== 'right') return asks ? { status: 200, told: false } : nothing
  // 3: an item that is not in the list does not exist, and a photo is no video
  if (route.includes('foreign') || route === 'video of a photo') return nothing
  if (empty && route !== 'page') return nothing
  // 6: the owner's permission (the operator allows it by default)
  if (!link.allowDownload && (route === 'original' || route.startsWith('zip'))) return nothing
  return { status: 200, told: true }
}

for (const version of VERSIONS) {
  describe(`Immich ${version}`, async () => {
    const sample = sampleLibrary()
    const { library, links } = sample
    const shared = [photo(800), photo(801, { name: 'second.jpg' }), video(802)]
    const [first, , videoId] = shared.map(({ id }) => id) as [string, string, string]
    const foreign = sample.assets.notShared.id
    const make = (
      name: string, more: Partial<ShareLink> = {}, by: 'key' | 'slug' = 'key', rest: Partial<Kind> = {}
    ): [string, Kind] => {
      const link = addLink(library, `matrix ${name}`, more, shared)
      const ref = parseLinkAddress(by === 'key' ? link.key : undefined, link.slug)!
      return [name, { link, ref, photo: first, video: videoId, foreign, ...rest }]
    }
    const bare = (name: string, link: ShareLink, rest: Partial<Kind>): [string, Kind] => [
      name, { link, ref: parseLinkAddress(link.key)!, photo: first, video: videoId, foreign, ...rest }
    ]
    const kinds = new Map<string, Kind>([
      make('open'),
      make('open by slug', { slug: `open-${version}` }, 'slug'),
      make('locked', { password: PASSWORD }),
      make('locked by slug', { password: PASSWORD, slug: `locked-${version}` }, 'slug'),
      make('locked, no downloads', { password: 'other', allowDownload: false }),
      make('no downloads', { allowDownload: false }),
      make('no metadata', { showMetadata: false }),
      make('expired', { expiresAt: '2026-01-01T00:00:00.000Z' }, 'key', { gone: true }),
      make(
        'expired and locked', { expiresAt: '2026-01-01T00:00:00.000Z', password: PASSWORD }, 'key',
        { gone: true }
      ),
      bare('empty', links.empty, { empty: true }),
      bare('deleted album', links.deleted, { gone: true }),
      bare('unknown', { ...links.album, key: newKey() }, { gone: true })
    ])
    const run = await start({
      version, library, env: { IPP_SECRET: SECRET }, ipp: { limits: { guessesPerVisitor: 100_000 } }
    })
    const seal = createSeal(KEY)
    const cookiesOf = new Map<string, string>()
    for (const [name, { link, ref, gone }] of kinds) {
      if (link.password === null || gone) continue
      const { response, cookie } = await run.unlock({
        ...ref as Record<string, string>, password: link.password
      })
      assert.equal(response.status, 303, name)
      cookiesOf.set(name, cookie)
    }
    /** The Cookie header of a visitor with this unlock. */
    const cookie = (name: string, { ref, link }: Kind, unlock: Unlock): string => {
      const refs = [ref, { key: link.key } as LinkAddress]
      const own = cookiesOf.get(name) ?? cookiesOf.get('locked')!
      const jar = new Map(own.split('; ').map(pair => pair.split('=') as [string, string]))
      const locked = cookiesOf.get('locked')!.split('; ').map(pair => pair.split('=') as [string, string])
      const token = seal.open(refs[0]!, jar) ?? seal.open(kinds.get('locked')!.ref, new Map(locked))!
      const all = (value: (ref: LinkAddress) => string) =>
        refs.map(ref => `${cookieName(ref)}=${value(ref)}`).join('; ')
      const other = cookiesOf.get(name === 'locked' ? 'locked by slug' : 'locked')!
        .split('; ').map(pair => pair.split('=')[1]!)
      return {
        none: '',
        right: own,
        garbage: all(() => 'AAAA'.repeat(30)),
        tampered: all(ref => seal.seal(ref, token).replace(/^./, first => first === 'x' ? 'y' : 'x')),
        expired: all(ref => createSeal(KEY, () => Date.now() - 3_601_000).seal(ref, token)),
        'of the future': all(ref => createSeal(KEY, () => Date.now() + 3_600_000).seal(ref, token)),
        'of another link': all(() => other[0]!),
        'of another process': all(ref => createSeal(createKeys('')('unlock cookie')).seal(ref, token)),
        'the bare token': all(() => token)
      }[unlock]
    }
    const request = (route: Route, { ref, link, photo, video, foreign }: Kind): [string, string?] => {
      const home = 'key' in ref ? `/share/${ref.key}` : `/s/${encodeURIComponent(ref.slug)}`
      const form = (id: string): [string, string] => [
        `${home}/download`, new URLSearchParams({ assets: JSON.stringify([id]) }).toString()
      ]
      const paths = {
        page: [home],
        item: [`${home}/${photo}`],
        'foreign item': [`${home}/${foreign}`],
        items: [`/share/items/${link.key}/0`],
        meta: [`/share/meta/${link.key}/${photo}`],
        'foreign meta': [`/share/meta/${link.key}/${foreign}`],
        photo: [`/share/photo/${link.key}/${photo}`],
        'foreign photo': [`/share/photo/${link.key}/${foreign}`],
        ...Object.fromEntries(
          ['thumbnail', 'preview', 'fullsize', 'original'].map(size =>
            [size, [`/share/photo/${link.key}/${photo}/${size}`]])
        ),
        video: [`/share/video/${link.key}/${video}`],
        'foreign video': [`/share/video/${link.key}/${foreign}`],
        'video of a photo': [`/share/video/${link.key}/${photo}`],
        zip: [`${home}/download`],
        'zip of one': form(photo),
        'zip of a foreign one': form(foreign)
      } as unknown as Record<Route, [string, string?]>
      return paths[route]
    }
    for (const [name, kind] of kinds) {
      test(name, async () => {
        // a cookie of ours that is not valid never reaches Immich, whose version cannot matter
        for (const unlock of version === '3.1.0' ? UNLOCKS : VALID) {
          for (const route of ROUTES) {
            const [path, body] = request(route, kind)
            const { status, told } = expected(route, kind, unlock)
            for (const method of body === undefined ? ['GET', 'HEAD'] : ['POST']) {
              const before = run.immich.asked.length
              const headers = {
                ...HTML,
                cookie: cookie(name, kind, unlock),
                'content-type': 'application/x-www-form-urlencoded'
              }
              const given = { headers, agent: KEEP_ALIVE }
              const first = await run.get(path, { method, ...given, ...body !== undefined && { body } })
              // a selection has an address of its own
              const response =
                first.status === 303 && method === 'POST'
                  ? await run.get(first.headers.location!, given) : first
              const where = `${method} ${route}, unlock ${unlock}`
              assert.equal(response.status, status, where)
              if (method !== 'HEAD' && told) assert.ok(response.body.length > 0, where)
              if (told) continue
              // the form returns to the photo that its own address named
              assert.doesNotMatch(
                response.text.replace(/<input type="hidden" name="next"[^>]*>/, ''),
                new RegExp(`Summer at the lake|${shared.map(({ id }) => id).join('|')}`),
                where
              )
              assert.equal(response.headers['content-disposition'], undefined, where)
              assert.equal(response.headers['cache-control'], 'no-store', where)
              // no byte of it was even fetched
              const fetched = run.immich.asked.slice(before).map(({ path }) => path)
                .filter(path => path.includes('/assets/') || path.includes('download'))
              assert.deepEqual(fetched, [], where)
            }
          }
        }
      })
    }
  })
}
