/**
 * Preloaded by `npm start` and by the image, for the sake of memory: what Node strips types with stays resident
 * with 30 MB, so a process of its own strips them, without this one's environment, and ends. What runs is what
 * Node would make of the same files (types become spaces). Where that fails, Node does it by itself as ever.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'

const urls = readdirSync(import.meta.dirname).filter(name => name.endsWith('.ts'))
  .map(name => new URL(name, import.meta.url).href)
if (import.meta.main) {
  const sources = urls.map(url => [url, stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'))])
  process.stdout.write(JSON.stringify(sources))
} else {
  try {
    /** @type {import('node:child_process').ExecFileSyncOptions} */
    const options = { env: {}, stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 10_000_000 }
    const sources = new Map(JSON.parse(String(execFileSync(process.execPath, [import.meta.filename], options))))
    registerHooks({
      load: (url, context, next) => sources.has(url)
        ? { format: 'module', source: sources.get(url), shortCircuit: true } : next(url, context)
    })
  } catch {}
}
