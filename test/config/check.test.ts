/** The output of `node src/server.ts check`, most of it without a process of its own. */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTls } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { check as checkSettings } from '../../src/config/check.ts'
import { createKeys } from '../../src/keys.ts'
import { createLinkHashes } from '../../src/log.ts'
import { listen, PROCESS_ENV, ROOT } from '../helpers.ts'
import { addLink, photo, sampleLibrary } from '../library.ts'
import { startImmich } from '../standin.ts'
import { without } from '../tools.ts'

const sample = sampleLibrary()
const { links } = sample
const slugged = links.slug
const empty = addLink(sample.library, 'all trashed', {}, [photo(900, { trashed: true })])
const chosen = addLink(sample.library, 'chosen', { showMetadata: false }, [photo(901), photo(902)])
const immich = await startImmich(sample.library)
after(() => immich.close())
const file = fileURLToPath(new URL('../../src/server.ts', import.meta.url))

const envOf = (ipp: object, env: Record<string, string>) =>
  ({ ...PROCESS_ENV, IMMICH_URL: immich.url, CONFIG: JSON.stringify({ ipp }), ...env })
async function check (address?: string, ipp: object = {}, env: Record<string, string> = {}) {
  const { report, status } = await checkSettings(envOf(ipp, env), ROOT, address)
  return { status, text: report }
}
const run = promisify(execFile)
/** As an operator runs it. */
async function checkByProcess (address?: string, env: Record<string, string> = {}) {
  const words = [file, 'check', ...address === undefined ? [] : [address]]
  return run(process.execPath, words, { env: envOf({}, env) }).then(
    ({ stdout }) => ({ status: 0, text: stdout }),
    ({ code, stdout }) => ({ status: code, text: stdout })
  )
}

test('the command prints the report and ends with its status', async () => {
  for (const [key, expected] of [[links.album.key, 0], [links.expired.key, 1]] as const) {
    const path = `/share/${key}`
    const { status, text } = await check(path)
    assert.equal(status, expected)
    assert.deepEqual(await checkByProcess(path), { status, text })
  }
})

test('the configuration: values other than the defaults, where they are set, without secrets', async () => {
  const ipp = { allowDownload: 0, showMetadata: { exif: { iso: true } } }
  const env = { IPP_SECRET: 'a very long secret', LOG_LEVEL: 'debug' }
  const { status, text } = await check(undefined, ipp, env)
  assert.equal(status, 0)
  assert.match(text, /ipp\.allowDownload = false \(CONFIG\)/)
  assert.match(text, /ipp\.showMetadata\.exif\.iso = true \(CONFIG\)/)
  assert.doesNotMatch(text, /exif\.make/)
  assert.match(text, /LOG_LEVEL = "debug" \(environment\)/)
  assert.match(text, /^note {2}ipp\.allowDownload: 0/m)
  assert.match(text, /IPP_SECRET = not shown/)
  assert.doesNotMatch(text, /a very long secret/)
  assert.match(text, /connected to http:\/\/127\.0\.0\.1:\d+, which is Immich 3\.1\.0/)
})

test('a wrong configuration: every problem, and status 1', async () => {
  const { status, text } = await check(undefined, { allowDownloadAll: 7 }, { IPP_PORT: 'x' })
  assert.equal(status, 1)
  assert.match(text, /WRONG ipp\.allowDownloadAll: got 7, expected 0, 1 or 2/)
  assert.match(text, /WRONG IPP_PORT: got "x"/)
})

test('a config.json that this user may not read', () => {
  const folder = mkdtempSync(`${tmpdir()}/check-`)
  chmodSync(folder, 0o755)
  const path = join(folder, 'config.json')
  writeFileSync(path, '{}', { mode: 0 })
  // root may read every file
  const user = process.getuid?.() === 0 ? { uid: 65_534 } : {}
  const env = { IMMICH_URL: immich.url, IPP_CONFIG: path }
  const { stdout } = spawnSync(process.execPath, [file, 'check'], { env, encoding: 'utf8', ...user })
  assert.match(stdout, /WRONG IPP_CONFIG .*: user \d+ may not read it: run chmod a\+r on the host/)
})

const countWrong = (text: string) => text.match(/^WRONG/gm)?.length ?? 0
test('Immich cannot be reached: one cause, and what to do', async () => {
  const cases: [string, RegExp][] = [
    [
      'http://nowhere.invalid:2283',
      new RegExp('WRONG .* at http://nowhere\\.invalid:2283: .*(?:ENOTFOUND|EAI_AGAIN).*\\n' +
        ' +→ its name cannot be resolved')
    ],
    [
      'http://127.0.0.1:2',
      /WRONG .*ECONNREFUSED 127\.0\.0\.1:2\n {6}→ nothing listens there; in a container, localhost/
    ],
    [immich.url.replace('http', 'https'), /WRONG .*\n {6}→ that port does not speak https: write http:\/\//]
  ]
  await Promise.all(cases.map(async ([IMMICH_URL, cause]) => {
    const { status, text } = await check(undefined, {}, { IMMICH_URL })
    assert.match(text, cause)
    assert.deepEqual([status, countWrong(text)], [1, 1], text)
  }))
})

/** Lets a server listen until the tests end; resolves with its port. */
async function portOf (server: Server): Promise<string> {
  after(() => { server.close(); server.closeAllConnections() })
  return new URL(await listen(server)).port
}

const openssl = { skip: without('openssl') }
test('certificates: of another authority, for another name, expired, and valid', openssl, async () => {
  const folder = mkdtempSync(`${tmpdir()}/check-`)
  let made = 0
  const makeServer = async (name: string, days: number) => {
    const [keyFile, request, certFile, names] = ['key', 'csr', 'pem', 'ext'].map(type =>
      `${folder}/${made}.${type}`) as [string, string, string, string]
    made++
    writeFileSync(names, `subjectAltName=DNS:${name}`)
    const openssl = (...words: string[]) => execFileSync('openssl', words, { stdio: 'ignore' })
    openssl(
      'req', '-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`
    )
    // only x509 takes an end in the past
    openssl(
      'x509', '-req', '-in', request, '-signkey', keyFile, '-out', certFile, '-extfile', names,
      '-days', String(days)
    )
    const options = { key: readFileSync(keyFile), cert: readFileSync(certFile) }
    const port = await portOf(createTls(options, (request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(request.url!.includes('ping') ? '{"res":"pong"}' : '{"major":3,"minor":1,"patch":0}')
    }))
    return { IMMICH_URL: `https://localhost:${port}`, NODE_EXTRA_CA_CERTS: certFile }
  }
  const right = await makeServer('localhost', 2)
  const cases = [
    [{ IMMICH_URL: right.IMMICH_URL }, /→ its certificate is not trusted here: set NODE_EXTRA_CA_CERTS/],
    [await makeServer('other.example', 2), /→ its certificate is for another name: use that name/],
    [await makeServer('localhost', -1), /: certificate has expired\n {6}→ .* has expired: renew it/],
    [right, /connected to https:.*, which is Immich 3\.1\.0/]
  ] as const
  for (const [env, expected] of cases) assert.match((await checkByProcess(undefined, env)).text, expected)

  const [, [other], [expired]] = cases
  const atPublic: [Record<string, string>, RegExp][] = [
    [expired, /^WRONG .* browsers refuse: certificate has expired\n {6}→ renew it/m],
    [other, /^WRONG .* browsers refuse: .*\n {6}→ get one for this name/m],
    [{ IMMICH_URL: right.IMMICH_URL }, /^note {2}the certificate of .* is not trusted.*\n {6}→ let/m],
    [right, /^WRONG .* does not lead to this program/m]
  ]
  for (const [{ IMMICH_URL, ...env }, expected] of atPublic) {
    const { text } = await checkByProcess(`${IMMICH_URL}/share/${links.album.key}`, env)
    assert.match(text, expected)
  }
})

test('a link: its contents, its limits, who set them, and how to lift them', async () => {
  const cases: [{ key: string }, object, RegExp][] = [
    [links.album, {}, /^ok {4}it is an album of 95 photos and 2 videos/],
    [
      links.noDownload,
      {},
      /note {2}the owner allows no downloads\n {6}→ in Immich, .*"Allow public user to download"/
    ],
    [links.noMetadata, {}, /note {2}the owner shows no metadata/],
    [links.album, {}, /note {2}there is no details panel\n {6}→ choose its fields in ipp\.showMetadata/],
    [
      links.album,
      { allowDownload: true, allowDownloadAll: 0 },
      /note {2}it cannot be downloaded as a zip\n {6}→ set ipp\.allowDownloadAll/
    ],
    [
      links.album,
      { allowDownload: false },
      /note {2}single photos cannot be downloaded\n {6}→ set ipp\.allowDownload to true/
    ],
    [
      links.album,
      { maxDownloadQuality: 'preview' },
      /note {2}downloads are in preview quality\n {6}→ set ipp\.maxDownloadQuality/
    ],
    [links.noDownload, { maxZoomQuality: 'fullsize' }, /zooming in shows no more than the preview/],
    [links.ending, {}, /it expires 2100-12-31T23:59:59.000Z/],
    [links.password, {}, /it has a password/],
    [empty, {}, /visitors see nothing in it/],
    [chosen, {}, /note {2}photos that were locked or hidden later are still shared/]
  ]
  await Promise.all(cases.map(async ([{ key }, ipp, expected]) => {
    assert.match((await check(`/share/${key}`, ipp)).text, expected)
  }))
  const whole = await check(`/share/${links.album.key}`)
  assert.doesNotMatch(whole.text, /locked or hidden/)
  assert.equal(whole.status, 0)
})

test('a link as it is pasted: with its password, a full stop, or without https', async () => {
  const { key } = links.album
  const dialog = `Link:\u00a0http://127.0.0.1:2/share/${key}\nPassword:\u00a0x`
  for (const text of [dialog, `127.0.0.1:2/share/${key}.`]) {
    const { status, text: told } = await check(text)
    assert.match(told, /^ok {4}it is an album/, told)
    assert.match(told, /^WRONG nothing listens at https?:\/\/127\.0\.0\.1:2\n {6}→ is this the port/m)
    assert.equal(status, 1)
  }
})

test('a link that does not work', async () => {
  const { key } = links.album
  const slug = `/s/${encodeURIComponent(slugged.slug!)}`
  assert.match((await check(slug)).text, /it is an album of 30 photos/)
  const cases: [string, object, RegExp][] = [
    [`/share/${links.expired.key}`, {}, /^WRONG Immich has no such link, or it has expired/],
    [`/share/${key.slice(0, -5)}`, {}, /^WRONG part of its key is missing/],
    [slug, { allowSlugLinks: false }, /^WRONG addresses with \/s\/ are switched off/],
    ['https://example.com/photos/abc', {}, /^WRONG .* is not the address of a link/]
  ]
  for (const [address, ipp, expected] of cases) {
    const { status, text } = await check(address, ipp)
    assert.match(text, expected)
    assert.deepEqual([status, countWrong(text)], [1, 1], text)
  }
  const away = await check(`/share/${key}`, {}, { IMMICH_URL: 'http://127.0.0.1:2' })
  assert.deepEqual(
    [away.status, away.text.split('\n')[0]],
    [1, 'WRONG the link cannot be tested, because Immich is unavailable']
  )
})

test('any other program in place of Immich gets one verdict, and status 1', async () => {
  const answers: [number, string, RegExp][] = [
    [
      200, '<h1>router</h1>',
      /answered 200, but not as Immich does\n {6}→ another program, or this one, answers there/
    ],
    [
      302,
      '',
      /it redirects to https:\/\/elsewhere\.example\/here\n {6}→ a login page or another server answers/
    ],
    [401, 'no', /answered 401\n {6}→ usually a login page or an access rule/],
    [403, '<h1>Forbidden</h1>', /answered 403\n {6}→ usually a login page or an access rule/],
    [404, 'nginx', /answered 404\n {6}→ another program, or this one, answers there/],
    [429, '', /answered 429\n {6}→ usually a rate limit/],
    [500, '', /answered 500\n {6}→ Immich itself failed/],
    [502, 'Bad Gateway', /answered 502\n {6}→ usually a reverse proxy: Immich behind it is starting/],
    [503, '', /answered 503\n {6}→ usually a reverse proxy: Immich behind it is starting/]
  ]
  await Promise.all(answers.map(async ([status, body, expected]) => {
    const headers = {
      'content-type': 'text/html',
      ...status === 302 && { location: 'https://elsewhere.example/here?key=secret' }
    }
    const port = await portOf(
      createServer((_, response) => { response.writeHead(status, headers).end(body) })
    )
    const { status: got, text } = await check(undefined, {}, { IMMICH_URL: `http://127.0.0.1:${port}` })
    assert.match(text, expected)
    assert.deepEqual([got, countWrong(text)], [1, 1], text)
    assert.doesNotMatch(text, /secret|write that address/)
  }))
})

test('the name of a link in the log is the same as on a server with the same secret', async () => {
  const { key } = links.album
  const IPP_SECRET = 'sixteen characters'
  const nameOf = createLinkHashes(createKeys(IPP_SECRET))
  const name = nameOf({ key } as Parameters<typeof nameOf>[0])
  assert.match(
    (await check(`/share/${key}`, {}, { IPP_SECRET })).text,
    new RegExp(`ok {4}the log calls it ${name}\n`)
  )
  assert.match(
    (await check(`/share/${key}`)).text,
    /its name in the log changes with each start\n {6}→ set IPP_SECRET/
  )
})

test('help and unknown words print the usage, and start nothing', () => {
  const env = { ...PROCESS_ENV, IMMICH_URL: 'http://x' }
  const options = { env, encoding: 'utf8', timeout: 30_000 } as const
  for (const [word, status] of [['--help', 0], ['help', 0], ['-h', 0], ['chekc', 2]] as const) {
    const { status: got, stdout } = spawnSync(process.execPath, [file, word], options)
    assert.deepEqual([got, /^node src\/server\.ts check LINK/m.test(stdout)], [status, true], word)
  }
  const { stdout } = spawnSync(process.execPath, [file, '--version'], { ...options, env: PROCESS_ENV })
  assert.equal(stdout, `${JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')).version}\n`)
})
