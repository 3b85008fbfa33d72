/** Names for what a visitor takes home: safe on every system, and in a header that every browser reads. */
import type { Settings } from './settings.ts'
import type { AssetId } from './validate.ts'

const EXTENSIONS: Record<string, string> = {
  'image/jpeg': 'jpg', 'image/png': 'png', 'image/webp': 'webp', 'image/gif': 'gif', 'image/heic': 'heic',
  'image/heif': 'heif', 'image/avif': 'avif', 'image/tiff': 'tiff', 'image/jxl': 'jxl', 'image/bmp': 'bmp',
  'video/mp4': 'mp4', 'video/quicktime': 'mov', 'video/webm': 'webm', 'video/x-matroska': 'mkv'
}

/** Other spellings of the same: an extension is changed only where it is wrong for the type. */
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

/**
 * The configured name of a file whose own name is `original` ('' where that is not to be told) and whose
 * bytes are of `type`: the extension is that of what is really sent.
 */
export function downloadName (
  settings: Settings, id: AssetId, original: string, type: string, preview = false, time = currentTime()
): string {
  const own = /\.([^.]{1,10})$/.exec(original)?.[1] ?? ''
  const byType = EXTENSIONS[type]
  const plain = own.toLowerCase()
  const same = byType === undefined || byType === (SPELLINGS[plain] ?? plain)
  const known = original.replace(/(_preview)?(\.[^.]{1,10})?$/, '')
  const stems = { time, original: known || id, id, 'short-id': `img_${id.slice(0, 8)}` }
  const stem = stems[settings.downloadedFilename]
  const extension = same && own ? own : byType ?? 'bin'
  return safeName(`${Array.from(stem).slice(0, 190).join('')}${preview ? '_preview' : ''}.${extension}`)
}

/** `Content-Disposition` of RFC 6266, with the name in ASCII and as RFC 8187 has it. */
export function disposition (name: string): string {
  const ascii = name.normalize('NFKD').replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`
  const encoded = encodeURIComponent(name).replace(/['()*]/g, percent)
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}
