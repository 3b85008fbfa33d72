/**
 * Checks a configuration against config.schema.json and fills in the defaults. No Node modules here:
 * `docs/config.html` contains this code.
 */
import { OLD_PLACES, translate } from './old-names.ts'
import { object, parseJson, type Json } from '../json.ts'

/** The part of JSON Schema that config.schema.json uses. `accepts` is ours: the accepted values in words. */
export type Schema = {
  type?: string | string[], enum?: unknown[], not?: { const: unknown }, properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema, propertyNames?: Schema, items?: Schema, pattern?: string
  minimum?: number, maximum?: number, default?: unknown, accepts?: string
}
/**
 * `problems` keep the program from starting, `notices` do not. `values` has the value of each key by its
 * path, `changed` only those that differ from the default.
 */
export type Report = { problems: string[], notices: string[], values: Json, changed: Json }
/** `places` has the path of each known key by its name, to recognise keys in the wrong place. */
type Check = Report & { places: Map<string | undefined, string> }

function typeOf (value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return Number.isInteger(value) ? 'integer' : typeof value
}
export const show = (value: unknown): string => JSON.stringify(value) ?? String(value)
const typesOf = ({ type }: Schema): string[] => [type ?? []].flat()

function fits (schema: Schema, value: unknown): boolean {
  const types = typesOf(schema)
  const type = typeOf(value)
  if (types.length && !types.includes(type) && !(type === 'integer' && types.includes('number'))) return false
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (typeof value === 'number' && !(value >= minimum && value <= maximum)) return false
  if (typeof value === 'string' && !new RegExp(schema.pattern ?? '').test(value)) return false
  return (schema.enum?.includes(value) ?? true) && !(schema.not && schema.not.const === value)
}

const TYPE_WORDS: Record<string, string> = {
  boolean: 'true or false', integer: 'a whole number', number: 'a number', string: 'text', null: 'null',
  object: 'a group: { … }', array: 'a list: [ … ]'
}
const orList = (words: string[]): string => words.join(', ').replace(/, (?=[^,]*$)/, ' or ')

/** The values that a key takes, in words. */
function wordsFor (schema: Schema): string {
  if (schema.accepts) return schema.accepts
  if (schema.enum) return orList(schema.enum.map(show))
  const { minimum, maximum } = schema
  const atLeast = minimum === undefined ? '' : ` of ${minimum} or more`
  const bounds = maximum === undefined ? atLeast : ` from ${minimum} to ${maximum}`
  return orList(typesOf(schema).map(type => TYPE_WORDS[type] ?? type)) + bounds
}

/** The value of a text without its quotation marks; undefined if it has none there. */
const unquoted = (value: unknown): unknown => typeof value === 'string' ? parseJson(value) : undefined

/** The meaning of a value: true for a group sets each of its keys, and a number may be in quotation marks. */
function meaningOf (schema: Schema, value: unknown): unknown {
  const { properties } = schema
  const types = typesOf(schema)
  if (value === null && types.includes('object')) return undefined
  if (properties && typeof value === 'boolean' && types.includes('boolean')) {
    return Object.fromEntries(Object.keys(properties).map(name => [name, value]))
  }
  const isNumber = types.includes('integer') || types.includes('number')
  return isNumber && typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
}

/** `given` merged over `base`, group by group. */
function merge (base: Json, given: Json): Json {
  const merged = Object.entries(given).map(([name, value]) => {
    const under = Object.hasOwn(base, name) ? object(base[name]) : undefined
    const over = object(value)
    return [name, under && over ? merge(under, over) : value]
  })
  return { ...base, ...Object.fromEntries(merged) }
}

/** `given` in the form that the schema wants, with the schema's defaults filled in. */
function conform (schema: Schema, given: unknown, at: string, check: Check): unknown {
  const value = meaningOf(schema, given)
  if (value !== undefined && !fits(schema, value)) {
    const isQuoted = fits(schema, unquoted(value))
    const accepted = `${wordsFor(schema)}${isQuoted ? ', without the quotation marks' : ''}`
    check.problems.push(`${at || 'configuration'}: got ${show(value)}, expected ${accepted}`)
    return undefined
  }
  if (schema.properties) return conformGroup(schema.properties, object(value) ?? {}, at, check)
  if (value === undefined) return (check.values[at] = schema.default)
  const whole = schema.type === 'object' ? conformEntries(schema, object(value) ?? {}, at, check) : value
  // the report has the list as a whole, not its entries
  const entries = { ...check, values: {}, changed: {} }
  if (schema.items && Array.isArray(value)) {
    for (const [n, entry] of value.entries()) conform(schema.items, entry, `${at}.${n}`, entries)
  }
  if (show(whole) !== show(schema.default)) check.changed[at] = whole
  return (check.values[at] = whole)
}

/** A group whose names the operator chooses. With a schema for its entries, it replaces the whole default. */
function conformEntries (schema: Schema, given: Json, at: string, check: Check): Json {
  const inner = object(schema.additionalProperties)
  const entries = { ...check, values: {}, changed: {} }
  for (const [name, value] of Object.entries(given)) {
    if (inner) conform(inner, value, `${at}.${name}`, entries)
    else isMisplaced(name, `${at}.${name}`, check)
    if (schema.propertyNames) conform(schema.propertyNames, name, at, entries)
  }
  return inner ? given : merge(object(schema.default) ?? {}, given)
}

function conformGroup (
  properties: Record<string, Schema>, given: Json, at: string, check: Check
): Json {
  const path = (name: string) => at ? `${at}.${name}` : name
  const known = Object.keys(properties)
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) reportUnknown(name, value, at, known, check)
  }
  return Object.fromEntries(Object.entries(properties).map(([name, inner]) =>
    [name, conform(inner, Object.hasOwn(given, name) ? given[name] : undefined, path(name), check)]))
}

/** How alike two names are for one of them to be a typing error, and for a hint that it may be one. */
const TYPO = 0.85
const NEAR = 0.5

/** Reports a known key in the wrong place as a problem, and returns whether it is one. */
function isMisplaced (name: string, path: string, { places, problems }: Check): boolean {
  const place = places.get(name)
  if (!place || place === path) return false
  problems.push(`${path}: is in the wrong place, and belongs at ${place}`)
  return true
}

/** Reports all known keys inside an unknown one. */
function reportMisplaced (value: unknown, at: string, check: Check): void {
  for (const [name, inner] of Object.entries(object(value) ?? {})) {
    const path = `${at}.${name}`
    if (!isMisplaced(name, path, check)) reportMisplaced(inner, path, check)
  }
}

function reportUnknown (name: string, value: unknown, at: string, known: string[], check: Check): void {
  const path = at ? `${at}.${name}` : name
  if (isMisplaced(name, path, check)) return
  if (check.places.has(name)) {
    // each remaining key of an old group is unknown by itself
    for (const [inner, entry] of Object.entries(object(value) ?? {})) {
      reportUnknown(inner, entry, path, [], check)
    }
    return
  }
  const { near, likeness } = nearest(name, known)
  const hint = likeness > NEAR ? ` Did you mean ${near}?` : ''
  // a misspelt key may be one that was to forbid something
  if (likeness > TYPO) check.problems.push(`${path}: unknown.${hint}`)
  else check.notices.push(`${path}: unknown, ignored.${hint}`)
  reportMisplaced(value, path, check)
}

/** The known name that shares the most pairs of letters with `name`, and how much of them, from 0 to 1. */
function nearest (name: string, known: string[]): { near: string, likeness: number } {
  const pairs = (word: string) => Array.from(word.slice(1), (_, n) => word.slice(n, n + 2).toLowerCase())
  const own = pairs(name)
  const rated = known.map(near => {
    const others = pairs(near)
    const most = own.length + others.length
    for (const pair of own) if (others.includes(pair)) others.splice(others.indexOf(pair), 1)
    return { near, likeness: 2 * (most - own.length - others.length) / most }
  })
  const [best] = rated.sort((one, other) => other.likeness - one.likeness)
  return best ?? { near: '', likeness: 0 }
}

/** Each key of the schema by its name, with its path. */
function placesOf (properties: Record<string, Schema>, at = ''): [string, string][] {
  return Object.entries(properties).flatMap(([name, { properties: inner = {} }]) =>
    [[name, at + name], ...placesOf(inner, `${at}${name}.`)])
}

/**
 * Reads a configuration of this or an earlier release, and fills in all defaults. Rewrites old names in
 * `given` in place. If there are no problems, `config` fits the schema.
 */
export function resolveConfig (given: unknown, schema: Schema): Report & { config: unknown } {
  const report: Report = { problems: [], notices: [], values: {}, changed: {} }
  const places = new Map([...OLD_PLACES, ...placesOf(schema.properties ?? {})])
  report.notices.push(...translate(object(given) ?? {}))
  return { ...report, config: conform(schema, given, '', { ...report, places }) }
}
