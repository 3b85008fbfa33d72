/**
 * Configurations of earlier releases: what stands under a former name or value is moved to the present one,
 * by the table `former` of config.schema.json. What has no equal is a notice that says what happens instead.
 * Where an old and a new name are given, the new one wins.
 */
import { object, type Json } from '../json.ts'

/**
 * By a former path below `ipp`: where its value goes (`lightGallery.…` is beside `ipp`), and as what; a value
 * that is null there goes nowhere. What switched off `overrules` what else is given. Or a notice.
 */
type Row = { to: string, values?: Json, overrules?: boolean } | { notice: string }
export type Former = Record<string, Row[]>

/** The value at a dotted path, which is taken out there; groups that are left empty go too. */
function take (group: Json, path: string): unknown {
  const [name = '', ...rest] = path.split('.')
  if (!Object.hasOwn(group, name)) return undefined
  const value = group[name]
  const inner = object(value)
  if (rest.length > 0) {
    const taken = inner && take(inner, rest.join('.'))
    if (inner && taken !== undefined && Object.keys(inner).length === 0) delete group[name]
    return taken
  }
  delete group[name]
  return value
}

/**
 * Puts a value at a dotted path where there is none yet, or where it overrules that; false where it did not.
 */
function put (group: Json, path: string, value: unknown, overrules = false): boolean {
  const [name = '', ...rest] = path.split('.')
  if (rest.length > 0) {
    group[name] ??= {}
    return put(object(group[name]) ?? {}, rest.join('.'), value, overrules)
  }
  const isPut = overrules || !Object.hasOwn(group, name)
  if (isPut) group[name] = value
  return isPut
}

/**
 * Groups of metadata as 2.3 and 3.x had them: a description in two places, and `enabled` before the flags.
 */
function flattenMetadata (ipp: Json, names: (group: string) => string[], notices: string[]): void {
  const metadata = object(ipp.showMetadata) ?? {}
  const description = object(metadata.description)
  if (description) {
    metadata.description = Object.values(description).includes(true)
    notices.push(`ipp.showMetadata.description: caption and sidebar are one, ${metadata.description}`)
  }
  for (const name of ['exif', 'location']) {
    const group = object(metadata[name])
    const enabled = group && take(group, 'enabled')
    if (enabled === undefined) continue
    const all = Object.fromEntries(names(name).map(flag => [flag, true]))
    metadata[name] = enabled === true ? { ...all, ...group } : {}
    const told = enabled === true ? 'all but what is false' : 'nothing'
    notices.push(`ipp.showMetadata.${name}.enabled: ${told} is told`)
  }
}

/** What was found under a former path, which may be a name of today as well. */
type Found = { path: string, value: unknown, isOfToday: boolean }
/** Puts it where a row of the table says; what there is to tell of that. */
function move (config: Json, ipp: Json, { path, value, isOfToday }: Found, row: Row): string[] {
  if ('notice' in row) return [`ipp.${path}: ${row.notice}`]
  const { to, values = {}, overrules } = row
  // an object has no equal, and perhaps no way to be a text
  const name = typeof value === 'object' ? '' : String(value)
  const present: unknown = Object.hasOwn(values, name) ? values[name] : value
  if (present === null && value !== null) return []
  const isBeside = to.startsWith('lightGallery.')
  const isPut = put(isBeside ? config : ipp, to, present, overrules)
  // a name of today that has the other one beside it is nothing old
  if (isOfToday && !isPut) return []
  if (to !== path) return [`ipp.${path} is now ${isBeside ? '' : 'ipp.'}${to}`]
  return present === value ? [] : [`ipp.${path}: ${name} is now ${JSON.stringify(present)}`]
}

/** Rewrites a configuration in place. `names` gives the present flags of a group of metadata. */
export function translate (
  config: Json, former: Former, names: (group: string) => string[], notices: string[]
): void {
  const ipp = object(config.ipp)
  if (!ipp) return
  flattenMetadata(ipp, names, notices)
  for (const [path, rows] of Object.entries(former)) {
    const value = take(ipp, path)
    if (value === undefined) continue
    const isOfToday = rows.some(row => 'to' in row && row.to === path)
    const told = rows.flatMap(row => move(config, ipp, { path, value, isOfToday }, row))
    notices.push(...told)
  }
  // the button was what an operator could switch off there: it stays off here, and so do the bytes
  if (object(config.lightGallery)?.download === false && ipp.allowDownload === undefined) {
    ipp.allowDownload = false
    notices.push('lightGallery.download: false is now ipp.allowDownload: false')
  }
}
