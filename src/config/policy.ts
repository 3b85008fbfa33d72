/** Reduces the settings to the operator's permissions, in the form that the gate takes. */
import type { Policy } from '../gate/gate.ts'
import type { Settings } from './settings.ts'

/** The policy from these settings: everything that the gate needs to know about the configuration. */
export function policyOf (settings: Settings): Policy {
  const { description, exif, location } = settings.showMetadata
  // webLink says whether to link a place; it is not a fact about a photo
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
