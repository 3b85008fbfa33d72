/** Parses visitors' forms. `validate.ts` parses the keys, slugs, ids and passwords in them. */
import { decode, list, object, parseJson, text } from './json.ts'
import { parseAssetId, parseKey, parseSlug, type AssetId, type LinkAddress } from './validate.ts'

/** A form with more fields, or JSON with more brackets, is ignored: parsing it would take too long. */
const MAX_FIELDS = 300
/** characters of an asset id in JSON, with its quotation marks */
const ID_LENGTH = 38

/** Whether a text has no more commas than a list of asset ids, and some more. */
function isSparse (text: string): boolean {
  const most = Math.floor(text.length / ID_LENGTH) + MAX_FIELDS
  return text.split(',', most + 1).length <= most
}

/** The fields of a form, or of a JSON object; none if there are too many. */
export function parseForm (body: string, contentType: string): Map<string, unknown> {
  const isJson = /^application\/json\b/i.test(contentType)
  const signs = isJson ? [':', '[', '{'] : ['&']
  const isSmall = signs.every(sign => body.split(sign, MAX_FIELDS + 1).length <= MAX_FIELDS)
  if (!isSmall || (isJson && !isSparse(body))) return new Map()
  return new Map(isJson ? Object.entries(object(parseJson(body)) ?? {}) : new URLSearchParams(body))
}

/** The ids in a list or its JSON, without duplicates; undefined if it is empty or holds anything else. */
export function parseAssetIds (value: unknown): AssetId[] | undefined {
  const isFlat = /^\s*\[[^[{]*$/.test(text(value)) && isSparse(text(value))
  const ids = list(isFlat ? parseJson(text(value)) : value).map(parseAssetId)
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
