/** `node src/server.ts check`: what it tells an operator, as a process of its own. */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTls } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { addLink, photo, sampleLibrary } from '../library.ts'
import { startImmich } from '../standin.ts'
import { without } from '../tools.ts'

const sample = sampleLibrary()
const { links } = sample
const slugged = links.slug
const empty = addLink(sample.library, 'all trashed', {}, [photo(900, { trashed: true })])
const immich = await startImmich(sample.library)
after(() => immich.close())
const file = fileURLToPath(new URL('../../src/server.ts', import.meta.url))

type Told = { status: number, text: string }
const check = (words?: string, ipp: object = {}, env: Record<string, string> = {}) => new Promise<Told>(resolve => {
  const given = { PATH: process.env.PATH!, IMMICH_URL: immich.url, CONFIG: JSON.stringify({ ipp }), ...env }
  execFile(process.execPath, [file, 'check', ...words ? words.split(' ') : []], { env: given }, (error, stdout) => resolve({ status: error ? Number(error.code) : 0, text: stdout }))
})

test('the configuration: each value and where it comes from, secrets left out', async () => {
  const { status, text } = await check('--verbose', { allowDownload: 0, showMetadata: { exif: { iso: true } } }, { IPP_SECRET: 'a very long secret', LOG_LEVEL: 'debug' })
  assert.equal(status, 0)
  assert.match(text, /ipp\.allowDownloadAll = 0 \(CONFIG\)/)
  assert.match(text, /ipp\.showMetadata\.exif\.iso = true \(CONFIG\)/)
  assert.match(text, /ipp\.showMetadata\.exif\.make = false \(default\)/)
  assert.match(text, /LOG_LEVEL = "debug" \(environment\)/)
  assert.match(text, /note {2}ipp\.allowDownload: 0 switches all downloads off/)
  assert.match(text, /IPP_SECRET = not shown/)
  assert.doesNotMatch(text, /a very long secret/)
  assert.match(text, /connected to http:\/\/127\.0\.0\.1:\d+, which is Immich 3\.1\.0/)
})

test('a wrong configuration: every problem, and status 1', async () => {
  const { status, text } = await check(undefined, { allowDownloadAll: 7 }, { IPP_PORT: 'x' })
  assert.equal(status, 1)
  assert.match(text, /WRONG ipp\.allowDownloadAll: got 7, takes 0, 1 or 2/)
  assert.match(text, /WRONG IPP_PORT: got "x"/)
})

test('what is wrong on the way to Immich, step by step', async () => {
  const name = await check(undefined, {}, { IMMICH_URL: 'http://nowhere.invalid:2283' })
  assert.equal(name.status, 1)
  assert.match(name.text, /nowhere\.invalid A: none\nok {4}nowhere\.invalid AAAA: none\nWRONG Immich cannot be reached: .*(?:ENOTFOUND|EAI_AGAIN).*\n {6}→ its name is not known here/)
  const refused = await check(undefined, {}, { IMMICH_URL: 'http://127.0.0.1:2' })
  assert.match(refused.text, /WRONG Immich cannot be reached: .*ECONNREFUSED 127\.0\.0\.1:2.*\n {6}→ nothing listens there/)
  const plain = await check(undefined, {}, { IMMICH_URL: immich.url.replace('http', 'https') })
  assert.match(plain.text, /WRONG Immich cannot be reached: .*\n {6}→ what listens there does not speak https/)
  const other = createServer((_, response) => response.end('<h1>router</h1>')).listen(0, '127.0.0.1')
  await new Promise(resolve => other.on('listening', resolve))
  const stranger = await check(undefined, {}, { IMMICH_URL: `http://127.0.0.1:${(other.address() as AddressInfo).port}` })
  assert.match(stranger.text, /WRONG Immich cannot be reached: server\/version answered 200 with something else\n {6}→ what answers there is not Immich/)
  other.close()
})

test('a certificate that is not trusted, and one that is', { skip: without('openssl') }, async () => {
  const folder = mkdtempSync(`${tmpdir()}/check-`)
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' })
  const [key, cert] = [readFileSync(`${folder}/key.pem`), readFileSync(`${folder}/cert.pem`)]
  const secure = createTls({ key, cert }, (request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(request.url!.includes('ping') ? '{"res":"pong"}' : '{"major":3,"minor":1,"patch":0}')
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => secure.on('listening', resolve))
  const url = { IMMICH_URL: `https://localhost:${(secure.address() as AddressInfo).port}` }
  const distrusted = await check(undefined, {}, url)
  assert.match(distrusted.text, /WRONG Immich cannot be reached: .*\n {6}→ its certificate is not trusted here: set NODE_EXTRA_CA_CERTS/)
  writeFileSync(`${folder}/ca.pem`, cert)
  const trusted = await check(undefined, {}, { ...url, NODE_EXTRA_CA_CERTS: `${folder}/ca.pem` })
  assert.match(trusted.text, /connected to https:.*, which is Immich 3\.1\.0/)
  assert.equal(trusted.status, 0)
  secure.close()
})

test('a link: what it shares, what limits it, by whom, and what to do', async () => {
  const told = async (link: { key: string }, ipp = {}) => (await check(`https://photos.example.com/share/${link.key}`, ipp)).text
  assert.match(await told(links.album), /it is an album of 95 photos and 2 videos/)
  assert.match(await told(links.noDownload), /note {2}the owner allows no downloads\n {6}→ in Immich, .*"Allow public user to download"/)
  assert.match(await told(links.noMetadata), /note {2}the owner shows no metadata/)
  assert.match(await told(links.album), /note {2}no info panel\n {6}→ set in ipp\.showMetadata/)
  assert.match(await told(links.album, { allowDownloadAll: 0 }), /note {2}no zip of it\n {6}→ set ipp\.allowDownloadAll/)
  assert.match(await told(links.album, { maxDownloadQuality: 'preview', maxZoomQuality: 'fullsize' }), /downloads are previews[^]*zooming in shows no more/)
  assert.match(await told(links.ending), /it ends 2100-12-31T23:59:59.000Z/)
  assert.match(await told(links.password), /it has a password/)
  assert.match(await told(empty), /nothing of it can be seen/)
  const expired = await check(`/share/${links.expired.key}`)
  assert.match(expired.text, /WRONG Immich knows no such link, or it has expired/)
  assert.equal(expired.status, 1)
  assert.match((await check(`/s/${encodeURIComponent(slugged.slug!)}`)).text, /it is an album of 30 photos/)
  assert.match((await check(`/s/${encodeURIComponent(slugged.slug!)}`, { allowSlugLinks: false })).text, /WRONG addresses with \/s\/ are switched off/)
  assert.match((await check('https://example.com/photos/abc')).text, /WRONG .* is no address of a link/)
})

test('whatever answers instead of Immich, there is a verdict, and status 1', async () => {
  const answers: [number, string, string][] = [[200, 'text/html', '<h1>router</h1>'], [302, 'text/html', ''], [401, 'text/plain', 'no'], [403, 'text/html', '<h1>Forbidden</h1>'], [404, 'text/html', 'nginx'], [429, 'text/plain', ''], [502, 'text/html', 'Bad Gateway']]
  for (const [status, type, body] of answers) {
    const server = createServer((_, response) => { response.writeHead(status, { 'content-type': type, ...status === 302 && { location: 'https://elsewhere.example/here?key=secret' } }).end(body) })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const told = await check(undefined, {}, { IMMICH_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    server.close()
    assert.equal(told.status, 1, String(status))
    if (status === 302) assert.match(told.text, /WRONG .*it leads to https:\/\/elsewhere\.example\/here\n {6}→ write that address in IMMICH_URL/)
    else assert.match(told.text, new RegExp(`WRONG .*server/version answered ${status}`), String(status))
    assert.doesNotMatch(told.text, /secret/)
    assert.match(told.text, /→ IMMICH_URL has to lead to Immich itself/)
  }
})

test('help and unknown words print the usage, and start nothing', () => {
  for (const [word, status] of [['--help', 0], ['help', 0], ['-h', 0], ['chekc', 2]] as const) {
    const { status: got, stdout } = spawnSync(process.execPath, [file, word], { env: { IMMICH_URL: 'http://x' }, encoding: 'utf8', timeout: 10_000 })
    assert.deepEqual([got, /^node src\/server\.ts check LINK/m.test(stdout)], [status, true], word)
  }
})

test('of a link the verdict comes first, then what differs; all of it only with --verbose', async () => {
  const address = `https://photos.example/share/${links.album.key}`
  const { text } = await check(address, { groupByDate: 'day' })
  assert.match(text, /^ok {4}it is an album of \d+ photos/)
  assert.match(text, /ipp\.groupByDate = "day" \(CONFIG\)/)
  assert.doesNotMatch(text, /\(default\)/)
  const all = await check(`${address} --verbose`)
  assert.match(all.text, /^ok {4}it is an album[^]*ipp\.groupByDate = "month" \(default\)/)
  assert.match((await check(`https://photos.example/share/${links.album.key.slice(0, -5)}`)).text, /^WRONG its key is not whole/)
  assert.match((await check(`https://photos.example/share/${links.expired.key}`)).text, /^WRONG Immich knows no such link, or it has expired/)
  const away = await check(address, {}, { IMMICH_URL: 'http://127.0.0.1:2' })
  assert.deepEqual([away.status, away.text.split('\n')[0]], [1, 'WRONG the link cannot be tried, for Immich does not answer'])
})
