/**
 * The image without a Docker engine. A real parser reads the Dockerfile. The test copies and installs its
 * files in an empty folder as it says, and runs the program there, on a read-only tree, as an unprivileged
 * user.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync
} from 'node:fs'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { DockerfileParser, type Copy } from 'dockerfile-ast'
import { validate } from 'dockerfile-utils'
import { ask, freePorts, HTML, ROOT, until } from '../helpers.ts'
import { sampleLibrary } from '../library.ts'
import { startImmich } from '../standin.ts'

const source = readFileSync(new URL('Dockerfile', ROOT), 'utf8')
const instructions = DockerfileParser.parse(source).getInstructions()
const words = (text: string | null) => (text ?? '').split(/\s+/)
const stages = new Map<string, typeof instructions>()
for (const instruction of instructions) {
  if (instruction.getKeyword() === 'FROM') stages.set(words(instruction.getArgumentsContent()).at(-1)!, [])
  else [...stages.values()].at(-1)!.push(instruction)
}
const [last, final] = [...stages].at(-1)!

test('the Dockerfile passes a linter', () => {
  assert.deepEqual(validate(source, { deprecatedMaintainer: 2 }), [])
})

test('the final image: base, user, command, and no RUN', () => {
  assert.match(last, /^gcr\.io\/distroless\/cc-debian\d+:nonroot(@sha256:[0-9a-f]+)?$/)
  assert.doesNotMatch(source, /alpine|musl\b(?! gives up)/)
  assert.equal(final.filter(instruction => instruction.getKeyword() === 'RUN').length, 0)
  const argument = (keyword: string) =>
    final.findLast(instruction => instruction.getKeyword() === keyword)?.getArgumentsContent()
  assert.equal(argument('USER'), '65532:65532')
  assert.equal(JSON.parse(argument('ENTRYPOINT')!).at(-1), 'src/server.ts')
  assert.match(source, /npm ci --omit=dev --ignore-scripts/)
})

test('its Node.js is the version that the tests run on, with glibc', () => {
  const versions = [...source.matchAll(/FROM (?:--\S+ )?node:([\d.]+)-bookworm-slim/g)]
    .map(([, version]) => `v${version}`)
  assert.deepEqual(new Set(versions), new Set([process.version]))
  assert.ok((process.report.getReport() as any).header.glibcVersionRuntime)
})

describe('the Dockerfile\'s files, installed as it says, in an empty folder', async () => {
  const work = mkdtempSync('/tmp/image-')
  after(() => { spawnSync('chmod', ['-R', 'u+w', work]); rmSync(work, { recursive: true }) })
  const context = join(work, 'context')
  mkdirSync(context)
  // .dockerignore decides what is left in the build's context
  for (const line of readFileSync(new URL('.dockerignore', ROOT), 'utf8').split('\n')) {
    if (!line.startsWith('!')) continue
    cpSync(new URL(line.slice(1), ROOT), join(context, line.slice(1)), { recursive: true })
  }
  const folders = new Map<string, string>()
  for (const [name, stage] of stages) {
    const root = join(work, basename(name))
    folders.set(name, root)
    let folder = join(root, 'app')
    mkdirSync(folder, { recursive: true })
    for (const instruction of stage) {
      const args = words(instruction.getRawArgumentsContent())
      if (instruction.getKeyword() === 'RUN') {
        const command = instruction.getRawArgumentsContent()!
        execFileSync('/bin/sh', ['-c', command], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
      }
      if (instruction.getKeyword() !== 'COPY') continue
      const from = (instruction as Copy).getFromFlag()?.getValue() ?? undefined
      if (args[0]!.startsWith('--')) args.shift()
      if (from === 'node') continue
      const target = args.pop()!
      for (const path of args) {
        const to = target.endsWith('/') ? join(folder, target, basename(path)) : join(folder, target)
        cpSync(from ? join(folders.get(from)!, path) : join(context, path), to, { recursive: true })
      }
    }
  }
  const app = join(folders.get(last)!, 'app')
  spawnSync('chmod', ['-R', 'a-w,a+rX', app])
  spawnSync('chmod', ['a+x', work])
  const before = execFileSync('find', [app, '-printf', '%p %s %T@\n'], { encoding: 'utf8' })

  const sample = sampleLibrary()
  const immich = await startImmich(sample.library)
  const [port] = await freePorts(1) as [number]
  const environment = { PATH: '/nowhere', IMMICH_URL: immich.url, IPP_PORT: String(port) }
  const root = process.getuid?.() === 0
  if (!root) console.log('LOUD: not root, so this runs as the present user, not as one who may do nothing')
  const user = root ? { uid: 65532, gid: 65532 } : {}
  // a copy of the runtime where any user can run it: npm's is in a folder of this user
  const node = join(work, 'node-binary')
  cpSync(process.execPath, node)
  const entrypoint = final.findLast(instruction => instruction.getKeyword() === 'ENTRYPOINT')!
  const child = spawn(node, JSON.parse(entrypoint.getArgumentsContent()!).slice(1), {
    cwd: app, env: environment, ...user, stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  child.stdout.on('data', text => { output += text })
  child.stderr.on('data', text => { output += text })
  after(() => { child.kill('SIGKILL'); return immich.close().catch(() => {}) })
  await until(() => output.includes('Immich found'), `a start: ${output}`)
  const base = `http://127.0.0.1:${port}`
  const run = (args: string[]) => new Promise<number>(resolve => {
    const options = { cwd: app, env: environment, ...user, stdio: 'ignore' } as const
    spawn(node, args, options).on('exit', code => resolve(code!))
  })
  const health = () => {
    const instruction = final.findLast(instruction => instruction.getKeyword() === 'HEALTHCHECK')!
    const check = instruction.getRawArgumentsContent()!
    const [command, ...args] = JSON.parse(check.slice(check.indexOf('CMD') + 3))
    assert.equal(command, 'node')
    return run(args)
  }

  test('only runtime files: no tests, no development packages, nothing built', () => {
    const files = readdirSync(app, { recursive: true }).map(String)
    const packages = readdirSync(join(app, 'node_modules')).filter(name => !name.startsWith('.'))
    assert.deepEqual(packages.sort(), ['buffer-crc32', 'lightgallery', 'yazl'])
    const unwanted = /\.map$|\.d\.ts$|\.tgz$|(^|\/)test(\/|$)|Dockerfile|\.git/
    assert.deepEqual(files.filter(file => unwanted.test(file)), [])
    const size = files.map(file => statSync(join(app, file))).filter(stat => stat.isFile())
      .reduce((sum, { size }) => sum + size, 0)
    assert.ok(size < 2_000_000, `${size} bytes`)
  })
  test('pages, pictures, the lightbox and a zip', async () => {
    const { album } = sample.links
    const page = await ask(base, `/share/${album.key}`, { headers: HTML })
    assert.equal(page.status, 200)
    for (const name of ['gallery.js', 'style.css']) {
      const path = new RegExp(`"(/share/static/[^"]*/${name})"`).exec(page.text)![1]!
      assert.equal((await ask(base, path)).status, 200)
      for (const more of ['lightgallery.js', 'lightbox.css']) {
        assert.equal((await ask(base, path.replace(name, more))).status, 200)
      }
    }
    const id = /\/share\/photo\/[^/]+\/([^/]+)\/thumbnail/.exec(page.text)![1]!
    const thumbnail = await ask(base, `/share/photo/${album.key}/${id}/thumbnail`)
    assert.equal(thumbnail.headers['content-type'], 'image/webp')
    assert.equal((await ask(base, `/share/${sample.links.mixed.key}/download`)).complete, true)
  })
  test('check runs there too', async () => {
    assert.equal(await run(['src/server.ts', 'check', 'https://example.com/elsewhere']), 1)
    assert.equal(await run(['src/server.ts', 'check', `/share/${sample.links.album.key}`]), 0)
  })
  test('it is healthy, unhealthy when Immich is gone, and healthy again when it is back', async () => {
    assert.equal(await health(), 0)
    await immich.close()
    assert.equal(await health(), 1)
    const again = await startImmich(sample.library, { port: Number(new URL(immich.url).port) })
    after(() => again.close())
    assert.equal(await health(), 0)
  })
  test('nothing was written, and it ends on a signal', async () => {
    assert.equal(execFileSync('find', [app, '-printf', '%p %s %T@\n'], { encoding: 'utf8' }), before)
    const ended = new Promise(resolve => child.on('exit', resolve))
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
    assert.ok(existsSync(app))
    await new Promise<void>(resolve => connect(port, '127.0.0.1').on('error', () => resolve()))
  })
})
