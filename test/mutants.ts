/**
 * `npm run mutants -- gate/open immich`: breaks one thing at a time in a copy of these files of src/ (by
 * default all of the gate, `immich.ts`, `rate-limit.ts`, `shares.ts` and `validate.ts`), and runs the tests
 * that must see it.
 *
 * Prints what survived and what did not end; exits with 1 if anything did that is not `EQUIVALENT`. ONLY is
 * a pattern of mutants' names, JOBS how many run at once, and QUICK leaves out tests that take longer than so
 * many ms, for a first look.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutantsOf } from './mutate.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const TIMEOUT_MS = 300_000

/**
 * The tests of each file; not `server`, whose permissions need a checkout of its own. The quickest run first,
 * and the first failure is enough.
 */
const TESTS: Record<string, string[]> = {
  'gate/files': [
    'gate/file-choice', 'gate/files', 'gate/strip', 'gate/facts', 'gate/share', 'gate/matrix', 'gate/gate',
    'immich'
  ],
  'gate/gate': [
    'gate/share', 'gate/open', 'gate/files', 'gate/unlock', 'gate/items', 'gate/matrix', 'gate/gate',
    'promises'
  ],
  'gate/guesses': ['gate/guesses', 'gate/unlock-cookie', 'gate/open', 'gate/unlock'],
  'gate/immich-json': [
    'gate/parsers', 'gate/immich-json', 'gate/items', 'gate/open', 'gate/facts', 'gate/unlock', 'routes/zip',
    'gate/gate'
  ],
  'gate/jpeg': ['gate/jpeg'],
  'gate/open': ['gate/items', 'gate/open', 'gate/immich-json', 'gate/unlock', 'reachability', 'promises'],
  'gate/share': [
    'gate/make-share', 'gate/facts', 'gate/tags', 'gate/share', 'gate/items', 'gate/matrix', 'gate/gate'
  ],
  'gate/unlock': ['gate/unlock-cookie', 'gate/unlock', 'gate/matrix'],
  'gate/visibility': ['gate/parsers'],
  'gate/zip-metadata': [
    'gate/zip-files', 'routes/zip', 'zip/album-names', 'zip/missing', 'gate/tags', 'gate/immich-json',
    'gate/gate'
  ],
  immich: [
    'immich-calls', 'immich', 'gate/open', 'gate/files', 'gate/unlock', 'http/body', 'reachability',
    'promises'
  ],
  'rate-limit': ['gate/guesses', 'gate/open', 'gate/unlock'],
  shares: ['queue', 'http/body', 'http/connections'],
  validate: ['gate/validate', 'gate/unlock-cookie', 'gate/unlock', 'gate/open', 'routes/pages']
}

/**
 * Mutants that no test can kill, by their name without the line, and why. The same reason often holds for
 * several.
 */
const ABSENT = 'a field that is absent reads as undefined'
const NULL = 'the text "null" is no number and no range either'
const EQUIVALENT: Record<string, string> = {
  "gate/files media.type === 'image/jpeg' && length !== undefined → media.type === 'image/jpeg'":
    'undefined is not below the limit either',
  'gate/files body && isJpeg → isJpeg': 'without a range, every GET has a body',
  "gate/files headers.get('content-range') ?? '' → headers.get('content-range')": NULL,
  "gate/files headers.get('content-length') ?? '' → headers.get('content-length')": NULL,
  "gate/files media.contentRange ?? '' → media.contentRange": 'the text "undefined" is no range either',
  'gate/jpeg at >= 0 → at > 0': 'a scan never begins with the file',
  'gate/jpeg at < jpeg.length → at <= jpeg.length': 'undefined is not 0xff either',
  'gate/jpeg jpeg[at + 1] ?? 0 → jpeg[at + 1]': 'undefined is no marker either',
  'gate/open link.expiresAt !== undefined && link.expiresAt <= Date.now() → link.expiresAt <= Date.now()':
    'undefined is not before any time',
  'gate/open token && { token } → { token }': ABSENT,
  'gate/open old && isDeepStrictEqual(old, opened) → isDeepStrictEqual(old, opened)':
    'nothing equals the absence of a link',
  'gate/open link.assets ?? [] → link.assets': 'a link without an album always has a list',
  ['gate/open this.#lists.get(link) ?? this.#listChosen(link.assets ?? []) → ' +
    'this.#listChosen(link.assets ?? [])']: 'only saves making the list again',
  'gate/open this.#lists.set(link, list) → {}': 'only saves making the list again',
  "gate/open headers.get('etag') ?? '' → headers.get('etag')": 'neither null nor an empty tag is sent',
  'gate/share motion && policy.motionPhotos → policy.motionPhotos': ABSENT,
  'gate/share slug && { slug } → { slug }': ABSENT,
  'gate/share expiresAt !== undefined && { expiresAt } → { expiresAt }': ABSENT,
  'gate/share first && { cover: first } → { cover: first }': ABSENT,
  'gate/share days && { days } → { days }': ABSENT,
  'gate/share times && { times } → { times }': ABSENT,
  'gate/unlock link && token → link': 'without a token, the line before has thrown',
  'gate/unlock cookies.size === 0 → false': 'only saves a hash',
  'gate/unlock !cookie → false': 'decrypting nothing fails, too',
  "gate/immich-json cookie ?? '' → cookie": 'the text "undefined" names no cookie either',
  ["immich (error as { code?: string } | undefined)?.code ?? '' → " +
    '(error as { code?: string } | undefined)?.code']: 'undefined is none of the codes either',
  "immich method ?? 'GET' → method": "fetch's own default",
  'immich body ?? null → body': "fetch's own default",
  'immich !isRead → true': 'only saves aborting what has ended',
  'gate/zip-metadata motion → true': 'no item is called undefined',
  'gate/zip-metadata time !== undefined && { time } → { time }': ABSENT,
  'gate/zip-metadata size !== undefined && { size } → { size }': ABSENT,
  ['gate/zip-metadata album && ifGiven(source.names(link.key, caller.lane, lane => readNames → ' +
    'ifGiven(source.names(link.key, caller.lane, lane => readNames(source, ']:
    'a list that came without names is that of an album',
  'gate/zip-metadata performance.now() < until → performance.now() <= until':
    'never at the very same moment',
  'gate/zip-metadata item.motion && byId.get(item.motion) → byId.get(item.motion)':
    'no item is called undefined',
  'validate /^[\\da-f]{100}$/i → /[\\da-f]{100}$/i':
    'a key has at most 130 characters, so more before 100 hexadecimal digits never decode to 50 bytes',
  "validate match<string>(ADDRESS, value) ?? '' → match<string>(ADDRESS, value)":
    'the text "undefined" is no address either'
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
  // a test that waits for ever fails before this run is given up
  const args = [
    '--test', '--test-isolation=none', '--test-timeout=90000', '--test-reporter=tap', `test/${test}.test.ts`
  ]
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

/**
 * `killed` by a failing test; `did not end` where one never did and no other failed; else `equivalent` if
 * there is a reason, or `survived`.
 */
async function verdictOf (folder: string, tests: string[], reason?: string): Promise<string> {
  let endless = ''
  for (const test of tests) {
    const { isGreen, failure } = await run(folder, test)
    if (failure) return `killed (${failure})`
    if (!isGreen) endless ||= test
  }
  if (endless) return `did not end (${endless})`
  return reason ? `equivalent (${reason})` : 'survived'
}

/** ms that each test takes without a mutant */
const times = new Map<string, number>()
const timeOf = (test: string): number => times.get(test) ?? 0
const quickestFirst = (tests: string[]): string[] =>
  tests.filter(test => timeOf(test) < Number(process.env.QUICK ?? Infinity))
    .sort((a, b) => timeOf(a) - timeOf(b))

async function main (): Promise<void> {
  const files = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(TESTS)
  const waiting = files.flatMap(mutantsIn).filter(({ name }) => new RegExp(process.env.ONLY ?? '').test(name))
  const counts: Record<string, number> = { killed: 0, equivalent: 0, survived: 0, 'did not end': 0 }
  const work = async (): Promise<void> => {
    const folder = copyProject()
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const { name, file, mutated } = mutant
      const path = join(folder, 'src', `${file}.ts`)
      const source = readFileSync(path, 'utf8')
      writeFileSync(path, mutated)
      const reason = EQUIVALENT[name.replace(/:\d+/, '')]
      const verdict = await verdictOf(folder, quickestFirst(TESTS[file] ?? []), reason)
      writeFileSync(path, source)
      counts[verdict.replace(/ \(.*/s, '')]!++
      console.log(`${name}: ${verdict}`)
    }
    rmSync(folder, { recursive: true })
  }
  // a test that fails without a mutant would kill them all
  const folder = copyProject()
  for (const test of new Set(files.flatMap(file => TESTS[file] ?? []))) {
    const began = performance.now()
    const verdict = await verdictOf(folder, [test])
    if (verdict !== 'survived') throw new Error(`without a mutant: ${verdict}`)
    times.set(test, performance.now() - began)
  }
  rmSync(folder, { recursive: true })
  await Promise.all(Array.from({ length: Number(process.env.JOBS ?? 1) }, work))
  console.log(Object.entries(counts).map(([verdict, count]) => `${count} ${verdict}`).join(', '))
  process.exitCode = counts.survived || counts['did not end'] ? 1 : 0
}
await main()
