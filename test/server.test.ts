/** The program as a process: its log, the configurations that it refuses, and how it ends. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { manyPhotos, sampleLibrary } from './library.ts'
import { ask, hold, HTML, openCount, PROCESS_ENV, ROOT, start, until } from './helpers.ts'
import { startImmich } from './standin.ts'

function run (env: Record<string, string>, args: string[] = []) {
  const child: ChildProcess = spawn(process.execPath, ['src/server.ts', ...args], {
    cwd: ROOT, env: { ...PROCESS_ENV, IPP_HOST: '127.0.0.1', IPP_PORT: '0', ...env }
  })
  const seen = { out: '', err: '', code: undefined as number | null | undefined }
  child.stdout!.on('data', chunk => { seen.out += chunk })
  child.stderr!.on('data', chunk => { seen.err += chunk })
  child.on('exit', code => { seen.code = code })
  after(() => { child.kill('SIGKILL') })
  return Object.assign(seen, {
    child,
    port: async () => {
      await until(() => / listening port=\d+/.test(seen.out), `a port: ${seen.out}${seen.err}`)
      return Number(/ listening port=(\d+)/.exec(seen.out)![1])
    }
  })
}

test('a wrong configuration: it does not start, and names the key, its value and what it takes', async () => {
  const bad = run({ IMMICH_URL: 'http://127.0.0.1:1', CONFIG: '{"ipp":{"showHomePage":"yes"}}' })
  await until(() => bad.code !== undefined)
  assert.equal(bad.code, 1)
  assert.equal(
    bad.err, 'The configuration is not valid:\n  ipp.showHomePage: got "yes", expected true or false\n'
  )
})

test('a kernel without IPv6: it listens on IPv4', async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  after(() => immich.close())
  // the error of Linux in that case
  const kernel = `
    import { Server } from 'node:net'
    const { listen } = Server.prototype
    Server.prototype.listen = function (port, host) {
      if (host !== '::') return listen.call(this, port, host)
      const error = Object.assign(new Error('address family not supported'), { code: 'EAFNOSUPPORT' })
      process.nextTick(() => this.emit('error', error))
    }
  `
  const proxy = run({
    IMMICH_URL: immich.url,
    IPP_HOST: '',
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(kernel)}`
  })
  const base = `http://127.0.0.1:${await proxy.port()}`
  assert.equal((await ask(base, `/share/${links.album.key}`, { headers: HTML })).status, 200)
})

test('PUBLIC_BASE_URL with a path: the path is ignored, and the log says why', async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  after(() => immich.close())
  const proxy = run({ IMMICH_URL: immich.url, PUBLIC_BASE_URL: 'https://photos.example.com/share/' })
  const base = `http://127.0.0.1:${await proxy.port()}`
  const { text } = await ask(base, `/share/${links.album.key}`, { headers: HTML })
  assert.match(text, new RegExp(`og:url" content="https://photos\\.example\\.com/share/${links.album.key}"`))
  assert.match(proxy.out, /warn configuration notice="PUBLIC_BASE_URL: its path is ignored/)
})

test('the log: startup, versions, one outage, refused unlocks, no key and no control character', async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library, { version: '2.5.6' })
  after(() => immich.close().catch(() => {}))
  const proxy = run({
    IMMICH_URL: immich.url,
    IPP_SECRET: 'a secret of sixteen or more',
    CONFIG: '{"ipp":{"showGalleryTitle":false,"gallery":{"groupByDate":"day"}}}'
  })
  const base = `http://127.0.0.1:${await proxy.port()}`
  await until(() => proxy.out.includes('Immich found'))
  assert.match(proxy.out, / info "?Immich found"? version=2\.5\.6/)
  assert.match(proxy.out, /ipp\.showGalleryTitle/)
  assert.match(proxy.out, /ipp\.gallery\.groupByDate: .* is now ipp\.groupByDate/)
  assert.ok(!proxy.out.includes('a secret of sixteen'))
  await ask(base, '/share/unlock', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': '203.0.113.9' },
    body: `key=${links.password.key}&password=%0Ainfo+forged`
  })
  await until(() => proxy.out.includes('unlock refused'))
  assert.match(
    proxy.out, /^\S+ warn unlock refused address=203\.0\.113\.9 link=[\da-f]{10} reason="wrong password"$/m
  )
  await immich.close()
  for (let n = 0; n < 5; n++) assert.equal((await ask(base, `/share/${links.album.key}`)).status, 503)
  assert.equal(proxy.out.match(/Immich is unavailable/g)!.length, 1)
  assert.match(proxy.out, /error Immich is unavailable url=http:\/\/127\.0\.0\.1:\d+ failed=/)
  assert.match(proxy.out, /Immich is unavailable .* code=ECONNREFUSED advice="nothing listens there/)
  await immich.listen()
  assert.equal((await ask(base, `/share/${links.album.key}`)).status, 200)
  await until(() => proxy.out.includes('Immich is available again'))
  assert.ok(!proxy.out.includes(links.password.key) && !proxy.out.includes(links.album.key))
  assert.doesNotMatch(proxy.out, /[\0-\x09\x0b-\x1f\x7f]/)
  for (const line of proxy.out.trimEnd().split('\n')) {
    assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z (error|warn|info|debug) \S/)
  }
})

test('it starts before Immich does, and logs an unknown host name', async () => {
  const proxy = run({ IMMICH_URL: 'http://no-such-host.invalid:2283' })
  const port = await proxy.port()
  await until(() => proxy.out.includes('Immich does not answer yet'))
  assert.match(proxy.out, /code=(ENOTFOUND|EAI_AGAIN) advice="its name cannot be resolved here/)
  assert.equal((await ask(`http://127.0.0.1:${port}`, '/share/healthcheck')).status, 503)
  const second = run({ IMMICH_URL: 'http://127.0.0.1:1', IPP_PORT: String(port) })
  await until(() => second.code !== undefined)
  assert.equal(second.code, 1)
  assert.match(second.out, /cannot listen.*choose another IPP_PORT/)
})

test('a server that is not Immich is logged', async () => {
  const immich = await startImmich(sampleLibrary().library)
  after(() => immich.close())
  immich.fault = () => ({ status: 404, body: '<html>nginx</html>', headers: { 'content-type': 'text/html' } })
  const proxy = run({ IMMICH_URL: immich.url })
  assert.equal((await ask(`http://127.0.0.1:${await proxy.port()}`, '/share/AAAAAAAAAAAAAAAA')).status, 503)
  assert.match(proxy.out, /another program, or this one, answers there/)
})

test('an untested version is logged', async () => {
  const immich = await startImmich(sampleLibrary().library)
  after(() => immich.close())
  for (const body of [
    '{"major":3,"minor":2,"patch":0}', '{"major":4,"minor":0,"patch":0}', '{"major":2,"minor":4,"patch":9}'
  ]) {
    immich.fault = ({ path }) => path.endsWith('version') ? { body } : undefined
    const proxy = run({ IMMICH_URL: immich.url })
    await until(() => proxy.out.includes('this version of Immich was not tested tested="2.5 to 3.1"'), body)
  }
  for (const body of ['{"major":3,"minor":1,"patch":9}', '{"major":2,"minor":5,"patch":0}']) {
    immich.fault = ({ path }) => path.endsWith('version') ? { body } : undefined
    const proxy = run({ IMMICH_URL: immich.url })
    await until(() => proxy.out.includes('Immich found'), body)
    // a line that follows what would be a warning
    await ask(`http://127.0.0.1:${await proxy.port()}`, '/share/alive')
    assert.ok(!proxy.out.includes('was not tested'), body)
  }
})

test('a connection is kept for longer than reverse proxies keep theirs', async () => {
  const run = await start()
  const { headers } = await run.get('/share/alive', { headers: { connection: 'keep-alive' } })
  assert.ok(Number(/timeout=(\d+)/.exec(String(headers['keep-alive']))?.[1]) > 75)
})

test('SIGTERM ends it after running transfers', async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  after(() => immich.close())
  const proxy = run({ IMMICH_URL: immich.url })
  const base = `http://127.0.0.1:${await proxy.port()}`
  immich.fault = ({ path }) => path.endsWith('original') ? { drip: [50_000, 20] } : undefined
  const running = ask(base, `/share/photo/${links.photo.key}/${links.photo.assets![0]}/original`)
  await until(() => immich.count(/original$/) === 1)
  proxy.child.kill('SIGTERM')
  const response = await running
  assert.ok(response.status === 200 && response.complete)
  await until(() => proxy.code !== undefined)
  assert.equal(proxy.code, 0)
})

test('SIGTERM: it is unhealthy while it still answers, then it ends', async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  after(() => immich.close())
  const proxy = run({ IMMICH_URL: immich.url })
  const base = `http://127.0.0.1:${await proxy.port()}`
  assert.equal((await ask(base, '/healthcheck')).status, 200)
  proxy.child.kill('SIGTERM')
  await until(() => proxy.out.includes('stopping'))
  const seen = await Promise.all(
    ['/healthcheck', '/share/alive', `/share/${links.album.key}`].map(async path => {
      const { status, headers } = await ask(base, path, { headers: { ...HTML, connection: 'keep-alive' } })
      return [status, headers.connection]
    })
  )
  assert.deepEqual(seen, [[503, 'close'], [200, 'close'], [200, 'close']])
  await until(() => proxy.code !== undefined)
  assert.equal(proxy.code, 0)
})

test('a port in use is logged and does not crash it', async () => {
  const run = await start()
  const { port } = new URL(run.base)
  const second = spawn(process.execPath, [fileURLToPath(new URL('src/server.ts', ROOT))], {
    env: {
      ...PROCESS_ENV, IMMICH_URL: run.immich.url, IPP_HOST: '127.0.0.1', IPP_PORT: port, CONFIG: '{}'
    }
  })
  let text = ''
  second.stdout.on('data', chunk => { text += chunk })
  assert.equal(await new Promise(resolve => second.on('exit', resolve)), 1)
  assert.match(text, /error cannot listen port=\d+ host=127\.0\.0\.1 failed=".*EADDRINUSE/)
  assert.match(text, /cannot listen .* advice="another program listens there: choose another IPP_PORT"/)
})

test('an address of another machine is logged, with what to do', async () => {
  const seen = run({ IMMICH_URL: 'http://127.0.0.1:1', IPP_HOST: '192.0.2.1' })
  await until(() => seen.code !== undefined)
  assert.equal(seen.code, 1)
  assert.match(seen.out, /error cannot listen .*EADDRNOTAVAIL.* advice="this machine has no such address: /)
})

test('an unexpected error ends only its own request, and is logged', async () => {
  const run = await start()
  const broken = new Error('thrown on purpose')
  const { gate } = run.proxy.app
  const { open } = gate
  gate.open = () => { throw broken }
  const response = await run.get(`/share/${run.links.album.key}`, { headers: HTML })
  assert.deepEqual(
    [response.status, response.text, response.headers['cache-control']], [500, 'internal error\n', 'no-store']
  )
  assert.ok(run.lines.some(line => line.startsWith('error unexpected') && line.includes('thrown on purpose')))
  gate.open = open
  assert.equal((await run.get(`/share/${run.links.album.key}`, { headers: HTML })).status, 200)
})

test('a closed log does not end the program', async () => {
  const run = await start()
  const child = spawn(process.execPath, [fileURLToPath(new URL('src/server.ts', ROOT))], {
    env: {
      ...PROCESS_ENV, IMMICH_URL: run.immich.url, IPP_HOST: '127.0.0.1', IPP_PORT: '0', CONFIG: '{}',
      LOG_LEVEL: 'debug'
    },
    stdio: ['ignore', 'pipe', 'ignore']
  })
  const port = await new Promise<string>(resolve =>
    child.stdout.on('data', chunk => {
      const found = /port=(\d+)/.exec(String(chunk))
      if (found) resolve(found[1]!)
    })
  )
  child.stdout.destroy()
  const { key } = run.links.password
  for (let n = 0; n < 5; n++) {
    const body = new URLSearchParams({ key, password: 'wrong' }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await ask(`http://127.0.0.1:${port}`, '/share/unlock', { method: 'POST', body, headers })
    assert.equal(response.status, 401)
  }
  assert.equal(child.exitCode, null)
  child.kill('SIGKILL')
})

test('once it listens, the process has no permission that it does not need', async () => {
  const immich = await startImmich(sampleLibrary().library)
  after(() => immich.close())
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'))
  const bin = dirname(process.execPath)
  for (const IPP_CONFIG of ['', join(tmpdir(), `ipp config ${process.pid}.json`)]) {
    if (IPP_CONFIG) writeFileSync(IPP_CONFIG, '{"ipp":{"showHomePage":false}}')
    const child = spawn('sh', ['-c', `exec ${scripts.start}`], {
      cwd: ROOT,
      env: {
        PATH: `${bin}:${process.env.PATH}`, IMMICH_URL: immich.url, IPP_HOST: '127.0.0.1', IPP_PORT: '0',
        // the probe tries WASI, which is experimental
        IPP_CONFIG, NODE_OPTIONS: '--import=./test/probe.mjs --disable-warning=ExperimentalWarning'
      },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    let out = ''
    child.stdout.on('data', chunk => { out += chunk })
    after(() => { child.kill('SIGKILL') })
    await until(() => out.includes('probe {'), `the probe: ${out}`)
    const told = JSON.parse(/probe (\{.*\})/.exec(out)![1]!)
    for (const name of [
      'file', 'configuration', 'directory', 'write', 'child', 'worker', 'addon', 'wasi', 'inspector'
    ]) {
      assert.match(String(told[name]), /^(ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED)$/, name)
    }
    assert.deepEqual([told.fetch, told.brotli, told.names, told.dates], [200, true, true, '1. Januar 1970'])
    assert.equal(
      out.includes('ipp.showHomePage'), IPP_CONFIG !== '', 'the configuration that IPP_CONFIG names was read'
    )
    const port = / listening port=(\d+)/.exec(out)![1]
    assert.equal((await ask(`http://127.0.0.1:${port}`, '/share/healthcheck')).text, 'ok')
    child.kill('SIGKILL')
  }
})

test('a Node.js that cannot drop permissions is refused, unless the operator says otherwise', async () => {
  // as in Node.js 22: permissions, but no drop
  const old = `Object.defineProperty(process, 'permission', { value: { has: () => true } })`
  const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(old)}`
  const refused = run({ IMMICH_URL: 'http://127.0.0.1:1', NODE_OPTIONS })
  await until(() => refused.code !== undefined)
  assert.equal(refused.code, 1)
  assert.match(refused.err, /cannot give up the right to read files.*IPP_KEEP_PERMISSIONS=true/)
  await run({ IMMICH_URL: 'http://127.0.0.1:1', NODE_OPTIONS, IPP_KEEP_PERMISSIONS: 'true' }).port()
})

test('npm start, check and demo say which Node.js they need, and nothing else', async () => {
  const { spawnSync } = await import('node:child_process')
  const { cpSync, mkdtempSync } = await import('node:fs')
  const folder = mkdtempSync(join(tmpdir(), 'needed-'))
  for (const name of ['package.json', 'test/node/needed.cjs']) cpSync(new URL(name, ROOT), join(folder, name))
  const old = `const { versions } = process
    Object.defineProperty(process, 'versions', { value: { ...versions, node: '20.20.2' } })`
  const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(old)}`
  for (const [event, status, more] of [
    ['prestart', 1], ['precheck', 1], ['predemo', 1], ['postinstall', 0],
    ['prestart', 0, { IPP_KEEP_PERMISSIONS: 'true' }]
  ] as [string, number, object?][]) {
    const env = { NODE_OPTIONS, npm_lifecycle_event: event, ...more }
    const file = join(folder, 'test/node/needed.cjs')
    const ended = spawnSync(process.execPath, [file], { env, encoding: 'utf8' })
    assert.match(ended.stderr, /^Node\.js 24\.16 or newer is needed/)
    assert.equal(ended.status, status, event)
  }
  const file = join(folder, 'test/node/needed.cjs')
  const env = { npm_lifecycle_event: 'prestart' }
  const bare = spawnSync(process.execPath, [file], { env, encoding: 'utf8' })
  assert.deepEqual([bare.status, bare.stderr], [1, 'The packages are missing: run `npm ci` first\n'])
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'))
  for (const name of ['start', 'check', 'demo']) assert.match(scripts[`pre${name}`], /needed\.cjs$/)
})

test('it is alive without Immich, and not healthy', async () => {
  const base = `http://127.0.0.1:${await run({ IMMICH_URL: 'http://127.0.0.1:1' }).port()}`
  const { status, text, headers } = await ask(base, '/share/alive')
  assert.deepEqual([status, text, headers['cache-control']], [200, 'ok', 'no-store'])
  assert.equal((await ask(base, '/healthcheck')).status, 503)
})

test('an unreadable configuration is logged, with advice', async () => {
  const { spawnSync } = await import('node:child_process')
  const { status, stderr } = spawnSync(
    process.execPath, ['--permission', '--allow-fs-read=.', 'src/server.ts'],
    { cwd: ROOT, env: { IMMICH_URL: 'http://x', IPP_CONFIG: '/elsewhere/config.json' }, encoding: 'utf8' }
  )
  assert.equal(status, 1)
  const problem = 'IPP_CONFIG /elsewhere/config.json: this process may not read it: use a path below its ' +
    'folder or /config, or node --allow-fs-read=/elsewhere/config.json'
  assert.ok(stderr.includes(problem), stderr)
})

test('a stop waits for running transfers, reports itself unhealthy, and ends in time', async () => {
  const { library: given, key, ids } = manyPhotos()
  const run = await start({ library: given, ipp: { limits: { shutdown: 8 } } })
  const release = hold(run, /thumbnail$/)
  const running = run.get(`/share/photo/${key}/${ids[0]}/thumbnail`)
  await until(() => openCount(run, /thumbnail$/) === 1)
  const closed = run.proxy.close()
  const health = await run.get('/healthcheck')
  assert.deepEqual([health.status, health.text], [503, 'unavailable'])
  release()
  assert.equal((await running).status, 200)
  await closed
  const stuck = await start({ library: given, ipp: { limits: { shutdown: 0.2 } } })
  hold(stuck, /thumbnail$/)
  const cut = stuck.get(`/share/photo/${key}/${ids[1]}/thumbnail`).then(() => 'answered', () => 'cut')
  await until(() => openCount(stuck, /thumbnail$/) === 1)
  await stuck.proxy.close()
  assert.equal(await cut, 'cut')
})
