/** Third-party programs that tests use. Tests skip a missing one loudly, and fail in CI. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'

const folders = (process.env.PATH ?? '').split(delimiter).concat('/opt/crowdsec/usr/bin')
export const has = (program: string): boolean => folders.some(folder => existsSync(join(folder, program)))

/**
 * For `skip`: false if the program is installed and `works`, else how to install it.
 * Throws in CI if it is missing.
 */
export function without (program: string, from = program, works = () => true): string | false {
  if (has(program) && works()) return false
  if (process.env.CI) throw new Error(`no ${program}: CI must run these (.ci/run installs it)`)
  return `${program} is not here: apt-get install ${from}`
}

/** Adds a line to the list of skipped tests, for a program that is one of several to check a result. */
export function witness (program: string, from?: string): boolean {
  const skip = without(program, from)
  test(`${program} as a witness`, { skip }, () => {})
  return skip === false
}
export const output = (program: string, args: string[]): string =>
  spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1e9 }).stdout
/** Whether a container engine works here: docker may be installed without its daemon. */
export const works = (engine: string): boolean =>
  has(engine) && (engine !== 'docker' || spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0)
/** The directives that keep nginx's temporary files in this folder. */
export const temporaryPaths = (folder: string): string =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${folder}/${name};`).join(' ')
