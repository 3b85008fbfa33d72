/** What a visitor's form holds. Its values are parsed by `validate.ts`, like all others. */
import { list, object, parseJson, text } from './json.ts'
import { parseAssetId, type AssetId } from './validate.ts'

/** The fields of a small form, or of a JSON object, as texts. */
export function parseForm (body: string, contentType: string): Map<string, string> {
  if (!/^application\/json\b/i.test(contentType)) return new Map(new URLSearchParams(body))
  return new Map(Object.entries(object(parseJson(body)) ?? {})
    .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]))
}

/** A JSON array of asset ids, each once; undefined if anything in it is something else. */
export function parseAssetIds (value: unknown): AssetId[] | undefined {
  const ids = list(parseJson(text(value))).map(parseAssetId)
  return ids.length > 0 && ids.every(id => id !== undefined) ? [...new Set(ids)] : undefined
}
