/**
 * The settings: the environment, and config.json held against config.schema.json, which alone says what each
 * key takes, its default and the names it had in earlier generations. What is wrong stops the start.
 */
import { readFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { show, understand, type Schema } from './schema.ts'
import { object, type Json } from '../json.ts'
import { LOG_LEVELS, type LogLevel } from '../log.ts'
import { parseBase, parseOrigin, type Trust } from '../validate.ts'

type Ipp = (typeof import('../../config.json'))['ipp']
/** What config.json's own types do not tell of its values. */
type Wider = {
  downloadedFilename: 'time' | 'original' | 'id'
  maxDownloadQuality: 'original' | 'fullsize' | 'preview', motionPhotos: boolean
  responseHeaders: Record<string, string>, groupByDate: 'day' | 'month' | false
  customInvalidResponse: number | string | false | null
}
/**
 * `notices` are for the operator: renamed and unknown keys. `values` is every variable and key by its name,
 * `changed` what of them was given and is not the default, `source` where config.json was read from.
 */
export type Settings = Omit<Ipp, keyof Wider | keyof Trust> & Wider & Trust & {
  immichUrl: string, host: string, port: number, secret: string, logLevel: LogLevel, lightGallery: Json
  notices: string[], values: Json, changed: Json, source: string
}



/** What is said of a variable's wrong value: never a secret, nor a password in an address. */
const hideSecret = (name: string, value = ''): string =>
  name === 'IPP_SECRET' ? `${value.length} characters` : show(value.replace(/\/\/[^/@]*@/, '//…@'))

/** What variables were called in 1.2. */
const FORMER_VARIABLES: Record<string, string> = { IPP_PORT: 'PORT', PUBLIC_BASE_URL: 'PROXY_PUBLIC_URL' }

/** Everything that is wrong with the configuration, one line each. */
export class ConfigError extends Error {}

/** The value of a JSON text. Throws at what is none, and says what many take for JSON. */
function readJson (text: string): unknown {
  if (text.includes('\0')) throw new Error('it is UTF-16: save it as UTF-8')
  try {
    return JSON.parse(text)
  } catch (error) {
    const extra = /^[ \t]*(\/\/|\/\*)|,[ \t\r\n]*[}\]]/m.exec(text)
    if (!extra) throw error
    const before = text.slice(0, extra.index + extra[0].search(/\S/)).split('\n')
    const place = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
    const what = extra[1] ? 'JSON has no comments' : 'JSON has no comma after the last of a list'
    throw new Error(`${what} (${place})`, { cause: error })
  }
}

function proxies (entries: string[], problems: string[]): BlockList {
  const trusted = new BlockList()
  for (const entry of entries) {
    const [, net = '', bits] = /^([\da-f.:]+)(?:\/(\d+))?$/i.exec(entry) ?? []
    const long = isIP(net) === 6
    try {
      trusted.addSubnet(net, Number(bits ?? (long ? 128 : 32)), long ? 'ipv6' : 'ipv4')
    } catch { problems.push(`ipp.trustedProxies: got ${show(entry)}, takes a range such as 10.0.0.0/8`) }
  }
  return trusted
}

/**
 * The settings, from the environment and from config.json (or `CONFIG` itself, or the file that `IPP_CONFIG`
 * names). Throws a ConfigError with a line for each thing that is wrong.
 */
export function loadSettings (env: NodeJS.ProcessEnv, root: URL): Settings {
  const problems: string[] = []
  const schema = JSON.parse(readFileSync(new URL('config.schema.json', root), 'utf8')) as Schema
  const file = env.IPP_CONFIG ? `IPP_CONFIG ${env.IPP_CONFIG}` : 'config.json'
  const source = env.CONFIG ? 'CONFIG' : file
  let given: unknown = {}
  try {
    const text = env.CONFIG || readFileSync(env.IPP_CONFIG || new URL('config.json', root), 'utf8')
    given = readJson(text.replace(/^\ufeff/, ''))
    // for editors
    delete object(given)?.$schema
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const places = `a path below its folder or /config, or NODE_OPTIONS=--allow-fs-read=${env.IPP_CONFIG}`
    const isDenied = code === 'ERR_ACCESS_DENIED'
    const isFolder = code === 'EISDIR'
    if (isDenied) problems.push(`${source}: this process may not read it, takes ${places}`)
    else if (isFolder) problems.push(`${source}: is a folder (Docker makes one of nothing), takes a file`)
    else if (code !== 'ENOENT' || env.IPP_CONFIG) problems.push(`${source}: ${message}, takes JSON`)
  }
  const understood = understand(given, schema)
  const { notices, values, changed } = understood
  const config = understood.config as { ipp: Settings, lightGallery: Json } | undefined
  problems.push(...understood.problems)
  const variable = <T>(name: string, unset: T, takes: string, parse: (value: string) => T | undefined) => {
    const old = FORMER_VARIABLES[name]
    if (old && env[old] && !env[name]) notices.push(`${old} is now ${name}`)
    const value = env[name] ?? (old && env[old])
    const parsed = value ? parse(value) : unset
    if (parsed === undefined) problems.push(`${name}: got ${hideSecret(name, value)}, takes ${takes}`)
    return (values[name] = parsed ?? unset) as T
  }
  const address = 'an address such as http://immich-server:2283'
  if (!env.IMMICH_URL) problems.push(`IMMICH_URL: got nothing, takes ${address}`)
  const settings: Settings = {
    ...config?.ipp as Settings,
    maxDownloadQuality: config?.ipp?.downloadOriginalPhoto === false ? 'preview' : 'original', motionPhotos: true,
    responseHeaders: Object.fromEntries(Object.entries(config?.ipp?.responseHeaders ?? {})
      .map(([name, value]) => [name.toLowerCase(), value])),
    lightGallery: config?.lightGallery ?? {},
    immichUrl: variable('IMMICH_URL', '', address, parseBase).replace(/\/api$/, ''),
    publicBaseUrl: variable('PUBLIC_BASE_URL', '', 'an address such as https://example.com', parseOrigin),
    host: variable('IPP_HOST', '::', 'an IP address', value => isIP(value) ? value : undefined),
    port: variable('IPP_PORT', 3000, 'a port from 0 to 65535',
      value => /^\d{1,5}$/.test(value) && Number(value) < 65536 ? Number(value) : undefined),
    secret: variable('IPP_SECRET', '', '16 characters or more, of your own: openssl rand -hex 32',
      value => value[15] && !/^replace-me/.test(value) ? value : undefined),
    logLevel: variable<LogLevel>('LOG_LEVEL', 'info', LOG_LEVELS.join(', '),
      value => LOG_LEVELS.find(level => level === value.toLowerCase())),
    trustedProxies: proxies((config?.ipp?.trustedProxies ?? []) as unknown as string[], problems),
    proxiesAreNamed: Object.hasOwn(changed, 'ipp.trustedProxies'), notices, values, changed, source
  }
  if (parseBase(env.PUBLIC_BASE_URL) !== parseOrigin(env.PUBLIC_BASE_URL)) {
    notices.push('PUBLIC_BASE_URL: its path is left out, for links are below /share and /s of a host')
  }
  if (problems.length) throw new ConfigError(problems.join('\n'))
  return settings
}
