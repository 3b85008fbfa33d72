/**
 * The image, built and run by podman. The test makes the base images itself, under the names in the
 * Dockerfile, because it has no image registry: a Debian root by mmdebstrap, and the Node.js that
 * package.json pins.
 */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ask, freePorts, HTML, ROOT, until } from '../helpers.ts'
import { sampleLibrary } from '../library.ts'
import { startImmich } from '../standin.ts'
import { without } from '../tools.ts'

const read = (name: string) => readFileSync(new URL(name, ROOT), 'utf8')
const isRoot = process.getuid?.() === 0
const succeeds = (program: string, words: string[]) =>
  spawnSync(program, words, { stdio: 'ignore' }).status === 0
const mayContain = () => succeeds('unshare', ['--mount', 'true']) && succeeds('podman', ['info'])
const hasMirror = () => succeeds('mmdebstrap', ['--simulate', '--variant=extract', 'bookworm', '/dev/null'])
const skip = without('podman') || without('mmdebstrap') || without('runc') ||
  (!isRoot && 'podman is tried as root only') ||
  (!mayContain() && 'this machine lets nobody make containers') ||
  (!process.env.CI && !hasMirror() && 'no mirror of Debian can be reached')
const folder = mkdtempSync(join(tmpdir(), 'engine-'))
// a sandbox may not raise limits, and may lack the cgroups that podman's default runtime needs
writeFileSync(join(folder, 'containers.conf'), [
  '[containers]', 'default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]',
  '[engine]', 'runtime = "runc"', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"', ''
].join('\n'))
const env = { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf') }
const podman = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync('podman', words, { encoding: 'utf8', env })
  // without systemd nothing runs the health checks periodically; this test does
  return { status, stdout: stdout.trim(), stderr: stderr.replace(/^.*systemd connection.*\n/gm, '') }
}
const must = (...words: string[]): string => {
  const { status, stdout, stderr } = podman(...words)
  assert.equal(status, 0, `podman ${words.join(' ')}: ${stderr}`)
  return stdout
}
/** Waits asynchronously, so that Immich, which is in this process, goes on answering. */
const meanwhile = (...words: string[]) => new Promise<{ status: number, stdout: string }>(resolve => {
  execFile('podman', words, { env }, (error, stdout) => {
    resolve({ status: error ? Number(error.code) : 0, stdout })
  })
})
const composeIn = (cwd: string, ...words: string[]) => new Promise<string>(resolve => {
  const file = join(cwd, 'docker-compose.yml')
  execFile('podman-compose', ['--file', file, ...words], { cwd, env }, (_, stdout, stderr) => {
    resolve(stdout + stderr)
  })
})
const containers: string[] = []
after(() => {
  if (containers.length) podman('rm', '--force', '--ignore', ...containers)
  rmSync(folder, { recursive: true, force: true })
})

/** Makes an image with this name: a Debian root with only these packages. */
function makeBase (name: string, packages: string, complete: (root: string) => void) {
  const archive = join(folder, 'base.tar')
  const root = join(folder, 'root')
  const words = ['--variant=extract', `--include=${packages}`, 'bookworm', archive]
  execFileSync('mmdebstrap', words, { stdio: 'ignore' })
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root)
  execFileSync('tar', ['xf', archive, '-C', root, '--exclude=./dev/*'])
  mkdirSync(join(root, 'etc/ssl/certs'), { recursive: true })
  cpSync('/etc/ssl/certs/ca-certificates.crt', join(root, 'etc/ssl/certs/ca-certificates.crt'))
  complete(root)
  execFileSync('tar', ['cf', archive, '-C', root, '.'])
  const certificates = 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt'
  must('import', '--quiet', '--change', certificates, archive, name)
}

describe('the image, by podman', { skip }, async () => {
  const [nodeImage, final] = [/FROM (node:\S+)/, /FROM (gcr\.io\S+)/]
    .map(pattern => pattern.exec(read('Dockerfile'))![1]!) as [string, string]
  makeBase(`docker.io/library/${nodeImage}`, 'libstdc++6,dash,coreutils,findutils', root => {
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true })
    cpSync(process.execPath, join(root, 'usr/local/bin/node'))
    const npm = dirname(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())))
    cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
    mkdirSync(join(root, 'root'), { recursive: true })
  })
  makeBase(final, 'libstdc++6', () => {})
  const build = () => {
    const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()
    const words = ['--network', 'host', '--isolation', 'chroot', '--no-cache']
    const variable = ['--env', `NPM_CONFIG_REGISTRY=${registry}`]
    const { status, stdout, stderr } = spawnSync('npm', [
      'run', '--silent', 'image', '--', ...words, ...variable
    ], { cwd: fileURLToPath(ROOT), encoding: 'utf8', env: { ...env, npm_config_registry: registry } })
    assert.equal(status, 0, stdout + stderr)
    return JSON.parse(must('image', 'inspect', 'immich-public-proxy:local'))[0]
  }
  const first = build()
  const sample = sampleLibrary()
  const immich = await startImmich(sample.library)
  after(() => immich.close().catch(() => {}))
  const page = `/share/${sample.links.album.key}`

  async function run (more: string[] = [], variables: Record<string, string> = {}) {
    const [port] = await freePorts(1) as [number]
    const given = Object.entries({ IMMICH_URL: immich.url, IPP_PORT: String(port), ...variables })
      .flatMap(([name, value]) => ['--env', `${name}=${value}`])
    const sealed = [
      '--read-only', '--read-only-tmpfs=false', '--cap-drop', 'all', '--security-opt', 'no-new-privileges'
    ]
    const options = ['--detach', '--network', 'host', ...sealed, ...given, ...more]
    const id = must('run', ...options, 'immich-public-proxy:local')
    containers.push(id)
    const logs = () => { const { stdout, stderr } = podman('logs', id); return stdout + stderr }
    const hasEnded = () => must('inspect', '--format', '{{.State.Running}}', id) === 'false'
    await until(() => logs().includes('listening') || hasEnded(), 'the container')
    const health = () => meanwhile('healthcheck', 'run', id).then(({ status }) => status)
    return { id, port, base: `http://127.0.0.1:${port}`, logs, health }
  }

  test('two builds of one commit have the same layers', () => {
    assert.deepEqual(build().RootFS, first.RootFS)
    const healthCheck = first.HealthCheck ?? first.Healthcheck ?? first.Config.Healthcheck
    assert.ok(healthCheck, 'the health check is in the image')
  })

  test('npm run same checks whether an image is this source', () => {
    const options = { cwd: fileURLToPath(ROOT), encoding: 'utf8', env } as const
    const same = (image: string) => spawnSync('npm', ['run', '--silent', 'same', image], options)
    const { status, stdout, stderr } = same('immich-public-proxy:local')
    assert.equal(stdout, 'immich-public-proxy:local is this source, file by file\n', stderr)
    assert.equal(status, 0)
    const file = join(folder, 'Dockerfile')
    writeFileSync(file, 'FROM immich-public-proxy:local\nCOPY containers.conf /app/src/more.ts\n' +
      'COPY containers.conf /app/src/server.ts\n')
    must('build', '--quiet', '--isolation', 'chroot', '--tag', 'localhost/tampered', '--file', file, folder)
    const other = same('localhost/tampered')
    assert.deepEqual([other.status, other.stdout], [1, 'differs: src/more.ts\ndiffers: src/server.ts\n'])
  })

  test('not root, nothing to write, no capability; health both ways, even while Immich hangs', async () => {
    const { id, base, health } = await run()
    assert.equal((await ask(base, page, { headers: HTML })).status, 200)
    const pid = must('inspect', '--format', '{{.State.Pid}}', id)
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    assert.match(status, /^Uid:\t65532\t65532\t65532\t65532$/m)
    assert.match(status, /^CapEff:\t0+$/m)
    assert.match(status, /^CapBnd:\t0+$/m)
    assert.match(status, /^NoNewPrivs:\t1$/m)
    assert.match(readFileSync(`/proc/${pid}/mounts`, 'utf8'), /^\S+ \/ \S+ ro[, ]/m)
    assert.equal(podman('exec', id, 'sh').status === 0, false, 'no shell')
    const check = await meanwhile('exec', id, 'node', 'src/server.ts', 'check', page)
    assert.match(check.stdout, /^ok {4}it is an album/)
    assert.equal(await health(), 0)
    immich.fault = ({ path }) => path.endsWith('/ping') ? { hang: true } : undefined
    const before = performance.now()
    assert.equal(await health(), 1)
    assert.ok(performance.now() - before < 9500, 'within the ten seconds that the image gives it')
    immich.fault = () => undefined
  })

  test('the health check uses the address in IPP_HOST', async () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const { health } = await run([], { IPP_HOST: host })
      assert.equal(await health(), 0, host)
    }
  })

  test('a mounted config.json, one below /config, and CONFIG inline', async () => {
    const file = join(folder, 'config.json')
    writeFileSync(file, '{"ipp":{"showHomePage":false}}', { mode: 0o644 })
    for (const { base, logs } of [
      await run(['--volume', `${file}:/app/config.json:ro`]),
      await run(['--volume', `${file}:/config/mine.json:ro`], { IPP_CONFIG: '/config/mine.json' }),
      await run([], { CONFIG: '{"ipp":{"showHomePage":false}}' })
    ]) assert.equal((await ask(base, '/', { headers: HTML })).status, 404, logs())
    const wrong = await run([], { CONFIG: '{"ipp":{"showHomePage":7}}' })
    assert.match(wrong.logs(), /ipp\.showHomePage: got 7, expected true or false/)
    assert.equal(must('inspect', '--format', '{{.State.ExitCode}}', wrong.id), '1')
  })

  test('SIGTERM lets a transfer end, and then it ends', async () => {
    const { id, base, logs } = await run()
    const video = [...sample.library.assets.values()].find(({ type }) => type === 'VIDEO')!
    immich.fault = ({ path }) => path.endsWith('/playback') ? { drip: [20_000, 50] } : undefined
    const link = sample.links.video
    const transfer = ask(base, `/share/video/${link.key}/${link.assets![0]}`)
    await until(() => immich.open > 0, 'the transfer')
    must('kill', '--signal', 'TERM', id)
    const response = await transfer
    assert.ok(response.complete && response.body.length > 0, video.name)
    await until(() => must('inspect', '--format', '{{.State.Running}}', id) === 'false', 'the end')
    assert.equal(must('inspect', '--format', '{{.State.ExitCode}}', id), '0')
    assert.match(logs(), /info stopping signal=SIGTERM/)
    immich.fault = () => undefined
  })

  const withCompose = { skip: without('podman-compose') }
  test('docker-compose.yml with podman-compose, except for image and addresses', withCompose, async () => {
    const [port] = await freePorts(1) as [number]
    const file = join(folder, 'docker-compose.yml')
    const own = await startImmich(sample.library, { host: '0.0.0.0' })
    after(() => own.close().catch(() => {}))
    writeFileSync(file, read('docker-compose.yml')
      .replace(/image: .*/, 'image: localhost/immich-public-proxy:local').replace('3000:3000', `${port}:3000`)
      .replace('http://immich-server:2283', `http://host.containers.internal:${own.port}`))
    const { status } = podman('network', 'exists', 'immich_default')
    if (status !== 0) must('network', 'create', 'immich_default')
    const compose = (...words: string[]) => composeIn(folder, ...words)
    const up = await compose('up', '--detach')
    containers.push('immich-public-proxy')
    await until(() => podman('logs', 'immich-public-proxy').stdout.includes('listening'), up)
    assert.equal((await ask(`http://127.0.0.1:${port}`, page, { headers: HTML })).status, 200)
    const { HostConfig } = JSON.parse(must('inspect', 'immich-public-proxy'))[0]
    assert.equal(HostConfig.ReadonlyRootfs, true)
    assert.equal(HostConfig.Memory, 512 * 1024 * 1024)
    await compose('down')
    podman('network', 'rm', 'immich_default')
  })

  test('the README\'s recipe, beside Immich\'s compose file in a folder immich', withCompose, async () => {
    const [port] = await freePorts(1) as [number]
    const [immichFolder, proxyFolder] = [join(folder, 'immich'), join(folder, 'share')]
    for (const path of [immichFolder, proxyFolder]) mkdirSync(path)
    // its services have the names in Immich's file; an Immich that only tells its version is enough
    const answers = 'require("http").createServer((request, response) => ' +
      'response.setHeader("content-type", "application/json")' +
      '.end(JSON.stringify({ major: 3, minor: 1, patch: 0 }))).listen(2283)'
    writeFileSync(join(immichFolder, 'docker-compose.yml'), JSON.stringify({
      services: {
        'immich-server': {
          container_name: 'immich_server', image: 'localhost/immich-public-proxy:local',
          entrypoint: ['node', '-e', answers]
        }
      }
    }))
    const [, recipe] = /```yaml\n([^]*?)```/.exec(read('README.md'))!
    writeFileSync(join(proxyFolder, 'docker-compose.yml'), recipe!
      .replace(/image: .*/, 'image: localhost/immich-public-proxy:local')
      .replace('3000:3000', `${port}:3000`))
    const name = 'share_immich-public-proxy_1'
    containers.push('immich_server', name)
    let up = ''
    for (const place of [immichFolder, proxyFolder]) up += await composeIn(place, 'up', '--detach')
    await until(() => podman('logs', name).stdout.includes('Immich found version=3.1.0'), up)
    assert.equal((await ask(`http://127.0.0.1:${port}`, '/share')).status, 200)
    await composeIn(proxyFolder, 'down')
    await composeIn(immichFolder, 'down')
    podman('network', 'rm', 'immich_default')
  })
})

const dryRun = { skip: skip || without('podman-compose') }
test('each docker compose command in the documents is valid for the compose file', dryRun, () => {
  const documents = readdirSync(new URL('docs', ROOT)).filter(name => name.endsWith('.md'))
  const texts = ['README.md', ...documents.map(name => `docs/${name}`)].map(read)
  const commands = texts.flatMap(text => [...text.matchAll(/docker compose ([a-z][^&`\n]*)/g)])
    .map(([, words]) => words!.trim())
  const compose = (...words: string[]) =>
    spawnSync('podman-compose', ['--dry-run', ...words], { cwd: fileURLToPath(ROOT), env, encoding: 'utf8' })
  assert.ok(commands.length >= 4, String(commands))
  must('network', 'create', 'immich_default')
  after(() => { podman('network', 'rm', 'immich_default') })
  for (const command of commands) {
    const { status, stderr } = compose(...command.split(' '))
    assert.equal(status, 0, `${command}: ${stderr}`)
  }
  assert.notEqual(compose('ascend').status, 0)
})
