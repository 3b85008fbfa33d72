/** Links as people paste them: with punctuation from a chat, in capitals, or in the form that Immich uses. */
import { decode } from './json.ts'
import { parseAssetId, parseKey, parseLinkAddress, parseSlug, type LinkAddress } from './validate.ts'

/** Punctuation, spaces and invisible characters that chats and mails put after an address. */
const JUNK = /[\s.,;:!?)>\]}*_'"`»”’…\u00a0\u200b-\u200f\u2060\ufeff]/u

/** A segment of a path, decoded, without the junk at its end. */
function trim (segment: string | undefined): string {
  const text = decode(segment) ?? ''
  let end = text.length
  // a pattern for the whole end would take quadratic time
  while (end > 0 && JUNK.test(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

/** A key or a slug before its password, which Immich puts on the next line, and browsers on the same one. */
const BEFORE_PASSWORD = {
  share: /^[\w-]{67}(?=[^:]*:)/,
  s: /^.+?(?=%0[ad]|%20password:)/i
}

/**
 * The path that was meant; undefined if `path` is not a mangled address of a link or of a photo in it.
 * `/Share/KEY).` is `/share/KEY`, and `/share/KEY/photos/ID` is `/share/KEY/ID`.
 */
export function mendPath (path: string): string | undefined {
  const [kind = '', name = '', ...after] = path.split('/').filter(Boolean)
  const root = (['share', 's'] as const).find(root => root === kind.toLowerCase())
  if (root === undefined) return undefined
  const alone = BEFORE_PASSWORD[root].exec(name)?.[0]
  const meant = trim(alone ?? name)
  // a password may have slashes
  const rest = alone === undefined ? after : []
  const isName = root === 's' ? parseSlug(meant) : parseKey(meant)
  if (!meant || !isName) return undefined
  if (rest[0]?.toLowerCase() === 'photos') rest.shift()
  const id = parseAssetId(decode(rest[0])?.slice(0, 36))
  if (id) rest[0] = decode(rest[0])?.slice(36) ?? ''
  if (trim(rest.join('/')) !== '') return undefined
  const clean = `/${root}/${encodeURIComponent(meant)}${id ? `/${id}` : ''}`
  return decode(clean) === decode(path) ? undefined : clean
}

/** Scheme, host, `share` or `s`, and the name; then perhaps a photo. */
const ADDRESS = new RegExp(String.raw`(?<![\w./])(?:(https?)://)?([\w.:[\]-]{0,255})/(share|s)/([^\s/?#]+)` +
  String.raw`(?:/[^\s/?#]+){0,2}/?(?:[\s?#]|$)`, 'i')
/** A link, with scheme and host if they are known. */
type PastedLink = { link: LinkAddress, origin?: string }
/**
 * The link in a text with its address, as Immich's dialog or a chat has it, or in its path alone; also in the
 * address of a photo.
 */
export function parsePastedLink (text: string): PastedLink | undefined {
  const [, scheme = 'https', host, kind, segment] = ADDRESS.exec(text) ?? []
  const parse = (name?: string) =>
    kind?.toLowerCase() === 's' ? parseLinkAddress(undefined, name) : parseLinkAddress(name)
  const link = parse(decode(segment)) ?? parse(trim(segment))
  const origin = host ? URL.parse(`${scheme}://${host}`)?.origin : undefined
  return link && { link, ...origin !== undefined && { origin } }
}
