/**
 * Configuration files in the shapes that earlier releases shipped, by each shape's first release.
 * Newly written, not copied.
 */
export type Config = { ipp?: Record<string, unknown>, lightGallery?: Record<string, unknown> }

const lightGallery = {
  controls: true,
  download: true,
  mobileSettings: { controls: false, showCloseIcon: true, download: true }
}
const cached = { 'Cache-Control': 'public, max-age=2592000' }
const shared = { ...cached, 'Access-Control-Allow-Origin': '*' }
const first = { responseHeaders: cached, singleImageGallery: false, singleItemAutoOpen: true }
const zips = { ...first, downloadOriginalPhoto: true, showGalleryTitle: false, allowDownloadAll: false }
const home = { ...zips, responseHeaders: shared, showHomePage: true }
const numbered = { ...home, customInvalidResponse: false, allowDownloadAll: 0 }
const described = { ...numbered, showMetadata: { description: false } }
const slugs = { ...described, allowSlugLinks: true }

const flags = (names: string, value: boolean) =>
  Object.fromEntries(names.split(' ').map(name => [name, value]))
export const EXIF =
  'dateTimeOriginal fileName dimensions fileSize make model lensModel exposureTime iso fNumber focalLength'
const PLACE = 'city state country gps'
const gallery = {
  singleImage: false,
  singleItemAutoOpen: true,
  showTitle: true,
  showDescription: false,
  groupByDate: false
}
const lightbox = { showArrows: true, showDownload: true, mobileArrows: false }
const common = {
  responseHeaders: shared,
  downloadedFilename: 0,
  allowSlugLinks: true,
  showHomePage: true,
  customInvalidResponse: false
}
const grouped = {
  ...common,
  downloadOriginalPhoto: true,
  allowDownloadAll: 0,
  showMetadata: { description: false },
  gallery,
  lightbox
}
const limited = { ...grouped, downloadFromImmichConcurrencyLimit: 20 }
const both = { caption: false, sidebar: false }
const plainFlags = { description: both, exif: flags(EXIF, false), location: flags(PLACE, false) }
const playing = { ...lightbox, autoPlayVideos: false }
const third = {
  ...common,
  maxDownloadQuality: 'original',
  maxZoomQuality: 'preview',
  allowDownload: 0,
  downloadFromImmichConcurrencyLimit: 20,
  showMetadata: plainFlags,
  gallery,
  lightbox: playing
}
const dated = {
  ...gallery,
  cacheTime: 300,
  singleVideo: true,
  showExpiryDate: false,
  expiryDateFormat: 'YYYY-MM-DD',
  expiryDateLocale: '',
  showDownloadZip: true
}

export const OLD_CONFIGS: Record<string, Config> = {
  '1.3.2': { lightGallery },
  '1.3.7': { ipp: first, lightGallery },
  '1.4.0': { ipp: { ...first, downloadOriginalPhoto: false }, lightGallery },
  '1.4.1': { ipp: { ...first, downloadOriginalPhoto: true }, lightGallery },
  '1.4.3': { ipp: zips, lightGallery },
  '1.4.6': { ipp: { ...zips, responseHeaders: shared }, lightGallery },
  '1.5.6': { ipp: home, lightGallery },
  '1.8.0': { ipp: { ...home, customInvalidResponse: false }, lightGallery },
  '1.9.0': { ipp: numbered, lightGallery },
  '1.11.0': { ipp: described, lightGallery },
  '1.13.1': { ipp: slugs, lightGallery },
  '1.14.0': { ipp: { ...slugs, downloadedFilename: 0 }, lightGallery },
  '1.15.0': {
    ipp: { ...slugs, downloadedFilename: 0 },
    lightGallery: { ...lightGallery, customSlideName: true }
  },
  '1.15.2': {
    ipp: { ...slugs, downloadedFilename: 0, showGalleryDescription: false },
    lightGallery: { ...lightGallery, customSlideName: true }
  },
  '2.0.0': { ipp: grouped },
  '2.0.2': { ipp: limited },
  '2.3.0': {
    ipp: {
      ...limited,
      showMetadata: {
        description: both,
        exif: { enabled: false, ...flags(EXIF, true) },
        location: { enabled: false, ...flags(PLACE, true) }
      }
    }
  },
  '2.4.0': { ipp: { ...limited, showMetadata: plainFlags } },
  '2.4.2': { ipp: { ...limited, showMetadata: plainFlags, lightbox: playing } },
  '3.0.0': { ipp: third },
  '3.0.2': { ipp: { ...third, gallery: { ...gallery, cacheTime: 300 } } },
  '3.1.0': { ipp: { ...third, gallery: dated } },
  '3.2.0': {
    ipp: { ...third, gallery: dated, showMetadata: { ...plainFlags, exif: flags(`${EXIF} timeZone`, false) } }
  }
}
