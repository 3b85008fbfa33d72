/** Files that Immich cannot send become notes and never break a zip, unless the whole storage is gone. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from '../helpers.ts'
import { video } from '../library.ts'
import { newId } from '../standin.ts'
import { fetchZip, lose, namesIn, PATHS, photosOf, SERVERS, shareZip } from './album.ts'

/** Six photos, one of them a motion photo and one edited. */
function sixPhotos () {
  const part = video(1, {
    id: newId('moving part'), name: '2.mp4', visibility: 'hidden',
    original: { bytes: Buffer.alloc(20_000, 'm'), type: 'video/mp4' }
  })
  const special = [{}, {}, { motion: part.id }, { edited: true, announced: 5 }]
  const assets = photosOf(6, n => special[n] ?? {})
  const [, , moving, edited] = assets
  return { ...shareZip(assets, [part]), part, moving: moving!, edited: edited! }
}

// most of their time they wait for another try
describe('missing files', { concurrency: true }, () => {
  for (const version of SERVERS) {
    for (const name of PATHS) {
      test(`${version}, ${name}: a missing motion part or edited photo becomes a note`, async () => {
        const { library, pathOf, part, edited } = sixPhotos()
        const run = await start({ library, version })
        for (const [lost, noted] of [[part, '2.mp4'], [edited, '3.jpg']] as const) {
          lose(run, [lost])
          const zip = await fetchZip(run, pathOf(name))
          assert.deepEqual([zip.status, zip.complete], [200, true])
          const names = await namesIn(zip.body)
          // Immich 2.x gives the name of an album's file only with the file itself
          const isNamed = version === '3.1.0' && lost === edited
          const notes = names.filter(name => name.endsWith('.txt'))
          assert.equal(names.length, 8, 'seven files or notes, and the list')
          assert.ok(notes.includes('Files not included.txt'))
          if (isNamed) assert.ok(notes.includes(`${noted} is missing.txt`), String(notes))
          const logged = run.lines.filter(line => line.startsWith('warn zip file missing'))
          assert.ok(logged.some(line => line.includes(lost.id)))
        }
      })
    }
  }

  test('every file of a link can be missing, one or several', async () => {
    for (const count of [1, 2]) {
      const { library, assets, path } = shareZip(photosOf(count))
      const run = await start({ library })
      lose(run, assets)
      const zip = await fetchZip(run, path)
      assert.ok(zip.complete)
      const notes = assets.map(({ name }) => `${name} is missing.txt`).sort()
      assert.deepEqual((await namesIn(zip.body)).sort(), [...notes, 'Files not included.txt'])
      assert.match(zip.body.toString('latin1'), /0\.jpg: it is missing on the server\n/)
    }
  })

  test('a zip with notes names them at its end, and the log counts them', async () => {
    const { library, assets, path } = shareZip(photosOf(12))
    const run = await start({ library })
    lose(run, [assets[3]!, assets[8]!])
    const zip = await fetchZip(run, path)
    assert.equal((await namesIn(zip.body)).at(-1), 'Files not included.txt')
    for (const name of ['3.jpg', '8.jpg']) {
      assert.ok(zip.body.includes(`${name}: it is missing on the server\n`))
    }
    assert.ok(run.lines.includes('warn zip incomplete {"missing":2,"files":12}'), run.lines.join('\n'))
  })

  test('storage that is gone for a second delays a zip and leaves no note', async () => {
    const { library, assets, path } = shareZip(photosOf(40))
    const run = await start({ library })
    let goneUntil = Infinity
    run.immich.fault = ({ path }) => {
      if (!path.endsWith('/original')) return undefined
      if (path.includes(assets[20]!.id)) goneUntil = Math.min(goneUntil, Date.now() + 1000)
      return goneUntil !== Infinity && Date.now() < goneUntil ? { status: 404 } : undefined
    }
    const zip = await fetchZip(run, path)
    assert.ok(zip.complete && goneUntil < Infinity)
    assert.deepEqual(await namesIn(zip.body), assets.map(({ name }) => name))
  })

  for (const version of SERVERS) {
    test(`${version}: storage that stays unavailable breaks a zip, and the log says why`, async () => {
      const { library, assets, path } = shareZip(photosOf(30))
      const run = await start({ library, version })
      let isGone = false
      run.immich.fault = ({ path }) => {
        isGone ||= path.includes(assets[10]!.id)
        return isGone && path.endsWith('/original') ? { status: 404 } : undefined
      }
      assert.equal((await fetchZip(run, path)).complete, false)
      assert.ok(run.lines.some(line => line.startsWith('warn zip interrupted') && line.includes('404')))
      const socket = run.socket()
      const end = new Promise<string>(resolve => {
        socket.on('end', () => resolve('end'))
        socket.on('error', error => resolve((error as NodeJS.ErrnoException).code!))
      })
      socket.resume().write(`GET ${path} HTTP/1.0\r\n\r\n`)
      assert.equal(await end, 'ECONNRESET', 'a close would look like the end to HTTP/1.0')
    })
  }

  test('twenty missing files in a row break a zip, because a part of the storage may be gone', async () => {
    const { library, assets, path } = shareZip(photosOf(30))
    const run = await start({ library })
    lose(run, assets.slice(5, 24))
    assert.ok((await fetchZip(run, path)).complete)
    lose(run, assets.slice(5, 25))
    assert.equal((await fetchZip(run, path)).complete, false)
  })

  test('requests are retried if Immich is busy or restarts', async () => {
    const { library, assets, path } = shareZip(photosOf(4))
    const run = await start({ library })
    const whole = await fetchZip(run, path)
    for (const fault of [
      { status: 429 }, { status: 503 }, { status: 500 }, { reset: true }, { dieAfter: 5000 }
    ]) {
      let failures = 1
      run.immich.fault = ({ path }) =>
        path.includes(`${assets[1]!.id}/original`) && failures-- > 0 ? fault : undefined
      const zip = await fetchZip(run, path)
      assert.ok(zip.body.equals(whole.body), JSON.stringify(fault))
    }
  })

  test('a note in one zip never becomes part of another', async () => {
    const { library, assets, path } = shareZip(photosOf(10))
    const run = await start({ library })
    lose(run, [assets[2]!])
    const noted = await fetchZip(run, path)
    run.immich.fault = () => undefined
    const whole = await fetchZip(run, path)
    assert.notEqual(whole.headers.etag, noted.headers.etag)
    const etag = String(whole.headers.etag)
    const rest = await fetchZip(run, path, { range: 'bytes=200000-', 'if-range': etag })
    assert.equal(rest.status, 206)
    assert.ok(Buffer.concat([whole.body.subarray(0, 200_000), rest.body]).equals(whole.body))
    const other = String(noted.headers.etag)
    const joined = await fetchZip(run, path, { range: 'bytes=200000-', 'if-range': other })
    assert.equal(joined.status, 200)
  })

  test('chunked originals are sent without a length, and the log gives the advice once', async () => {
    const { library, path, assets } = shareZip(photosOf(5))
    // a proxy in front of Immich that rewrites answers removes their length, for HEAD and GET alike
    const run = await start({ library, version: '2.7.5' })
    run.immich.chunked = true
    for (let n = 0; n < 2; n++) {
      const zip = await fetchZip(run, path)
      assert.deepEqual([zip.complete, zip.headers['content-length']], [true, undefined])
      assert.deepEqual(await namesIn(zip.body), assets.map(({ name }) => name))
    }
    assert.equal(run.lines.filter(line => line.includes('without their length')).length, 1)
  })
})
