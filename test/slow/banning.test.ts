/** docs/banning.md: fail2ban and CrowdSec read the log while visitors guess passwords. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sampleLibrary } from '../library.ts'
import { ask, freePorts, ROOT } from '../helpers.ts'
import { startImmich } from '../standin.ts'
import { without } from '../tools.ts'

const CROWDSEC = '/opt/crowdsec'
const folder = mkdtempSync(`${tmpdir()}/banning-`)
after(() => rmSync(folder, { recursive: true }))
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
/** The indented lines of docs/banning.md from this one on. */
function block (first: string): string {
  const lines = read('docs/banning.md').split('\n')
  const start = lines.indexOf(`    ${first}`)
  assert.ok(start >= 0, first)
  const end = lines.findIndex((line, n) => n > start && !line.startsWith('    '))
  return lines.slice(start, end).map(line => `${line.slice(4)}\n`).join('')
}

before(async () => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  const child = spawn(process.execPath, [fileURLToPath(new URL('src/server.ts', ROOT))], {
    env: { ...process.env, IMMICH_URL: immich.url, IPP_PORT: '0', IPP_HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let log = ''
  const port = await new Promise<string>(resolve => child.stdout.on('data', chunk => {
    log += String(chunk)
    const found = /listening port=(\d+)/.exec(log)?.[1]
    if (found) resolve(found)
  }))
  const visitors = [['203.0.113.9', 25], ['2001:db8:7:8:9::1', 25], ['198.51.100.1', 3]] as const
  for (const [address, guesses] of visitors) {
    for (let n = 0; n < guesses; n++) {
      await ask(`http://127.0.0.1:${port}`, '/share/unlock', {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': address },
        body: `key=${links.password.key}&password=wrong${n}`
      })
    }
  }
  child.kill()
  await new Promise(resolve => child.on('close', resolve))
  await immich.close()
  writeFileSync(`${folder}/log`, log)
})

const fail2ban = { skip: without('fail2ban-regex', 'fail2ban') || without('fail2ban-client', 'fail2ban') }
test('fail2ban finds each refused unlock, and the address to ban', fail2ban, () => {
  writeFileSync(`${folder}/filter.conf`, block('[Definition]'))
  const words = [`${folder}/log`, `${folder}/filter.conf`, '-o', 'id']
  const { stdout } = spawnSync('fail2ban-regex', words, { encoding: 'utf8' })
  const times = (id: string) => stdout.split('\n').filter(line => line === id).length
  assert.deepEqual([times('203.0.113.9'), times('2001:db8:7:8::/64'), times('198.51.100.1')], [25, 25, 3])
  assert.equal(stdout.trim().split('\n').length, 53)
})

test('fail2ban accepts the jail in the document, with Docker\'s chain', fail2ban, () => {
  const home = `${folder}/fail2ban`
  cpSync('/etc/fail2ban', home, { recursive: true })
  writeFileSync(`${home}/filter.d/immich-public-proxy.conf`, readFileSync(`${folder}/filter.conf`))
  const jail = block('[immich-public-proxy]')
  const [chain] = /^ {4}chain = .*$/m.exec(read('docs/banning.md'))!
  writeFileSync(`${home}/jail.local`, `${jail}${chain.trim()}\n`)
  const { status, stdout, stderr } = spawnSync('fail2ban-client', ['-c', home, '--dp'], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  assert.match(stdout, /immich-public-proxy/)
  assert.match(stdout, /DOCKER-USER/)
  assert.match(stdout, /maxretry[^]*20/)
})

test('CrowdSec bans those who guess too often, and nobody else', { skip: without('crowdsec') }, async () => {
  const [port] = await freePorts(1)
  const home = `${folder}/crowdsec`
  const folders = [
    'parsers/s00-raw', 'parsers/s01-parse', 'parsers/s02-enrich', 'scenarios', 'postoverflows', 'data', 'hub',
    'notifications', 'plugins'
  ]
  for (const name of folders) mkdirSync(`${home}/${name}`, { recursive: true })
  const hub = `${CROWDSEC}/usr/share/crowdsec/hub`
  cpSync(`${hub}/.index.json`, `${home}/hub/.index.json`)
  cpSync(`${CROWDSEC}/etc/crowdsec/patterns`, `${home}/patterns`, { recursive: true })
  cpSync(`${hub}/parsers/s00-raw/crowdsecurity/syslog-logs.yaml`, `${home}/parsers/s00-raw/syslog-logs.yaml`)
  const dates = 'dateparse-enrich.yaml'
  cpSync(`${hub}/parsers/s02-enrich/crowdsecurity/${dates}`, `${home}/parsers/s02-enrich/${dates}`)
  const profile = block('name: networks')
  const addresses = 'name: addresses\n' +
    'filters: [\'Alert.Remediation == true && Alert.GetScope() == "Ip"\']\n' +
    'decisions: [{ type: ban, duration: 4h }]\non_success: break\n'
  const files = {
    'parsers/s01-parse/immich-public-proxy.yaml': read('docs/examples/crowdsec-parser.yaml'),
    'scenarios/immich-public-proxy.yaml': read('docs/examples/crowdsec-scenario.yaml'),
    'profiles.yaml': `${addresses}---\n${profile}`,
    'simulation.yaml': 'simulation: false\n',
    'acquis.yaml': '{}\n',
    'credentials.yaml': `url: http://127.0.0.1:${port}\nlogin: x\npassword: y\n`,
    'config.yaml': JSON.stringify({
      common: { daemonize: false, log_media: 'stdout', log_level: 'info', working_dir: '.' },
      config_paths: {
        config_dir: `${home}/`, data_dir: `${home}/data/`, simulation_path: `${home}/simulation.yaml`,
        hub_dir: `${home}/hub/`, index_path: `${home}/hub/.index.json`,
        notification_dir: `${home}/notifications/`, plugin_dir: `${home}/plugins/`
      },
      crowdsec_service: { acquisition_path: `${home}/acquis.yaml`, parser_routines: 1 },
      db_config: { type: 'sqlite', db_path: `${home}/data/crowdsec.db` },
      api: {
        client: { credentials_path: `${home}/credentials.yaml` },
        server: { listen_uri: `127.0.0.1:${port}`, profiles_path: `${home}/profiles.yaml` }
      },
      prometheus: { enabled: false }
    })
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(`${home}/${name}`, text)
  const run = (program: string, ...args: string[]) => {
    const words = ['-c', `${home}/config.yaml`, ...args]
    return spawnSync(`${CROWDSEC}/usr/bin/${program}`, words, { encoding: 'utf8', timeout: 60_000 })
  }
  run('cscli', 'machines', 'add', 'x', '-p', 'y', '--force')
  const { stdout, stderr } = run('crowdsec', '-dsn', `file://${folder}/log`, '-type', 'immich-public-proxy')
  const bans = [...(stdout + stderr).matchAll(/4h ban on (\w+ [\da-f.:/]+)/g)].map(match => match[1]!).sort()
  assert.deepEqual(bans, ['Ip 203.0.113.9', 'Range 2001:db8:7:8::/64'], stderr.slice(-2000))
})
