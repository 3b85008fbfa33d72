/** Reduces the settings to the operator's permissions, as the gate takes them. */
import type { Policy } from '../gate/gate.ts'
import type { Settings } from './settings.ts'

/** The policy of these settings: everything the gate needs to know of the configuration. */
export function policyOf (settings: Settings): Policy {
  const { description, exif, location } = settings.showMetadata
  // how to link a place, not a fact about a photo
  const { webLink: _, ...places } = location
  const flags = Object.entries({ description, ...exif, ...places })
  return Object.freeze({
    slugs: settings.allowSlugLinks,
    download: settings.allowDownload, zip: settings.allowDownloadAll !== 0,
    quality: settings.maxDownloadQuality, zoom: settings.maxZoomQuality === 'fullsize',
    motionPhotos: settings.motionPhotos, playOriginals: settings.playOriginalVideos,
    strip: settings.stripMetadata,
    description: settings.showGalleryDescription, names: settings.downloadedFilename === 'original',
    dates: settings.groupByDate,
    facts: Object.freeze(flags.flatMap(([name, isShown]) => isShown ? [name] : []))
  })
}
