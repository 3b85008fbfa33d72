/**
 * CPU time of a zip per gigabyte, of the proxy's process alone, from /proc: as it is, and with the CRC-32 that yazl
 * brings. Both in one run, interleaved; medians and their ratio. Then the memory of one large zip and a slow visitor.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { addLink, emptyLibrary, photo } from '../library.ts'
import { startImmich } from '../standin.ts'

const ROOT = new URL('../../', import.meta.url)
const library = emptyLibrary()
const many = Array.from({ length: 200 }, (_, n) => photo(n, { name: `many ${n}.jpg`, original: { size: 5_000_000, type: 'image/jpeg' } }))
const { key } = addLink(library, 'bench', {}, many)
const huge = addLink(library, 'huge', {}, Array.from({ length: 50 }, (_, n) => photo(n, { name: `huge ${n}.jpg`, original: { size: 1_000_000_000, type: 'image/jpeg' } })))
const immich = await startImmich(library)

/** Starts the proxy, with yazl's own CRC-32 where `plain`. */
async function start (plain: boolean) {
  const put = `import { createRequire } from 'node:module'; const crc = createRequire('${new URL('src/zip.ts', ROOT)}')('buffer-crc32'); const own = crc.unsigned
    const { createProxy } = await import('${ROOT.href}src/server.ts'); const { loadSettings } = await import('${ROOT.href}src/config/settings.ts')
    if (${plain}) crc.unsigned = own
    const proxy = createProxy(loadSettings(process.env, new URL('${ROOT.href}')))
    proxy.server.listen(0, '127.0.0.1', () => process.stdout.write('port=' + proxy.server.address().port + '\\n'))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', put], { env: { ...process.env, IMMICH_URL: immich.url, LOG_LEVEL: 'error' }, stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await new Promise<number>(resolve => child.stdout!.on('data', chunk => { const found = /port=(\d+)/.exec(String(chunk)); if (found) resolve(Number(found[1])) }))
  const cpu = () => { const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13); return (Number(user) + Number(system)) / 100 }
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024
  const files = () => readdirSync(`/proc/${child.pid}/fd`).length
  return { port, cpu, rss, files, stop: () => child.kill('SIGKILL') }
}
type Proxy = Awaited<ReturnType<typeof start>>

const fetchZip = (port: number, key: string, limit = Infinity, slow = 0) => new Promise<number>((resolve, reject) => {
  const out = request({ port, path: `/share/${key}/download`, agent: false }, answer => {
    let size = 0
    answer.on('data', chunk => {
      size += chunk.length
      if (size >= limit) { answer.destroy(); resolve(size) }
      if (slow) { answer.pause(); setTimeout(() => answer.resume(), slow) }
    })
    answer.on('end', () => resolve(size))
    answer.on('error', error => size >= limit ? resolve(size) : reject(error))
  })
  out.on('error', reject)
  out.end()
})
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!

const rounds = Number(process.env.ROUNDS ?? 5)
const proxies: [string, Proxy, number[]][] = [['zlib.crc32', await start(false), []], ['yazl as it is', await start(true), []]]
for (const [, proxy] of proxies) await fetchZip(proxy.port, key)
for (let round = 0; round < rounds; round++) {
  for (const [, proxy, figures] of proxies) {
    const before = proxy.cpu()
    const bytes = await fetchZip(proxy.port, key)
    figures.push((proxy.cpu() - before) / bytes * 1e9)
  }
}
for (const [name, , figures] of proxies) console.log(`zip, ${name}: ${median(figures).toFixed(2)} s of CPU per GB (${figures.map(figure => figure.toFixed(2)).join(', ')})`)
console.log(`ratio: ${(median(proxies[0]![2]) / median(proxies[1]![2])).toFixed(2)}`)

const proxy = proxies[0]![1]
const open = proxy.files()
const before = proxy.rss()
let most = 0
const watch = setInterval(() => { most = Math.max(most, proxy.rss()) }, 20)
await fetchZip(proxy.port, huge.key, 10e9)
console.log(`10 GB of a 50 GB link: ${before.toFixed(0)} MB before, ${most.toFixed(0)} MB at most`)
most = 0
await fetchZip(proxy.port, huge.key, 3e6, 100)
console.log(`a slow visitor: ${most.toFixed(0)} MB at most`)
clearInterval(watch)
await new Promise(resolve => setTimeout(resolve, 500))
console.log(`files open: ${open} before, ${proxy.files()} after`)
for (const [, proxy] of proxies) proxy.stop()
await immich.close()
