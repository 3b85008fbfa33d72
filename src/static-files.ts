/**
 * The static files: an explicit list, read once at the start, served under a path that carries their version.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { asText, type Text } from './answer.ts'
import { ratioRules } from './skeleton.ts'

const TYPES: Record<string, string> =
  { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', png: 'image/png', woff2: 'font/woff2' }
/**
 * What the page's first script needs is named in `templates/head.html` too, so that it comes without waiting.
 */
const OWN = [
  'style.css', 'card.css', 'tools.css', 'scrubber.css', 'select.css', 'favicon.svg', 'icon.png', 'gallery.js', 'link.js', 'dom.js',
  'items.js', 'layout.js', 'thumbhash.js', 'retry.js', 'wait.js', 'rows.js', 'tile.js', 'grid.js', 'keyboard.js', 'scrubber.js', 'news.js',
  'offer.js', 'select.js', 'save.js', 'share.js', 'lightbox.js', 'film.js', 'again.js', 'details.js',
  'play.js'
]
const LIGHTGALLERY = 'node_modules/lightgallery'
const PLUGINS = ['zoom', 'fullscreen']
/** What is made of more than one file, and what is not of ours. */
const MADE: Record<string, string[]> = {
  'lightbox.css': [
    `${LIGHTGALLERY}/css/lightgallery.css`, ...PLUGINS.map(name => `${LIGHTGALLERY}/css/lg-${name}.css`),
    'static/lightbox.css'
  ],
  'lightgallery.js': [
    `${LIGHTGALLERY}/lightgallery.min.js`,
    ...PLUGINS.map(name => `${LIGHTGALLERY}/plugins/${name}/lg-${name}.min.js`)
  ],
  'lg.woff2': [`${LIGHTGALLERY}/fonts/lg.woff2`]
}

/** What is changed in a file before it is served. */
function adapt (name: string, body: Buffer): Buffer {
  if (name === 'style.css') return Buffer.concat([body, Buffer.from(ratioRules())])
  if (name !== 'lightbox.css') return body
  // of what lightgallery's stylesheet points to only this font is served; its spinner is drawn by our own
  const css = String(body).replace(/src: url[^;]*;/, 'src: url("lg.woff2");')
  return Buffer.from(css.replace(/url\("?\.\.[^)]*\)/g, 'none'))
}

function load (root: URL, name: string, paths: string[]): [string, Text] {
  const parts = paths.map(path => readFileSync(new URL(path, root)))
  const joined = Buffer.concat(parts.flatMap(part => [part, Buffer.from('\n')]).slice(0, -1))
  const type = TYPES[name.split('.').at(-1) ?? ''] ?? ''
  return [name, asText(type, adapt(name, joined))]
}

/** The files by name, and the version that their addresses carry. No path of a visitor's is ever opened. */
export function loadStaticFiles (root: URL): { version: string, files: Map<string, Text> } {
  const own = Object.fromEntries(OWN.map(name => [name, [`static/${name}`]]))
  const files = Object.entries({ ...own, ...MADE }).map(([name, paths]) => load(root, name, paths))
  const hash = createHash('sha256').update(files.map(([, { etag }]) => etag).join())
  return { version: hash.digest('hex').slice(0, 12), files: new Map(files) }
}
