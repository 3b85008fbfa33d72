/**
 * Mixed traffic for SECONDS (60): pages, lists, thumbnails, videos with seeks, zips, wrong passwords, and
 * visitors who leave, against the stand-in with some faults. Prints what failed without an injected fault,
 * memory over time, and thumbnail latency while ten zips run. The proxy is its own process. Exits with 1 on
 * any failure.
 *
 * MEMORY=512 limits it to so many MiB, like `mem_limit` in docker-compose.yml: V8 then makes its young
 * generation small.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createRandom, freePorts, ROOT } from './helpers.ts'
import { addAlbum, addLink, emptyLibrary, PASSWORD, photo, video } from './library.ts'
import { startImmich } from './standin.ts'

const SECONDS = Number(process.env.SECONDS ?? 60)
const CACHE = 64
const MEMORY = Number(process.env.MEMORY ?? 0)
const library = emptyLibrary()
const thumbnails = { bytes: Buffer.alloc(14_000, 'thumbnail'), type: 'image/webp' }
const previews = { bytes: Buffer.alloc(250_000, 'preview'), type: 'image/jpeg' }
const originals = { size: 4_000_000, type: 'image/jpeg' }
const videoFile = { size: 80_000_000, type: 'video/mp4' }
const assets = Array.from({ length: 5000 }, (_, n) => n % 50 === 7
  ? video(n, {
    name: `soak ${n}.mp4`, thumbnail: thumbnails, preview: previews, original: videoFile, playback: videoFile
  })
  : photo(n, {
    name: `soak ${n}.jpg`, thumbnail: thumbnails, preview: previews, original: originals,
    taken: Date.UTC(2025, 9, 18) - n * 4_000_000
  }))
const album = addAlbum(library, 'Soak', assets)
const open = addLink(library, 'soak', { album }).key
const locked = addLink(library, 'soak, locked', { album, password: PASSWORD }).key
const few = assets.filter(({ type }) => type === 'IMAGE').slice(0, 60)
const zipped = addLink(library, 'soak, zip', {}, few).key
const immich = await startImmich(library)
const [port] = await freePorts(1) as [number]
/** Makes a control group of so many MiB; a process joins it by writing its id to this file. Needs root. */
function memoryGroup (mib: number): string {
  const isFirst = existsSync('/sys/fs/cgroup/memory')
  const folder = `/sys/fs/cgroup/${isFirst ? 'memory/' : ''}ipp-soak`
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/${isFirst ? 'memory.limit_in_bytes' : 'memory.max'}`, String(mib * 1024 * 1024))
  return `${folder}/cgroup.procs`
}
// as `npm start` and the image do
const group = MEMORY ? memoryGroup(MEMORY) : '/dev/null'
const node = [process.execPath, '--permission', '--no-experimental-sqlite', '--allow-fs-read=.']
const child = spawn('/bin/sh', ['-c', 'echo $$ > "$0" && exec "$@"', group, ...node, 'src/server.ts'], {
  cwd: ROOT,
  env: {
    ...process.env, IMMICH_URL: immich.url, IPP_PORT: String(port), IPP_HOST: '127.0.0.1', LOG_LEVEL: 'warn',
    CONFIG: JSON.stringify({ ipp: { limits: { zips: 48, imageCacheMiB: CACHE } } })
  },
  stdio: ['ignore', 'pipe', 'inherit']
})
let output = ''
child.stdout.on('data', text => { output += text; if (output.length > 1e6) output = output.slice(-1e5) })
let died: number | null | undefined
child.on('exit', code => { died = code ?? -1 })
const agent = new Agent({ keepAlive: true, maxSockets: 200 })
type Got = {
  path: string, status: number, complete: boolean, ms: number, size: number, headers: Record<string, unknown>
}
type Way = {
  method?: string, headers?: Record<string, string>, body?: string, leaveAfter?: number, alone?: boolean
}
const get = (path: string, way: Way = {}) => new Promise<Got>(resolve => {
  const { method = 'GET', headers = {}, body, leaveAfter = Infinity, alone = false } = way
  const began = performance.now()
  const end = (status: number, complete: boolean, size = 0, got: Record<string, unknown> = {}) =>
    resolve({ path, status, complete, size, ms: performance.now() - began, headers: got })
  const to = { port, host: '127.0.0.1', path, method, headers, agent: alone ? false : agent }
  const out = request(to, response => {
    let size = 0
    response.on('data', chunk => { size += chunk.length; if (size >= leaveAfter) response.destroy() })
    response.on('error', () => {})
    response.on('close', () => end(response.statusCode!, response.complete, size, response.headers))
  })
  out.on('error', () => end(0, false))
  out.end(body)
})

const isUp = () => get('/healthcheck').then(({ status }) => status === 200)
for (let n = 0; n < 100 && !await isUp(); n++) await new Promise(resolve => setTimeout(resolve, 100))

const random = createRandom(11)
// one in two hundred answers of Immich is a fault, and some bodies break off in the middle
const FAULTS = [{ status: 500 }, { reset: true }, { delay: 300 }, { dieAfter: 5000 }, { status: 404 }]
let injected = 0
let spared = false
// the assets whose requests got a fault: visitors who request one of them may get an error
const faulted = new Set<string>()
immich.fault = ({ path }) => {
  if (spared || !path.includes('/assets/') || random(200)) return undefined
  injected++
  faulted.add(path.split('/')[3]!)
  return FAULTS[random(FAULTS.length)]
}

const counts = new Map<string, number>()
const wrong: string[] = []
const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
const latency: { alone: number[], zips: number[] } = { alone: [], zips: [] }
let zips = 0
const any = () => assets[random(assets.length)]!
const browser = { accept: 'text/html', 'accept-encoding': 'br' }
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const is = (...statuses: number[]) => ({ status }: Got) => statuses.includes(status)
const ACTIONS: [weight: number, name: string, act: () => Promise<Got>, right: (got: Got) => boolean][] = [
  [4, 'page', () => get(`/share/${open}`, { headers: browser }), is(200)],
  [6, 'list', () => get(`/share/items/${open}/${random(10)}`), is(200)],
  [60, 'thumbnail', () => get(`/share/photo/${open}/${any().id}/thumbnail`), is(200)],
  [8, 'preview', () => get(`/share/photo/${open}/${any().id}`), is(200)],
  [3, 'seek', () => get(`/share/video/${open}/${assets[7 + 50 * random(99)]!.id}`, {
    headers: { range: `bytes=${random(70_000_000)}-` }, leaveAfter: 500_000, alone: true
  }), is(206)],
  [2, 'leaver', () =>
    get(`/share/photo/${open}/${any().id}/original`, { leaveAfter: 50_000, alone: true }), is(200)],
  [2, 'wrong password', () => get('/share/unlock', {
    method: 'POST',
    headers: { ...form, 'x-forwarded-for': `203.0.113.${random(250)}` },
    body: new URLSearchParams({ key: locked, password: 'wrong' }).toString()
  }), is(401, 429)],
  [2, 'locked picture', () => get(`/share/photo/${locked}/${any().id}/thumbnail`), is(404, 429)],
  [1, 'unknown', () => get(`/share/${Buffer.from(String(random(1e9))).toString('base64url')}`), is(404, 429)]
]
const total = ACTIONS.reduce((sum, [weight]) => sum + weight, 0)
const until = performance.now() + SECONDS * 1000
const running = () => performance.now() < until && died === undefined

async function visitor (): Promise<void> {
  while (running()) {
    let at = random(total)
    const [, name, act, right] = ACTIONS.find(([weight]) => (at -= weight) < 0)!
    const got = await act()
    count(name)
    if (name === 'thumbnail' && got.status === 200) latency[zips >= 10 ? 'zips' : 'alone'].push(got.ms)
    if (!right(got) && !faulted.has(got.path.split('/')[4]!)) wrong.push(`${name}: ${got.status} ${got.path}`)
  }
}
/** Phases of half a minute, alternately with ten zips at once and without. */
async function zipper (): Promise<void> {
  while (running()) {
    if (Math.floor(performance.now() / 15_000) % 2) {
      await new Promise(resolve => setTimeout(resolve, 200))
      continue
    }
    zips++
    const got = await get(`/share/${zipped}/download`, { alone: true })
    zips--
    count('zip')
    const isRight = got.status === 200 && got.complete
    if (!isRight && !few.some(({ id }) => faulted.has(id))) wrong.push(`zip: ${got.status} ${got.complete}`)
  }
}
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024
/** Seconds of CPU time: fields 14 and 15 of proc(5), in hundredths. */
const cpu = () => readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/.*\) /s, '').split(' ')
  .slice(11, 13).reduce((sum, part) => sum + Number(part) / 100, 0)
const files = () => readdirSync(`/proc/${child.pid}/fd`).length
const memory: number[] = []
const idle = rss()
const watch = setInterval(() => { if (died === undefined) memory.push(rss()) }, 1000)
await Promise.all([...Array.from({ length: 12 }, visitor), ...Array.from({ length: 10 }, zipper)])
clearInterval(watch)
const spent = died === undefined ? cpu() : NaN
spared = true
agent.destroy()
// V8 collects the remaining garbage within 100 s; only the image's health check goes on
for (let n = 0; n < 4; n++) {
  await new Promise(resolve => setTimeout(resolve, 30_000))
  const { status } = await get('/healthcheck', { alone: true })
  if (status !== 200) wrong.push(`health check: ${status}`)
}
const settled = died === undefined ? { rss: rss(), files: files(), open: immich.open } : undefined
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)
const quantile = (values: number[], part: number) => {
  const sorted = [...values].sort((a, b) => a - b)
  return (sorted[Math.floor(values.length * part)] ?? NaN).toFixed(1)
}
const third = (n: number) => {
  const part = memory.slice(Math.floor(memory.length * n / 3), Math.floor(memory.length * (n + 1) / 3))
  return Math.round(sum(part) / part.length)
}
const done = [...counts].map(([name, n]) => `${n} × ${name}`).join(', ')
console.log(`${SECONDS} s${MEMORY ? ` in ${MEMORY} MiB` : ''}: ${done}; ${injected} faults put in`)
const examples = wrong.length ? ` (${[...new Set(wrong)].slice(0, 8).join('; ')})` : ''
console.log(`not as promised, without a fault: ${wrong.length}${examples}`)
const each = 1000 * spent / sum([...counts.values()])
console.log(`CPU time: ${spent.toFixed(0)} s, ${each.toFixed(2)} ms for each of these`)
const thirds = `${third(0)}, ${third(1)}, ${third(2)} MB`
const most = Math.max(...memory).toFixed(0)
console.log(`memory: ${idle.toFixed(0)} MB idle, mean of each third ${thirds}, at most ${most} MB`)
const both = (values: number[]) => `${quantile(values, 0.5)} / ${quantile(values, 0.95)} ms`
const whileZips = `while ten zips run ${both(latency.zips)}`
console.log(`thumbnails, median and 95 %: ${both(latency.alone)}; ${whileZips}`)
const after = settled &&
  `${settled.rss.toFixed(0)} MB, ${settled.files} files open, ${settled.open} bodies open at Immich`
console.log(after ? `two minutes after it: ${after}` : `IT DIED with ${died}`)
const unexpected = output.split('\n').filter(line => line.includes(' error unexpected'))
if (unexpected.length) console.log(unexpected.slice(0, 5).join('\n'))
child.kill('SIGKILL')
await immich.close().catch(() => {})
if (wrong.length || !settled || settled.open || unexpected.length) process.exitCode = 1
