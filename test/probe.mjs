/** A test loads this into the server by NODE_OPTIONS. It tries what a listening server must not do. */
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const attempts = {
  file: () => require('node:fs').readFileSync(import.meta.filename),
  configuration: () => require('node:fs').readFileSync('config.json'),
  directory: () => require('node:fs').readdirSync('.'),
  write: () => require('node:fs').writeFileSync('probe.txt', ''),
  child: () => require('node:child_process').execFileSync(process.execPath, ['--version']),
  worker: () => new (require('node:worker_threads').Worker)('', { eval: true }),
  addon: () => process.dlopen({ exports: {} }, '/nowhere.node'),
  wasi: () => new (require('node:wasi').WASI)({ version: 'preview1' }),
  inspector: () => require('node:inspector').open(0)
}
const timer = setInterval(async () => {
  if (!process.permission || process.permission.has('fs.read', import.meta.filename)) return
  clearInterval(timer)
  /** @type {Record<string, unknown>} */
  const told = Object.fromEntries(
    Object.entries(attempts).map(([name, attempt]) => {
      try {
        attempt()
        return [name, 'done']
      } catch (error) {
        return [name, /** @type {{ code: string }} */ (error).code]
      }
    })
  )
  // and what it needs goes on working
  told.fetch = await fetch(`${process.env.IMMICH_URL}/api/server/ping`).then(({ status }) => status)
  told.brotli = require('node:zlib').brotliCompressSync('x').length > 0
  told.names = await require('node:dns/promises').lookup('localhost').then(() => true)
  told.dates = new Intl.DateTimeFormat('de', { dateStyle: 'long' }).format(0)
  process.stdout.write(`probe ${JSON.stringify(told)}\n`)
}, 20)
timer.unref()
