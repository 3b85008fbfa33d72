/**
 * The proxy beside nginx (plain and caching) and a bare fetch-and-pipe server, interleaved in one run:
 * medians of several rounds and their ratios. CPU time is that of the process under test alone, from /proc.
 * `ROUNDS` sets how many rounds, `ONLY` (a pattern) which cases.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { addAlbum, addLink, emptyLibrary, photo, video } from '../library.ts'
import { freePorts } from '../helpers.ts'
import { startImmich } from '../standin.ts'
import { temporaryPaths } from '../tools.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ROUNDS = Number(process.env.ROUNDS ?? 5)
const only = new RegExp(process.env.ONLY ?? '')
const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

// -------------------------------------------------------------------------------------------- shared parts

const library = emptyLibrary()
const bytes = (size: number) => Buffer.alloc(size, 'immich')
const [thumbnail, preview] = [
  { bytes: bytes(12_000), type: 'image/webp' },
  { bytes: bytes(300_000), type: 'image/jpeg' }
]
const assets = Array.from({ length: 20_000 }, (_, n) =>
  photo(n, { name: `speed ${n}.jpg`, thumbnail, preview, taken: Date.UTC(2025, 9, 18) - n * 3_000_000 })
)
const album = addAlbum(library, 'Twenty thousand', assets)
const { key } = addLink(library, 'speed', { album })
const colds = Array.from({ length: 40 }, (_, n) => addLink(library, `cold ${n}`, { album }).key)
const wedding = addLink(library, 'wedding', { album: addAlbum(library, 'Wedding', assets.slice(0, 500)) }).key
const big = (size: number) =>
  video(size % 7, {
    name: `${size}.mp4`,
    original: { size, type: 'video/mp4' },
    playback: { size, type: 'video/mp4' }
  })
const videos = [big(200_000_000), big(2_000_000_000)]
const videosKey = addLink(library, 'videos', {}, videos).key
const originals = Array.from({ length: 100 }, (_, n) =>
  photo(n, { name: `zip ${n}.jpg`, original: { size: 5_000_000, type: 'image/jpeg' } })
)
const files = addLink(library, 'files', {}, originals).key
const immich = await startImmich(library)

// ---------------------------------------------------------------------------------------- servers under test

const children: ChildProcess[] = []
type Target = { name: string, port: number, pids: number[], stop: () => void }
const cpu = ({ pids }: Target) =>
  pids
    .flatMap(pid =>
      readdirSync(`/proc/${pid}/task`).map(task =>
        Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
      )
    )
    .reduce((a, b) => a + b) / 1e6
const rss = ({ pids }: Target) =>
  pids
    .map(pid => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]))
    .reduce((a, b) => a + b) / 1024
const portOf = (child: ChildProcess) => new Promise<number>((resolve, reject) => {
  child.on('exit', code => reject(new Error(`ended with ${code}`)))
  child.stdout!.on('data', chunk => {
    const found = /port=(\d+)/.exec(String(chunk))
    if (found) resolve(Number(found[1]))
  })
})
async function node (name: string, args: string[]): Promise<Target> {
  const env = {
    ...process.env,
    IMMICH_URL: immich.url,
    IPP_HOST: '127.0.0.1',
    IPP_PORT: '0',
    CONFIG: process.env.BCONF ?? '{}'
  }
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  return { name, port: await portOf(child), pids: [child.pid!], stop: () => child.kill('SIGKILL') }
}
async function nginx (name: string, caching: boolean): Promise<Target> {
  const [folder, [port]] = [mkdtempSync(`${tmpdir()}/speed-`), await freePorts(1) as [number]]
  const cache = caching ? `proxy_cache images;
          proxy_cache_valid 200 10m;
          proxy_ignore_headers Cache-Control Set-Cookie Vary Expires;` : ''
  writeFileSync(`${folder}/nginx.conf`, `
    daemon off; pid ${folder}/pid; error_log stderr crit; worker_processes 1; user root;
    events { worker_connections 1024; }
    http {
      access_log off;
      ${temporaryPaths(folder)}
      proxy_cache_path ${folder}/cache keys_zone=images:10m max_size=500m; keepalive_requests 1000000;
      upstream immich { server ${new URL(immich.url).host}; keepalive 64; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://immich;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_max_temp_file_size 0;
          ${cache}
        }
      }
    }`)
  const child = spawn('nginx', ['-c', `${folder}/nginx.conf`, '-e', 'stderr', '-g', 'master_process off;'], {
    stdio: ['ignore', 'ignore', 'inherit']
  })
  children.push(child)
  await sleep(500)
  return { name, port, pids: [child.pid!], stop: () => child.kill('SIGTERM') }
}

// -------------------------------------------------------------------------------------------------- the load

const agent = new Agent({ keepAlive: true, maxSockets: 64 })
type Got = { status: number, size: number, first: number, whole: number }
function get (port: number, path: string, headers: Record<string, string> = {}, slow = 0): Promise<Got> {
  return new Promise((resolve, reject) => {
    const start = performance.now()
    const out = request({ port, host: '127.0.0.1', path, headers, agent: slow ? false : agent }, response => {
      let [size, first] = [0, 0]
      response.on('data', chunk => { first ||= performance.now() - start; size += chunk.length })
      response.on('end', () =>
        resolve({ status: response.statusCode!, size, first, whole: performance.now() - start })
      )
      response.on('error', reject)
    })
    out.on('error', reject)
    out.end()
  })
}
async function load (
  target: Target,
  path: (n: number) => string,
  count: number,
  atOnce: number
): Promise<number> {
  let [next, size] = [0, 0]
  const before = cpu(target)
  // as many visitors, each by an address of its own, as they would come through a reverse proxy
  await Promise.all(Array.from({ length: atOnce }, async (_, visitor) => {
    while (next < count) {
      const got = await get(target.port, path(next++), { 'x-forwarded-for': `203.0.113.${visitor}` })
      if (got.status !== 200) throw new Error(`${target.name} answered ${got.status}`)
      size += got.size
    }
  }))
  const spent = cpu(target) - before
  return count > 50 ? spent / count : spent / size * 1e6
}
const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

process.on('exit', () => { for (const child of children) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
/** The servers, and the command for each: the proxy as `npm start` starts it. */
const PROXY = ['--permission', '--allow-fs-read=.', 'src/server.ts']
const BARE = ['test/bench/bare.ts']
const proxy = await node('proxy', PROXY)
const bare = await node('bare fetch', BARE)
const pipe = await node('pipeTo, the shape of 3.2', [...BARE, 'pipeTo'])
const targets = [proxy, bare, pipe]
if (spawnSync('nginx', ['-v']).status === 0) {
  targets.push(await nginx('nginx', false), await nginx('nginx caching', true))
} else {
  console.log('nginx is not installed: measured without it')
}
console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]!.model}, ${ROUNDS} rounds\n`)

/** One case for all targets in turn, in rounds (more for short ones); prints medians and ratios. */
async function compare (
  name: string,
  unit: string,
  measure: (target: Target, round: number) => Promise<number>,
  who = targets,
  rounds = ROUNDS
) {
  if (!only.test(name)) return
  const figures = new Map(who.map(target => [target, [] as number[]]))
  for (const target of who) await measure(target, -1)
  for (let round = 0; round < rounds; round++) {
    for (const target of who) figures.get(target)!.push(await measure(target, round))
  }
  // compare within each round, because the load from other programs changes between rounds
  const ratio = (target: Target) =>
    median(figures.get(proxy)!.map((own, round) => own / figures.get(target)![round]!)).toFixed(2)
  const others = who.map(target => {
    const figure = `${target.name} ${median(figures.get(target)!).toFixed(3)}`
    return target === proxy ? figure : `${figure} (ratio ${ratio(target)})`
  })
  console.log(`${name}, ${unit}: ${others.join(', ')}`)
}
const image = (target: Target, n: number, size: string, link = key) =>
  target === proxy
    ? `/share/photo/${link}/${assets[n % assets.length]!.id}/${size}`
    : `/api/assets/${assets[n % assets.length]!.id}/thumbnail?size=${size}&key=${link}`
const videoPath = (target: Target, n = 0) =>
  target === proxy
    ? `/share/video/${videosKey}/${videos[n]!.id}`
    : `/api/assets/${videos[n]!.id}/video/playback?key=${videosKey}`

await compare(
  'hot thumbnail',
  'ms of CPU a request',
  target => load(target, n => image(target, n % 100, 'thumbnail'), 1000, 16),
  targets,
  4 * ROUNDS
)
// none of these is in memory yet: five rounds of four use 10,000 of the 20,000
// "warm" is about V8: it has served some thousand requests for other pictures
await compare(
  'cold thumbnail',
  'ms of CPU a request',
  (target, round) =>
    round < 0
      ? load(target, n => image(target, 13_000 + n, 'thumbnail'), 6000, 16)
      : load(target, n => image(target, 1000 + round * 500 + n, 'thumbnail'), 500, 16),
  targets.slice(0, 4),
  4 * ROUNDS
)
await compare('hot preview', 'ms of CPU a request', target =>
  load(target, n => image(target, n % 50, 'preview'), 500, 8)
)
await compare(
  'cold preview',
  'ms of CPU a request',
  (target, round) => load(target, n => image(target, 1000 + (round + 1) * 300 + n, 'preview'), 300, 8),
  targets.slice(0, 4)
)
await compare(
  '200 MB video',
  's of CPU a GB',
  target => load(target, () => videoPath(target), 2, 2),
  targets.slice(0, 4)
)
const direct: Target = {
  name: 'Immich itself',
  port: Number(new URL(immich.url).port),
  pids: [process.pid],
  stop () {}
}
await compare('seek', 'ms to the first byte', async (target, round) => {
  const times: number[] = []
  for (let n = 0; n < 200; n++) {
    const at = (round + 2) * 7_919_000 % 150_000_000 + n * 100_003
    times.push((await get(target.port, videoPath(target), { range: `bytes=${at}-${at + 999}` })).first)
  }
  return median(times)
}, [...targets.slice(0, 4), direct])
await compare(
  'zip',
  's of CPU a GB',
  target => load(target, () => target === proxy ? `/share/${files}/download` : videoPath(target), 2, 1),
  targets.slice(0, 2)
)
const html = { accept: 'text/html', 'accept-encoding': 'br' }
if (only.test('page')) {
  const at: Got[] = []
  let spent = 0
  for (const cold of colds) {
    const before = cpu(proxy)
    at.push(await get(proxy.port, `/share/${cold}`, html))
    spent += cpu(proxy) - before
  }
  const asked = immich.asked.filter(({ path }) => path.endsWith('timeline/bucket')).length
  console.log([
    `page of 20,000, cold: head after ${median(at.map(({ first }) => first)).toFixed(0)} ms`,
    `whole after ${median(at.map(({ whole }) => whole)).toFixed(0)} ms`,
    `${(spent / colds.length).toFixed(0)} ms of CPU`,
    `${asked} month reads so far`
  ].join(', '))
  const before = cpu(proxy)
  for (let n = 0; n < 2000; n++) await get(proxy.port, `/share/${key}`, html)
  console.log(`page of 20,000, hot: ${((cpu(proxy) - before) / 2000).toFixed(3)} ms of CPU`)
}

if (only.test('visitors')) {
  const count = async (visitors: number) => {
    const fresh = await node('fresh', PROXY)
    const before = immich.asked.length
    await Promise.all(Array.from({ length: visitors }, async () => {
      await get(fresh.port, `/share/${wedding}`, html)
      await get(fresh.port, `/share/items/${wedding}/0`)
      for (let n = 0; n < 500; n++) await get(fresh.port, image(proxy, n, 'thumbnail', wedding))
    }))
    fresh.stop()
    return immich.asked.length - before
  }
  const [one, hundred] = [await count(1), await count(100)]
  const requests = `${hundred} requests to Immich, one visitor ${one} (ratio ${(hundred / one).toFixed(2)})`
  console.log(`100 visitors of 500 photos: ${requests}`)
}

if (only.test('memory')) {
  for (const n of [0, 1]) {
    for (const start of [() => node('proxy', PROXY), () => node('bare fetch', BARE)]) {
      const target = await start()
      await sleep(2000)
      const before = rss(target)
      const slow = Array.from({ length: 50 }, () => {
        const out = request(
          { port: target.port, host: '127.0.0.1', path: videoPath({ ...target, name: '' }, n), agent: false },
          response => {
            response.on('data', () => { response.pause(); setTimeout(() => response.resume(), 200) })
            response.on('error', () => {})
          }
        )
        if (target.name === 'proxy') out.path = videoPath(proxy, n)
        out.on('error', () => {})
        out.end()
        return out
      })
      let most = 0
      for (let second = 0; second < 20; second++) { await sleep(500); most = Math.max(most, rss(target)) }
      const each = ((most - before) / 50).toFixed(2)
      const change = `idle ${before.toFixed(0)} MB, then ${each} MB each`
      console.log(`memory, 50 slow visitors of ${[200, 2000][n]} MB, ${target.name}: ${change}`)
      for (const out of slow) out.destroy()
      target.stop()
    }
  }
}
for (const target of targets) target.stop()
agent.destroy()
await immich.close()
