/** Names of downloaded files, safe on every system, and the header that carries them. */
import type { AssetId } from './validate.ts'

/** The scheme by which downloaded files are named. */
export type Naming = 'time' | 'original' | 'id' | 'short-id'

const EXTENSIONS: Record<string, string> = {
  'image/jpeg': 'jpg', 'image/png': 'png', 'image/webp': 'webp', 'image/gif': 'gif', 'image/heic': 'heic',
  'image/heif': 'heif', 'image/avif': 'avif', 'image/tiff': 'tiff', 'image/jxl': 'jxl', 'image/bmp': 'bmp',
  'video/mp4': 'mp4', 'video/quicktime': 'mov', 'video/webm': 'webm', 'video/x-matroska': 'mkv'
}

/** Other spellings of an extension, which are as right for its type. */
const SPELLINGS: Record<string, string> =
  { jpeg: 'jpg', jpe: 'jpg', jfif: 'jpg', tif: 'tiff', qt: 'mov', m4v: 'mp4' }

/**
 * One path segment that Windows, macOS and Linux all accept: no separators, control or direction characters,
 * reserved names, or dots or spaces at the ends; its stem has 200 characters at most.
 */
export function safeName (name: string): string {
  /* eslint-disable regexp/no-super-linear-backtracking, regexp/no-super-linear-move -- the name is short */
  const plain = name.slice(0, 500).normalize('NFC')
    .replace(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029<>:"/\\|?*]/gu, '_')
  const [, stem = '', extension = ''] = /^[. ]*(.*?)(\.[^.]{1,10}?)?[. ]*$/s.exec(plain) ?? []
  const short = Array.from(stem).slice(0, 200).join('').replace(/[. ]+$/, '') || '_'
  const isReserved = /^(con|conin\$|conout\$|prn|aux|nul|(com|lpt)[\d¹²³])(\.|$)/i.test(short)
  return (isReserved ? `_${short}` : short) + extension
}

const currentTime = (): string => new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_')

/** enough to distinguish photos, too few to find one in Immich */
const SHORT_ID_LENGTH = 8

/**
 * The name of a downloaded file. `original` is the file's own name, '' if it may not be shown. The extension
 * is that of `type`, the media type of the bytes that are sent. `isPreview` adds "_preview" to the name.
 */
export function downloadName (
  naming: Naming, id: AssetId, original: string, type: string, isPreview = false, time = currentTime()
): string {
  const given = /\.([^.]{1,10})$/.exec(original)?.[1] ?? ''
  const byType = EXTENSIONS[type]
  const plain = given.toLowerCase()
  const isRight = byType === undefined || byType === (SPELLINGS[plain] ?? plain)
  const stems: Record<Naming, string> = {
    time, id, original: original.replace(/(_preview|_fullsize)?(\.[^.]{1,10})?$/, '') || id,
    'short-id': `img_${id.slice(0, SHORT_ID_LENGTH)}`
  }
  const extension = isRight && given ? given : byType ?? 'bin'
  const stem = Array.from(stems[naming]).slice(0, 190).join('')
  return safeName(`${stem}${isPreview ? '_preview' : ''}.${extension}`)
}

/** A `Content-Disposition` header (RFC 6266) with the name in ASCII and in the encoding of RFC 8187. */
export function disposition (name: string): string {
  // again without separators, which the normal form of a wide slash has
  const ascii = safeName(name.normalize('NFKD').replace(/[^\x20-\x7e]|["\\%]/g, '_'))
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  const encoded = encodeURIComponent(name).replace(/['()*]/g, percent)
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}
