/** Parses visitors' input, value by value: anything that does not fit goes no further. */
import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import { parseBase } from '../../src/config/settings.ts'
import { parseAssetIds, parseForm, parseReturnPath } from '../../src/form.ts'
import {
  parseAssetId, parseKey, parseLinkAddress, parseOrigin, parsePassword,
  parseRange, parseSlug, parseTarget, parseToken, parseVisitor, resolveRange,
  type ByteRange, type LinkAddress
} from '../../src/validate.ts'
import { parsePeer, wideNetwork } from '../../src/visitor-address.ts'
import { newId, newKey } from '../standin.ts'

const KEY = newKey('key')
const ID = newId('id')
/** Each value, and the result of parsing it; undefined is a refusal. */
function check (parse: (value: unknown) => unknown, cases: [unknown, unknown][]): void {
  for (const [value, expected] of cases) {
    assert.deepEqual(parse(value), expected, JSON.stringify(value)?.slice(0, 80))
  }
}

test('keys, slugs, ids, tokens and passwords', () => {
  const hex = Buffer.from(KEY, 'base64url').toString('hex')
  check(parseKey, [
    [KEY, KEY], [`${KEY}=`, KEY], [`${KEY}==`, KEY], [hex, KEY], [hex.toUpperCase(), KEY], ['short', 'short'],
    ['x'.repeat(128), 'x'.repeat(128)], ['x'.repeat(129), undefined], ['', undefined],
    [`${KEY}===`, undefined],
    [`/${KEY}`, undefined], ['a/b', undefined], ['a b', undefined], ['a\n', undefined], [7, undefined],
    [null, undefined], [`${hex}00`, `${hex}00`], [`${hex}zz`, `${hex}zz`]
  ])
  check(parseSlug, [
    ['a', 'a'], ['sömmer 2026/ä?&', 'sömmer 2026/ä?&'], ['o\u0308', 'ö'], ['10m²ﬁ', '10m²ﬁ'],
    ['x'.repeat(255), 'x'.repeat(255)],
    ['x'.repeat(256), undefined], ['', undefined], ['a\0b', undefined], ['a\n', undefined],
    ['\u0085', undefined], ['\ud800', undefined], [7, undefined]
  ])
  check(parseAssetId, [
    [ID, ID], [ID.toUpperCase(), ID], [`${ID}0`, undefined], [`0${ID}`, undefined],
    [`${ID}/original`, undefined],
    ['../../users', undefined], ['', undefined], [undefined, undefined], [{ toString: () => ID }, undefined]
  ])
  check(parseToken, [
    ['ab+/=,-_', 'ab+/=,-_'], ['x'.repeat(256), 'x'.repeat(256)], ['x'.repeat(257), undefined],
    ['', undefined], ['a;b', undefined], ['a b', undefined], ['ab\r\n', undefined], ['"a', undefined]
  ])
  check(parsePassword, [
    ['p', 'p'], ['x'.repeat(256), 'x'.repeat(256)], ['x'.repeat(257), undefined], ['', undefined],
    ['a\0', undefined], ['\0a', undefined], [7, undefined]
  ])
  assert.deepEqual(parseLinkAddress(KEY, 'slug'), { key: KEY })
  assert.deepEqual(parseLinkAddress(undefined, 'slug'), { slug: 'slug' })
  assert.equal(parseLinkAddress('a b', ''), undefined)
})

test('ranges', () => {
  check(parseRange, [
    ['bytes=0-9', 'bytes=0-9'], ['bytes=0-', 'bytes=0-'], ['bytes=-5', 'bytes=-5'],
    ['BYTES = 1 - 2', 'bytes=1-2'],
    ['bytes=-', undefined], ['bytes=0-1,3-4', undefined], ['items=0-1', undefined], ['xbytes=0-1', undefined],
    ['bytes=0-1x', undefined], [`bytes=0-${'9'.repeat(16)}`, undefined], [undefined, undefined]
  ])
  const part = (range: string, size: number) => resolveRange(range as ByteRange, size)
  assert.deepEqual(part('bytes=0-9', 100), { first: 0, last: 9 })
  assert.deepEqual(part('bytes=0-99', 100), { first: 0, last: 99 })
  assert.deepEqual(part('bytes=5-', 100), { first: 5, last: 99 })
  assert.deepEqual(part('bytes=5-500', 100), { first: 5, last: 99 })
  assert.deepEqual(part('bytes=-5', 100), { first: 95, last: 99 })
  assert.deepEqual(part('bytes=-500', 100), { first: 0, last: 99 })
  assert.deepEqual(part('bytes=99-99', 100), { first: 99, last: 99 })
  for (const range of ['bytes=100-', 'bytes=9-5', 'bytes=-0']) assert.equal(part(range, 100), undefined)
  assert.equal(part('bytes=0-', 0), undefined)
})

test('request targets', () => {
  const none = { path: '/x', page: 1, version: '' }
  const cases: [string, object][] = [
    ['/x', none], ['http://host/x', none], ['HTTPS://host:1/x?y', none], ['/x?isTrashed=true', none],
    ['/x?page=3', { ...none, page: 3 }], ['/x?a=b&page=3&c', { ...none, page: 3 }], ['/x?page=0', none],
    ['/x?page=1234567', none], ['/x?xpage=3', none], ['/x?page=3x', none],
    ['/x?v=ab_-', { ...none, version: 'ab_-' }], ['/x?v=1234567890123', none], ['/x?v=a.b', none],
    ['/x?of=a.b-_', { ...none, chosen: 'a.b-_' }], ['/x?a=b&of=c&d=e', { ...none, chosen: 'c' }],
    // a damaged choice is one, and not all
    ['/x?of=', { ...none, chosen: '' }], ['/x?of=%20)', { ...none, chosen: '%20)' }], ['/x?yof=a', none],
    ['/x?problem=tooMany', { ...none, problem: 'tooMany' }], ['/x?problem=other', none],
    [`/${'y'.repeat(2047)}`, { ...none, path: `/${'y'.repeat(2047)}` }],
    [`/${'y'.repeat(2048)}`, { ...none, path: '' }],
    ['', { ...none, path: '' }], ['/x?y?page=2', none],
    ['/s/http://host/x', { ...none, path: '/s/http://host/x' }]
  ]
  for (const [target, expected] of cases) assert.deepEqual(parseTarget(target), expected, target.slice(0, 60))
})

test('an unlock leads only to its own link', () => {
  const byKey = parseLinkAddress(KEY)!
  const bySlug = parseLinkAddress(undefined, 'ä b')!
  const cases: [unknown, LinkAddress, string | undefined][] = [
    [`/share/${KEY}`, byKey, `/share/${KEY}`], [`/share/${KEY}/${ID}`, byKey, `/share/${KEY}/${ID}`],
    [`/share/photo/${KEY}/${ID}/original`, byKey, `/share/photo/${KEY}/${ID}/original`],
    [`/share/video/${KEY}/${ID}`, byKey, `/share/video/${KEY}/${ID}`],
    ['/s/%C3%A4%20b/download', bySlug, '/s/%C3%A4%20b/download'], ['/s/ä%20b', bySlug, '/s/%C3%A4%2520b'],
    [`/share/${newKey('other')}`, byKey, undefined], ['/s/other', bySlug, undefined],
    [`/s/${KEY}`, byKey, undefined], [`//evil.example/share/${KEY}`, byKey, undefined],
    [`/share/${KEY}/../x`, byKey, undefined], [`/share/${KEY}?x`, byKey, undefined],
    [`/share/${KEY}\\x`, byKey, undefined], [`x/share/${KEY}`, byKey, undefined],
    [`/share/${KEY}/a/b/c`, byKey, undefined], ['/s/%E0%A4%A', bySlug, undefined], ['', byKey, undefined],
    [undefined, byKey, undefined], [`/share/${KEY}/${'x'.repeat(2048)}`, byKey, undefined]
  ]
  for (const [path, link, expected] of cases) {
    assert.equal(parseReturnPath(path, link), expected, String(path).slice(0, 90))
  }
})

test('addresses of sites', () => {
  check(parseBase, [
    ['https://a.example/', 'https://a.example'], ['http://a:1/b/', 'http://a:1/b'],
    ['HTTP://A.example', 'http://a.example'],
    ['ftp://a', undefined], ['https://u@a.example', undefined], ['https://a"b', undefined],
    ['https://a b', undefined],
    ['xhttps://a', undefined], [`https://${'a'.repeat(301)}`, undefined], ['http://[', undefined],
    [7, undefined]
  ])
  check(parseOrigin, [['https://a.example/b', 'https://a.example'], ['x', undefined], [undefined, undefined]])
})

const trusting = new BlockList()
trusting.addSubnet('10.0.0.0', 8)
trusting.addSubnet('127.0.0.0', 8)
trusting.addSubnet('fd00::', 8, 'ipv6')
const trust = { trustedProxies: trusting, proxiesAreListed: false, publicBaseUrl: '' }
const visitor = (headers: Record<string, string>, peer = '10.0.0.1', more = {}) =>
  parseVisitor(headers, peer, { ...trust, ...more })

test('the visitor behind proxies', () => {
  const from = (forwarded: string, peer?: string) => visitor({ 'x-forwarded-for': forwarded }, peer).address
  const cases: [string, string | undefined, string][] = [
    ['203.0.113.1', undefined, '203.0.113.1'], ['6.6.6.6, 203.0.113.1', undefined, '203.0.113.1'],
    ['203.0.113.1, 10.0.0.7', undefined, '203.0.113.1'], ['203.0.113.1', '192.0.2.1', '192.0.2.1'],
    ['203.0.113.1:80', undefined, '203.0.113.1'], ['[2001:db8::1]:80', undefined, '2001:db8:0:0::/64'],
    ['nonsense', undefined, '10.0.0.1'], ['', undefined, '10.0.0.1'],
    ['::ffff:203.0.113.1', undefined, '203.0.113.1'],
    ['2001:db8:0:1:2::3%eth0', undefined, '2001:db8:0:1::/64'], ['203.0.113.1', 'fd00::1', '203.0.113.1'],
    ['203.0.113.1', '::ffff:10.0.0.1', '203.0.113.1'], ['203.0.113.1', 'x', 'x'],
    // what a visitor writes before it hides nothing, however long
    [`${'6.6.6.6, '.repeat(200)}203.0.113.1`, undefined, '203.0.113.1']
  ]
  for (const [forwarded, peer, expected] of cases) assert.equal(from(forwarded, peer), expected, forwarded)
  assert.equal(wideNetwork('2001:db8:1:2::/64'), '2001:db8:1::/48')
  assert.equal(wideNetwork('203.0.113.1'), '203.0.113.1')
  assert.deepEqual(parsePeer('::ffff:10.0.0.1', trust), { address: '10.0.0.1', isProxy: true })
  assert.deepEqual(parsePeer('2001:db8::1', trust), { address: '2001:db8:0:0::/64', isProxy: false })
  assert.deepEqual(parsePeer(undefined, trust), { address: '', isProxy: false })
})

test('an address may be forged through an unlisted proxy, unless it is on this machine', () => {
  const forwarded = { 'x-forwarded-for': '203.0.113.1' }
  assert.equal(visitor(forwarded).isForgeable, true)
  assert.equal(visitor(forwarded, '10.0.0.1', { proxiesAreListed: true }).isForgeable, false)
  assert.equal(visitor(forwarded, '127.0.0.1').isForgeable, false)
  // the last hop that is believed is not the only one: the one before may be a neighbour who wrote the rest
  const twice = { 'x-forwarded-for': '203.0.113.1, 10.0.0.7' }
  assert.equal(visitor(twice, '127.0.0.1').isForgeable, true)
  assert.equal(visitor(twice, '127.0.0.1', { proxiesAreListed: true }).isForgeable, false)
  assert.equal(visitor({ 'x-forwarded-for': 'nonsense' }).isForgeable, false)
  assert.equal(visitor(forwarded, '192.0.2.1').isForgeable, false)
  assert.equal(visitor({}).isForgeable, false)
})

test('scheme, host and base', () => {
  const base = (headers: Record<string, string>, peer?: string, more?: object) => {
    const { base, isHttps } = visitor(headers, peer, more)
    return [base, isHttps]
  }
  const host = 'p.example'
  assert.deepEqual(base({ host }), ['http://p.example', false])
  assert.deepEqual(base({ host, 'x-forwarded-proto': 'HTTPS' }), ['https://p.example', true])
  assert.deepEqual(base({ host, 'x-forwarded-proto': 'https, http' }), ['https://p.example', true])
  assert.deepEqual(base({ host, 'x-forwarded-proto': 'xhttps' }), ['http://p.example', false])
  assert.deepEqual(base({ host, 'x-forwarded-proto': 'httpsx' }), ['http://p.example', false])
  const forwarded = { host, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'q.example' }
  const given = { host, publicbaseurl: 'https://r.example/x' }
  const stranger = '192.0.2.1'
  assert.deepEqual(base(forwarded), ['https://q.example', true])
  assert.deepEqual(base(forwarded, stranger), ['http://p.example', false])
  assert.deepEqual(base(given), ['https://r.example', true])
  assert.deepEqual(base(given, stranger), ['http://p.example', false])
  const publicBaseUrl = 'https://s.example'
  assert.deepEqual(base({ host }, '10.0.0.1', { publicBaseUrl }), [publicBaseUrl, true])
  assert.deepEqual(base({}), ['', false])
  assert.deepEqual(base({ host: 'a b' }), ['', false])
  assert.deepEqual(base({ host: 'a b', 'x-forwarded-proto': 'https' }), ['', true])
})

test('requests from other sites, by the headers of the browser', () => {
  const host = 'p.example'
  const isCross = (headers: Record<string, string>) => visitor({ host, ...headers }).isCrossSite
  for (const site of ['same-origin', 'none']) assert.equal(isCross({ 'sec-fetch-site': site }), false, site)
  for (const site of ['cross-site', 'same-site', 'x']) assert.equal(isCross({ 'sec-fetch-site': site }), true)
  assert.equal(isCross({ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }), false)
  assert.equal(isCross({}), false)
  assert.equal(isCross({ origin: 'null' }), false)
  assert.equal(isCross({ origin: 'https://p.example' }), false)
  assert.equal(isCross({ origin: 'https://evil.example' }), true)
})

test('only named headers are read', () => {
  const bare = visitor({})
  assert.deepEqual(Object.keys(bare).filter(name => ['range', 'ifRange', 'ifNoneMatch'].includes(name)), [])
  const { cookies, ...rest } = visitor({
    cookie: 'a=b;ipp_a=b=c; ipp_d= e ; x__Secure-ipp=1;ipp;__Secure-ipp_f-g=; xipp=1 ipp=2',
    range: 'bytes=0-1', 'if-range': '"x"', 'if-none-match': '"y"',
    accept: 'text/html', 'accept-language': 'de', 'accept-encoding': 'br', authorization: 'secret',
    'x-api-key': 'secret'
  })
  assert.deepEqual([...cookies], [['ipp_a', 'b=c'], ['ipp_d', 'e'], ['__Secure-ipp_f-g', '']])
  const { range, ifRange, ifNoneMatch, wantsHtml } = rest
  assert.deepEqual([range, ifRange, ifNoneMatch, wantsHtml], ['bytes=0-1', '"x"', '"y"', true])
  assert.deepEqual([rest.acceptLanguage, rest.acceptEncoding, bare.wantsHtml], ['de', 'br', false])
  assert.doesNotMatch(JSON.stringify(rest), /secret/)
})

test('forms', () => {
  const form = (body: string, type: string) => Object.fromEntries(parseForm(body, type))
  assert.deepEqual(form('a=b&c=d%20e', 'application/x-www-form-urlencoded'), { a: 'b', c: 'd e' })
  assert.deepEqual(form('{"a":"b","c":[1]}', 'application/json; charset=utf-8'), { a: 'b', c: [1] })
  assert.deepEqual(form('{"a":"b"}', 'xapplication/json'), { '{"a":"b"}': '' })
  for (const body of ['', '[]', 'null', '{']) assert.deepEqual(form(body, 'application/json'), {}, body)
  const other = newId('other')
  check(parseAssetIds, [
    [JSON.stringify([ID, other, ID]), [ID, other]], [JSON.stringify([ID, 'x']), undefined], ['[]', undefined],
    [[ID, other], [ID, other]], [[ID, [other]], undefined], [`["${ID}", ["${other}"]]`, undefined],
    ['{}', undefined], ['', undefined], [undefined, undefined]
  ])
  // other lists of the same length would take long to parse
  const ids = (count: number, id: string) => JSON.stringify(Array.from({ length: count }, () => id))
  assert.deepEqual(parseAssetIds(ids(50_000, ID)), [ID])
  const all = { assets: Array(50_000).fill(ID) }
  assert.deepEqual(form(JSON.stringify(all), 'application/json'), all)
  for (const id of ['', '0']) {
    assert.equal(parseAssetIds(ids(50_000, id)), undefined)
    assert.deepEqual(form(`{"assets":${ids(50_000, id)}}`, 'application/json'), {})
  }
  const fields = (count: number) => Array.from({ length: count }, (_, n) => `f${n}=1`).join('&')
  const lists = (count: number) => `{"a":${'['.repeat(count)}${']'.repeat(count)}}`
  const entries = (count: number) => Array.from({ length: count }, (_, n) => [n, 0])
  const json = (count: number) => JSON.stringify(Object.fromEntries(entries(count)))
  const sizes = [fields(300), fields(301)].map(body => Object.keys(form(body, '')).length)
  assert.deepEqual(sizes, [300, 0])
  for (const make of [lists, json]) {
    assert.notDeepEqual(form(make(299), 'application/json'), {})
    assert.deepEqual(form(make(300), 'application/json'), {})
  }
})
