/** A server in its own process, whose memory is measured from outside, and floods of requests against it. */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { after } from 'node:test'
import { ask, HTML, ROOT, until } from '../helpers.ts'
import { sampleLibrary } from '../library.ts'
import { startImmich, type Library } from '../standin.ts'

/** Starts the program as an operator does, in front of the stand-in for Immich. */
export async function startProcess (library?: Library, ipp: Record<string, unknown> = {}) {
  const sample = sampleLibrary()
  const immich = await startImmich(library ?? sample.library)
  const child = spawn(process.execPath, ['src/server.ts'], {
    cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH, IMMICH_URL: immich.url, IPP_HOST: '127.0.0.1', IPP_PORT: '0',
      CONFIG: JSON.stringify({ ipp })
    }
  })
  let out = ''
  child.stdout.on('data', chunk => { out += chunk })
  const ended = new Promise<number | null>(resolve => child.on('exit', resolve))
  const stop = async () => {
    child.kill('SIGKILL')
    await immich.close().catch(() => {})
  }
  after(stop)
  await until(() => / listening port=\d+/.test(out), `a port: ${out}`)
  const port = Number(/ listening port=(\d+)/.exec(out)?.[1])
  const base = `http://127.0.0.1:${port}`
  const status = (field: string): number => {
    const text = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1]) / 1000
  }
  return {
    ...sample, immich, child, base, ended, stop,
    out: () => out,
    get: (path: string, headers: Record<string, string> = HTML) => ask(base, path, { headers }),
    connect: (): Socket => connect(port, '127.0.0.1').on('error', () => {}),
    /** MB of memory in use now */
    memory: (): number => status('VmRSS'),
    /** Runs `attack`, and resolves with the MB by which the memory grew at its peak. */
    async growth (attack: () => Promise<unknown>): Promise<number> {
      const before = status('VmRSS')
      // makes Linux forget the peak (man 5 proc, clear_refs)
      writeFileSync(`/proc/${child.pid}/clear_refs`, '5')
      await attack()
      return status('VmHWM') - before
    }
  }
}
export type Attacked = Awaited<ReturnType<typeof startProcess>>

/** The status of each answer to `requests`, sent all at once on their own connections; 0 for no answer. */
export function flood (run: Attacked, requests: string[]): Promise<number[]> {
  return Promise.all(requests.map(request => new Promise<number>(resolve => {
    let status = 0
    const socket = run.connect()
    socket.on('close', () => resolve(status)).on('data', chunk => {
      status ||= Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString('latin1'))?.[1] ?? 0)
    })
    socket.write(request)
  })))
}

/** A GET request as text, after which the connection ends. */
export const get = (path: string, headers: Record<string, string> = {}): string => {
  const lines = Object.entries({ host: 'x', accept: 'text/html', connection: 'close', ...headers })
  return `GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}
