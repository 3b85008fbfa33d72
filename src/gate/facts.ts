/** Metadata of one photo or video, reduced to the fields that may be shown. */
import type { Details } from './immich-json.ts'
import type { Policy } from './share.ts'

/** Fields by Immich's names for them; `dateTimeOriginal` in ms since 1970 by the camera's clock. */
export type Facts = Readonly<Record<string, string | number>>

/** The fields of an asset that the operator shows. The gate checks the owner's permission. */
export function shownFacts ({ exif, name, time }: Details, policy: Policy): Facts {
  const { exifImageWidth: width, exifImageHeight: height } = exif
  const dimensions = width && height ? `${width} × ${height}` : ''
  const all: Record<string, unknown> = { ...exif, originalFileName: name, dateTimeOriginal: time, dimensions }
  const shown: Record<string, string | number> = {}
  for (const field of policy.facts) {
    const value = all[field]
    if (typeof value === 'number' || (typeof value === 'string' && value !== '')) shown[field] = value
  }
  return shown
}
