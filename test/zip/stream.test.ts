/** Zips over a real socket from a gate that delays, fails and lies: whole, or visibly broken. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Media } from '../../src/gate/gate.ts'
import { Refusal } from '../../src/refusal.ts'
import { ask, sleep, until } from '../helpers.ts'
import { madeUp } from '../standin.ts'
import { entriesOf } from '../unzip.ts'
import { fakeGate, missing, serve, sha, wholeOf, type Fake } from './fake-gate.ts'

const photos = (count: number, size = (n: number) => 20_000 + n): Fake[] =>
  Array.from({ length: count }, (_, n) => ({
    name: `IMG_${n}.jpg`, bytes: madeUp(n * 1000, n * 1000 + size(n) - 1)
  }))
/** An answer, or a connection that was reset before any bytes came. */
const fetchZip = (base: string, first = 0) =>
  ask(base, '/', first > 0 ? { headers: { range: `bytes=${first}-` } } : {}).catch(error => {
    assert.equal(error.code, 'ECONNRESET')
    return { complete: false, body: Buffer.alloc(0) }
  })
/** What breaks off after half of a photo of 200 kB. */
function brokenOff ({ bytes }: Fake): Partial<Media> {
  async function * half () { yield bytes!.subarray(0, 100_000); throw new Error('Immich restarts') }
  return { body: { parts: half(), cancel () {} } }
}
const namesOf = async (body: Buffer) => (await entriesOf(body)).map(({ name }) => name)

test('a zip is whole, has its length, and is the same on every server', async () => {
  const [one, two] = [await serve(fakeGate(photos(40))), await serve(fakeGate(photos(40)))]
  const whole = await ask(one.base, '/')
  assert.deepEqual(
    [whole.status, whole.complete, whole.headers['content-length']], [200, true, String(whole.body.length)]
  )
  assert.match(whole.headers.etag!, /^"[\w-]+"$/)
  assert.deepEqual(
    (await entriesOf(whole.body)).map(({ name, sha }) => [name, sha]),
    photos(40).map(file => [file.name, sha(wholeOf(file))])
  )
  const again = await ask(two.base, '/')
  assert.deepEqual([again.headers.etag, sha(again.body)], [whole.headers.etag, sha(whole.body)])
})

test('a part has the same bytes, whether its files were sent before or not', async () => {
  const whole = (await ask((await serve(fakeGate(photos(30)))).base, '/')).body
  for (const isWarm of [false, true]) {
    const fake = fakeGate(photos(30))
    const { base } = await serve(fake)
    if (isWarm) await ask(base, '/')
    for (const first of [0, 1, 29, 30, 20_050, 20_060, 300_000, whole.length - 400, whole.length - 1]) {
      const asked = fake.asked.length
      const part = await ask(base, '/', { headers: { range: `bytes=${first}-` } })
      assert.deepEqual(
        [part.status, part.headers['content-range']],
        [206, `bytes ${first}-${whole.length - 1}/${whole.length}`]
      )
      assert.ok(part.body.equals(whole.subarray(first)), `from ${first}, ${isWarm ? 'warm' : 'cold'}`)
      const needed = Math.ceil((whole.length - first) / 20_000) + 1
      if (isWarm) {
        assert.ok(fake.asked.length - asked <= needed, `${fake.asked.length - asked} requests from ${first}`)
      }
    }
  }
})

test('files of a few bytes are resumed too', async () => {
  const { base } = await serve(fakeGate(photos(12, n => n % 6)))
  const whole = (await ask(base, '/')).body
  const part = await ask(base, '/', { headers: { range: `bytes=${whole.length - 40}-` } })
  assert.ok(part.complete && part.body.equals(whole.subarray(-40)))
})

test('a large file is resumed from its last checkpoint, with a range', async () => {
  const MIB = 1024 * 1024
  const fake = fakeGate([{ name: 'a.mp4', isVideo: true, size: 140 * MIB }, { name: 'b.jpg', size: 100 }])
  const { base } = await serve(fake)
  const whole = await ask(base, '/')
  fake.asked.length = 0
  const first = 100 * MIB
  const part = await ask(base, '/', { headers: { range: `bytes=${first}-` } })
  assert.equal(part.status, 206)
  assert.ok(part.body.equals(whole.body.subarray(first)))
  // one each 64 MiB, at the end of a part
  const from = fake.asked[0]!.first
  assert.ok(from >= 64 * MIB && from < 65 * MIB, `asked from ${from}`)
})

test('a large file that has changed since breaks the zip instead of being joined', async () => {
  const MIB = 1024 * 1024
  const fake = fakeGate([{ name: 'a.mp4', isVideo: true, size: 100 * MIB }, { name: 'b.jpg', size: 100 }])
  const { base } = await serve(fake)
  await ask(base, '/')
  fake.files[0]!.etag = '"another"'
  assert.equal((await fetchZip(base, 90 * MIB)).complete, false)
})

test('a range that needs over 1 GiB from Immich before its first byte gets the whole zip', async () => {
  const GIB = 1024 ** 3
  const fake = fakeGate([{ name: 'a.mp4', isVideo: true, size: 3 * GIB }, { name: 'b.jpg', size: 100 }])
  const { zips } = await serve(fake)
  const plan = await zips.plan(fake.share, 'x')
  const statusFrom = (first: number) => zips.head(plan, { range: `bytes=${first}-` as never }).status
  assert.deepEqual([0, GIB, GIB + 200, 3 * GIB + 10].map(statusFrom), [206, 206, 200, 200])
  assert.equal(statusFrom(plan.length!), 416)
  // many small files take Immich long too
  const smallFake = fakeGate(photos(6000, () => 100))
  const small = await serve(smallFake)
  const ofSmall = await small.zips.plan(smallFake.share, 'x')
  const last = { range: `bytes=${ofSmall.length! - 1}-` as never }
  assert.equal(small.zips.head(ofSmall, last).status, 200)
})

test('a far resume is one if the checkpoints of what comes before are known', async () => {
  const MIB = 1024 * 1024
  const fake = fakeGate([{ name: 'a.mp4', isVideo: true, size: 1200 * MIB, isZero: true }])
  const { base, zips } = await serve(fake)
  const plan = await zips.plan(fake.share, 'x')
  const far = () => zips.head(plan, { range: `bytes=${1190 * MIB}-` as never }).status
  assert.equal(far(), 200)
  const whole = await fetch(base)
  for await (const part of whole.body!) assert.ok(part.length > 0)
  assert.equal(far(), 206)
})

test('files that were sent before do not keep everybody else waiting', async () => {
  const fake = fakeGate(photos(3000, () => 2000))
  const { base } = await serve(fake)
  await ask(base, '/')
  let turns = 0
  let isOn = true
  const turn = () => { turns++; if (isOn) setImmediate(turn) }
  turn()
  const part = await ask(base, '/', { headers: { range: 'bytes=6000000-' } })
  isOn = false
  assert.equal(part.status, 206)
  assert.ok(turns > 2000, `${turns} turns of the event loop`)
})

test('missing files become notes in a zip of the announced length, with a list at its end', async () => {
  const files = photos(20)
  for (const n of [0, 7, 19]) files[n]!.fault = missing
  files[3]!.fault = () => { throw new Refusal('withheld') }
  files[12]!.fault = () => { throw new Refusal('failed') }
  const fake = fakeGate(files)
  const { base, lines } = await serve(fake)
  const zip = await ask(base, '/')
  assert.ok(zip.complete)
  assert.equal(zip.body.length, Number(zip.headers['content-length']))
  const names = await namesOf(zip.body)
  assert.deepEqual(names.filter(name => name.endsWith('.txt')),
    [0, 3, 7, 12, 19].map(n => `IMG_${n}.jpg is missing.txt`).concat('Files not included.txt'))
  assert.equal(names.length, 21)
  assert.ok(zip.body.includes('IMG_7.jpg: it is missing on the server\n'))
  assert.ok(zip.body.includes('IMG_3.jpg: only its original exists, and originals are not shared here\n'))
  assert.ok(lines.includes('zip incomplete {"missing":5,"files":20}'), lines.join('\n'))
  assert.equal(fake.open, 0, 'whether another file is still there is asked without its body')
})

test('files that the settings withhold may be many, even in a row', async () => {
  const files = photos(26)
  for (const file of files.slice(1)) file.fault = () => { throw new Refusal('withheld') }
  const { base, lines } = await serve(fakeGate(files))
  assert.equal((await namesOf((await ask(base, '/')).body)).length, 27)
  assert.ok(lines.includes('zip incomplete {"missing":25,"files":26}'), lines.at(-1))
})

test('as many files as you like may be missing, one by one', async () => {
  const files = photos(80)
  for (let n = 1; n < files.length; n += 2) files[n]!.fault = missing
  const { base, lines } = await serve(fakeGate(files))
  const zip = await fetchZip(base)
  assert.equal((await namesOf(zip.body)).filter(name => name.endsWith('is missing.txt')).length, 40)
  assert.ok(lines.includes('zip incomplete {"missing":40,"files":80}'), lines.at(-1))
})

test('a zip with a note never shares its ETag with a later one, and neither does a part', async () => {
  const files = photos(20)
  const fake = fakeGate(files)
  const { base } = await serve(fake)
  files[7]!.fault = missing
  const noted = await ask(base, '/')
  delete files[7]!.fault
  const etag = noted.headers.etag!
  const resumed = await ask(base, '/', { headers: { range: 'bytes=300000-', 'if-range': etag } })
  assert.deepEqual([resumed.status, resumed.headers.etag === etag], [200, false])
  assert.equal((await ask(base, '/', { headers: { range: 'bytes=300000-' } })).status, 200)
  assert.deepEqual(await namesOf(resumed.body), files.map(({ name }) => name))
  const part = await ask(base, '/', {
    headers: { range: 'bytes=300000-', 'if-range': resumed.headers.etag! }
  })
  assert.equal(part.status, 206)
  assert.ok(Buffer.concat([resumed.body.subarray(0, 300_000), part.body]).equals(resumed.body))
})

test('a file that was sent before but is missing now breaks the part', async () => {
  const files = photos(20)
  files[2]!.fault = missing
  const { base } = await serve(fakeGate(files))
  assert.equal((await fetchZip(base, 300_000)).complete, false)
})

test('a temporary 404 leaves no note; permanent ones in a row leave one note each', async () => {
  const files = photos(12)
  for (const n of [2, 3, 4, 5, 6]) files[n]!.fault = tries => { if (tries < 2) missing() }
  const { base } = await serve(fakeGate(files))
  assert.deepEqual(await namesOf((await ask(base, '/')).body), files.map(({ name }) => name))
  for (const n of [2, 3, 4, 5, 6]) files[n]!.fault = missing
  const noted = await fetchZip((await serve(fakeGate(files))).base)
  assert.equal((await namesOf(noted.body)).filter(name => name.endsWith('is missing.txt')).length, 5)
})

test('storage that is gone for a moment delays a zip, and breaks it if it stays away', async () => {
  const gone = { from: Infinity, to: Infinity }
  const files = photos(60)
  for (const file of files) {
    file.fault = () => {
      if (Date.now() >= gone.from && Date.now() < gone.to) missing()
    }
  }
  const fake = fakeGate(files)
  const { base, lines } = await serve(fake)
  const lose = files[30]!.fault!
  files[30]!.fault = (tries, wanted) => {
    if (gone.from === Infinity) Object.assign(gone, { from: Date.now(), to: Date.now() + 1500 })
    return lose(tries, wanted)
  }
  const zip = await fetchZip(base)
  assert.deepEqual(await namesOf(zip.body), files.map(({ name }) => name))
  Object.assign(gone, { from: 0, to: Infinity })
  assert.equal((await fetchZip(base)).complete, false)
  assert.ok(lines.some(line => line.includes('404 too many times in a row')), lines.join('\n'))
})

test('a file that breaks off is resumed; after a wrong size the next zip has no length', async () => {
  const files = photos(10, () => 200_000)
  files[4]!.fault = tries => tries === 1 ? brokenOff(files[4]!) : undefined
  const fake = fakeGate(files)
  const { base, lines } = await serve(fake)
  const zip = await fetchZip(base)
  assert.deepEqual((await entriesOf(zip.body)).map(({ sha }) => sha), files.map(file => sha(wholeOf(file))))
  assert.deepEqual(fake.asked.filter(({ index }) => index === 4).map(({ first }) => first), [0, 100_000])
  files[5]!.tells = { size: 12 }
  delete files[4]!.fault
  const liar = fakeGate(files)
  const lying = await serve(liar)
  assert.equal((await fetchZip(lying.base)).complete, false)
  await until(() => liar.open === 0)
  const second = await ask(lying.base, '/')
  assert.deepEqual(
    [second.complete, second.headers['content-length'], second.headers.etag], [true, undefined, undefined]
  )
  assert.equal((await entriesOf(second.body)).length, 10)
  assert.deepEqual(lines, [])
})

test('without ETags from Immich nothing is joined: a large file is fetched whole again', async () => {
  const MIB = 1024 * 1024
  const fake = fakeGate([{ name: 'a.mp4', isVideo: true, size: 100 * MIB, etag: '' }])
  const { base } = await serve(fake)
  const whole = await ask(base, '/')
  fake.asked.length = 0
  const part = await ask(base, '/', { headers: { range: `bytes=${90 * MIB}-` } })
  assert.ok(part.body.equals(whole.body.subarray(90 * MIB)))
  assert.equal(fake.asked[0]!.first, 0)
  const files = photos(1, () => 200_000)
  files[0]!.fault = tries => ({ etag: '', ...tries === 1 && brokenOff(files[0]!) })
  assert.equal((await fetchZip((await serve(fakeGate(files))).base)).complete, false)
})

test('a file that breaks off and has changed since breaks the zip, and Immich sends none of it', async () => {
  const files = photos(1, () => 200_000)
  files[0]!.fault = tries => tries === 1 ? brokenOff(files[0]!) : { etag: '"another"' }
  const fake = fakeGate(files)
  const { base } = await serve(fake)
  // the body that breaks off is not the gate's own, which stays open
  assert.equal((await fetchZip(base)).complete, false)
  await until(() => fake.open === 1)
  assert.deepEqual(fake.asked.map(({ sent }) => sent), [0, 0])
})

test('files without a length are sent all the same, and the log says so once', async () => {
  const files = photos(5)
  for (const file of files) {
    Object.assign(file, { tells: { size: undefined, name: '' }, fault: () => ({ length: undefined }) })
  }
  const { base, lines } = await serve(fakeGate(files))
  const zip = await ask(base, '/')
  assert.deepEqual([zip.complete, zip.headers['content-length']], [true, undefined])
  assert.deepEqual(await namesOf(zip.body), files.map(({ name }) => name))
  assert.equal(lines.filter(line => line.includes('without their length')).length, 1)
})

test('a plan is made once for all who wait for it, and no visitor who leaves ends it', async () => {
  const fake = fakeGate(photos(5))
  let proceed = () => {}
  fake.planned = () => new Promise(resolve => { proceed = resolve })
  const { base } = await serve(fake)
  const leaver = new AbortController()
  const left = fetch(base, { signal: leaver.signal }).catch(() => 'left')
  await until(() => fake.plans === 1, 'the plan')
  const stays = ask(base, '/')
  leaver.abort()
  assert.equal(await left, 'left')
  await new Promise(resolve => setTimeout(resolve, 50))
  proceed()
  assert.ok((await stays).complete)
  assert.equal(fake.plans, 1)
})

test('a visitor who leaves, or reads slowly, costs Immich nothing more', async () => {
  const size = 50_000_000
  const videos = Array.from({ length: 20 }, (_, n) => ({ name: `v${n}.mp4`, isVideo: true, size }))
  const fake = fakeGate([...photos(2), ...videos])
  const { base, lines } = await serve(fake)
  const leaver = new AbortController()
  const response = await fetch(base, { signal: leaver.signal })
  await response.body!.getReader().read()
  await sleep(200)
  const sent = fake.asked.reduce((sum, { sent }) => sum + sent, 0)
  assert.ok(sent < 25_000_000, `${sent} bytes for a visitor who reads nothing`)
  assert.ok(fake.open <= 4)
  leaver.abort()
  await until(() => fake.open === 0, 'Immich to be freed')
  assert.ok(fake.asked.every(({ signal }) => signal!.aborted))
  assert.ok(!lines.some(line => line.startsWith('zip interrupted')), 'leaving is no failure')
})

test('small files are requested ahead, up to sixteen of them, and freed if the visitor leaves', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const files = photos(200, () => 100)
  files[150]!.fault = () => held
  const fake = fakeGate(files)
  const { base } = await serve(fake)
  const leaver = new AbortController()
  const left = fetch(base, { signal: leaver.signal }).then(zip => zip.arrayBuffer()).catch(() => 'left')
  await until(() => fake.asked.length === 166)
  await sleep(100)
  assert.deepEqual([fake.asked.length, fake.open], [166, 15])
  leaver.abort()
  assert.equal(await left, 'left')
  release()
  await until(() => fake.open === 0)
})

test('two selections have two ETags', async () => {
  const { base } = await serve(fakeGate(photos(10)))
  const [all, few] = [await ask(base, '/', { method: 'HEAD' }), await ask(base, '/?2-5')]
  assert.notEqual(few.headers.etag, all.headers.etag)
  assert.deepEqual(await namesOf(few.body), ['IMG_2.jpg', 'IMG_3.jpg', 'IMG_4.jpg'])
  const other = await ask(base, '/', { headers: { range: 'bytes=5-', 'if-range': few.headers.etag! } })
  assert.equal(other.status, 200)
})
