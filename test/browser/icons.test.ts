/** The icons of the page: one set, in templates/icons.html, which every page carries. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ROOT } from '../helpers.ts'

const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const filesIn = (folder: string, end: string) =>
  readdirSync(new URL(folder, ROOT)).filter(name => name.endsWith(end)).map(name => `${folder}/${name}`)
const drawn = new Set(Array.from(read('templates/icons.html').matchAll(/<symbol id="i-([a-z]+)"/g),
  ([, name]) => name))

test('every icon that a template or a script uses is in the set', () => {
  const named = [...filesIn('templates', '.html'), ...filesIn('static', '.js')].flatMap(path =>
    Array.from(read(path).matchAll(/href="#i-([a-z]+)"|\bicon\('([a-z]+)'|iconButton\([^,]+, '([a-z]+)'/g),
      ([, used, made, button]) => ({ path, name: used ?? made ?? button })))
  assert.ok(named.length > 10)
  assert.deepEqual(named.filter(({ name }) => !drawn.has(name)), [])
})

test('no icon is drawn anywhere else, and every page contains the set', () => {
  for (const path of [...filesIn('templates', '.html'), ...filesIn('static', '.js')]) {
    if (!path.endsWith('icons.html')) assert.doesNotMatch(read(path), /<path|['"]M\d/, path)
    if (read(path).includes('<body')) assert.match(read(path), /<body[^>]*>\n\{\{>icons\}\}/, path)
  }
})
