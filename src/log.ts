/**
 * Writes one line per event to standard output: time, level, event, then `name=value` pairs. A share key or
 * slug appears only as a short keyed hash, and no value can break out of its line.
 */
import { createHmac } from 'node:crypto'
import { text } from './json.ts'
import type { Keys } from './keys.ts'
import { createRateLimit, createVisitorLimit } from './rate-limit.ts'
import type { LinkAddress } from './validate.ts'

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = typeof LOG_LEVELS[number]
type Write = (event: string, fields?: Record<string, unknown>) => void
/** `hashOf` returns a link's hash in the log, by which it can be found again but not opened or guessed. */
export type Log = Record<LogLevel, Write> & { hashOf: (link: LinkAddress) => string }

/** lines of one event from one visitor at once, and ms to one more, so that nobody can fill the disk */
const MAX_LINES = 200
const LINE_INTERVAL_MS = 1000
/** all visitors together, who may be one that forges addresses, have this multiple of it */
const ALL_FACTOR = 10

/** ` name=value`, quoted unless the value is plain. */
function pair (name: string, value: unknown): string {
  const plain = typeof value === 'string' ? value : JSON.stringify(value)
  if (/^[\w.:/@+-]+$/.test(plain)) return ` ${name}=${plain}`
  // JSON does not escape U+007F to U+009F or the line separators, and some terminals act on them
  return ` ${name}=${JSON.stringify(plain).replace(/[\x7f-\x9f\u2028\u2029]/g, '?')}`
}

/** Returns a function that hashes the key or slug of a link for the log: keyed, 10 hexadecimal digits. */
export function createLinkHashes (keys: Keys): Log['hashOf'] {
  const key = keys('link in the log')
  const hash = (text: string) => createHmac('sha256', key).update(text).digest('hex').slice(0, 10)
  return link => hash('key' in link ? link.key : link.slug)
}

/**
 * A log of the events that are at least as severe as `level`. Of one event with one visitor's `address`, or
 * with none, it writes `MAX_LINES` at once and then one a second; `debug` has no such limit.
 */
export function createLog (level: LogLevel, keys: Keys): Log {
  const limit = createVisitorLimit(MAX_LINES, LINE_INTERVAL_MS)
  const ofAll = createRateLimit(MAX_LINES * ALL_FACTOR, LINE_INTERVAL_MS / ALL_FACTOR)
  function isTooMuch (event: string, address: string): boolean {
    if (limit.wait(address, event) > 0 || ofAll.wait(event) > 0) return true
    limit.count(address, event, 1)
    ofAll.count(event)
    return false
  }
  const writer = (severity: LogLevel): Write => (event, fields = {}) => {
    if (LOG_LEVELS.indexOf(severity) > LOG_LEVELS.indexOf(level)) return
    if (severity !== 'debug' && isTooMuch(event, text(fields.address))) return
    const known = Object.entries(fields).filter(([, value]) => value !== undefined)
    const pairs = known.map(([name, value]) => pair(name, value)).join('')
    process.stdout.write(`${new Date().toISOString()} ${severity} ${event}${pairs}\n`)
  }
  return {
    error: writer('error'), warn: writer('warn'), info: writer('info'), debug: writer('debug'),
    hashOf: createLinkHashes(keys)
  }
}

/** Calls `write` the first time only. */
export function once (write: Write): Write {
  let isWritten = false
  return (event, fields) => {
    if (!isWritten) write(event, fields)
    isWritten = true
  }
}
