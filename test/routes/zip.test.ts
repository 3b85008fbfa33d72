/** Zips over HTTP, where Immich is not as it should be. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { start } from '../helpers.ts'
import { addAlbum, addLink, emptyLibrary, photo } from '../library.ts'
import { entriesOf } from '../unzip.ts'

const bytes = (size: number, fill = 'x') => ({ bytes: Buffer.alloc(size, fill), type: 'image/jpeg' })

const namesIn = async (zip: Buffer): Promise<string[]> => (await entriesOf(zip)).map(({ name }) => name)

describe('zips', () => {
  function shared (count: number, more: (n: number) => object = () => ({})) {
    const library = emptyLibrary()
    const assets = Array.from({ length: count }, (_, n) => photo(n, { name: `${n}.jpg`, original: bytes(30_000 + n, String(n % 10)), ...more(n) }))
    return { library, assets, album: addLink(library, 'zip', { album: addAlbum(library, 'Zip', assets) }) }
  }

  test('of chosen photos that were edited: right at the first try, for the link says which', async () => {
    const { library, assets } = shared(10, n => n % 2 ? { edited: true, announced: 5 } : {})
    const { key } = addLink(library, 'chosen', {}, assets)
    const run = await start({ library })
    const zip = await run.get(`/share/${key}/download`)
    assert.ok(zip.complete && zip.headers['content-length'] !== undefined)
    assert.equal((await namesIn(zip.body)).length, 10)
  })

  test('of an album with many edited photos: at most one failure, then right', async () => {
    const { library, album } = shared(10, n => n % 2 ? { edited: true, announced: 5 } : {})
    const run = await start({ library })
    const tries = [await run.get(`/share/${album.key}/download`), await run.get(`/share/${album.key}/download`)]
    assert.deepEqual(tries.map(({ complete }) => complete), [false, true])
    assert.equal((await namesIn(tries[1]!.body)).length, 10)
  })

  test('with an original that is gone: the others, and words in its place', async () => {
    for (const count of [3, 1]) {
      const { library, assets, album } = shared(count)
      const run = await start({ library })
      run.immich.fault = ({ path }) => path.includes(`${assets[0]!.id}/original`) ? { status: 404 } : undefined
      const zip = await run.get(`/share/${album.key}/download`)
      assert.ok(zip.complete)
      const names = await namesIn(zip.body)
      assert.equal(names.length, count)
      assert.ok(names.includes(`not included ${assets[0]!.id}.txt`))
      assert.match(zip.body.toString('latin1'), /This photo is not included, because it is missing on the server/)
      assert.ok(run.lines.some(line => line.startsWith('warn not in a zip') && line.includes(assets[0]!.id)))
    }
  })

  test('while Immich is busy: tried again', async () => {
    const { library, assets, album } = shared(3)
    const run = await start({ library })
    for (const status of [429, 408, 425, 503]) {
      let failures = 1
      run.immich.fault = ({ path }) => path.includes(`${assets[1]!.id}/original`) && failures-- > 0 ? { status } : undefined
      assert.equal((await namesIn((await run.get(`/share/${album.key}/download`)).body)).length, 3, String(status))
    }
  })

  test('a resume near the end asks for what is after it alone', async () => {
    const { library, album } = shared(40, n => ({ original: bytes(2_000_000 + n) }))
    const run = await start({ library })
    const path = `/share/${album.key}/download`
    const whole = await run.get(path)
    const size = whole.body.length
    for (const part of [0.9, 0.5, 0.31]) {
      const from = Math.floor(size * part)
      run.immich.asked.length = 0
      const rest = await run.get(path, { headers: { range: `bytes=${from}-`, 'if-range': whole.headers.etag! } })
      assert.ok(rest.status === 206 && rest.body.equals(whole.body.subarray(from)), String(part))
      const asked = run.immich.count(/original$/)
      assert.ok(asked <= Math.ceil(40 * (1 - part)) + 1, `${asked} of 40 at ${part}`)
    }
    const other = await start({ library })
    const cold = await other.get(path, { headers: { range: `bytes=${Math.floor(size * 0.9)}-` } })
    assert.ok(cold.body.equals(whole.body.subarray(Math.floor(size * 0.9))))
    assert.equal(other.immich.count(/original$/), 40, 'where nothing is remembered all is asked for')
  })

  test('small files are asked for further ahead than large ones, within so many bytes', async () => {
    for (const [size, least, most] of [[3000, 9, 17], [700_000, 2, 3]] as const) {
      const { library, album } = shared(60, n => ({ original: bytes(size + n) }))
      const run = await start({ library })
      let open = 0
      run.immich.fault = ({ path }) => {
        if (!path.endsWith('/original')) return undefined
        open = Math.max(open, run.immich.asked.filter(one => one.path.endsWith('/original') && !one.closed).length)
        return { delay: 5 }
      }
      assert.equal((await namesIn((await run.get(`/share/${album.key}/download`)).body)).length, 60)
      assert.ok(open >= least && open <= most, `${open} at ${size}`)
    }
  })

  test('HEAD of a large one is planned once', async () => {
    const { library, album } = shared(2000)
    const run = await start({ library })
    for (let n = 0; n < 20; n++) assert.equal((await run.get(`/share/${album.key}/download`, { method: 'HEAD' })).status, 200)
    assert.equal(run.immich.count('/api/download/info'), 1)
  })
})
