/**
 * `npm run mutants -- gate/open immich …`: breaks one thing at a time in a copy of these files of src/, and
 * runs the tests that must notice it. The default is the whole gate, `immich.ts` and `validate.ts`.
 *
 * Prints the mutants that survived or did not end, and exits with 1 if there are any. ONLY is a pattern for
 * the names of mutants, JOBS the number that run at once.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutantsOf } from './mutate.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const TIMEOUT_MS = 120_000

/** The tests of each file, quick ones that are likely to fail first; the first failure is enough. */
const TESTS: Record<string, string[]> = {
  'gate/facts': ['gate/tags', 'gate/facts', 'gate/gate'],
  'gate/files': ['gate/strip', 'gate/files', 'gate/facts', 'gate/share', 'gate/gate', 'immich'],
  'gate/gate': ['gate/share', 'gate/open', 'gate/unlock', 'gate/items', 'gate/gate', 'server'],
  'gate/guesses': ['gate/guesses', 'gate/unlock-cookie', 'gate/open', 'gate/unlock'],
  'gate/immich-json': ['gate/parsers', 'gate/immich-json', 'gate/items', 'gate/open', 'gate/unlock', 'gate/gate'],
  'gate/jpeg': ['gate/strip'],
  'gate/open': ['gate/items', 'gate/open', 'gate/immich-json', 'gate/unlock', 'promises'],
  'gate/share': ['gate/tags', 'gate/share', 'gate/items', 'gate/gate'],
  'gate/unlock': ['gate/unlock-cookie', 'gate/unlock', 'gate/matrix'],
  'gate/zip-files': ['gate/tags', 'routes/zip', 'gate/zip-files', 'gate/immich-json', 'gate/gate'],
  immich: ['immich', 'gate/open', 'gate/files', 'gate/unlock', 'promises', 'http/body', 'immich-faults'],
  validate: ['gate/validate', 'gate/unlock-cookie', 'gate/unlock', 'gate/open', 'server', 'routes/pages']
}

type Mutant = { name: string, file: string, mutated: string }
function mutantsIn (file: string): Mutant[] {
  const source = readFileSync(join(ROOT, 'src', `${file}.ts`), 'utf8')
  const short = (text: string) => text.replace(/\s+/g, ' ').slice(0, 70)
  return mutantsOf(source, `${file}.ts`).map(({ line, was, start, end, text }) => ({
    name: `${file}:${line} ${short(was)} → ${short(text)}`, file,
    mutated: source.slice(0, start) + text + source.slice(end)
  }))
}

const PARTS = [
  'src', 'static', 'templates', 'test', 'docs', 'config.json', 'config.schema.json', 'package.json',
  'package-lock.json', 'tsconfig.json', 'eslint.config.js'
]
function copyProject (): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
  for (const part of PARTS) cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** The end of a test: passed, its first failure by name, or a timeout. */
type Outcome = { isGreen: boolean, failure?: string }
const run = (folder: string, test: string): Promise<Outcome> => new Promise(resolve => {
  const args = ['--test', '--test-isolation=none', '--test-reporter=tap', `test/${test}.test.ts`]
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], env })
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  let failure = ''
  let output = ''
  child.stdout.on('data', text => {
    output += text
    failure ||= /^ *not ok.*$/m.exec(output)?.[0].trim() ?? ''
    if (failure) child.kill('SIGKILL')
  })
  child.on('close', (code, signal) => {
    clearTimeout(timer)
    const crashed = code !== 0 && signal === null ? 'the process ended' : ''
    const told = failure || crashed
    resolve({ isGreen: code === 0, ...told && { failure: `${test}: ${told}` } })
  })
})

/** `killed` by a failing test; `survived` if all tests pass; `did not end` if one timed out. */
async function verdictOf (folder: string, tests: string[]): Promise<string> {
  for (const test of tests) {
    const { isGreen, failure } = await run(folder, test)
    if (failure) return `killed (${failure})`
    if (!isGreen) return `did not end (${test})`
  }
  return 'survived'
}

async function main (): Promise<void> {
  const files = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TESTS)
  const waiting = files.flatMap(mutantsIn).filter(({ name }) => new RegExp(process.env.ONLY ?? '').test(name))
  const counts: Record<string, number> = { killed: 0, survived: 0, 'did not end': 0 }
  const work = async (): Promise<void> => {
    const folder = copyProject()
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const { name, file, mutated } = mutant
      const path = join(folder, 'src', `${file}.ts`)
      const source = readFileSync(path, 'utf8')
      writeFileSync(path, mutated)
      const verdict = await verdictOf(folder, TESTS[file] ?? [])
      writeFileSync(path, source)
      counts[verdict.replace(/ \(.*/s, '')]!++
      console.log(`${name}: ${verdict}`)
    }
    rmSync(folder, { recursive: true })
  }
  // a test that fails without a mutant would kill them all
  const folder = copyProject()
  const red = await verdictOf(folder, [...new Set(files.flatMap(file => TESTS[file] ?? []))])
  rmSync(folder, { recursive: true })
  if (red !== 'survived') throw new Error(`without a mutant: ${red}`)
  await Promise.all(Array.from({ length: Number(process.env.JOBS ?? 1) }, work))
  console.log(Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`).join(', '))
  process.exitCode = counts.survived || counts['did not end'] ? 1 : 0
}
await main()
