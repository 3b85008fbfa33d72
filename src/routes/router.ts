/** The table of all addresses with their handlers. */
import { decode } from '../json.ts'
import type { Handler, PathParts } from './context.ts'
import { showImage, showVideo } from './files.ts'
import * as pages from './pages.ts'
import { unlock } from './password-form.ts'
import * as service from './service.ts'
import { sendChosenZip, sendZip } from './zip.ts'

/** Whether a protected link shows its password form: to everybody at pages, only to browsers at files. */
type FormPolicy = 'form' | 'form for browsers' | 'no form'
type Route = { methods: string[], path: string, pattern: RegExp, handle: Handler, form: FormPolicy }

/** A route; a trailing slash in a request makes no difference. */
function on (methods: string[], path: string, handle: Handler, form: FormPolicy = 'no form'): Route {
  const pattern = new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`)
  return { methods, path, pattern, handle, form }
}
const GET = ['GET', 'HEAD']
const POST = ['POST']

/** The first match counts. */
const ROUTES: Route[] = [
  on(GET, '/share/photo/:key/:id/:size', showImage, 'form for browsers'),
  on(GET, '/share/photo/:key/:id', showImage, 'form for browsers'),
  on(GET, '/share/video/:key/:id', showVideo, 'form for browsers'),
  on(GET, '/share/video/:key/:id/:size', showVideo, 'form for browsers'),
  on(GET, '/share/meta/:key/:id', pages.sendFacts),
  on(GET, '/share/items/:key/:stretch', pages.sendStretch),
  on(GET, '/share/marks/:key', pages.sendMarks),
  on(GET, '/', service.showHome),
  on(GET, '/share', service.showHome),
  on(GET, '/healthcheck', service.sendHealth),
  on(GET, '/share/healthcheck', service.sendHealth),
  on(GET, '/share/alive', service.sendAlive),
  on(GET, '/robots.txt', service.sendRobots),
  on(GET, '/favicon.ico', service.sendIcon),
  on(GET, '/apple-touch-icon.png', service.sendIcon),
  on(GET, '/share/static/:version/:file', service.sendStatic),
  on(POST, '/share/unlock', unlock),
  on(GET, '/share/unlock', service.redirectHome),
  on(GET, '/share/:key/download', sendZip, 'form for browsers'),
  on(GET, '/s/:slug/download', sendZip, 'form for browsers'),
  on(POST, '/share/:key/download', sendChosenZip),
  on(POST, '/s/:slug/download', sendChosenZip),
  on(POST, '/share/:key', pages.redirectToLink),
  on(POST, '/s/:slug', pages.redirectToLink),
  on(GET, '/share/:key', pages.showGallery, 'form'),
  on(GET, '/s/:slug', pages.showGallery, 'form'),
  on(GET, '/share/:key/:id', pages.showPhoto, 'form'),
  on(GET, '/s/:slug/:id', pages.showPhoto, 'form')
]

/** The route of a request with the parts of its path; undefined if there is none. */
export function findRoute (method: string, path: string): { route: Route, parts: PathParts } | undefined {
  for (const route of ROUTES) {
    const match = route.methods.includes(method) ? route.pattern.exec(path) : undefined
    if (!match) continue
    const parts = Object.entries(match.groups ?? {}).map(([name, part]) => [name, decode(part)] as const)
    return { route, parts: Object.fromEntries(parts) }
  }
  return undefined
}
