/**
 * One line an event, on standard output: time, level, event, then `name=value` pairs. A share key or slug
 * never appears but under a short name that only this program can make, and a value cannot break out of its
 * line.
 */
import { createHmac } from 'node:crypto'
import { LOG_LEVELS, type LogLevel, type Settings } from './settings.ts'
import type { Keys } from './unlock.ts'
import type { LinkRef } from './validate.ts'

type Write = (event: string, fields?: Record<string, unknown>) => void
/**
 * `nameOf` stands for a link in the log: enough to find it again, of no use to open it, nor to try words on.
 */
export type Log = Record<LogLevel, Write> & { nameOf: (link: LinkRef) => string }

/** ` name=value`, quoted where it is not plain. */
function pair (name: string, value: unknown): string {
  const plain = typeof value === 'string' ? value : JSON.stringify(value)
  if (/^[\w.:/@+-]+$/.test(plain)) return ` ${name}=${plain}`
  // JSON leaves U+007F to U+009F and the line separators alone, some terminals do not
  return ` ${name}=${JSON.stringify(plain).replace(/[\x7f-\x9f\u2028\u2029]/g, '?')}`
}

export function createLinkNames (keys: Keys): Log['nameOf'] {
  const key = keys('link in the log')
  const name = (text: string) => createHmac('sha256', key).update(text).digest('hex').slice(0, 10)
  return link => name('key' in link ? link.key : link.slug)
}

/** A log that writes what is at least as grave as `level`. */
export function createLog ({ logLevel: level }: Pick<Settings, 'logLevel'>, keys: Keys): Log {
  const writer = (own: LogLevel): Write => (event, fields = {}) => {
    if (LOG_LEVELS.indexOf(own) > LOG_LEVELS.indexOf(level)) return
    const given = Object.entries(fields).filter(([, value]) => value !== undefined)
    const pairs = given.map(([name, value]) => pair(name, value)).join('')
    process.stdout.write(`${new Date().toISOString()} ${own} ${event}${pairs}\n`)
  }
  return {
    error: writer('error'), warn: writer('warn'), info: writer('info'), debug: writer('debug'),
    nameOf: createLinkNames(keys)
  }
}

/** Writes the first time only. */
export function once (write: Write): Write {
  let isWritten = false
  return (event, fields) => {
    if (!isWritten) write(event, fields)
    isWritten = true
  }
}

// ----------------------------------------------------------------------------- whether Immich can be reached

/**
 * As fetch fails: what really happened is its cause, and of a name with several addresses each has its own.
 */
type Failure = Error & { code?: string, errors?: Error[] }

/** What to try where a connection failed with this code, name or words; the first that fits counts. */
const ADVICE: [RegExp, string][] = [
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known here: check IMMICH_URL and the network'],
  [/ECONNREFUSED/, 'nothing listens there: is Immich running, is the port right?'],
  [/Timeout|ETIMEDOUT/i, 'no answer in time: is Immich busy, or a firewall between?'],
  [/WRONG_VERSION|wrong version/, 'what listens there does not speak https: write http:// in IMMICH_URL'],
  [/CERT|SSL|TLS|SELF_SIGNED/i, 'its certificate is not trusted here: set NODE_EXTRA_CA_CERTS'],
  [/Redirected/, 'write that address in IMMICH_URL, without what follows the host and port'],
  [/NotImmich|HTTPParser|HEADERS_OVERFLOW|bad upgrade/, 'what answers there is not Immich: check IMMICH_URL'],
  [/UND_ERR_SOCKET|ECONNRESET|EPIPE/, 'it closed the connection: is it restarting, or does it want https?'],
  [/./, 'check IMMICH_URL']
]

/** Takes note of an answer (no error) or of a failure, and says what changed with it. */
export function createReachability (url: string, log: Log) {
  let isDown = false
  return (error?: Error): void => {
    if (!error && isDown) log.info('Immich answers again', { url })
    if (error && !isDown) {
      const { code, name, message, errors } = (error.cause ?? error) as Failure
      const failed = errors?.map(({ message }) => message).join(', ') || message
      const advice = ADVICE.find(([pattern]) => pattern.test(`${code} ${name} ${failed}`))?.[1]
      log.error('Immich cannot be reached', { url, failed, code: code ?? name, advice })
    }
    isDown = error !== undefined
  }
}
