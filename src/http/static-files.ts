/** The static files: an explicit list, read once at startup, under a path that carries their version. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ratioRules } from '../page/layout-data.ts'
import { createText, type Text } from './compression.ts'

const TYPES: Record<string, string> =
  { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', png: 'image/png' }
/** Files in `static/`. Keep `templates/head.html` in step, which lists the first script's imports. */
const OWN = [
  'style.css', 'card.css', 'tools.css', 'scrubber.css', 'selection.css', 'favicon.svg', 'icon.png',
  'gallery.js', 'link.js', 'dom.js', 'items.js', 'layout.js', 'thumbhash.js', 'retry.js',
  'auto-reload.js', 'positions.js', 'tile.js', 'grid.js', 'keyboard.js', 'scrubber.js', 'new-photos.js',
  'snackbar.js', 'selection.js', 'save.js', 'share.js', 'sheet.js',
  'download.js', 'original-info.js', 'words.js', 'open-photo.js', 'view-transition.js',
  'lightbox.js', 'lightbox.css', 'slides.js', 'lightgallery-fixes.js', 'toolbar.js', 'gestures.js',
  'zoom.js', 'caption.js', 'video.js', 'lightbox-retry.js', 'details.js', 'slideshow.js'
]
/** Files of packages, by the name under which they are served. */
const PACKAGED: Record<string, string> = {
  'lightgallery.js': 'node_modules/lightgallery/lightgallery.min.js'
}

/** The grid's stylesheet, with the classes for the tiles' shapes added. */
const withRatios = (css: Buffer): Buffer => Buffer.concat([css, Buffer.from(ratioRules())])

/**
 * A script or style without its comment lines, which are a third of it; the other lines keep their numbers.
 */
export const withoutComments = (text: string): string =>
  text.replace(/^ *(?:\/\*(?:[^*]|\*(?!\/))*\*\/|\/\/.*)$/gm, comment => comment.replace(/[^\n]/g, ''))

/** The files by name, and the version in their addresses. No path from a request is ever opened. */
export function loadStaticFiles (root: URL): { version: string, files: Map<string, Text> } {
  const own = Object.fromEntries(OWN.map(name => [name, `static/${name}`]))
  const files = Object.entries({ ...own, ...PACKAGED }).map(([name, path]): [string, Text] => {
    const file = readFileSync(new URL(path, root))
    const isText = /^static\/.*\.(?:js|css)$/.test(path)
    const body = isText ? Buffer.from(withoutComments(file.toString())) : file
    const type = TYPES[name.split('.').at(-1) ?? ''] ?? ''
    return [name, createText(type, name === 'style.css' ? withRatios(body) : body)]
  })
  const hash = createHash('sha256').update(files.map(([, { etag }]) => etag).join())
  return { version: hash.digest('hex').slice(0, 12), files: new Map(files) }
}
