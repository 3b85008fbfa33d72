/**
 * The reverse proxy configurations in docs/examples, unchanged except for names and ports: run by nginx,
 * Caddy and Apache, with requests through them.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:https'
import { after, describe, test } from 'node:test'
import { ask, freePorts, HTML, ROOT, start, until } from '../helpers.ts'
import { PASSWORD, sampleLibrary } from '../library.ts'
import { listening, startNginx, startReplica } from '../nginx.ts'
import { startImmich } from '../standin.ts'
import { has, without } from '../tools.ts'

const example = (name: string) => readFileSync(new URL(`docs/examples/${name}`, ROOT), 'utf8')
const folder = mkdtempSync('/tmp/deploy-')
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
if (has('openssl')) {
  openssl(
    'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'server.key', '-out', 'server.pem', '-days',
    '2', '-subj', '/CN=photos.example.com', '-addext',
    'subjectAltName=DNS:photos.example.com,DNS:share.example.com,DNS:immich.example.com'
  )
  // make the authority and the client's certificate with the commands in the document
  const document = readFileSync(new URL('docs/deployment.md', ROOT), 'utf8')
  const commands = [...document.matchAll(/^ {4}(openssl .*)$/gm)].map(([, command]) => command!)
  assert.equal(commands.length, 4)
  for (const command of commands) execFileSync('/bin/sh', ['-c', command], { cwd: folder, stdio: 'ignore' })
}
/** The reason to skip tests of a reverse proxy, which also need openssl for certificates. */
const lacks = (program: string, from = program) => without('openssl') || without(program, from)
const lacksNginx = lacks('nginx', 'nginx-light')
const read = (name: string) => readFileSync(`${folder}/${name}`)

type Got = { status: number, headers: IncomingHttpHeaders, text: string }
type Ask = { headers?: Record<string, string>, method?: string, body?: string, cert?: Buffer, key?: Buffer }
const through = (port: number, host: string, path: string, { body, headers, ...more }: Ask = {}) =>
  new Promise<Got>((resolve, reject) => {
    const out = request(
      {
        host: '127.0.0.1',
        port,
        path,
        servername: host,
        headers: { host, ...headers },
        rejectUnauthorized: false,
        agent: false,
        ...more
      },
      response => {
        let text = ''
        response
          .on('data', chunk => { text += chunk })
          .on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
      }
    )
    out.on('error', reject)
    out.end(body)
  })

/** Tests that must pass behind any reverse proxy, at one domain and at two. */
function judge (name: string, get: () => { port: number, run: Awaited<ReturnType<typeof start>> }) {
  test(`${name}: one domain, share links from the proxy and the rest from Immich`, async () => {
    const { port, run } = get()
    const { album, slug, password } = run.links
    const page = await through(port, 'photos.example.com', `/share/${album.key}`, { headers: HTML })
    assert.equal(page.status, 200)
    assert.match(page.text, /<meta property="og:url" content="https:\/\/photos\.example\.com\/share\//)
    const slugPath = `/s/${encodeURIComponent(slug.slug!)}`
    assert.equal((await through(port, 'photos.example.com', slugPath, { headers: HTML })).status, 200)
    for (const [, path] of page.text.matchAll(/(?:href|src)="(\/share\/static\/[^"]+)"/g)) {
      assert.equal((await through(port, 'photos.example.com', path!)).status, 200)
    }
    assert.equal((await through(port, 'photos.example.com', '/api/server/ping')).text, '{"res":"pong"}')
    // Immich's own API would open a protected link to anyone who has its key
    const shut = (path: string, headers: Record<string, string> = {}) =>
      through(port, 'photos.example.com', path, { headers })
    for (const name of ['key', 'slug', 'KEY', '%6bey', 'ke%79', 'key%5B%5D', 'key[]', 'x=1&key', 'x&slug']) {
      run.immich.asked.length = 0
      for (const key of [password.key, `${password.key}%`, `${password.key}%zz`]) {
        assert.equal((await shut(`/api/shared-links/me?${name}=${key}`)).status, 404, `${name} ${key}`)
      }
      assert.equal(run.immich.asked.length, 0, name)
    }
    run.immich.asked.length = 0
    await shut('/api/shared-links/me', {
      'X-Immich-Share-Key': password.key,
      'x-immich-share-slug': 'secret-slug'
    })
    assert.equal(run.immich.asked.length, 1)
    assert.deepEqual(Object.keys(run.immich.asked[0]!.headers).filter(name => name.includes('share')), [])
    assert.equal((await shut('/api/server/ping?keyboard=1&x=%20key=')).status, 200, 'other queries go on')
    const unlocked = await through(port, 'photos.example.com', '/share/unlock', {
      method: 'POST',
      body: new URLSearchParams({ key: password.key, password: PASSWORD }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    })
    assert.equal(unlocked.status, 303)
    assert.match(String(unlocked.headers['set-cookie']), /; Secure/)
    await until(
      () => run.lines.some(line => line.includes('"address":"127.0.0.1"')),
      'the visitor\'s own address in the log'
    )
  })
  test(`${name}: a separate domain, which redirects unknown addresses`, async () => {
    const { port, run } = get()
    const page = await through(port, 'share.example.com', `/share/${run.links.album.key}`, { headers: HTML })
    assert.match(page.text, /content="https:\/\/share\.example\.com\/share\//)
    const gone = await through(port, 'share.example.com', '/share/nothing-there')
    assert.deepEqual([gone.status, gone.headers.location], [302, 'https://www.example.com/'])
    assert.equal((await through(port, 'share.example.com', '/api/server/ping')).status, 302)
  })
  test(`${name}: Immich only for visitors with a client certificate`, async () => {
    const { port } = get()
    const [cert, key] = [read('phone.pem'), read('phone.key')]
    const without = await through(port, 'immich.example.com', '/api/server/ping').catch(() => ({ status: 0 }))
    assert.notEqual(without.status, 200)
    assert.equal(
      (await through(port, 'immich.example.com', '/api/server/ping', { cert, key })).text,
      '{"res":"pong"}'
    )
  })
}

describe('nginx', { skip: lacksNginx }, async () => {
  const [run, [port]] = [await start(), await freePorts(1) as [number]]
  await startNginx(folder,
    example('nginx.conf')
      .replaceAll('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
      .replaceAll('/etc/ssl/photos.example.com.pem', `${folder}/server.pem`)
      .replaceAll('/etc/ssl/photos.example.com.key', `${folder}/server.key`)
      .replaceAll('/etc/ssl/my-own-ca.pem', `${folder}/my-own-ca.pem`)
      .replace('server immich-public-proxy:3000', `server ${new URL(run.base).host}`)
      .replaceAll('http://immich-server:2283', run.immich.url),
    port
  )
  judge('nginx', () => ({ port, run }))
})

describe('Caddy', { skip: lacks('caddy') }, async () => {
  const [run, [port]] = [await start(), await freePorts(1) as [number]]
  const tls = `tls ${folder}/server.pem ${folder}/server.key`
  // Debian's Caddy predates trust_pool
  const version = spawnSync('caddy', ['version'], { encoding: 'utf8' }).stdout
  const isOld = /v?2\.[0-7]\./.test(version) || /^\d/.test(version)
  writeFileSync(
    `${folder}/Caddyfile`,
    `{\n admin off\n auto_https disable_redirects\n https_port ${port}\n}\n` +
      example('Caddyfile')
        .replaceAll(/^(photos|share)\.example\.com \{/gm, line => `${line}\n${tls}`)
        .replace('tls {', `${tls} {`)
        .replaceAll('/etc/ssl/my-own-ca.pem', `${folder}/my-own-ca.pem`)
        .replace(isOld ? 'trust_pool file ' : '\0', 'trusted_ca_cert_file ')
        .replaceAll('immich-public-proxy:3000', new URL(run.base).host)
        .replaceAll('immich-server:2283', new URL(run.immich.url).host)
  )
  const child = spawn('caddy', ['run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  })
  let said = ''
  child.stderr.on('data', text => { said += text })
  after(() => { child.kill('SIGTERM') })
  await listening(port).catch(error => { throw new Error(`${error.message}: ${said}`) })
  judge('Caddy', () => ({ port, run }))
})

describe('Apache', { skip: lacks('apache2', 'apache2-bin') }, async () => {
  const [run, [port]] = [await start(), await freePorts(1) as [number]]
  const names = [
    'mpm_event', 'authz_core', 'ssl', 'socache_shmcb', 'proxy', 'proxy_http', 'headers', 'rewrite',
    'setenvif', 'log_config', 'mime'
  ]
  const modules = names.map(name => {
    const path = `/usr/lib/apache2/modules/mod_${name}.so`
    return existsSync(path) ? `LoadModule ${name}_module ${path}` : ''
  }).join('\n')
  writeFileSync(
    `${folder}/apache.conf`,
    `ServerName localhost
    ServerRoot ${folder}
    PidFile ${folder}/apache.pid
    ErrorLog ${folder}/apache.log
    DefaultRuntimeDir ${folder}
    TypesConfig ${folder}/mime.types
    ${modules}
    LogFormat "%h" combined
    Listen 127.0.0.1:${port}\n` +
      example('apache.conf')
        .replaceAll('*:443', `127.0.0.1:${port}`)
        .replaceAll('/etc/ssl/photos.example.com.pem', `${folder}/server.pem`)
        .replaceAll('/etc/ssl/photos.example.com.key', `${folder}/server.key`)
        .replaceAll('/etc/ssl/my-own-ca.pem', `${folder}/my-own-ca.pem`)
        .replaceAll('/var/log/apache2', folder)
        .replaceAll('http://immich-public-proxy:3000', run.base)
        .replaceAll('http://immich-server:2283', run.immich.url)
  )
  writeFileSync(`${folder}/mime.types`, '')
  const child = spawn('apache2', ['-X', '-f', `${folder}/apache.conf`], {
    stdio: ['ignore', 'inherit', 'inherit']
  })
  after(() => { child.kill('SIGTERM') })
  await listening(port).catch(error => {
    throw new Error(`${error.message}: ${existsSync(`${folder}/apache.log`) ? read('apache.log') : ''}`)
  })
  judge('Apache', () => ({ port, run }))
})

/** The ports of two replicas. */
async function startTwo (immichUrl: string): Promise<number[]> {
  const both = await Promise.all([startReplica(immichUrl), startReplica(immichUrl)])
  return both.map(({ port }) => port)
}

const lacksPlainNginx = without('nginx', 'nginx-light')
describe('two replicas behind nginx, sharing IPP_SECRET', { skip: lacksPlainNginx }, async () => {
  const sample = sampleLibrary()
  const immich = await startImmich(sample.library)
  after(() => immich.close().catch(() => {}))
  const asked = [0, 0]
  const replicas = await startTwo(immich.url)
  const [port] = await freePorts(1) as [number]
  await startNginx(folder, `upstream both { ${replicas.map(port => `server 127.0.0.1:${port};`).join(' ')} }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://both;
        proxy_set_header Host $http_host;
        add_header X-Replica $upstream_addr always;
      }
    }`, port)
  const base = `http://127.0.0.1:${port}`
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await ask(base, path, { headers })
    asked[replicas.indexOf(Number(String(response.headers['x-replica']).split(':')[1]))]!++
    return response
  }

  test('an unlock at one replica counts at the other', async () => {
    const { key } = sample.links.password
    const unlocked = await ask(base, '/share/unlock', {
      method: 'POST',
      body: new URLSearchParams({ key, password: PASSWORD }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    })
    assert.equal(unlocked.status, 303)
    const cookie = ([] as string[]).concat(unlocked.headers['set-cookie']!)[0]!.split(';')[0]!
    for (let n = 0; n < 6; n++) {
      const page = await get(`/share/${key}`, { ...HTML, cookie })
      assert.match(page.text, /Summer at the lake/)
    }
  })
  test('they agree on all ETags, and one resumes the other\'s zip', async () => {
    const { key } = sample.links.album
    for (const path of [`/share/${key}`, `/share/items/${key}/0`, `/share/${key}/download`]) {
      const [one, other] = [await get(path, HTML), await get(path, HTML)]
      assert.notEqual(one.headers['x-replica'], other.headers['x-replica'])
      assert.ok(one.headers.etag)
      assert.equal(one.headers.etag, other.headers.etag)
      assert.ok(one.body.equals(other.body))
    }
    const whole = await get(`/share/${key}/download`)
    const half = Math.floor(whole.body.length / 2)
    const rest = await get(`/share/${key}/download`, {
      range: `bytes=${half}-`,
      'if-range': whole.headers.etag!
    })
    assert.equal(rest.status, 206)
    assert.notEqual(rest.headers['x-replica'], whole.headers['x-replica'])
    assert.ok(Buffer.concat([whole.body.subarray(0, half), rest.body]).equals(whole.body))
  })
  test('both got requests', () => assert.ok(asked[0]! > 2 && asked[1]! > 2))
})

/** A replica in a process of its own; resolves to its port. */
describe('two replicas behind one cache, configured by nginx-cache.conf', { skip: lacksNginx }, async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  after(() => immich.close().catch(() => {}))
  const ports = await startTwo(immich.url)
  const [port] = await freePorts(1) as [number]
  const cache = `${folder}/photos-cache`
  await startNginx(folder,
    example('nginx-cache.conf')
      .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
      .replace('/etc/ssl/share.example.com.pem', `${folder}/server.pem`)
      .replace('/etc/ssl/share.example.com.key', `${folder}/server.key`)
      .replace('/var/cache/nginx/immich-public-proxy', cache)
      .replace('max_size=10g', 'max_size=100m')
      .replace('replica-1:3000', `127.0.0.1:${ports[0]}`)
      .replace('replica-2:3000', `127.0.0.1:${ports[1]}`),
    port
  )
  const get = (path: string, headers: Record<string, string> = {}) =>
    through(port, 'share.example.com', path, { headers })
  const stored = () =>
    readdirSync(cache, { recursive: true, withFileTypes: true })
      .filter(file => file.isFile())
      .map(file => readFileSync(`${file.parentPath}/${file.name}`, 'latin1'))
  const { album, password } = links
  const thumbnails = (text: string) =>
    [...text.matchAll(/"(\/share\/photo\/[^"]*\/thumbnail[^"]*)"/g)].map(([, path]) => path!)

  test('thumbnails and static files come from the cache, in an encoding the browser accepts', async () => {
    const page = await get(`/share/${album.key}`, HTML)
    const script = /"(\/share\/static\/[^"]*\/gallery\.js)"/.exec(page.text)![1]!
    assert.equal((await get(script, { 'accept-encoding': 'br' })).headers['content-encoding'], 'br')
    assert.match((await get(script)).text, /^import /m)
    assert.equal((await get(script, { 'accept-encoding': 'br' })).headers['x-cache'], 'HIT')
    const images = thumbnails(page.text)
    assert.ok(images.length > 5)
    for (const image of images) assert.equal((await get(image)).status, 200)
    const asked = immich.count(/thumbnail$/)
    for (const image of images) assert.equal((await get(image)).headers['x-cache'], 'HIT')
    assert.equal(immich.count(/thumbnail$/), asked)
  })

  test('a page is revalidated at each visit, at the cost of a 304', async () => {
    const page = await get(`/share/${album.key}`, HTML)
    assert.equal(page.headers['x-cache'], undefined)
    // whichever replica is asked
    for (let n = 0; n < 4; n++) {
      assert.equal(
        (await get(`/share/${album.key}`, { ...HTML, 'if-none-match': page.headers.etag! })).status,
        304
      )
    }
  })

  test('ranges of videos and zips pass through', async () => {
    const { assets } = library.albums.get(album.album!)!
    const video = assets.find(id => library.assets.get(id)!.type === 'VIDEO')
    for (const path of [`/share/video/${album.key}/${video}`, `/share/${album.key}/download`]) {
      const part = await get(path, { range: 'bytes=10-19' })
      assert.deepEqual([part.status, part.headers['content-length']], [206, '10'], path)
    }
  })

  test('nothing from a protected link is stored, or sent to a visitor who has not unlocked it', async () => {
    const form = new URLSearchParams({ key: password.key, password: PASSWORD }).toString()
    const unlocked = await through(port, 'share.example.com', '/share/unlock', {
      method: 'POST', body: form, headers: { 'content-type': 'application/x-www-form-urlencoded' }
    })
    const cookie = unlocked.headers['set-cookie']![0]!.split(';')[0]!
    const page = await get(`/share/${password.key}`, { ...HTML, cookie })
    const secret = thumbnails(page.text)
    assert.ok(secret.length > 0)
    for (const image of [...secret, ...secret]) {
      const response = await get(image, { cookie })
      assert.equal(response.status, 200)
      assert.notEqual(response.headers['x-cache'], 'HIT')
    }
    assert.ok(stored().length > 5)
    assert.deepEqual(stored().filter(text => text.includes(password.key)), [])
    assert.equal((await get(secret[0]!)).status, 404)
    assert.notEqual((await get('/share/unknown', HTML)).headers['x-cache'], 'HIT')
  })
})
