/** Links as people paste them: with punctuation from a chat, in capitals, or in the form that Immich uses. */
import { decode } from './json.ts'
import { parseAssetId, parseKey, parseLinkAddress, parseSlug, type LinkAddress } from './validate.ts'

/** Punctuation, spaces and invisible characters that chats and mails put after an address. */
const JUNK = /[\s.,;:!?)>\]}*_'"`»”’…\u00a0\u200b-\u200f\u2060\ufeff]/u

/** A segment of a path, decoded, without the junk at its end. */
function trim (segment: string | undefined): string {
  const text = decode(segment) ?? ''
  let end = text.length
  // a pattern for the whole end would start again at each character of the address
  while (end > 0 && JUNK.test(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

/**
 * The path that was meant; undefined if `path` is not a mangled address of a link or of a photo in it.
 * `/Share/KEY).` is `/share/KEY`, and `/share/KEY/photos/ID` is `/share/KEY/ID`.
 */
export function mendPath (path: string): string | undefined {
  const [kind = '', name, ...rest] = path.split('/').filter(Boolean)
  const root = /^(share|s)$/i.test(kind) ? kind.toLowerCase() : ''
  const meant = trim(name)
  const isName = root === 's' ? parseSlug(meant) : parseKey(meant)
  if (root === '' || !meant || !isName) return undefined
  if (rest[0]?.toLowerCase() === 'photos') rest.shift()
  const id = parseAssetId(decode(rest[0])?.slice(0, 36))
  if (id) rest[0] = decode(rest[0])?.slice(36) ?? ''
  if (trim(rest.join('/')) !== '') return undefined
  const clean = `/${root}/${encodeURIComponent(meant)}${id ? `/${id}` : ''}`
  return decode(clean) === decode(path) ? undefined : clean
}

/** The link in an address copied from a browser, or in its path alone; the address may be that of a photo. */
export function parsePastedLink (address: string): LinkAddress | undefined {
  const path = URL.parse(address)?.pathname ?? address
  const [, kind, segment] = /^\/(share|s)\/([^/]+)(?:\/[^/]+){0,2}\/?$/.exec(path) ?? []
  const name = decode(segment)
  return kind === 's' ? parseLinkAddress(undefined, name) : parseLinkAddress(name)
}
