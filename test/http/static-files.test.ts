/** The page's scripts and styles are served without their comments, and otherwise unchanged. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseSync } from '@babel/core'
import { loadStaticFiles, withoutComments } from '../../src/http/static-files.ts'
import { ROOT } from '../helpers.ts'

type Token = { type: unknown, value?: string, loc: { start: { line: number } } }
const names = readdirSync(new URL('static', ROOT))
const read = (name: string) => readFileSync(new URL(`static/${name}`, ROOT), 'utf8')

/** The tokens of a script with the number of their lines, comments left out. */
function tokensOf (script: string): string[] {
  const options = {
    sourceType: 'module', configFile: false, babelrc: false, parserOpts: { tokens: true }
  } as const
  const { tokens } = parseSync(script, options) as unknown as { tokens: Token[] }
  return tokens.filter(({ type }) => !String(type).startsWith('Comment'))
    .map(({ value, loc }) => `${loc.start.line} ${value ?? ''}`)
}

test('a script without its comments is the same script, line by line', () => {
  for (const name of names.filter(name => name.endsWith('.js'))) {
    assert.deepEqual(tokensOf(withoutComments(read(name))), tokensOf(read(name)), name)
  }
})

test('only lines that hold nothing but a comment are left out', () => {
  assert.equal(
    withoutComments('/* a\n * b */\nx /* c */\n/* d */ y\n  // e\nz // f\n'),
    '\n\nx /* c */\n/* d */ y\n\nz // f\n'
  )
})

test('every file of static/ that the page may request is served', () => {
  const { files } = loadStaticFiles(ROOT)
  const missing = names.filter(name => /\.(?:js|css|svg|png)$/.test(name) && !files.has(name))
  assert.deepEqual(missing, [])
})

test('every stylesheet that a script adds is served', () => {
  const { files } = loadStaticFiles(ROOT)
  const scripts = names.filter(name => name.endsWith('.js')).map(read).join('\n')
  const added = Array.from(scripts.matchAll(/addStyle\('(.+?)'\)/g), ([, name]) => name!)
  assert.deepEqual(added.filter(name => !files.has(name)), [])
  assert.ok(added.length >= 4)
})
