/** Compares the stand-in with recordings of real Immich servers, so that the other tests rest on facts. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { after, describe, test } from 'node:test'
import { emptyLibrary } from './library.ts'
import { newKey, startImmich, VERSIONS, type Asset, type File, type Library } from './standin.ts'

type Json = any
type Recording = {
  name: string
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
  status: number
  answer: Record<string, string>
  json?: Json
}
const recordings = (version: string): Recording[] =>
  JSON.parse(readFileSync(new URL(`./recordings/${version}.json`, import.meta.url), 'utf8'))

const ms = (value: unknown): number | null =>
  typeof value === 'number'
    ? value
    : typeof value === 'string' && !/^0:00:00/.test(value)
      ? Date.parse(`1970-01-01T${value.padStart(12, '0')}Z`)
      : null
const zoned = (text: string) => Date.parse(/Z|[+-]\d\d:\d\d$/.test(text) ? text : text + 'Z')
const fileOf = ({ answer }: Recording): File => ({
  size: Number(answer['content-length']),
  type: answer['content-type']!,
  modified: Date.parse(answer['last-modified']!),
  etag: answer.etag!,
  ...answer['content-disposition'] !== undefined && {
    name: decodeURIComponent(answer['content-disposition'].split("''")[1]!)
  }
})

/** Returns the library that the recorded server must have had. */
function rebuild (rows: Recording[]): Library {
  const library = emptyLibrary()
  const blank = (id: string): Asset => ({
    id,
    type: 'IMAGE',
    name: 'x.jpg',
    mime: 'image/jpeg',
    taken: 0,
    offsetHours: 0,
    width: 1000,
    height: 1000,
    duration: null,
    thumbhash: null,
    visibility: 'timeline',
    trashed: false,
    motion: null,
    exif: {},
    original: { size: 1, type: 'image/jpeg' }
  })
  const asset = (id: string): Asset => {
    const known = library.assets.get(id) ?? blank(id)
    library.assets.set(id, known)
    return known
  }
  const details = (json: Json) => {
    const known = asset(json.id)
    Object.assign(known, {
      type: json.type,
      mime: json.originalMimeType,
      width: json.width,
      height: json.height,
      duration: ms(json.duration),
      thumbhash: json.thumbhash,
      motion: json.livePhotoVideoId,
      ...json.exifInfo && {
        name: json.originalFileName,
        exif: json.exifInfo,
        visibility: json.visibility,
        taken: Date.parse(json.fileCreatedAt),
        edited: json.isEdited,
        offsetHours: (Date.parse(json.localDateTime) - Date.parse(json.fileCreatedAt)) / 3_600_000
      }
    })
  }
  // facts from a link without metadata must not overwrite those from another link
  const ordered = [...rows].sort(
    (a, b) => Number(Boolean(a.json?.exifInfo)) - Number(Boolean(b.json?.exifInfo))
  )
  for (const row of ordered) {
    const id = /^\/api\/assets\/([\da-f-]{36})/.exec(row.path)?.[1]
    if (row.status === 200 && row.name.endsWith('-asset') && row.json) details(row.json)
    if (row.json?.fileCreatedAt instanceof Array) {
      row.json.id.forEach((id: string, n: number) => {
        const known = asset(id)
        const ratio = row.json.ratio[n]
        Object.assign(known, {
          type: row.json.isImage[n] ? 'IMAGE' : 'VIDEO',
          taken: zoned(row.json.fileCreatedAt[n]),
          offsetHours: row.json.localOffsetHours[n],
          duration: ms(row.json.duration[n]),
          thumbhash: row.json.thumbhash[n],
          motion: row.json.livePhotoVideoId[n],
          visibility: row.json.visibility[n],
          ...Math.round(known.width / known.height * 1000) / 1000 !== ratio && {
            width: ratio * 1000,
            height: 1000
          }
        })
        known.exif = {
          ...known.exif,
          ...row.json.city && { city: row.json.city[n], country: row.json.country[n] }
        }
      })
    }
    if (row.name.endsWith('video-big-playback-range')) {
      const size = Number(row.answer['content-range']!.split('/')[1])
      asset(id!).playback = { ...fileOf(row), size }
    }
    if (!id || row.status !== 200 || row.json || row.headers?.range) continue
    if (/\/original\?/.test(row.path)) asset(id).original = fileOf(row)
    if (/\/video\/playback/.test(row.path) && row.answer['content-length']) asset(id).playback = fileOf(row)
    const size = /\/thumbnail\?(?:size=(\w+))?/.exec(row.path)
    if (size && row.answer['content-length'] && size[1] !== 'original') {
      const { name: _, ...file } = fileOf(row)
      asset(id)[(size[1] ?? 'thumbnail') as 'preview'] = file
    }
  }
  for (const folder of new Set(rows.map(row => row.name.split('/')[0]!))) {
    const own = rows.filter(row => row.name.startsWith(`${folder}/`))
    const me = own.find(
      row => /\/(me-key|login-right|me-password-query-right)$/.test(row.name) && row.status < 300
    )?.json
    if (!me || folder.startsWith('00')) continue
    const link = {
      key: me.key, slug: me.slug, password: me.password, description: me.description, expiresAt: me.expiresAt,
      allowDownload: me.allowDownload, showMetadata: me.showMetadata
    }
    if (me.album) {
      const listed = own.flatMap(row =>
        row.json?.fileCreatedAt instanceof Array ? row.json.id as string[] : []
      )
      const motions = new Set([...library.assets.values()].map(asset => asset.motion))
      const hidden = own
        .filter(row => row.name.endsWith('-asset') && row.status === 200 && row.json)
        .map(row => row.json.id as string)
        .filter(id => !motions.has(id))
      const before = library.albums.get(me.album.id)?.assets ?? []
      library.albums.set(me.album.id, {
        id: me.album.id,
        name: me.album.albumName,
        description: me.album.description,
        order: me.album.order,
        cover: me.album.albumThumbnailAssetId,
        assets: [...new Set([...before, ...listed, ...hidden])]
      })
      library.links.push({ ...link, album: me.album.id })
    } else {
      const complete = me.assets.every((one: Json) => one.exifInfo)
      for (const one of me.assets) if (complete || !library.assets.has(one.id)) details(one)
      library.links.push({ ...link, assets: me.assets.map((one: Json) => one.id) })
    }
  }
  // the requests of 00-general that use other spellings of a key
  library.links.push({
    key: newKey('unused'),
    slug: null,
    password: null,
    description: null,
    expiresAt: '2020-01-01T00:00:00Z',
    allowDownload: true,
    showMetadata: true,
    assets: []
  })
  return library
}

/** Field names and types; null fits anything, and an array stands for the fields common to its entries. */
function shape (value: Json): Json {
  if (value === null) return null
  if (Array.isArray(value)) return value.map(shape).reduce(merge, null)
  if (typeof value !== 'object') return typeof value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([name, inner]) => [name, shape(inner)])
  )
}
function merge (a: Json, b: Json): Json {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return a ?? b
  return Object.fromEntries(
    Object.keys({ ...a, ...b }).map(name => [name, merge(a[name] ?? null, b[name] ?? null)])
  )
}
function assertShape (actual: Json, expected: Json, at: string): void {
  if (actual === null || expected === null) return
  assert.equal(typeof actual, typeof expected, at)
  if (typeof actual !== 'object') return assert.equal(actual, expected, at)
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort(), at)
  for (const name of Object.keys(actual)) assertShape(actual[name], expected[name], `${at}.${name}`)
}

const ask = (base: string, row: Recording) =>
  new Promise<{ status: number, headers: Record<string, any>, body: Buffer }>((resolve, reject) => {
    const out = request(
      base + row.path,
      { method: row.method, headers: row.headers ?? {}, agent: false },
      async response => {
        const chunks = []
        for await (const chunk of response) chunks.push(chunk)
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) })
      }
    )
    out.on('error', reject)
    out.end(row.body)
  })

for (const version of VERSIONS) {
  describe(`the stand-in answers as Immich ${version} did`, async () => {
    const rows = recordings(version)
    const immich = await startImmich(rebuild(rows), { version })
    after(() => immich.close())
    for (const row of rows) {
      test(row.name, async () => {
        // the token of a recorded unlock is Immich's own; the stand-in has another for the same link
        const cookie = row.headers?.cookie
        if (cookie && row.status === 200) {
          const own = await ask(immich.url, {
            ...rows.find(
              other =>
                /login-right$|me-password-query-right$/.test(other.name) &&
                other.status < 300 &&
                other.name.split('/')[0] === row.name.split('/')[0]
            )!
          })
          row.headers = { ...row.headers, cookie: (own.headers['set-cookie'] as string[])[0]!.split(';')[0]! }
        }
        const { status, headers, body } = await ask(immich.url, row)
        assert.equal(status, row.status)
        if (row.json !== undefined) {
          const json = JSON.parse(body.toString())
          assertShape(shape(json), shape(row.json), 'body')
          if (typeof row.json.message === 'string' && !/^Cannot/.test(row.json.message)) {
            assert.equal(json.message, row.json.message)
          }
          if (status === 200 && row.path.includes('/timeline/')) {
            const { createdAt: _, ownerId: __, isFavorite: ___, ...facts } = row.json
            for (const [name, value] of Object.entries(facts)) assert.deepEqual(json[name], value, name)
          }
          if (Array.isArray(row.json) || row.path.includes('/timeline/')) return
        } else if (row.answer['accept-ranges']) {
          for (const name of [
            'content-type', 'content-range', 'content-disposition', 'accept-ranges', 'last-modified', 'etag',
            ...row.status < 300 ? ['content-length'] : []
          ]) {
            const expected =
              name === 'content-disposition'
                ? row.answer[name] && decodeURIComponent(row.answer[name])
                : row.answer[name]
            assert.equal(
              name === 'content-disposition' && headers[name]
                ? decodeURIComponent(headers[name])
                : headers[name],
              expected,
              name
            )
          }
        }
        assert.equal(headers.location, row.answer.location)
        assert.equal(Boolean(headers['set-cookie']), Boolean(row.answer['set-cookie']))
      })
    }
  })
}
