/** Parses visitors' forms. `validate.ts` parses the keys, slugs, ids and passwords in them. */
import { decode, list, object, parseJson, text } from './json.ts'
import { parseAssetId, parseKey, parseSlug, type AssetId, type LinkAddress } from './validate.ts'

/** The fields of a small form, or of a JSON object, as strings. */
export function parseForm (body: string, contentType: string): Map<string, string> {
  if (!/^application\/json\b/i.test(contentType)) return new Map(new URLSearchParams(body))
  return new Map(Object.entries(object(parseJson(body)) ?? {})
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
}

/** The ids in a JSON array, without duplicates; undefined if it is empty or holds anything else. */
export function parseAssetIds (value: unknown): AssetId[] | undefined {
  const ids = list(parseJson(text(value))).map(parseAssetId)
  return ids.length > 0 && ids.every(id => id !== undefined) ? [...new Set(ids)] : undefined
}

/** The path after an unlock: `value` if it is a page or file of this link, else undefined. */
export function parseReturnPath (value: unknown, link: LinkAddress): string | undefined {
  const path = text(value)
  if (path.length > 2048) return undefined
  const [, name] = /^\/(?:share(?:\/photo|\/video)?|s)\/([^/\s\\?#]+)(?:\/[\w-]+){0,2}$/.exec(path) ?? []
  const isOwn = path.startsWith('/s/') ? 'slug' in link && link.slug === parseSlug(decode(name))
    : 'key' in link && link.key === parseKey(decode(name))
  if (!isOwn) return undefined
  // a header holds ASCII only
  return /^[\x21-\x7e]+$/.test(path) ? path : encodeURI(path)
}
