/** The documentation: every link leads somewhere, and every command and setting exists. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { loadSettings } from '../src/config/settings.ts'
import { ROOT } from './helpers.ts'

const folder = fileURLToPath(ROOT)
const files = [
  'README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md',
  ...readdirSync(new URL('docs', ROOT)).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
]
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
/** A heading's anchor, as GitHub makes it. */
const anchors = (text: string) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
  )
const scripts = Object.keys(JSON.parse(read('package.json')).scripts)

for (const file of files) {
  const text = read(file)
  test(`${file}: links`, () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) { assert.ok(URL.canParse(target!)); continue }
      const [path, anchor] = target!.split('#')
      const to = path ? resolve(folder, dirname(file), path) : resolve(folder, file)
      assert.ok(existsSync(to), target)
      if (anchor) assert.ok(anchors(readFileSync(to, 'utf8')).includes(anchor), target)
    }
  })
  test(`${file}: commands and settings`, () => {
    const commands = [...text.matchAll(/^ {4}(.*)$/gm), ...text.matchAll(/`([^`\n]+)`/g)]
      .map(([, line]) => line!)
    for (const line of commands) {
      for (const [, script] of line.matchAll(/\bnpm run (?:-s )?([\w:]+)/g)) {
        assert.ok(scripts.includes(script!), line)
      }
      for (const [, script] of line.matchAll(/\bnpm (start|test)\b/g)) {
        assert.ok(scripts.includes(script!), line)
      }
      for (const [, path] of line.matchAll(/(?:^|[\s"])((?:src|test|static|templates|docs)\/[\w./-]*\w)/g)) {
        assert.ok(existsSync(`${folder}${path}`), `${path} of ${line}`)
      }
      const config = /CONFIG='([^']*)'/.exec(line)?.[1]
      if (config) {
        assert.deepEqual(loadSettings({ IMMICH_URL: 'http://immich', CONFIG: config }, ROOT).notices, [])
      }
      if (/^"\w+": /.test(line)) {
        const { notices } = loadSettings({ IMMICH_URL: 'http://immich', CONFIG: `{"ipp":{${line}}}` }, ROOT)
        assert.deepEqual(notices, [], line)
      }
      // every setting exists in the schema
      for (const [, path] of line.matchAll(/^(?:ipp\.)?(limits\.\w+|showMetadata\.\w+)$/g)) {
        const value = path!.split('.')
          .reduce<any>((config, name) => config?.[name], JSON.parse(read('config.json')).ipp)
        assert.notEqual(value, undefined, path)
      }
    }
  })
}

test('the YAML examples are valid YAML', () => {
  for (const name of readdirSync(new URL('docs/examples', ROOT)).filter(name => /\.ya?ml$/.test(name))) {
    for (const document of parseAllDocuments(read(`docs/examples/${name}`))) {
      assert.deepEqual(document.errors, [], name)
    }
  }
})

test('every document can be found from the README', () => {
  const seen = new Set<string>()
  const walk = (file: string) => {
    if (seen.has(file) || !file.endsWith('.md') || !existsSync(file)) return
    seen.add(file)
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
      if (!/^https?:/.test(target!)) walk(resolve(dirname(file), target!))
    }
  }
  walk(`${folder}README.md`)
  for (const file of files) assert.ok(seen.has(`${folder}${file}`), file)
})

test('the audit page is short, and names every file of the gate and their number of lines', () => {
  const audit = read('docs/audit.md')
  assert.ok(audit.split(/\s+/).length <= 1200)
  const gate = readdirSync(new URL('src/gate', ROOT)).map(name => `src/gate/${name}`)
  const lines = [...gate, 'src/immich.ts', 'src/validate.ts'].map(file => {
    assert.ok(audit.includes(`\`${file}\``), file)
    const code = read(file).replace(/^\s*\/\*[^]*?\*\//gm, '').split('\n').map(line => line.trim())
    return code.filter(line => line !== '' && !line.startsWith('//')).length
  })
  const [, told] = /\*\*the gate\*\*: ([\d,]+) lines of code/.exec(audit)!
  const count = lines.reduce((sum, one) => sum + one, 0)
  assert.ok(Math.abs(Number(told!.replace(',', '')) - count) <= 10, `${count} lines`)
  assert.ok(count <= 1250 && lines.length <= 12, `${count} lines in ${lines.length} files`)
})

test('the files, functions and tests that the audit names exist', () => {
  const audit = read('docs/audit.md')
  const tests = readdirSync(new URL('test', ROOT), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
  const rows = [...audit.matchAll(/^\| \*\*\d+\. [^|]*\|([^|]*)\|([^|]*)\|$/gm)]
  assert.equal(rows.length, 10)
  for (const [, keeps, fails] of rows) {
    const places = [...keeps!.matchAll(/`(\w+)` in `(src\/[\w/-]+\.ts)`/g)]
    assert.equal(places.length, keeps!.match(/`/g)!.length / 4, keeps)
    for (const [, name, file] of places) {
      assert.match(read(file!), new RegExp(`\\b${name}\\b`), `${name} in ${file}`)
    }
    const named = [...fails!.matchAll(/`([\w/-]+\.test\.ts)`(?: "([^"]+)")?/g)]
    assert.ok(named.length > 0, fails)
    for (const [, file, title] of named) {
      assert.ok(tests.includes(file!), file)
      if (title) assert.ok(read(`test/${file}`).includes(title), `"${title}" in ${file}`)
    }
  }
})
