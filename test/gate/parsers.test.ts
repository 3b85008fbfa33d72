/** Each parser of Immich's JSON by itself: what a field becomes, and what is not accepted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  bareDate, isErrorBody, mediaType, parseDetails, parseDisposition, parseLink, parseLoginCookie, parseMessage,
  parseMonth, parseMonths, parseNames, parsePing, parseSizes, parseVersion, UNKNOWN_TYPE
} from '../../src/gate/immich-json.ts'

// a time without a zone must not be read in that of the machine
process.env.TZ = 'Asia/Tokyo'
const id = (n: number) => `0a000000-0000-4000-8000-00000000000${n}`
const KEY = 'k'.repeat(67)
/** A chosen photo of a link, with these fields; undefined if it is left out. */
const chosen = (more: object) => parseLink({
  key: KEY, type: 'INDIVIDUAL', assets: [{ id: id(1), type: 'IMAGE', width: 4, height: 3, ...more }]
})?.assets?.[0]
/** A row of a month, with these fields; undefined if it is left out. */
const row = (fields: Record<string, unknown>) =>
  parseMonth({ id: [id(1)], ...Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, [v]])) })?.[0]

test('durations: ms, or a clock', () => {
  const cases: [unknown, number][] = [
    [1500, 1500], [1500.4, 1500], ['0:00:01.500', 1500], ['1:02:03.25', 3_723_250], ['00:00:07', 7000],
    ['12:34:56', 45_296_000], [0, 0], [-5, 0], [null, 0], ['', 0], ['1500', 0], ['a0:00:01', 0],
    ['0:00:01.5x', 0], ['0:00:01:00', 0], ['0:0:1', 0], [Infinity, 0]
  ]
  for (const [duration, expected] of cases) {
    assert.equal(chosen({ duration })?.duration, expected, String(duration))
  }
})

test('times: with a zone or as UTC, and within what calendars show', () => {
  const noon = Date.UTC(2020, 4, 6, 12)
  const cases: [unknown, number][] = [
    ['2020-05-06T12:00:00.000Z', noon], ['2020-05-06T12:00:00z', noon], ['2020-05-06T12:00:00', noon],
    ['2020-05-06T14:00:00+02:00', noon], ['2020-05-06T10:00:00-02:00', noon],
    ['0001-01-01T00:00:00Z', Date.UTC(100, 0, 1)], ['+020000-01-01T00:00:00Z', Date.UTC(9999, 0, 1)],
    ['-000044-03-15T00:00:00Z', Date.UTC(100, 0, 1)], ['yesterday', 0], [null, 0], [5, 0], ['', 0]
  ]
  for (const [given, expected] of cases) {
    assert.equal(chosen({ localDateTime: given })?.time, expected, `${given}`)
    assert.equal(row({ fileCreatedAt: given })?.time, expected, `${given}`)
    assert.equal(parseDetails({ id: id(1), localDateTime: given })?.time, expected, `${given}`)
  }
  assert.equal(row({ fileCreatedAt: '2020-05-06T12:00:00', localOffsetHours: -5.5 })?.time, noon - 19_800_000)
  assert.equal(row({ fileCreatedAt: '2020-05-06T12:00:00', localOffsetHours: '2' })?.time, noon)
})

test('an asset: its shape, thumbhash, parts and flags', () => {
  const plain = {
    id: id(1), isVideo: false, ratio: 4 / 3, thumbhash: '', duration: 0, isSphere: false, isEdited: false,
    time: 0, name: ''
  }
  assert.deepEqual(chosen({}), plain)
  assert.deepEqual(row({ ratio: 4 / 3 }), plain)
  for (const hash of ['abc+/Z09==', 'a'.repeat(60), 'a']) {
    assert.equal(chosen({ thumbhash: hash })?.thumbhash, hash)
    assert.equal(row({ thumbhash: hash })?.thumbhash, hash)
  }
  for (const hash of ['a'.repeat(61), 'a===', '=a', 'a"b', ' a', 'a\n', 7, null, undefined]) {
    assert.equal(chosen({ thumbhash: hash })?.thumbhash, '', String(hash))
  }
  const shapes: [unknown, unknown, number][] = [
    [3, 4, 0.75], [100, 1, 5], [1, 100, 0.2], [0, 4, 1], [4, 0, 5], [0, 0, 1], [-1, 4, 1], ['4', 3, 1]
  ]
  for (const [width, height, ratio] of shapes) {
    assert.equal(chosen({ width, height })?.ratio, ratio, `${width} ${height}`)
  }
  for (const [given, ratio] of [[1.5, 1.5], [0, 1], [null, 1], [9, 5], [0.1, 0.2]] as const) {
    assert.equal(row({ ratio: given })?.ratio, ratio)
  }
  assert.deepEqual(chosen({ livePhotoVideoId: id(2) }), { ...plain, motion: id(2) })
  assert.deepEqual(row({ ratio: 4 / 3, livePhotoVideoId: id(2) }), { ...plain, motion: id(2) })
  assert.deepEqual(chosen({ livePhotoVideoId: '../x' }), plain)
  assert.equal(chosen({ exifInfo: { projectionType: 'EQUIRECTANGULAR' } })?.isSphere, true)
  assert.equal(chosen({ projectionType: 'EQUIRECTANGULAR' })?.isSphere, false)
  assert.equal(row({ projectionType: 'EQUIRECTANGULAR' })?.isSphere, true)
  assert.equal(row({ projectionType: 'OTHER' })?.isSphere, false)
  assert.deepEqual([true, 'true', 1].map(isEdited => chosen({ isEdited })?.isEdited), [true, false, false])
  assert.equal(chosen({ originalFileName: 'a.jpg' })?.name, 'a.jpg')
  assert.deepEqual(['VIDEO', 'IMAGE', 'AUDIO', undefined].map(type => chosen({ type })?.isVideo),
    [true, false, undefined, undefined])
  assert.deepEqual([false, true, null].map(isImage => row({ isImage })?.isVideo), [true, false, false])
})

test('what is in the trash, hidden or locked is left out', () => {
  const cases: [object, boolean][] = [
    [{}, true], [{ isTrashed: false }, true], [{ isTrashed: true }, false],
    [{ visibility: 'timeline' }, true], [{ visibility: 'archive' }, true],
    [{ visibility: 'hidden' }, false], [{ visibility: 'locked' }, false],
    [{ visibility: null }, false], [{ visibility: 'timeline', isTrashed: true }, false]
  ]
  for (const [fields, isShown] of cases) {
    assert.equal(chosen(fields) !== undefined, isShown, JSON.stringify(fields))
    assert.equal(row({ ...fields }) !== undefined, isShown, JSON.stringify(fields))
  }
  assert.equal(chosen({ id: 'x' }), undefined)
  assert.deepEqual(parseLink({ key: KEY, type: 'INDIVIDUAL', assets: [null, 'x', 7, []] })?.assets, [])
  assert.deepEqual(parseLink({ key: KEY, type: 'INDIVIDUAL' })?.assets, [])
})

test('a link: its key, permissions, texts and list', () => {
  const plain = {
    key: KEY, isProtected: false, title: '', description: '', allowDownload: false, showMetadata: false
  }
  const own = (more: object) => parseLink({ key: KEY, type: 'INDIVIDUAL', ...more })
  assert.deepEqual(own({}), { ...plain, assets: [] })
  assert.deepEqual(own({ slug: 'a slug' }), { ...plain, slug: 'a slug', assets: [] })
  assert.deepEqual(own({ slug: '' }), { ...plain, assets: [] })
  assert.deepEqual(own({ description: 'Ours' }), { ...plain, title: 'Ours', assets: [] })
  assert.equal(own({ password: 'x' })?.isProtected, true)
  assert.equal(own({ password: null })?.isProtected, false)
  for (const flag of ['allowDownload', 'showMetadata'] as const) {
    assert.deepEqual([true, 'true', 1, null].map(value => own({ [flag]: value })?.[flag]),
      [true, false, false, false])
  }
  const times: [unknown, number | undefined][] = [
    [null, undefined], [undefined, undefined], ['2020-01-01T00:00:00Z', Date.UTC(2020, 0, 1)],
    ['soon', 0], [5, 0], ['', 0], [false, 0]
  ]
  for (const [expiresAt, expected] of times) {
    assert.equal(own({ expiresAt })?.expiresAt, expected, String(expiresAt))
    assert.equal('expiresAt' in own({ expiresAt })!, expected !== undefined)
  }
  const album = (more: object, link: object = {}) =>
    parseLink({ key: KEY, type: 'ALBUM', album: { id: id(5), ...more }, ...link })
  const empty = { id: id(5), order: 'desc', count: 0 }
  assert.deepEqual(album({}), { ...plain, album: empty })
  assert.deepEqual(album({ order: 'asc', assetCount: 7, albumThumbnailAssetId: id(6) })?.album,
    { id: id(5), order: 'asc', count: 7, cover: id(6) })
  assert.deepEqual(album({ order: 'ASC', assetCount: '7', albumThumbnailAssetId: 'x' })?.album, empty)
  const texts = album({ albumName: 'Name', description: "the album's" }, { description: "the link's" })
  assert.deepEqual([texts?.title, texts?.description], ['Name', "the link's"])
  assert.equal(album({ description: "the album's" }, { description: '' })?.description, "the album's")
  assert.equal(album({}, { assets: [{ id: id(1), type: 'IMAGE' }] })?.assets, undefined)
  // a link to chosen photos may name an album, which it does not share
  assert.deepEqual(own({ album: { id: id(5), albumName: 'Name' } }), { ...plain, assets: [] })
  for (const wrong of [
    null, 'x', [], {}, { type: 'INDIVIDUAL' }, { key: 'a b', type: 'INDIVIDUAL' }, { key: KEY },
    { key: KEY, type: 'ALBUM' }, { key: KEY, type: 'ALBUM', album: { id: 'x' } },
    { key: KEY, type: 'OTHER', album: { id: id(5) } }
  ]) assert.equal(parseLink(wrong), undefined, JSON.stringify(wrong))
})

test('months: dates with years of four to six digits, at most 1,200', () => {
  const months = (...buckets: unknown[]) => parseMonths(buckets.map(timeBucket => ({ timeBucket })))
  const first = '2020-01-01T00:00:00.000Z'
  assert.deepEqual(months('2020-01-01'), { months: [first], isComplete: true })
  assert.deepEqual(months('123456-01-01')?.isComplete, true)
  for (const wrong of [
    '202-01-01', '1234567-01-01', '2020-1-01', 'x2020-01-01', first, '2020-01-01\n', 5, null
  ]) {
    assert.equal(months(wrong), undefined, String(wrong))
    assert.deepEqual(months('2020-01-01', wrong), { months: [first], isComplete: false })
  }
  assert.deepEqual(parseMonths([]), { months: [], isComplete: true })
  for (const wrong of [null, {}, 'x', [null], [7]]) assert.equal(parseMonths(wrong), undefined)
  const many = (count: number) => months(...Array.from({ length: count }, () => '2020-01-01'))
  assert.deepEqual([many(1200)?.months.length, many(1201)], [1200, undefined])
  assert.equal(bareDate(parseMonths([{ timeBucket: '2020-01-01' }])!.months[0]!), '2020-01-01')
})

test('a month: all of its ids, in order, or nothing', () => {
  assert.deepEqual(parseMonth({ id: [id(1), id(2)] })?.map(asset => asset.id), [id(1), id(2)])
  assert.deepEqual(parseMonth({ id: [] }), [])
  const second = parseMonth({ id: [id(1), id(2)], ratio: [1, 2], isTrashed: [true, false] })
  assert.deepEqual(second?.map(({ id, ratio }) => [id, ratio]), [[id(2), 2]])
  for (const wrong of [
    null, [], 'x', {}, { id: id(1) }, { id: [id(1), 'x'] }, { id: [null] }, { id: { 0: id(1) } }
  ]) {
    assert.equal(parseMonth(wrong), undefined, JSON.stringify(wrong))
  }
})

test('details: type, name, time and description; nothing without an id', () => {
  const exifInfo = { description: 'A', make: 'B' }
  assert.deepEqual(
    parseDetails({ id: id(1), originalMimeType: 'image/png', originalFileName: 'a.png', exifInfo }),
    { type: 'image/png', name: 'a.png', time: 0, description: 'A', exif: exifInfo }
  )
  assert.deepEqual(parseDetails({ id: id(1) }),
    { type: UNKNOWN_TYPE, name: '', time: 0, description: '', exif: {} })
  for (const wrong of [null, {}, { id: 'x' }, []]) assert.equal(parseDetails(wrong), undefined)
})

test('names: a page of them, and the number of the next', () => {
  const page = (items: unknown, nextPage?: unknown) => parseNames({ assets: { items, nextPage } })
  const both = page([{ id: id(1), originalFileName: 'a', isEdited: true }, { id: id(2) }, { id: 'x' }, null])
  assert.deepEqual([...both!.assets], [
    [id(1), { name: 'a', isEdited: true }], [id(2), { name: '', isEdited: false }]
  ])
  assert.equal(page([{ id: id(1), isEdited: 'yes' }])!.assets.get(id(1) as never)!.isEdited, false)
  for (const [given, next] of [
    ['2', 2], ['0', undefined], ['-1', undefined], ['1.5', undefined], [2, undefined], [null, undefined],
    ['x', undefined], ['1e99', undefined]
  ] as const) {
    assert.equal(page([], given)!.next, next, String(given))
    assert.equal('next' in page([], given)!, next !== undefined)
  }
  for (const wrong of [null, {}, { assets: {} }, { assets: { items: {} } }]) {
    assert.equal(parseNames(wrong), undefined)
  }
})

test('sizes: one archive for each asset', () => {
  const sizes = (...archives: unknown[]) => [...parseSizes({ archives })!]
  assert.deepEqual(sizes({ assetIds: [id(1)], size: 5 }, { assetIds: [id(2)], size: 0 }),
    [[id(1), 5], [id(2), 0]])
  for (const wrong of [
    null, 7, {}, { assetIds: [id(1)] }, { assetIds: [id(1)], size: 1.5 }, { assetIds: [id(1)], size: '5' },
    { assetIds: [id(1), id(2)], size: 5 }, { assetIds: [], size: 5 }, { assetIds: ['x'], size: 5 },
    { assetIds: id(1), size: 5 }
  ]) assert.deepEqual(sizes(wrong), [], JSON.stringify(wrong))
  for (const wrong of [null, {}, { archives: null }, { archives: {} }]) {
    assert.equal(parseSizes(wrong), undefined)
  }
})

test('media types: those on the list, however they are written', () => {
  for (const given of ['image/jpeg', 'IMAGE/JPEG', ' image/jpeg ; q=1', 'image/jpeg;a\nb']) {
    assert.equal(mediaType(given), 'image/jpeg', given)
  }
  for (const given of ['text/html', 'image/svg+xml', 'image/jpeg2', '', null, 7, 'a;image/jpeg']) {
    assert.equal(mediaType(given), UNKNOWN_TYPE, String(given))
  }
})

test('headers: the name of a file, the token of a login', () => {
  const names: [unknown, string][] = [
    ["attachment; filename*=UTF-8''a%20b.jpg", 'a b.jpg'],
    ["inline; FILENAME*=utf-8''it's.jpg; x=y", "it's.jpg"],
    ["attachment; filename*=UTF-8''%ff", ''], ['attachment; filename="a.jpg"', ''], [null, ''], ['', '']
  ]
  for (const [given, expected] of names) assert.equal(parseDisposition(given), expected, String(given))
  const token = 'immich_shared_link_token'
  const cookies: [string[], string | undefined][] = [
    [[`${token}=abc; Path=/`], 'abc'], [['x=1', `${token}=a%2Bb`], 'a+b'], [[`x${token}=abc`], undefined],
    [[`${token}=`], undefined], [[], undefined], [[`${token}=%ff`], undefined]
  ]
  for (const [given, expected] of cookies) assert.equal(parseLoginCookie(given), expected, given.join())
})

test('versions, pings and refusals', () => {
  assert.deepEqual(parseVersion({ major: 3, minor: 0, patch: 2 }), [3, 0, 2])
  for (const wrong of [
    null, {}, { major: 3, minor: 0 }, { major: '3', minor: 0, patch: 2 }, { major: 3, minor: 0.5, patch: 2 },
    { major: 3, minor: 0, patch: null }, { minor: 0, patch: 2 }
  ]) assert.equal(parseVersion(wrong), undefined)
  assert.equal(parsePing({ res: 'pong' }), true)
  for (const wrong of [{ res: 'ping' }, {}, null, 'pong']) assert.equal(parsePing(wrong), undefined)
  for (const message of ['x', ['x', 'y'], null]) assert.equal(isErrorBody({ message }), true)
  for (const other of [{}, null, 'message']) assert.equal(isErrorBody(other), false)
  assert.deepEqual([{ message: 'x' }, { message: ['x'] }, {}].map(parseMessage), ['x', '', ''])
})
