/** Runs nginx in front of a server until the tests end. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { after } from 'node:test'
import { ask, sleep } from './helpers.ts'
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
