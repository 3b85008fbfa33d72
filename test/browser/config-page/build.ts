/**
 * `npm run config-page`: builds docs/config.html, a single file, from config.schema.json and the program's
 * own code that reads a configuration, without its types. `browser/config-page.test.ts` checks that they
 * agree.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

const ROOT = new URL('../../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
/** The code of a file without its types, its imports and exports, and its doc comments. */
const plain = (path: string) =>
  stripTypeScriptTypes(read(path))
    .replace(/^import [^]*?from '[^']*'$/gm, '')
    .replace(/^export /gm, '')
    .replace(/\/\*\*[^]*?\*\//g, '')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{2,}/g, '\n')
    .trim()

export function buildPage (): string {
  const code = [
    `const SCHEMA = ${JSON.stringify(JSON.parse(read('config.schema.json')))}`,
    ...['src/json.ts', 'src/config/old-names.ts', 'src/config/schema.ts'].map(plain),
    read('test/browser/config-page/page.js')
  ].join('\n').replaceAll('</script', '<\\/script')
  return read('test/browser/config-page/page.html').replace('{{code}}', () => code)
}
if (import.meta.main) writeFileSync(new URL('docs/config.html', ROOT), buildPage())
