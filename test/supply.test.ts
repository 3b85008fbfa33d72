/** Checks of the source and its dependencies that an auditor would otherwise do by hand. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import { loadSettings } from '../src/config/settings.ts'
import { fill } from '../src/page/template.ts'
import { ROOT } from './helpers.ts'

const folder = fileURLToPath(ROOT)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const code = (path: string) => read(path).replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
const sources = readdirSync(new URL('src', ROOT), { recursive: true })
  .map(name => `src/${name}`)
  .filter(name => name.endsWith('.ts'))
type LockEntry = {
  dev?: boolean
  version?: string
  resolved?: string
  integrity?: string
  link?: boolean
  hasInstallScript?: boolean
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockEntry> }
const runtime = Object.entries(packages).filter(([path, { dev }]) => path && !dev).map(([path]) => path)

test('npm test begins with the linter, whose security rules find something', async () => {
  assert.match(JSON.parse(read('package.json')).scripts.test, /^npm run types && npm run lint && /)
  const lint = new ESLint({ cwd: folder })
  const wrong = 'export const run = (text: string) => eval(text)\n'
  const [bad] = await lint.lintText(wrong, { filePath: `${folder}src/x.ts` })
  assert.ok(bad!.errorCount > 0)
})

/** tests a link's public address, only for the command `check` */
const PUBLIC_ADDRESS = 'src/config/public-address.ts'
test('one function of one file opens connections, by the built-in fetch; check alone has another', () => {
  for (const path of sources) {
    assert.doesNotMatch(
      code(path),
      /import (?!type).*\b(request|get|Agent|connect)\b.* from 'node:(http|net)'/,
      path
    )
    assert.doesNotMatch(code(path), /node:dns/, path)
    if (path !== 'src/config/check.ts') assert.doesNotMatch(code(path), /public-address/, path)
    if (path !== 'src/immich.ts' && path !== PUBLIC_ADDRESS) {
      assert.doesNotMatch(code(path), /\bfetch\s*\(/, path)
    }
    assert.doesNotMatch(
      code(path),
      /node:(tls|dgram|https|http2)|http\.(get|request)|undici|WebSocket|XMLHttpRequest|EventSource/,
      path
    )
    assert.doesNotMatch(
      code(path),
      /node:(child_process|vm|worker_threads|cluster|inspector|wasi)|\beval\b|new Function/,
      path
    )
    assert.doesNotMatch(code(path), /writeFileSync|createWriteStream|mkdir|appendFile/, path)
  }
  // it knows no settings, so not Immich's address either
  assert.equal(code(PUBLIC_ADDRESS).match(/\bfetch\s*\(/g)!.length, 1)
  assert.doesNotMatch(code(PUBLIC_ADDRESS), /settings|immichUrl/i)
  const importers = sources.filter(path => /config\/check\.ts'/.test(code(path)))
  assert.deepEqual(importers, ['src/server.ts'])
  // in `ask`, once and once again
  const door = code('src/immich.ts')
  assert.equal(door.match(/\bfetch\s*\(/g)!.length, 2)
  const [ask] = /async #ask [^]*?\n {2}\}\n/.exec(door)!
  assert.equal(ask.match(/\bfetch\s*\(/g)!.length, 2)
})

/** The modules of Node.js that src/ may import, and the names from each. Types are always allowed. */
const MODULES: Record<string, string[]> = {
  'node:crypto': [
    'createCipheriv', 'createDecipheriv', 'createHash', 'createHmac', 'createSecretKey', 'hash', 'hkdfSync',
    'randomBytes', 'timingSafeEqual'
  ],
  'node:fs': ['readFileSync'],
  'node:http': ['createServer'],
  'node:module': ['createRequire'],
  'node:net': ['BlockList', 'isIP'],
  'node:stream': ['Readable'],
  'node:stream/promises': ['finished'],
  'node:timers/promises': ['setImmediate', 'setTimeout'],
  'node:util': ['isDeepStrictEqual', 'promisify'],
  'node:zlib': ['brotliCompress', 'constants', 'crc32', 'deflateRawSync', 'gzip', 'inflateRawSync']
}
const PACKAGES = ['yazl']
const WAYS_AROUND = [
  /getBuiltinModule|process\.(?:binding|dlopen|_linkedBinding)/g,
  /(?<!typeof )\bimport\s*\(|\brequire\s*\(|export .* from '(?!\.)/g
]
/** Returns the imports that a source may not have, and its ways around an import. */
function forbidden (text: string): string[] {
  const written = [...text.matchAll(/^import (?!type)([^'"]*?)(?:from )?['"]([^'"]+)['"]/gm)]
  const imports = written.flatMap(([line, names, from]) => {
    if (from!.startsWith('.') || PACKAGES.includes(from!)) return []
    const taken = [...names!.matchAll(/(?:^|[{,])\s*(?!type )([\w*]+)/g)].map(([, name]) => name!)
    const isAllowed = taken.length > 0 && taken.every(name => MODULES[from!]?.includes(name))
    return isAllowed ? [] : [line!]
  })
  return [...imports, ...WAYS_AROUND.flatMap(pattern => text.match(pattern) ?? [])]
}

test('src/ imports few modules of Node.js, none of which opens a file, database, process or socket', () => {
  for (const path of sources) assert.deepEqual(forbidden(code(path)), [], path)
  for (const name of Object.keys(MODULES)) assert.ok(isBuiltin(name), name)
  const tried = [
    "import { DatabaseSync } from 'node:sqlite'",
    "import { connect } from 'node:net'",
    "import { isIP, connect as c } from 'node:net'",
    "import 'node:vm'",
    "import * as fs from 'node:fs'",
    "import net from 'node:net'",
    "import { Worker } from 'worker_threads'",
    "import { readFileSync,\n  writeFileSync } from 'node:fs'",
    "process.getBuiltinModule('node:sqlite')",
    "await import('node:child_process')",
    "createRequire(import.meta.url)('x'); require('node:net')",
    "export * from 'node:fs'"
  ]
  for (const text of tried) assert.notDeepEqual(forbidden(text), [], text)
})

test('it listens by port, never on a socket that is a file', () => {
  const listening = sources.flatMap(path => code(path).match(/\.listen\([^)]*\)/g) ?? [])
  assert.ok(listening.length > 0)
  const byPort = /^\.listen\(settings\.port, address, settings\.limits\.connections\)$/
  for (const call of listening) assert.match(call, byPort)
  for (const port of ['/tmp/proxy.sock', '\\\\.\\pipe\\proxy', '-1', '3000.5']) {
    assert.throws(() => loadSettings({ IMMICH_URL: 'http://immich', IPP_PORT: port }, ROOT), /IPP_PORT/, port)
  }
  const urls = ['unix:/tmp/immich.sock', 'http+unix://%2Ftmp%2Fimmich.sock', 'file:///tmp/immich.sock']
  for (const url of urls) {
    assert.throws(() => loadSettings({ IMMICH_URL: url }, ROOT), /IMMICH_URL/, url)
  }
})

/** Each place that starts the program or documents how, with its flags. */
const starts = () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const [, entry] = /^ENTRYPOINT (.*)$/m.exec(read('Dockerfile'))!
  return [
    ...['start', 'check', 'demo'].map(name => scripts[name]!),
    (JSON.parse(entry!) as string[]).join(' ')
  ]
}
test('every start command disables node:sqlite, which bypasses the permission model for files', () => {
  for (const start of starts()) {
    assert.match(start, /^node --permission --no-experimental-sqlite --allow-fs-read=\. /)
  }
  const script = "require('node:sqlite').DatabaseSync.name"
  const load = (...flags: string[]) =>
    spawnSync(process.execPath, [...flags, '-p', script], { encoding: 'utf8' })
  assert.match(load().stdout, /DatabaseSync/, 'this Node.js has it')
  assert.match(load('--no-experimental-sqlite').stderr, /ERR_UNKNOWN_BUILTIN_MODULE/)
})

test('no tricks: no loader hook, no engine flag, no replaced method but the CRC-32 of yazl', () => {
  const start = JSON.parse(read('package.json')).scripts.start as string
  for (const path of [...sources, 'Dockerfile', 'docker-compose.yml']) {
    const text = path.endsWith('.ts') ? code(path) : read(path)
    assert.doesNotMatch(text, /--import|--loader|--max-|--heap|--optimize|MALLOC/, path)
    assert.doesNotMatch(text, /registerHooks|setFlagsFromString|\.transfer\(|onread/, path)
    assert.doesNotMatch(text, /\.prototype\b|defineProperty/, path)
  }
  const command = 'node --permission --no-experimental-sqlite --allow-fs-read=. '
  assert.equal(start, `${command}\${IPP_CONFIG:+"--allow-fs-read=$IPP_CONFIG"} src/server.ts`)
  // yazl's CRC-32 is Node's own, in one line
  const replaced = sources.flatMap(path => code(path).match(/^createRequire\(.*$/gm) ?? [])
  assert.deepEqual(replaced, ["createRequire(import.meta.url)('buffer-crc32').unsigned = crc32"])
})

test('the code that writes answers does not depend on the code that renders pages', () => {
  assert.doesNotMatch(code('src/http/reply.ts'), /from '.*\/(render|page\/|routes\/)/)
})

test('one function writes headers', () => {
  const writing = /\.(writeHead|setHeader|appendHeader|writeEarlyHints|flushHeaders)\s*\(/g
  const writers = sources.flatMap(path => (code(path).match(writing) ?? []).map(call => `${path} ${call}`))
  assert.deepEqual(writers, ['src/http/reply.ts .flushHeaders(', 'src/http/reply.ts .writeHead('])
})

test('templates have no syntax for an unescaped value, and hold no script or style', () => {
  const nasty = '<img src=x onerror=alert(1)>"\'`&'
  for (const name of readdirSync(new URL('templates', ROOT))) {
    const text = read(`templates/${name}`)
    assert.doesNotMatch(text, /\{\{\{|\{\{&|\{\{[^#^/>\w]/, name)
    assert.doesNotMatch(text, /<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:\/\//i, name)
    // each value of each template, replaced by something nasty
    const names = [...text.matchAll(/\{\{[#^]?([\w.]+)\}\}/g)].map(([, name]) => name!)
    const values = Object.fromEntries(
      names.map(name => [
        name.split('.')[0]!,
        name.includes('.') ? new Proxy({}, { get: () => nasty, has: () => true }) : nasty
      ])
    )
    const page = fill(text.replace(/\{\{>(\w+)\}\}/g, ''), [values])
    assert.doesNotMatch(page, /<img src=x|"'`/, name)
  }
  // attributes are always in quotes, because a space would end them otherwise
  for (const name of readdirSync(new URL('templates', ROOT))) {
    assert.doesNotMatch(read(`templates/${name}`), /=\{\{/, name)
  }
})

test('scripts of the page never build markup from text', () => {
  for (const name of readdirSync(new URL('static', ROOT)).filter(name => name.endsWith('.js'))) {
    assert.doesNotMatch(
      code(`static/${name}`),
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\.html\(|DOMParser|srcdoc/,
      name
    )
  }
})

test('three packages at run time, with licences that fit the AGPL, none with an install script', () => {
  assert.deepEqual(runtime.sort(), [
    'node_modules/buffer-crc32',
    'node_modules/lightgallery',
    'node_modules/yazl'
  ])
  const allowed = new Set(['MIT', 'GPLv3', 'GPL-3.0', 'GPL-3.0-only', 'ISC', 'Apache-2.0'])
  for (const path of runtime) {
    const { license, scripts = {} } = JSON.parse(read(`${path}/package.json`))
    assert.ok(allowed.has(license), `${path}: ${license}`)
    assert.deepEqual(Object.keys(scripts).filter(name => /^(pre|post)?install$/.test(name)), [], path)
  }
  assert.match(read('LICENSE'), /GNU AFFERO GENERAL PUBLIC LICENSE/)
})

test('THIRD-PARTY.md names the contents of the image, by version, with the required licence texts', () => {
  const text = read('THIRD-PARTY.md')
  for (const path of runtime) {
    const row = text.split('\n').find(line => line.includes(`\`/app/${path}\``))
    assert.ok(row?.includes(`| ${packages[path]!.version} |`), path)
    const file = readdirSync(new URL(path, ROOT)).find(name => /^licen[sc]e/i.test(name))
    if (file) assert.ok(text.includes(read(`${path}/${file}`).trim()), `the licence of ${path}`)
  }
  const [, node] = /^FROM node:([\d.]+)/m.exec(read('Dockerfile'))!
  assert.ok(text.includes(`| ${node} |`) && text.includes(`/blob/v${node}/LICENSE`))
  assert.match(
    read('Dockerfile'),
    /^COPY package\.json .*\bLICENSE\b.*\bTHIRD-PARTY\.md \.\/$/m,
    'the image has it'
  )
})

test('the lockfile gives each package the hash of its file, and no package runs an install script', () => {
  // one is a folder here, for the platform packages of Node.js, which the lockfile hashes like all others
  const { 'node_modules/node': own, '': root, ...others } = packages
  assert.equal(own!.resolved, 'file:test/node')
  for (const [path, { resolved, integrity, link, hasInstallScript }] of Object.entries(others)) {
    assert.match(integrity ?? '', /^sha512-[\w+/]{86}==$/, path)
    // no address: each comes from the registry that npm is configured for, and must have this hash
    assert.deepEqual([resolved, link, hasInstallScript], [undefined, undefined, undefined], path)
  }
  assert.deepEqual(Object.keys(root!.dependencies!).sort(), ['lightgallery', 'yazl'])
  const platforms = Object.keys(own!.optionalDependencies!)
  for (const name of platforms) {
    assert.equal(packages[`node_modules/${name}`]!.version, process.version.slice(1), name)
  }
  assert.ok(
    platforms.includes(`node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`) ||
      !process.env.CI
  )
})
