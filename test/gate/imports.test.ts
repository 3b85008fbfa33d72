/** The imports in src/, types included: only the gate reaches Immich, and no layer imports a higher one. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseSync } from '@babel/core'
import { ROOT } from '../helpers.ts'

/** The layers from the lowest to the highest. Files in src/ itself without a layer here are shared. */
const ORDER = ['shared', 'gate', 'config', 'page', 'http', 'zip', 'render', 'app', 'routes', 'server']
type Node = { type: string, value?: unknown, [field: string]: unknown }

/** The paths that a source imports in any way, as written. */
function importsOf (source: string, filename = 'x.ts'): string[] {
  const found: string[] = []
  const visit = (node: Node, parent?: Node): void => {
    const isPath = parent && /Import|Export|CallExpression/.test(parent.type)
    const path = node.type === 'StringLiteral' && isPath ? String(node.value) : ''
    if (/^\.\.?\//.test(path)) found.push(path)
    if (node.type === 'ImportExpression' || (node.type === 'CallExpression' && isDynamicImport(node))) {
      found.push('a computed import')
    }
    for (const value of Object.values(node)) {
      for (const child of [value].flat()) if (isNode(child)) visit(child, nearest(node, parent))
    }
  }
  const ast = parseSync(source, {
    filename, sourceType: 'module', configFile: false, babelrc: false, presets: ['@babel/preset-typescript']
  })
  visit((ast as unknown as { program: Node }).program)
  return found
}
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
const isDynamicImport = ({ callee }: Node): boolean => isNode(callee) && callee.type === 'Import'
/** The path of `import('…').Type` is wrapped in a literal type. */
const nearest = (node: Node, parent?: Node): Node | undefined => node.type === 'TSLiteralType' ? parent : node

const files = readdirSync(new URL('src', ROOT), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
const graph = new Map(files.map(file => {
  const here = new URL(`src/${file}`, ROOT)
  const imports = importsOf(readFileSync(here, 'utf8'), file)
  const root = new URL('src/', ROOT).href
  return [file, imports.map(path => new URL(path, here).href.replace(root, ''))] as const
}))
const edges = [...graph].flatMap(([from, imports]) => imports.map(to => [from, to] as const))

/** `immich.ts` is the door of the gate, and counts as part of it. */
const isGate = (file: string): boolean => file.startsWith('gate/') || file === 'immich.ts'
function roomOf (file: string): string {
  if (isGate(file)) return 'gate'
  const [room = ''] = file.split(/[/.]/)
  return ORDER.includes(room) ? room : 'shared'
}
/** The rules that an import breaks. */
function brokenBy ([from, to]: readonly [string, string]): string[] {
  const broken = []
  if (to.endsWith('.ts') && !graph.has(to)) broken.push('it leads to no file in src/')
  if (isGate(to) && !isGate(from) && to !== 'gate/gate.ts') broken.push('others may import only gate/gate.ts')
  const [lower, higher] = [from, to].map(file => ORDER.indexOf(roomOf(file))) as [number, number]
  if (higher > lower) broken.push('a lower layer imports a higher one')
  return broken
}
/** Every file that is part of an import cycle, or imports one. */
function circleIn (imports: ReadonlyMap<string, string[]>): string[] {
  const left = new Map(imports)
  const isEnd = (file: string) => (left.get(file) ?? []).every(to => !left.has(to))
  for (let ends = [...left.keys()].filter(isEnd); ends.length > 0; ends = [...left.keys()].filter(isEnd)) {
    for (const file of ends) left.delete(file)
  }
  return [...left.keys()]
}

test('imports of every kind are found, and paths in other text are not', () => {
  const kinds = [
    "import { a } from './x.ts'", "import type { a } from './x.ts'", "import { type a } from './x.ts'",
    "import './x.ts'",
    "import * as a from './x.ts'", "export * from './x.ts'", "export { a } from './x.ts'",
    "export type { a } from './x.ts'", "type A = import('./x.ts').A", "const a: typeof import('./x.ts') = b"
  ]
  for (const kind of kinds) assert.deepEqual(importsOf(kind), ['./x.ts'], kind)
  for (const kind of ["await import('./x.ts')", 'await import(x)']) {
    assert.ok(importsOf(kind).includes('a computed import'), kind)
  }
  assert.deepEqual(importsOf("const a = './x.ts' // import './y.ts'"), [])
})

test('every import follows the rules', () => {
  assert.ok(edges.length > 100)
  assert.deepEqual(edges.flatMap(edge => brokenBy(edge).map(rule => `${edge.join(' → ')}: ${rule}`)), [])
})

test('imports that break the rules are found', () => {
  const wrong: [string, string][] = [
    ['routes/zip.ts', 'immich.ts'], ['render.ts', 'gate/share.ts'], ['app.ts', 'gate/open.ts'],
    ['gate/gate.ts', 'app.ts'],
    ['gate/files.ts', 'config/policy.ts'], ['immich.ts', 'render.ts'], ['gate/share.ts', 'page/words.ts'],
    ['gate/unlock.ts', 'http/reply.ts'], ['gate/zip-metadata.ts', 'zip/plan.ts'],
    ['cache.ts', 'gate/gate.ts'],
    ['config/settings.ts', 'page/words.ts'], ['page/words.ts', 'http/reply.ts'], ['zip/plan.ts', 'render.ts'],
    ['http/reply.ts', 'routes/files.ts'], ['render.ts', 'app.ts'], ['routes/files.ts', 'server.ts'],
    ['server.ts', 'immich.ts'], ['gate/gate.ts', '../test/helpers.ts']
  ]
  for (const edge of wrong) assert.notDeepEqual(brokenBy(edge), [], edge.join(' → '))
  assert.deepEqual(brokenBy(['server.ts', 'gate/gate.ts']), [])
  assert.deepEqual(brokenBy(['immich.ts', 'gate/immich-json.ts']), [])
})

test('there is no import cycle', () => {
  assert.deepEqual(circleIn(graph), [])
  const circle = new Map([['a', ['b']], ['b', ['c']], ['c', ['a', 'd']], ['d', []]])
  assert.deepEqual(circleIn(circle), ['a', 'b', 'c'])
})
