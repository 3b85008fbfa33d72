/** The limits on guessing, as `guesses.ts` documents them: per visitor, per /48, per link, and in all. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createGuesses } from '../../src/gate/guesses.ts'
import { createRateLimit } from '../../src/rate-limit.ts'

/** Stops the clock; returns a function that puts it ahead by so many ms. */
function clock (context: TestContext): (ms: number) => void {
  let now = performance.now()
  context.mock.method(performance, 'now', () => now)
  return ms => { now += ms }
}
const asker = (address: string, isForgeable = false) => ({ address, isForgeable, isEmbedded: false })
type Guesses = ReturnType<typeof createGuesses>
/** Makes a wrong guess if there is no wait; returns whether it was accepted. */
function guess (guesses: Guesses, address: string, name = 'key a', isForgeable = false): boolean {
  if (guesses.waitForPassword(asker(address, isForgeable), name) > 0) return false
  guesses.countPassword(asker(address), name, 1)
  return true
}
const taken = (count: number, one: (n: number) => boolean): number =>
  Array.from({ length: count }, (_, n) => one(n)).filter(Boolean).length
/** A different IPv4 address for each number. */
const fresh = (n: number): string => `198.${n >> 16}.${n >> 8 & 255}.${n & 255}`

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
  // whether one has guessed wrong is known until all guesses are free again, and no longer
  assert.deepEqual([limit.has('a'), limit.has('b'), limit.has('c')], [true, true, false])
  now = 1999
  assert.deepEqual([limit.has('a'), limit.has('b')], [true, true])
  now = 2000
  assert.deepEqual([limit.has('a'), limit.has('b')], [true, false])
  now = 4000
  assert.equal(limit.has('a'), false)
  // up to 100,000 names; beyond that, those counted longest ago are forgotten
  limit.count('many 0', 1)
  limit.count('taken back', 1)
  limit.count('taken back', -1)
  for (let n = 1; n < 100_000; n++) limit.count(`many ${n}`, 1)
  assert.equal(limit.has('many 0'), true)
  limit.count('many 0', 1)
  limit.count('one more', 1)
  const known = ['many 0', 'many 1', 'many 2', 'one more'].map(limit.has)
  assert.deepEqual(known, [true, false, true, true])
})

test('one visitor: ten at once, then one a minute, at each link', context => {
  const ahead = clock(context)
  const guesses = createGuesses(10, 100)
  assert.equal(taken(15, () => guess(guesses, fresh(1))), 10)
  const wait = guesses.waitForPassword(asker(fresh(1)), 'key a')
  assert.ok(wait > 59_000 && wait <= 60_000, `${wait}`)
  assert.equal(taken(15, () => guess(guesses, fresh(1), 'key b')), 10)
  ahead(60_000)
  assert.equal(taken(15, () => guess(guesses, fresh(1))), 1)
})

test('the /64s of one /48: four times one visitor\'s', context => {
  const ahead = clock(context)
  const guesses = createGuesses(10, 1000)
  const network = (n: number) => `2001:db8:7:${n}::/64`
  assert.equal(taken(100, n => guess(guesses, network(n))), 40)
  assert.equal(guess(guesses, '2001:db8:8:1::/64'), true)
  ahead(15_000)
  assert.equal(taken(100, n => guess(guesses, network(n + 100))), 1)
})

test('fresh addresses: 700 first guesses are all accepted, and 1,000 out of 2,000', context => {
  const ahead = clock(context)
  const guesses = createGuesses(10, 100)
  assert.equal(taken(700, n => guess(guesses, fresh(n))), 700)
  // those that have guessed wrong before are subject to the limit of the link, which is long exhausted
  assert.equal(taken(700, n => guess(guesses, fresh(n))), 0)
  assert.equal(taken(1300, n => guess(guesses, fresh(n + 700))), 300)
  assert.equal(guess(guesses, fresh(9999), 'key b'), true)
  ahead(600)
  assert.equal(taken(10, n => guess(guesses, fresh(n + 5000))), 1)
})

test('addresses that may be forged have no first guess of their own: a hundred in all', context => {
  const ahead = clock(context)
  const guesses = createGuesses(10, 100)
  assert.equal(taken(700, n => guess(guesses, fresh(n), 'key a', true)), 100)
  assert.equal(guess(guesses, fresh(9999), 'key a', false), true, 'an address that is sure is not held up')
  ahead(12_000)
  assert.equal(taken(10, n => guess(guesses, fresh(n + 2000), 'key a', true)), 1)
})

test('a right guess is taken back, and the key and slug of a link share one limit', context => {
  clock(context)
  const guesses = createGuesses(2, 100)
  for (let n = 0; n < 20; n++) {
    assert.ok(guess(guesses, fresh(1)))
    guesses.countPassword(asker(fresh(1)), 'key a', -1)
  }
  guesses.alias('slug a', 'key a')
  assert.deepEqual([guess(guesses, fresh(1), 'slug a'), guess(guesses, fresh(1))], [true, true])
  assert.deepEqual([guess(guesses, fresh(1), 'slug a'), guess(guesses, fresh(1))], [false, false])
})

test('unknown links: 200 per visitor, then one every three seconds; opened ones stay open', context => {
  const ahead = clock(context)
  const guesses = createGuesses(10, 100)
  const lookUp = (name: string, outcome: 'unknown' | 'opened' | 'neither', address = fresh(1)): boolean => {
    if (guesses.isProbing(asker(address), name)) return false
    guesses.countLookup(asker(address), name)(outcome)
    return true
  }
  assert.ok(lookUp('key mine', 'opened'))
  for (let n = 0; n < 300; n++) assert.ok(lookUp(`key locked ${n}`, 'neither'))
  assert.equal(taken(300, n => lookUp(`key ${n}`, 'unknown')), 200)
  assert.deepEqual([lookUp('key mine', 'opened'), lookUp('key new', 'opened')], [true, false])
  assert.equal(lookUp('key locked 1', 'neither'), false, 'a locked link looks like the others')
  assert.equal(lookUp('key new', 'opened', fresh(2)), true)
  ahead(3_000)
  assert.equal(taken(5, n => lookUp(`key again ${n}`, 'unknown')), 1)
  // concurrent lookups count before they are answered
  const other = createGuesses(10, 100)
  assert.equal(taken(300, n => {
    if (other.isProbing(asker(fresh(1)), `key ${n}`)) return false
    other.countLookup(asker(fresh(1)), `key ${n}`)
    return true
  }), 200)
})

test('unknown links: a link that was opened by its slug is opened by its key too', () => {
  const guesses = createGuesses(10, 100)
  const settle = guesses.countLookup(asker(fresh(1)), 'slug mine')
  guesses.alias('slug mine', 'key mine')
  settle('opened')
  for (let n = 0; n < 200; n++) guesses.countLookup(asker(fresh(1)), `key ${n}`)('unknown')
  const isProbing = (name: string) => guesses.isProbing(asker(fresh(1)), name)
  assert.deepEqual(['key mine', 'slug mine', 'key other'].map(isProbing), [false, false, true])
})

test('unknown links: the /64s of one /48 get four times one visitor\'s', () => {
  const guesses = createGuesses(10, 100)
  const network = (n: number) => `2001:db8:7:${n % 50}::/64`
  assert.equal(taken(1000, n => {
    if (guesses.isProbing(asker(network(n)), `slug ${n}`)) return false
    guesses.countLookup(asker(network(n)), `slug ${n}`)('unknown')
    return true
  }), 800)
  assert.equal(guesses.isProbing(asker('2001:db8:8:1::/64'), 'slug x'), false)
})

test('unknown links: what other sites embed counts apart, with the same limits', () => {
  const guesses = createGuesses(10, 100)
  const misses = (count: number, isEmbedded: boolean, addressOf = (_: number) => fresh(1)): number =>
    taken(count, n => {
      const prober = { address: addressOf(n), isEmbedded }
      if (guesses.isProbing(prober, `key ${n}`)) return false
      guesses.countLookup(prober, `key ${n}`)('unknown')
      return true
    })
  assert.deepEqual([misses(300, true), misses(300, false), misses(300, true)], [200, 200, 0])
  const network = (n: number) => `2001:db8:7:${n % 50}::/64`
  assert.deepEqual([misses(1000, true, network), misses(1000, false, network)], [800, 800])
  // those that open count in neither
  const opened = createGuesses(10, 100)
  for (let n = 0; n < 300; n++) {
    opened.countLookup({ address: fresh(1), isEmbedded: true }, `key ${n}`)('opened')
  }
  const isProbing = (isEmbedded: boolean) => opened.isProbing({ address: fresh(1), isEmbedded }, 'key x')
  assert.equal(isProbing(true), false)
  assert.equal(taken(300, n => {
    if (isProbing(false)) return false
    opened.countLookup(asker(fresh(1)), `slug ${n}`)('unknown')
    return true
  }), 200)
})

test('links opened before are forgotten one by one, the oldest first', () => {
  const guesses = createGuesses(10, 100)
  const open = (n: number) => guesses.countLookup(asker(fresh(1)), `key ${n}`)('opened')
  for (let n = 0; n <= 20_000; n++) open(n)
  // more than can refill meanwhile, however slow the machine is
  for (let n = 0; n < 1000; n++) guesses.countLookup(asker(fresh(1)), `key x${n}`)('unknown')
  const isKnown = (n: number) => !guesses.isProbing(asker(fresh(1)), `key ${n}`)
  assert.deepEqual([isKnown(0), isKnown(1), isKnown(20_000)], [false, true, true])
})
