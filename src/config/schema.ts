/**
 * What config.schema.json says, held against what is given: defaults below it, a line for each thing that is
 * wrong. Nothing of Node is in here, for `docs/config.html` has this very code in it.
 */
import { translate, type Former } from './former.ts'
import { object, type Json } from '../json.ts'

/** The part of JSON Schema that config.schema.json uses; `former` is our own, at its top. */
export type Schema = {
  type?: string | string[], enum?: unknown[], not?: { const: unknown }, properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema, propertyNames?: Schema, items?: Schema, pattern?: string
  minimum?: number, maximum?: number, default?: unknown, former?: Former
}
/**
 * `problems` stop the start, `notices` do not; `values` is each key by its path, `changed` what is not the
 * default.
 */
type Report = { problems: string[], notices: string[], values: Json, changed: Json }

function typeOf (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}
export const show = (value: unknown): string => JSON.stringify(value) ?? String(value)

function fits (schema: Schema, value: unknown): boolean {
  const types = [schema.type ?? []].flat()
  const type = typeOf(value)
  if (types.length && !types.includes(type) && !(type === 'integer' && types.includes('number'))) return false
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (typeof value === 'number' && !(value >= minimum && value <= maximum)) return false
  if (typeof value === 'string' && !new RegExp(schema.pattern ?? '').test(value)) return false
  return (schema.enum?.includes(value) ?? true) && !(schema.not && schema.not.const === value)
}
const takes = ({ enum: values, type, minimum, maximum, pattern }: Schema): string => {
  const bounds = Object.entries({ from: minimum, to: maximum, as: pattern })
    .map(([word, bound]) => bound === undefined ? '' : ` ${word} ${bound}`)
  return values?.map(show).join(', ') ?? [type].flat().join(' or ') + bounds.join('')
}

/** What is meant by a value, as some wrote it and earlier releases took it. */
function meaningOf ({ type, properties }: Schema, value: unknown): unknown {
  const types = [type].flat()
  // true or false for a whole group means each of it
  if (properties && typeof value === 'boolean' && types.includes('boolean')) {
    return Object.fromEntries(Object.keys(properties).map(name => [name, value]))
  }
  const isNumber = types.includes('integer') || types.includes('number')
  return isNumber && typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
}

/** `given` as the schema wants it, with the schema's defaults below it. */
function conform (schema: Schema, given: unknown, at: string, report: Report): unknown {
  const { properties } = schema
  const value = meaningOf(schema, given)
  if (value !== undefined && !fits(schema, value)) {
    report.problems.push(`${at || 'configuration'}: got ${show(value)}, takes ${takes(schema)}`)
    return undefined
  }
  if (properties) return conformGroup(properties, object(value) ?? {}, at, report)
  if (value === undefined) return (report.values[at] = schema.default)
  const inner = schema.items ?? object(schema.additionalProperties) as Schema | undefined
  // a part is told of with its whole, not by itself
  const part = { ...report, values: {}, changed: {} }
  if (inner) for (const [name, entry] of Object.entries(value as object)) {
    conform(inner, entry, `${at}.${name}`, part)
    if (schema.propertyNames) conform(schema.propertyNames, name, at, part)
  }
  const whole = schema.additionalProperties ? { ...schema.default as Json, ...value } : value
  if (show(whole) !== show(schema.default)) report.changed[at] = whole
  return (report.values[at] = whole)
}

function conformGroup (
  properties: Record<string, Schema>, given: Json, at: string, report: Report
): Json {
  const path = (name: string) => at ? `${at}.${name}` : name
  const known = Object.keys(properties)
  for (const name of Object.keys(given).filter(name => !known.includes(name))) {
    report.notices.push(`${path(name)}: unknown, ignored. Did you mean ${nearest(name, known)}?`)
  }
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) =>
    [name, conform(inner, Object.hasOwn(given, name) ? given[name] : undefined, path(name), report)]))
}

/** The known name that shares the most pairs of letters with `name`. */
function nearest (name: string, known: string[]): string {
  const pairs = (word: string) => Array.from(word.toLowerCase(), (_, n) => word.slice(n, n + 2).toLowerCase())
  const alike = (word: string) => pairs(word).filter(pair => pairs(name).includes(pair)).length / word.length
  return known.reduce((best, next) => alike(next) > alike(best) ? next : best)
}

/** What a configuration means, of today or of an earlier generation, which is rewritten in place. */
export function understand (given: unknown, schema: Schema): Report & { config: unknown } {
  const report: Report = { problems: [], notices: [], values: {}, changed: {} }
  const metadata = schema.properties?.ipp?.properties?.showMetadata?.properties ?? {}
  const flagsOf = (group: string) => Object.keys(metadata[group]?.properties ?? {})
  translate(object(given) ?? {}, schema.former ?? {}, flagsOf, report.notices)
  return { ...report, config: conform(schema, given, '', report) }
}
