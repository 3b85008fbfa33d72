/**
 * The settings: environment variables, and config.json checked against config.schema.json, which defines each
 * key's type and default. The program refuses to start on a wrong value; a wrong LOG_LEVEL is only a notice.
 */
import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { OLD_VARIABLES } from './old-names.ts'
import { resolveConfig, show, type Report, type Schema } from './schema.ts'
import { list, object, text, type Json } from '../json.ts'
import { LOG_LEVELS, type LogLevel } from '../log.ts'
import { parseOrigin, parseUrl } from '../validate.ts'
import type { Trust } from '../visitor-address.ts'

type Ipp = (typeof import('../../config.json'))['ipp']
/** Types that TypeScript infers too narrowly from config.json. */
type Wider = {
  downloadedFilename: 'time' | 'original' | 'id' | 'short-id'
  maxDownloadQuality: 'original' | 'fullsize' | 'preview', maxZoomQuality: 'preview' | 'fullsize'
  responseHeaders: Record<string, string>, groupByDate: 'day' | 'month' | false
  customInvalidResponse: number | string | false | null
}
/**
 * `notices` are for the operator. `values` has every variable and key by its name, `changed` those that
 * differ from the default. `source` is where config.json was read from.
 */
export type Settings = Omit<Ipp, keyof Wider | keyof Trust> & Wider & Trust & {
  immichUrl: string, host: string, port: number, secret: string, logLevel: LogLevel, lightGallery: Json
  notices: string[], values: Json, changed: Json, source: string
}

const PLACEHOLDER = /^replace-me|openssl rand/
/** a user and a password in an address */
const CREDENTIALS = /\/\/[^/]*@/
/** A variable's wrong value for a message, without a secret or a password in an address. */
function hideSecret (name: string, value: string): string {
  if (name !== 'IPP_SECRET') return show(value.replace(CREDENTIALS, '//…@'))
  return PLACEHOLDER.test(value) ? 'the placeholder of an example' : `${value.length} characters`
}

/** A hint at a common mistake in an address; '' if it has none. */
function addressHint (value: string): string {
  if (/^["']/.test(value)) return ', without the quotation marks'
  return CREDENTIALS.test(value) ? ', without a user and a password' : ''
}

/** Log levels of other programs, which often share an environment with this one. */
const FOREIGN_LEVELS: Record<string, LogLevel> = {
  fatal: 'error', critical: 'error', warning: 'warn', notice: 'info', log: 'info', verbose: 'debug',
  trace: 'debug'
}
const VARIABLES = [
  'IMMICH_URL', 'PUBLIC_BASE_URL', 'IPP_PORT', 'IPP_HOST', 'IPP_SECRET', 'IPP_CONFIG', 'CONFIG', 'LOG_LEVEL'
]
/** Variables that need no notice: other programs set them, or other code reads them. */
const OTHER_VARIABLES = /^IPP_(?:KEEP_PERMISSIONS$|PORT_|SERVICE_)|_FILE$/
/** Headers that an operator cannot set: they frame a message, belong to one connection, or set a cookie. */
const RESERVED_HEADERS = new Set([
  'connection', 'content-encoding', 'content-length', 'content-range', 'keep-alive', 'proxy-authenticate',
  'proxy-connection', 'set-cookie', 'te', 'trailer', 'transfer-encoding', 'upgrade'
])

type Findings = Pick<Report, 'problems' | 'notices'>

/** Everything that is wrong with the configuration, one line each. */
export class ConfigError extends Error {}

/** An http or https address without a slash at its end. */
export function parseBase (value: unknown): string | undefined {
  const url = parseUrl(value)
  if (!url) return undefined
  // eslint-disable-next-line regexp/no-super-linear-move -- at most 300 characters
  return (url.origin + url.pathname).replace(/\/+$/, '')
}

/** Throws if an object in a JSON text has a name twice: JSON.parse would silently take the last one. */
function refuseDuplicates (json: string): void {
  const open: Set<string>[] = []
  for (const [part, name, colon] of json.matchAll(/[{}]|("(?:[^"\\]|\\.)*")(\s*:)?/g)) {
    const names = open.at(-1)
    if (part === '{') open.push(new Set())
    else if (part === '}') open.pop()
    else if (colon && name && names?.has(name)) throw new Error(`${name} occurs twice`)
    else if (colon && name) names?.add(name)
  }
}

/** The value of a JSON text. Throws if it is not JSON, and explains common mistakes. */
function readJson (text: string): unknown {
  if (text.includes('\0')) throw new Error('it is UTF-16: save it as UTF-8')
  try {
    const value: unknown = JSON.parse(text)
    refuseDuplicates(text)
    return value
  } catch (error) {
    const mistakes: [RegExp, string][] = [
      [/(?:^|[\s,{}[\]])(?:\/\/|\/\*)|^[ \t]*#/m, 'JSON has no comments'],
      [/,[ \t\r\n]*[}\]]/, 'JSON has no comma after the last entry'],
      [/(?<=[{[,:\s])['“”„‘’]/, 'JSON has straight double quotation marks only']
    ]
    for (const [pattern, what] of mistakes) {
      const found = pattern.exec(text)
      if (!found) continue
      const before = text.slice(0, found.index + found[0].search(/\S/)).split('\n')
      const place = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
      throw new Error(`${what} (${place})`, { cause: error })
    }
    throw error
  }
}

function parseTrustedProxies (entries: string[], { problems, notices }: Findings): BlockList {
  const trusted = new BlockList()
  for (const entry of entries) {
    const [, net = '', bits] = /^([\da-f.:]+)(?:\/(\d+))?$/i.exec(entry) ?? []
    const long = isIP(net) === 6
    try {
      trusted.addSubnet(net, Number(bits ?? (long ? 128 : 32)), long ? 'ipv6' : 'ipv4')
    } catch {
      const accepted = 'an address such as 172.18.0.5 or a range such as 10.0.0.0/8; names are not resolved'
      problems.push(`ipp.trustedProxies: got ${show(entry)}, expected ${accepted}`)
    }
    if (bits && Number(bits) === 0) {
      notices.push(`ipp.trustedProxies: ${entry} trusts everyone, so that visitors can choose their address`)
    }
  }
  return trusted
}

/** Whether a Cache-Control header is well-formed (RFC 9111 section 5.2). */
const isCacheControl = (header: string): boolean =>
  header.split(',').every(directive => {
    const [whole, name = '', value = ''] = /^\s*([a-z-]+)(?:="?([\w-]+)"?)?\s*$/i.exec(directive) ?? []
    const isAge = /^(?:s-max|max-)age$/i.test(name)
    return whole !== undefined && (!isAge || /^\d+$/.test(value))
  })

type InvalidResponse = Wider['customInvalidResponse']
/** `customInvalidResponse`, an address in the form that a Location header can hold. */
function readRedirect (given: InvalidResponse, problems: string[]): InvalidResponse {
  if (typeof given !== 'string') return given
  const { href } = URL.parse(given) ?? {}
  if (!href) problems.push(`ipp.customInvalidResponse: got ${show(given)}, expected an address`)
  return href ?? given
}

/** `responseHeaders` in lower case. */
function readHeaders (given: Json, problems: string[]): Record<string, string> {
  // the schema reports values that are not text
  const entries = Object.entries(given).map(([name, value]) => [name.toLowerCase(), text(value)] as const)
  for (const [name] of entries) {
    const why = 'expected no header for framing, the connection or cookies'
    if (RESERVED_HEADERS.has(name)) problems.push(`ipp.responseHeaders: got ${show(name)}, ${why}`)
  }
  const responseHeaders: Record<string, string> = Object.fromEntries(entries)
  const { 'cache-control': header } = responseHeaders
  if (header && !isCacheControl(header)) {
    const example = 'directives such as "public, max-age=60"'
    problems.push(`ipp.responseHeaders.Cache-Control: got ${show(header)}, expected ${example}`)
  }
  return responseHeaders
}

type Read = { given: unknown, source: string }
/** The configuration file or CONFIG as JSON, and where it was read from. */
function readConfig (env: NodeJS.ProcessEnv, root: URL, { problems, notices }: Findings): Read {
  const file = env.IPP_CONFIG ? `IPP_CONFIG ${env.IPP_CONFIG}` : 'config.json'
  const source = env.CONFIG ? 'CONFIG' : file
  if (env.CONFIG && env.IPP_CONFIG) notices.push('IPP_CONFIG has no effect: CONFIG is set')
  try {
    const text = env.CONFIG || readFileSync(env.IPP_CONFIG || new URL('config.json', root), 'utf8')
    const given = readJson(text.replace(/^\ufeff/, ''))
    if (env.CONFIG && typeof given !== 'object') {
      throw new Error(`got ${env.CONFIG}, expected a JSON object`)
    }
    // for editors
    delete object(given)?.$schema
    return { given, source }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const places = `a path below its folder or /config, or node --allow-fs-read=${env.IPP_CONFIG}`
    const isForeign = env.CONFIG && !/^\s*[{[]/.test(env.CONFIG)
    const isIgnored = code === 'ENOENT' && !env.IPP_CONFIG
    const reasons: Record<string, string> = {
      EACCES: `user ${process.getuid?.() ?? ''} may not read it: run chmod a+r on the host`,
      ERR_ACCESS_DENIED: `this process may not read it: use ${places}`,
      ENOENT: 'there is no such file (ENOENT)',
      EISDIR: 'is a folder, not a file (Docker creates one if the file is missing)'
    }
    const advice = isForeign
      ? '. A path belongs in IPP_CONFIG; CONFIG= clears a variable that another program uses' : ''
    if (!isIgnored) problems.push(`${source}: ${reasons[code ?? ''] ?? `not valid: ${message}${advice}`}`)
    return { given: {}, source }
  }
}

type Variables = Pick<Settings, 'immichUrl' | 'publicBaseUrl' | 'host' | 'port' | 'secret' | 'logLevel'>

/** The variables, except those for the configuration file. Adds to `values`, `problems` and `notices`. */
function readVariables (env: NodeJS.ProcessEnv, report: Omit<Report, 'changed'>): Variables {
  const { values, problems, notices } = report
  type ParseValue<T> = (value: string) => T | undefined
  const variable = <T>(name: string, unset: T, accepted: string, parse: ParseValue<T>): T => {
    const value = env[name]?.trim()
    const parsed = value ? parse(value) : unset
    if (value && parsed === undefined) {
      const hint = name === 'IPP_SECRET' ? '' : addressHint(value)
      problems.push(`${name}: got ${hideSecret(name, value)}, expected ${accepted}${hint}`)
    }
    values[name] = parsed ?? unset
    return parsed ?? unset
  }
  const ignore = (name: string, why: string) => { notices.push(`${name}=${env[name]} has no effect: ${why}`) }
  // Kubernetes and Docker's links describe a service named ipp by this variable
  const isServiceLink = /^(tcp|udp|sctp):\/\//.test(env.IPP_PORT ?? '')
  if (isServiceLink) {
    ignore('IPP_PORT', 'it describes a service (enableServiceLinks: false removes it). The port is 3000')
  }
  const level = env.LOG_LEVEL?.toLowerCase() ?? ''
  const logLevel = LOG_LEVELS.find(name => name === level) ?? FOREIGN_LEVELS[level] ?? 'info'
  if (level && logLevel !== level) {
    notices.push(`LOG_LEVEL: ${env.LOG_LEVEL} is not one of ${LOG_LEVELS.join(', ')}, so it is ${logLevel}`)
  }
  values.LOG_LEVEL = logLevel
  for (const name of VARIABLES) {
    const instead = `${name}${name === 'CONFIG' ? ', or its path into IPP_CONFIG' : ''}`
    if (env[`${name}_FILE`]) notices.push(`${name}_FILE is not read: put its content into ${instead}`)
  }
  for (const [name, why] of Object.entries(OLD_VARIABLES)) if (env[name]) ignore(name, why)

  for (const name of Object.keys(env)) {
    const isKnown = VARIABLES.includes(name) || OTHER_VARIABLES.test(name)
    if (isKnown || isServiceLink || !name.startsWith('IPP_')) continue
    notices.push(`${name}: unknown, ignored. Most settings belong in config.json`)
  }

  const address = 'an address such as http://immich-server:2283'
  if (!env.IMMICH_URL?.trim()) {
    const isFile = env.IMMICH_URL_FILE ? ' (IMMICH_URL_FILE is not read)' : ''
    problems.push(`IMMICH_URL: got nothing${isFile}, expected ${address}`)
  }
  if (parseBase(env.PUBLIC_BASE_URL) !== parseOrigin(env.PUBLIC_BASE_URL)) {
    notices.push('PUBLIC_BASE_URL: its path is ignored, because links are always at /share and /s of a host')
  }
  return {
    immichUrl: variable('IMMICH_URL', '', address, parseBase).replace(/\/api$/, ''),
    publicBaseUrl: variable('PUBLIC_BASE_URL', '', 'an address such as https://example.com', parseOrigin),
    host:
      variable('IPP_HOST', '::', 'an IP address such as 127.0.0.1', value => isIP(value) ? value : undefined),
    port: variable('IPP_PORT', 3000, 'a port from 0 to 65535', value => {
      if (isServiceLink) return 3000
      return /^\d{1,5}$/.test(value) && Number(value) < 65536 ? Number(value) : undefined
    }),
    secret: variable('IPP_SECRET', '', '16 characters or more, of your own: openssl rand -hex 32',
      value => value[15] && !PLACEHOLDER.test(value) ? value : undefined),
    logLevel
  }
}

/**
 * The settings, from the environment and from config.json (or `CONFIG` itself, or the file that `IPP_CONFIG`
 * names). Throws a ConfigError with a line for each problem.
 */
export function loadSettings (env: NodeJS.ProcessEnv, root: URL): Settings {
  const problems: string[] = []
  const schema = JSON.parse(readFileSync(new URL('config.schema.json', root), 'utf8')) as Schema
  const notices: string[] = []
  const { given, source } = readConfig(env, root, { problems, notices })
  const report = resolveConfig(given, schema)
  const { values, changed } = report
  problems.push(...report.problems)
  notices.push(...report.notices)
  const config = report.config as { ipp: Settings, lightGallery: Json } | undefined
  const settings: Settings = {
    ...config?.ipp as Settings,
    responseHeaders: readHeaders(config?.ipp?.responseHeaders ?? {}, problems),
    customInvalidResponse: config?.ipp ? readRedirect(config.ipp.customInvalidResponse, problems) : false,
    lightGallery: config?.lightGallery ?? {},
    ...readVariables(env, { values, problems, notices }),
    trustedProxies: parseTrustedProxies(list(config?.ipp?.trustedProxies).map(text), { problems, notices }),
    proxiesAreListed: Object.hasOwn(changed, 'ipp.trustedProxies'), notices, values, changed, source
  }
  if (problems.length) throw new ConfigError(problems.join('\n'))
  return settings
}
