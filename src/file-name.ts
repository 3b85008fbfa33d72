/** Names of downloaded files: safe on every system, in a header that every browser reads. */
import type { AssetId } from './validate.ts'

/** The scheme by which downloaded files are named. */
export type Naming = 'time' | 'original' | 'id' | 'short-id'

const EXTENSIONS: Record<string, string> = {
  'image/jpeg': 'jpg', 'image/png': 'png', 'image/webp': 'webp', 'image/gif': 'gif', 'image/heic': 'heic',
  'image/heif': 'heif', 'image/avif': 'avif', 'image/tiff': 'tiff', 'image/jxl': 'jxl', 'image/bmp': 'bmp',
  'video/mp4': 'mp4', 'video/quicktime': 'mov', 'video/webm': 'webm', 'video/x-matroska': 'mkv'
}

/** Other spellings of an extension, which is replaced only if it is wrong for the type. */
const SPELLINGS: Record<string, string> =
  { jpeg: 'jpg', jpe: 'jpg', jfif: 'jpg', tif: 'tiff', qt: 'mov', m4v: 'mp4' }

/**
 * One path segment that Windows, macOS and Linux all take: no separators, control or direction characters,
 * reserved names, dots or spaces at the ends; 200 characters at most.
 */
export function safeName (name: string): string {
  /* eslint-disable regexp/no-super-linear-backtracking, regexp/no-super-linear-move -- of a short name */
  const plain = name.slice(0, 500).normalize('NFC')
    .replace(/[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029<>:"/\\|?*]/gu, '_')
  const [, stem = '', extension = ''] = /^[. ]*(.*?)(\.[^.]{1,10}?)?[. ]*$/s.exec(plain) ?? []
  const short = Array.from(stem).slice(0, 200).join('').replace(/[. ]+$/, '') || '_'
  const isReserved = /^(con|conin\$|conout\$|prn|aux|nul|(com|lpt)[\d¹²³])(\.|$)/i.test(short)
  return (isReserved ? `_${short}` : short) + extension
}

const currentTime = (): string => new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '_')

/** 8 characters by which a photo can be told from another, but hardly found in Immich */
const SHORT_ID_LENGTH = 8

/**
 * The name of a downloaded file. `original` is the file's own name, '' if it may not be told. The extension
 * is that of `type`, the type of what is really sent. `isPreview` marks a name that is not the original's.
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

/** `Content-Disposition` of RFC 6266, with the name in ASCII and as RFC 8187 has it. */
export function disposition (name: string): string {
  const ascii = name.normalize('NFKD').replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  const encoded = encodeURIComponent(name).replace(/['()*]/g, percent)
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}
