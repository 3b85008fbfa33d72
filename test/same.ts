/**
 * `npm run same IMAGE`: checks that an image is this source. Compares every file below the image's /app with
 * this folder, byte for byte; no file may be missing or extra. Exits with 1 if they differ. Needs docker or
 * podman.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { works } from './tools.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const [image] = process.argv.slice(2)
const engine = ['docker', 'podman'].find(works)
if (!image || !engine) {
  process.stderr.write(image
    ? 'Neither docker nor podman is here.\n'
    : 'Which image? npm run same ghcr.io/immich-public-proxy/immich-public-proxy:5\n')
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'same-'))
const created = execFileSync(engine, ['create', image], {
  encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']
})
const id = created.trim().split('\n').at(-1)!
execFileSync(engine, ['cp', `${id}:/app`, folder])
execFileSync(engine, ['rm', id], { stdio: 'ignore' })
const app = join(folder, 'app')
const filesIn = (place: string) => readdirSync(place, { recursive: true, withFileTypes: true })
  .filter(file => !file.isDirectory()).map(file => join(file.parentPath, file.name))
const isSame = (name: string) => readFileSync(join(app, name)).equals(readFileSync(join(root, name)))
const different = filesIn(app).map(file => file.slice(app.length + 1))
  .filter(name => !existsSync(join(root, name)) || !isSame(name))
const missing = ['src', 'static', 'templates'].flatMap(part => filesIn(join(root, part)))
  .map(file => file.slice(root.length))
  .filter(name => !existsSync(join(app, name)))
rmSync(folder, { recursive: true })
for (const name of different) process.stdout.write(`differs: ${name}\n`)
for (const name of missing) process.stdout.write(`missing in the image: ${name}\n`)
process.exitCode = different.length + missing.length > 0 ? 1 : 0
if (!process.exitCode) process.stdout.write(`${image} is this source, file by file\n`)
