/** Installing with npm, as an operator without a container does it, and what is installed. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { ROOT, until } from '../helpers.ts'

test('npm ci --omit=dev installs everything that the program needs to start', async () => {
  const work = mkdtempSync(join(tmpdir(), 'omit-'))
  for (const name of [
    'package.json', 'package-lock.json', '.npmrc', 'config.json', 'config.schema.json', 'src', 'static',
    'templates', 'test/node'
  ]) {
    cpSync(new URL(name, ROOT), join(work, name), { recursive: true })
  }
  const npm = spawnSync('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], {
    cwd: work,
    encoding: 'utf8'
  })
  assert.equal(npm.status, 0, npm.stderr)
  const installed = readdirSync(join(work, 'node_modules')).filter(name => !name.startsWith('.'))
  assert.deepEqual(installed.sort(), ['buffer-crc32', 'lightgallery', 'yazl'])
  const child = spawn('sh', ['-c', 'exec npm start'], {
    cwd: work, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      IMMICH_URL: 'http://127.0.0.1:9',
      IPP_HOST: '127.0.0.1',
      IPP_PORT: '0'
    }
  })
  after(() => { try { process.kill(-child.pid!, 'SIGKILL') } catch { /* it has ended */ } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => { output += text })
  await until(() => / listening port=\d+/.test(output) || child.exitCode !== null, 'the start')
  assert.match(output, / listening port=\d+/)
})

test('npm refuses a package whose file does not have the hash in the lockfile', () => {
  const work = mkdtempSync(join(tmpdir(), 'lock-'))
  const lock = JSON.parse(readFileSync(new URL('package-lock.json', ROOT), 'utf8'))
  const path = 'node_modules/buffer-crc32'
  const { version, integrity } = lock.packages[path]
  const install = (hash: string) => {
    writeFileSync(join(work, 'package.json'), JSON.stringify({ dependencies: { 'buffer-crc32': version } }))
    writeFileSync(join(work, 'package-lock.json'), JSON.stringify({
      lockfileVersion: 3,
      packages: { '': { dependencies: { 'buffer-crc32': version } }, [path]: { version, integrity: hash } }
    }))
    return spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: work,
      encoding: 'utf8'
    })
  }
  assert.equal(install(integrity).status, 0)
  const refused = install(`sha512-${'A'.repeat(86)}==`)
  assert.match(refused.stderr, /EINTEGRITY/)
})
