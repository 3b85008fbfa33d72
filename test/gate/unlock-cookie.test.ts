/** The sealed cookie of an unlock. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLink } from '../../src/gate/immich-json.ts'
import { cookieLines, cookieName, createSeal } from '../../src/gate/unlock.ts'
import { createKeys } from '../../src/keys.ts'
import { parseKey, parseSlug, parseToken, type Key, type Token } from '../../src/validate.ts'
import { start } from '../helpers.ts'
import { PASSWORD } from '../library.ts'
import { newKey } from '../standin.ts'

test('the cookie is Secure if the visitor came by https', async () => {
  const run = await start()
  const fields = { key: run.links.password.key, password: PASSWORD }
  const secure = async (headers: Record<string, string>) =>
    (await run.unlock(fields, headers)).cookies[0]!.endsWith('; Secure')
  assert.equal(await secure({}), false)
  assert.equal(await secure({ 'x-forwarded-proto': 'HTTPS' }), true)
  const { cookie, cookies } = await run.unlock(fields, { 'x-forwarded-proto': 'https' })
  assert.match(cookies[0]!, /^__Secure-ipp_/)
  const headers = { cookie: `${'x=y; '.repeat(2500)}${cookie}` }
  const response = await run.get(`/share/items/${fields.key}/0`, { headers })
  assert.equal(response.status, 200, 'behind 12 kB of others')
  const untrusted = await start({ ipp: { trustedProxies: [] } })
  assert.ok(
    !(await untrusted.unlock(fields, { 'x-forwarded-proto': 'https' })).cookies[0]!.includes('Secure')
  )
  const known = await start({ env: { PUBLIC_BASE_URL: 'https://photos.example.com/' } })
  assert.ok((await known.unlock(fields)).cookies[0]!.includes('; Secure'))
})

test('a cookie is for one link, one key and one time, and no two are alike', () => {
  const [one, other] = [{ key: parseKey(newKey()) as Key }, { key: parseKey(newKey()) as Key }]
  const seal = createSeal(createKeys('a secret of sixteen or more')('unlock cookie'))
  const token = parseToken('abc=') as Token
  const value = seal.seal(one, token)
  const open = (link = one, by = seal, cookie = value) => by.open(link, new Map([[cookieName(link), cookie]]))
  assert.equal(open(), token)
  assert.equal(open(other), undefined, 'the same value, for another link')
  assert.equal(open(one, createSeal(createKeys('another secret of sixteen')('unlock cookie'))), undefined)
  assert.equal(open(one, createSeal(createKeys('')('unlock cookie'))), undefined)
  assert.notEqual(
    createKeys('')('unlock cookie').export().toString('hex'),
    createKeys('')('unlock cookie').export().toString('hex'),
    'random where there is none'
  )
  assert.notEqual(
    createKeys('x')('unlock cookie').export().toString('hex'),
    createKeys('x')('entity tag').export().toString('hex')
  )
  const values = Array.from({ length: 20 }, () =>
    Buffer.from(seal.seal(one, token), 'base64url').subarray(0, 12).toString('hex')
  )
  assert.equal(new Set(values).size, 20, 'a nonce is never used again')
  const bytes = Buffer.from(value, 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    assert.equal(open(one, seal, changed.toString('base64url')), undefined, `byte ${at}`)
  }
  for (let length = 0; length < bytes.length; length++) {
    const cut = bytes.subarray(0, length).toString('base64url')
    assert.equal(open(one, seal, cut), undefined, `${length} bytes`)
  }
})

test('one cookie for the key, and another for the slug if the link has one', () => {
  const seal = createSeal(createKeys('a secret of sixteen or more')('unlock cookie'))
  const token = parseToken('abc=') as Token
  const key = parseKey(newKey()) as Key
  const linesFor = (slug?: string) => {
    const link = parseLink({ key, type: 'INDIVIDUAL', slug })!
    return cookieLines(seal, { link, token }, false).map(line => line.replace(/=.*?; /, ' '))
  }
  const rest = 'Max-Age=3600; HttpOnly; SameSite=Lax'
  const ofKey = `${cookieName({ key })} Path=/share; ${rest}`
  assert.deepEqual(linesFor(), [ofKey])
  const slug = parseSlug('a slug')!
  assert.deepEqual(linesFor(slug), [ofKey, `${cookieName({ slug })} Path=/s; ${rest}`])
})

test('an unlock ends after an hour, in whichever direction a clock jumps', () => {
  let now = 1_000_000_000_000
  const seal = createSeal(createKeys('a secret of sixteen or more')('unlock cookie'), () => now)
  const link = { key: parseKey(newKey()) as Key }
  const token = parseToken('abc=') as Token
  const cookies = new Map([[cookieName(link), seal.seal(link, token)]])
  const open = () => seal.open(link, cookies)
  const unlockedAt = now
  const isOpenAt = (ms: number) => { now = unlockedAt + ms; return open() === token }
  assert.deepEqual([0, 3_599_999, 3_600_000].map(isOpenAt), [true, true, false])
  // the clocks of two replicas may differ by a minute, and a cookie of the future is none
  assert.deepEqual([-60_000, -60_001].map(isOpenAt), [true, false])
})

test('a cookie is bound to one link by its name and by its seal, slugs too', () => {
  const seal = createSeal(createKeys('a secret of sixteen or more')('unlock cookie'))
  const token = parseToken('abc=') as Token
  const links = [
    { key: parseKey(newKey('a'))! }, { key: parseKey(newKey('b'))! },
    { slug: parseSlug('a')! }, { slug: parseSlug('b')! }
  ]
  assert.equal(new Set(links.map(cookieName)).size, 4)
  for (const own of links) {
    const value = seal.seal(own, token)
    for (const link of links) {
      assert.equal(seal.open(link, new Map([[cookieName(link), value]])), link === own ? token : undefined)
    }
  }
})

test('a cookie that only https can set counts before a plain one', () => {
  const seal = createSeal(createKeys('a secret of sixteen or more')('unlock cookie'))
  const link = { key: parseKey(newKey())! }
  const name = cookieName(link)
  const plain: [string, string] = [name, seal.seal(link, parseToken('plain')!)]
  const secure: [string, string] = [`__Secure-${name}`, seal.seal(link, parseToken('secure')!)]
  assert.equal(seal.open(link, new Map([plain])), 'plain')
  assert.equal(seal.open(link, new Map([plain, secure])), 'secure')
  assert.equal(seal.open(link, new Map([secure, plain])), 'secure')
})
