/**
 * Measures zips: their CPU time against a bare fetch-and-pipe server that sends a video of the same size, and
 * their memory with very many files, with many zips at once, with a large zip and with a slow visitor. CPU
 * time and memory are those of the process under test alone, from /proc. `ONLY` (a pattern) chooses rows,
 * `ROUNDS` how often CPU time is measured. Memory is measured in a control group of 512 MiB, the limit in
 * docker-compose.yml, if this process may create one (cgroup v1 or v2, as root).
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { startImmich } from '../standin.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const MIB = 1024 * 1024
const ROUNDS = Number(process.env.ROUNDS ?? 3)
const LIMIT_MIB = 512
const only = new RegExp(process.env.ONLY ?? '')

const library = emptyLibrary()
/** An album of `count` files of `size` bytes; returns the key of its link. */
function albumOf (count: number, size: number): string {
  const assets = Array.from({ length: count }, (_, n) => photo(n, {
    name: `bench ${count} ${n}.jpg`,
    original: { size, type: 'image/jpeg' },
    taken: Date.UTC(2025, 9, 18) - n * 600_000
  }))
  return addLink(library, `bench ${count}`, { album: addAlbum(library, `Bench ${count}`, assets) }).key
}
const [photos, eight, many, most] = [
  albumOf(300, 4e6),
  albumOf(3000, 3000),
  albumOf(20_000, 3000),
  albumOf(65_000, 3000)
]
const huge = albumOf(50, 1e9)
const videoAsset = video(0, { name: 'bench.mp4', original: { size: 1.2e9, type: 'video/mp4' } })
const videoKey = addLink(library, 'bench, video', {}, [videoAsset]).key
const immich = await startImmich(library)

// -------------------------------------------------------------------------------------- processes under test

const children: ChildProcess[] = []
process.on('exit', () => { for (const child of children) child.kill('SIGKILL') })

/** The file to which a process writes its id to join a control group; '' if none can be created. */
function memoryGroup (): string {
  const isFirst = existsSync('/sys/fs/cgroup/memory')
  const folder = `/sys/fs/cgroup/${isFirst ? 'memory/' : ''}ipp-bench-zip`
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/${isFirst ? 'memory.limit_in_bytes' : 'memory.max'}`, String(LIMIT_MIB * MIB))
    return `${folder}/cgroup.procs`
  } catch { return '' }
}

type Target = Awaited<ReturnType<typeof run>>
async function run (args: string[], group = '') {
  const enter = ['-c', 'echo $$ > "$0" && exec "$@"', group || '/dev/null', process.execPath, ...args]
  const env = { ...process.env, IMMICH_URL: immich.url, IPP_HOST: '127.0.0.1', IPP_PORT: '0' }
  const child = spawn('/bin/sh', enter, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const port = await new Promise<number>((resolve, reject) => {
    child.on('exit', code => reject(new Error(`ended with ${code}`)))
    child.stdout.on('data', text => {
      const [, port] = /port=(\d+)/.exec(String(text)) ?? []
      if (port) resolve(Number(port))
    })
  })
  const status = () => readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const cpuSeconds = () => {
    const [user, system] = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      .split(') ')[1]!
      .split(' ')
      .slice(11, 13)
    return (Number(user) + Number(system)) / 100
  }
  const rssMib = () => Number(/VmRSS:\s+(\d+)/.exec(status())![1]) / 1024
  return { port, cpuSeconds, rssMib, stop: () => child.kill('SIGKILL') }
}
const PROXY = ['--permission', '--allow-fs-read=.', 'src/server.ts']

/** Reads a path to its end or to `limit` bytes, waiting `slowMs` after each part. Resolves with the count. */
const fetchAll = (port: number, path: string, { visitor = 1, limit = Infinity, slowMs = 0 } = {}) =>
  new Promise<number>((resolve, reject) => {
    const headers = { 'x-forwarded-for': `203.0.113.${visitor}` }
    const out = request({ port, host: '127.0.0.1', path, headers, agent: false }, response => {
      let size = 0
      if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`))
      response.on('data', part => {
        size += part.length
        if (size >= limit) { response.destroy(); resolve(size) }
        if (slowMs) { response.pause(); setTimeout(() => response.resume(), slowMs) }
      })
      response.on('end', () => resolve(size))
      response.on('error', error => size >= limit ? resolve(size) : reject(error))
    })
    out.on('error', reject)
    out.end()
  })
const zipPath = (key: string) => `/share/${key}/download`

// -------------------------------------------------------------------------------------------------- the rows

async function measureCpu (): Promise<void> {
  if (!only.test('cpu')) return
  const [proxy, bare] = [await run(PROXY), await run(['test/bench/bare.ts'])]
  const perGb = async ({ port, cpuSeconds }: Target, path: string) => {
    const before = cpuSeconds()
    return await fetchAll(port, path).then(bytes => (cpuSeconds() - before) / bytes * 1e9)
  }
  const video = `/api/assets/${videoAsset.id}/video/playback?key=${videoKey}`
  const ratios: number[] = []
  for (let round = 0; round <= ROUNDS; round++) {
    const [zip, plain] = [await perGb(proxy, zipPath(photos)), await perGb(bare, video)]
    // the first round warms both up
    if (round === 0) continue
    ratios.push(zip / plain)
    console.log(`zip of 300 × 4 MB: ${zip.toFixed(2)} s of CPU a GB, bare video ${plain.toFixed(2)}`)
  }
  console.log(
    `  ratio ${ratios.map(ratio => ratio.toFixed(2)).join(', ')}; worst ${Math.max(...ratios).toFixed(2)}`
  )
  proxy.stop()
  bare.stop()
}

const group = memoryGroup()
console.log(
  group ? `memory in a control group of ${LIMIT_MIB} MiB` : 'no control group here: memory without a limit'
)

/** Prints the resident memory before and at most, while `load` runs; `warm` is a path that loads the list. */
async function measureMemory (
  name: string,
  files: number,
  warm: string,
  load: (port: number) => Promise<unknown>
) {
  if (!only.test(name)) return
  const proxy = await run(PROXY, group)
  await fetchAll(proxy.port, warm)
  const before = proxy.rssMib()
  let most = before
  const watch = setInterval(() => { most = Math.max(most, proxy.rssMib()) }, 20)
  const start = performance.now()
  await load(proxy.port)
  const seconds = (performance.now() - start) / 1000
  clearInterval(watch)
  const each = files > 0 ? `, ${((most - before) * 1024 / files).toFixed(2)} kB a file` : ''
  const more = (most - before).toFixed(0)
  const change = `${before.toFixed(0)} MB before, ${most.toFixed(0)} MB at most (${more} more${each})`
  console.log(`${name}: ${change}, ${seconds.toFixed(0)} s`)
  proxy.stop()
}

await measureCpu()
for (const [key, count] of [[many, 20_000], [most, 65_000]] as const) {
  await measureMemory(`zip of ${count} × 3 kB`, count, `/share/items/${key}/0`, port =>
    fetchAll(port, zipPath(key))
  )
}
await measureMemory('eight zips of 3000 × 3 kB at once', 24_000, `/share/items/${eight}/0`, port =>
  Promise.all(Array.from({ length: 8 }, (_, visitor) => fetchAll(port, zipPath(eight), { visitor }))))
await measureMemory('10 GB of a zip', 0, `/share/items/${huge}/0`, port =>
  fetchAll(port, zipPath(huge), { limit: 10e9 }))
await measureMemory('a slow visitor', 0, `/share/items/${huge}/0`, port =>
  fetchAll(port, zipPath(huge), { limit: 3e6, slowMs: 100 }))
await immich.close()
