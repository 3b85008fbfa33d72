/**
 * Two replicas behind nginx are replaced by another version, one after the other, while visitors open pages
 * and one page stays open. Both versions answer for a while, and each restart takes some seconds.
 */
import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdtempSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CHROMIUM, launch, openView } from '../browser.ts'
import { freePorts, ROOT, until } from '../helpers.ts'
import { sampleLibrary } from '../library.ts'
import { startNginx, startReplica } from '../nginx.ts'
import { startImmich } from '../standin.ts'
import { without } from '../tools.ts'

const skip = without('nginx', 'nginx-light') || (CHROMIUM ? false : without('chromium'))
const folder = mkdtempSync('/tmp/rolling-')

/** A copy of the program whose script and style differ, so that its static files have another version. */
function anotherVersion (): string {
  const copy = join(folder, 'another')
  const root = fileURLToPath(ROOT)
  for (const name of ['src', 'static', 'templates', 'config.json', 'config.schema.json', 'package.json']) {
    cpSync(join(root, name), join(copy, name), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  appendFileSync(join(copy, 'static/style.css'), '.another-version { color: red }\n')
  appendFileSync(join(copy, 'static/gallery.js'), 'globalThis.isAnotherVersion = true\n')
  return copy
}

/** Puts nginx in front, with the directives that docs/examples/nginx.conf recommends; returns its base. */
async function putInFront (ports: number[]): Promise<string> {
  const [port] = await freePorts(1) as [number]
  await startNginx(folder, `upstream both {
      ${ports.map(port => `server 127.0.0.1:${port} max_fails=0;`).join(' ')}
      keepalive 16;
    }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://both;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
      }
    }`, port)
  return `http://127.0.0.1:${port}`
}

test('a rolling upgrade: no page is blank, and an open one goes on working', { skip }, async context => {
  const { library, links } = sampleLibrary()
  const immich = await startImmich(library)
  after(() => immich.close().catch(() => {}))
  const another = anotherVersion()
  const replicas = await Promise.all([startReplica(immich.url), startReplica(immich.url)])
  const base = await putInFront(replicas.map(({ port }) => port))
  const browser = await launch()
  after(() => browser.close())
  const album = `/share/${links.album.key}`

  const open = await openView(browser, base, { size: 'phone' })
  await open.page.goto(album)
  await open.page.waitForSelector('.laid-out a.tile img.in')

  let isOver = false
  let views = 0
  let ofAnother = 0
  const problems: string[] = []
  const visiting = (async () => {
    while (!isOver) {
      const { context, page, complaints } = await openView(browser, base)
      const response = await page.goto(album)
      await page.waitForSelector('.laid-out a.tile img.in').catch(() => complaints.push('a blank page'))
      await page.click('a.tile')
      await page.waitForSelector('.lg-current.lg-complete img').catch(() => complaints.push('no lightbox'))
      if (await page.evaluate('isAnotherVersion').catch(() => false)) ofAnother++
      problems.push(...complaints.map(line => `view ${views} (${response?.status()}): ${line}`))
      views++
      await context.close()
    }
  })()
  for (const { child, port } of replicas) {
    const ended = new Promise(resolve => child.on('exit', resolve))
    child.kill('SIGTERM')
    await ended
    await startReplica(immich.url, another, port)
    const seen = views
    await until(() => views >= seen + 4, 'more views')
  }
  isOver = true
  await visiting
  context.diagnostic(`${views} views, ${ofAnother} of them by the other version`)
  assert.deepEqual(problems, [])
  assert.ok(ofAnother >= 4 && ofAnother < views)

  // scripts that it has not needed so far come from the other version
  await open.page.click('a.tile')
  await open.page.waitForSelector('.lg-current.lg-complete img')
  await open.page.keyboard.press('Escape')
  await open.page.click('#select')
  await open.page.waitForSelector('body.selecting')
  assert.deepEqual(open.complaints, [])
})
