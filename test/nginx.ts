/** Runs nginx, and replicas of the server behind it, until the tests end. */
import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ask, ROOT, sleep, until } from './helpers.ts'
import { temporaryPaths } from './tools.ts'

/** Resolves when something answers at this port of this machine. Throws after ten seconds. */
export async function listening (port: number): Promise<void> {
  for (let n = 0; n < 200; n++) {
    if (await ask(`http://127.0.0.1:${port}`, '/').then(() => true, () => false)) return
    await sleep(50)
  }
  throw new Error('it does not listen')
}

/** Starts nginx with these directives of `http`; resolves when it listens at `port`. */
export async function startNginx (folder: string, directives: string, port: number): Promise<void> {
  const file = `${folder}/nginx-${port}.conf`
  writeFileSync(
    file,
    `daemon off; user root; pid ${folder}/pid-${port}; error_log ${folder}/error.log; events {}
    http {
      access_log off;
      ${temporaryPaths(folder)}
      ${directives}
    }`
  )
  const child = spawn('nginx', ['-c', file, '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'inherit'] })
  after(() => { child.kill('SIGTERM') })
  await listening(port)
}

/** Starts the server, or the copy of it in the folder `program`; resolves when it listens. */
export async function startReplica (
  immichUrl: string, program = fileURLToPath(ROOT), wanted = 0
): Promise<{ child: ChildProcess, port: number }> {
  const child = spawn(process.execPath, ['src/server.ts'], {
    cwd: program, stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH!, IMMICH_URL: immichUrl, IPP_PORT: String(wanted), IPP_HOST: '127.0.0.1',
      IPP_SECRET: 'one secret for both of them', CONFIG: '{}'
    }
  })
  after(() => { child.kill('SIGKILL') })
  let out = ''
  child.stdout.on('data', text => { out += text })
  await until(() => / listening port=\d+/.test(out), `a port: ${out}`)
  return { child, port: Number(/ listening port=(\d+)/.exec(out)?.[1]) }
}
