/** The sealed cookie of an unlock, and the counter of guesses, as units. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRateLimit } from '../../src/gate/guesses.ts'
import { cookieName, createSeal } from '../../src/gate/unlock.ts'
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
  const answer = await run.get(`/share/items/${fields.key}/0`, { headers })
  assert.equal(answer.status, 200, 'behind 12 kB of others')
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

test('an unlock ends after an hour, in whichever direction a clock jumps', () => {
  let now = 1_000_000_000_000
  const seal = createSeal(createKeys('a secret of sixteen or more')('unlock cookie'), () => now)
  const link = { key: parseKey(newKey()) as Key }
  const token = parseToken('abc=') as Token
  const cookies = new Map([[cookieName(link), seal.seal(link, token)]])
  const open = () => seal.open(link, cookies)
  assert.equal(open(), token)
  now += 3_599_000
  assert.equal(open(), token)
  now += 2_000
  assert.equal(open(), undefined)
  now = 1_000_000_000_000 - 120_000
  assert.equal(open(), undefined, 'of the future')
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

test('the limit refills steadily', () => {
  let now = 0
  const limit = createRateLimit(3, 1000, () => now)
  const guess = (id: string) => {
    const wait = Math.max(0, limit.wait(id))
    if (wait === 0) limit.count(id, 1)
    return wait
  }
  assert.deepEqual([guess('a'), guess('a'), guess('a'), guess('a')], [0, 0, 0, 1000])
  now = 1000
  assert.deepEqual([guess('a'), guess('a')], [0, 1000])
  limit.count('a', -1)
  assert.equal(guess('a'), 0)
  assert.equal(guess('b'), 0)
  // a wrong guess is remembered until all guesses are free again, and no longer
  assert.deepEqual([limit.has('a'), limit.has('b'), limit.has('c')], [true, true, false])
  now = 1999
  assert.deepEqual([limit.has('a'), limit.has('b')], [true, true])
  now = 2000
  assert.deepEqual([limit.has('a'), limit.has('b')], [true, false])
  now = 4000
  assert.equal(limit.has('a'), false)
  // however many there are, none is forgotten before its guesses are free
  for (let n = 0; n < 10_002; n++) limit.count(`many ${n}`, 1)
  assert.ok(limit.has('many 0') && limit.has('many 5000') && limit.has('many 10001'))
})
