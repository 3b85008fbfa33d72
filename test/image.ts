/**
 * `npm run image [-- options]`: builds the image with docker, podman or buildah, whichever is installed, as
 * `immich-public-proxy:local`. All times in it are that of the commit, so that two builds of one commit are
 * the same.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { output, works } from './tools.ts'

const folder = fileURLToPath(new URL('../', import.meta.url))
const commitTime = () => output('git', ['-C', folder, 'log', '-1', '--format=%ct'])?.trim()
const epoch = process.env.SOURCE_DATE_EPOCH ?? (commitTime() || '0')
const tag = ['--tag', 'immich-public-proxy:local', folder]
/** Podman and buildah drop the health check from an image unless it has Docker's format. */
const commands: [string, string[]][] = [
  ['docker', [
    'buildx', 'build', '--output', 'type=docker,rewrite-timestamp=true', ...process.argv.slice(2), ...tag
  ]],
  ['podman', ['build', '--format', 'docker', '--timestamp', epoch, ...process.argv.slice(2), ...tag]],
  ['buildah', ['build', '--format', 'docker', '--timestamp', epoch, ...process.argv.slice(2), ...tag]]
]
const found = commands.find(([engine]) => works(engine))
if (!found) {
  process.stderr.write('Docker, podman or buildah is needed to build an image; none of them is here.\n')
  process.exit(1)
}
const [engine, words] = found
process.stdout.write(`${engine} ${words.join(' ')}\n`)
const env = { ...process.env, SOURCE_DATE_EPOCH: epoch }
process.exitCode = spawnSync(engine, words, { stdio: 'inherit', env }).status ?? 1
