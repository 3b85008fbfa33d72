/**
 * `npm run mutants`: breaks one line of the security rooms at a time, in a copy, and runs the tests that must see it.
 * Prints who survived; exit status 1 where anybody did. ONLY is a pattern of names.
 * `npm run mutants -- links answer …`: instead of those by hand, all mutants by rule of these files (see mutate.ts), and how many
 * of them were killed.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutantsOf } from './mutate.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
/** Name, file, what stands there, what is put there, tests that must turn red. */
type Mutant = [name: string, file: string, from: string, to: string, tests: string[]]
const GATE = ['promises', 'unlock']
const MUTANTS: Mutant[] = [
  ['the gate: protected links open', 'links', "if (link.protected && !token) throw new Refusal('locked')", '', GATE],
  ['the gate: links that ended open', 'links', 'link.expiresAt <= Date.now()', 'link.expiresAt <= 0', ['links']],
  ['the gate: no link has a password', 'immich-json', 'protected: Boolean(link.password)', 'protected: false', GATE],
  ['the gate: slugs although they are off', 'exchange', "if ('slug' in ref && !app.settings.allowSlugLinks) throw new Refusal('missing')", '', ['config']],
  ['the list: any id', 'exchange', 'if (!item || (isMotionPart && !asVideo)) throw', 'if (isMotionPart && !asVideo) throw', GATE],
  ['the list: pictures of motion parts', 'exchange', '(isMotionPart && !asVideo)', 'false', GATE],
  ['visibility: the trash', 'immich-json', 'isTrashed !== true && (', '(', GATE],
  ['visibility: hidden and locked', 'immich-json', "(visibility === undefined || visibility === 'timeline' || visibility === 'archive')", 'true', GATE],
  ['the minute: links for ever', 'links', 'createMemory<Link>(MINUTE', 'createMemory<Link>(100 * MINUTE', ['links', 'traps']],
  ['the minute: lists for ever', 'links', 'createMemory<AlbumList>(MINUTE', 'createMemory<AlbumList>(100 * MINUTE', ['links']],
  ['downloads: without the owner', 'immich-json', 'allowDownload: link.allowDownload === true', 'allowDownload: link.allowDownload !== false || true', ['promises']],
  ['downloads: without the operator', 'links', 'settings.allowDownload && link.allowDownload', 'link.allowDownload', ['migration']],
  ['downloads: zips without the operator', 'links', 'settings.allowDownloadAll !== 0 && link', 'link', ['config']],
  ['metadata: without the owner', 'immich-json', 'showMetadata: link.showMetadata === true', 'showMetadata: true', ['promises']],
  ['metadata: times of files', 'handle-media', 'link?.showMetadata === true && settings.showMetadata.exif.dateTimeOriginal && !settings.stripMetadata', 'true', ['media']],
  ['metadata: tags of Immich', 'media', '`"${own.slice(0, 22)}"`', 'immichTag', ['media']],
  ['cache: protected pages', 'answer', "link.protected ? 'private, no-store' : 'no-cache'", "'no-cache'", ['promises']],
  ['cache: protected pictures', 'answer', "link.protected ? 'private, max-age=3600' : responseHeaders['cache-control'] || 'no-cache'", "responseHeaders['cache-control'] || 'no-cache'", ['promises', 'unlock']],
  ['cache: errors', 'answer', "if (status >= 400) return 'no-store'", '', ['promises', 'media', 'faults']],
  ['cache: beyond the end of a link', 'answer', 'Math.floor((link.expiresAt - Date.now()) / 1000)', 'Infinity', ['links']],
  ['cache: without a version', 'answer', 'isVersioned ? [] : [SHORT]', '[] as number[]', ['promises', 'traps']],
  ['cache: static files without a version', 'answer', "isVersioned ? 'public, max-age=31536000, immutable' : 'no-cache'", "'public, max-age=31536000, immutable'", ['config']],
  ['cache: ETags on protected pages', 'answer', "(answer.kind === 'static' || answer.link?.protected === false)", 'true', ['promises']],
  ['headers: the operator\'s on protected links', 'answer', 'const open = link !== undefined && !link.protected && status < 400', 'const open = link !== undefined', ['promises']],
  ...["'cross-origin-opener-policy': 'same-origin', ", "'x-frame-options': 'DENY',", "'referrer-policy': 'no-referrer',", "'x-content-type-options': 'nosniff',", "'x-robots-tag': 'noindex, nofollow'", '; sandbox', "frame-ancestors 'none'; form-action 'self'; ", "vary: 'accept, accept-encoding, accept-language, cookie'", "vary: 'accept-encoding, cookie'", ", vary: 'accept-encoding'"]
    .map((text): Mutant => [`headers: ${text}`, 'answer', text, '', ['promises']]),
  ['the seal: not of one link', 'unlock', /\.setAAD\(Buffer\.from\(bound\(link\)\)\)/.source, 'PATTERN', ['unlock']],
  ['the seal: one nonce', 'unlock', 'randomBytes(NONCE_BYTES)', 'Buffer.alloc(NONCE_BYTES)', ['unlock']],
  ['the seal: one key', 'unlock', "secret === '' ? randomBytes(32) : secret", "secret === '' ? 'x' : 'x'", ['unlock', 'promises']],
  ['the seal: no hour', 'unlock', 'age < UNLOCK_SECONDS * 1000', 'true', ['unlock']],
  ['the seal: from the future', 'unlock', 'age >= -CLOCKS_DIFFER', 'true', ['unlock']],
  ['guesses: free', 'handle-unlock', '  count(exchange, link, 1)', '', ['unlock']],
  ['guesses: by one name a link', 'handle-unlock', 'guesses.aliases.get(link) ?? link', 'link', ['unlock']],
  ['guesses: forms of other sites', 'handle-unlock', "if (visitor.isForeign) throw new Refusal('missing')", '', ['unlock']],
  ['guesses: by an address that may be chosen', 'handle-unlock', 'const isOwn = exchange.visitor.isCertain && ', 'const isOwn = ', ['unlock']],
  ['the gate: an unlock that leads elsewhere', 'validate', "return given === ('key' in ref ? ref.key : ref.slug) ? path : undefined", 'return path', ['unlock']],
  ['downloads: originals by playing them', 'media', "if (kind === 'playback' && !mayPlay)", 'if (false)', ['traps']],
  ['the list: zips of what is only in part there', 'handle-zip', "if (list.isPartial && !choose)", 'if (false)', ['traps']],
  ['guesses: at links', 'exchange', "if (isRefusal(error, 'missing')) countUnknown(app, visitor, ref)", '', ['unlock']],
  ['the door: redirects', 'immich', "redirect: 'manual'", "redirect: 'follow'", ['faults']],
  ['the door: encodings', 'immich', "if (response.headers.has('content-encoding'))", 'if (false)', ['traps']],
  ['the door: a slug with control characters', 'validate', '/^[^\\p{Cc}\\p{Cs}]{1,255}$/u', '/^[^]{1,255}$/u', ['traps', 'links']],
  ['bounds: forms', 'exchange', 'if (size > limit) return new Map()', '', ['faults', 'unlock']],
  ['bounds: a quarter', 'bounds', 'Math.ceil(limit / 4)', 'limit', ['limits']],
  ['bounds: two hosts', 'server', ' || hosts.length > 1', '', ['traps']]
]

/** The tests that run for a mutant by rule, fast ones first: the first that turns red is enough. */
const ALL = ['config', 'unlock', 'links', 'media', 'limits', 'promises', 'traps', 'matrix']
/** The tests that are most likely to see it, by room. */
const LIKELY: Record<string, string[]> = {
  answer: ['promises'], 'immich-json': ['links'], links: ['links'], exchange: ['unlock'], unlock: ['unlock'], 'handle-unlock': ['unlock'],
  'handle-media': ['media'], media: ['media', 'strip'], immich: ['traps', 'faults']
}
const byRule = process.argv.slice(2).flatMap(file => {
  const source = readFileSync(join(ROOT, 'src', `${file}.ts`), 'utf8')
  return mutantsOf(source, `${file}.ts`).map(({ line, was, start, end, text }) =>
    ({ name: `${file}:${line} ${was.replace(/\s+/g, ' ').slice(0, 60)} → ${text.replace(/\s+/g, ' ').slice(0, 40)}`, file, tests: [...new Set(['config', ...LIKELY[file] ?? ['promises'], ...ALL])], mutated: source.slice(0, start) + text + source.slice(end) }))
})
const byHand = MUTANTS.map(([name, file, from, to, tests]) => {
  const source = readFileSync(join(ROOT, 'src', `${file}.ts`), 'utf8')
  const mutated = to === 'PATTERN' ? source.replace(new RegExp(from, 'g'), '') : source.replace(from, () => to)
  if (mutated === source) throw new Error(`${name}: its line is not there any more`)
  return { name, file, tests, mutated }
})

let survivors = 0
const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
for (const part of ['src', 'static', 'templates', 'test', 'docs', 'config.json', 'config.schema.json', 'package.json', 'tsconfig.json']) cpSync(join(ROOT, part), join(folder, part), { recursive: true })
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
const chosen = (byRule.length > 0 ? byRule : byHand).filter(({ name }) => new RegExp(process.env.ONLY ?? '').test(name))
/** What fails first in a test, which is ended then; undefined where it stays green. One that never ends fails. */
const failureOf = (test: string) => new Promise<string | undefined>(resolve => {
  const args = ['--test', '--test-isolation=none', '--test-reporter=tap', `test/${test}.test.ts`]
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'], timeout: 240_000, env: { ...process.env, NODE_TEST_CONTEXT: undefined } })
  let failed = ''
  child.stdout.on('data', text => {
    failed ||= /^ *not ok.*/m.exec(String(text))?.[0].trim() ?? ''
    if (failed) child.kill('SIGKILL')
  })
  child.on('close', code => resolve(code === 0 ? undefined : `${test}: ${failed || 'it did not end'}`))
})
async function firstFailure (tests: string[]): Promise<string | undefined> {
  for (const test of tests) {
    const failure = await failureOf(test)
    if (failure) return failure
  }
  return undefined
}
// a test that is red without a mutant would kill them all
const red = await firstFailure([...new Set(chosen.flatMap(({ tests }) => tests))])
if (red) throw new Error(`red as it is, ${red}`)
for (const { name, file, tests, mutated } of chosen) {
  const path = join(folder, 'src', `${file}.ts`)
  const source = readFileSync(path, 'utf8')
  writeFileSync(path, mutated)
  const failure = await firstFailure(tests)
  writeFileSync(path, source)
  if (!failure) survivors++
  console.log(failure ? `killed   ${name} (${failure})` : `SURVIVED ${name}`)
}
rmSync(folder, { recursive: true })
console.log(`${chosen.length} mutants, ${survivors} survived`)
process.exitCode = survivors ? 1 : 0
