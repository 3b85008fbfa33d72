/** `npm run demo`: the proxy in front of the stand-in for Immich, with an address for each kind of link. */
import { createProxy } from '../src/server.ts'
import { loadSettings } from '../src/config/settings.ts'
import { PASSWORD, sampleLibrary } from './library.ts'
import { startImmich } from './standin.ts'

const { library, links } = sampleLibrary()
const immich = await startImmich(library)
const settings = loadSettings({
  LOG_LEVEL: 'warn',
  CONFIG: JSON.stringify({
    ipp: {
      groupByDate: 'day', maxZoomQuality: 'fullsize', showGalleryDescription: true, showExpiryDate: true,
      showMetadata: { description: true, exif: true, location: true }
    }
  }),
  ...process.env,
  IMMICH_URL: immich.url
}, new URL('../', import.meta.url))
const proxy = createProxy(settings)
proxy.server.listen(settings.port, settings.host, () => {
  const base = `http://localhost:${settings.port}`
  process.stdout.write(`
  an album              ${base}/share/${links.album.key}
  with a password       ${base}/share/${links.password.key}   (${PASSWORD})
  by slug               ${base}/s/${encodeURIComponent(links.slug.slug!)}
  a single photo        ${base}/share/${links.photo.key}
  a single video        ${base}/share/${links.video.key}
  an animated GIF       ${base}/share/${links.gif.key}
  mixed, motion photo   ${base}/share/${links.mixed.key}
  downloads off         ${base}/share/${links.noDownload.key}
  a link that ended     ${base}/share/${links.expired.key}

  Ctrl-C ends it.
`)
})
proxy.server.on('error', (error: NodeJS.ErrnoException) => {
  const isTaken = error.code === 'EADDRINUSE'
  process.stderr.write(
    isTaken
      ? `Another program listens on port ${settings.port}. Try: IPP_PORT=${settings.port + 1} npm run demo\n`
      : `${error.message}\n`
  )
  process.exit(1)
})
