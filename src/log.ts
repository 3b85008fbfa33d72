/**
 * One line an event, on standard output: time, level, event, then `name=value` pairs. A share key or slug
 * never appears but as a short hash, and a value cannot break out of its line.
 */
import { createHash } from 'node:crypto'
import { LOG_LEVELS, type LogLevel } from './settings.ts'
import type { LinkRef } from './validate.ts'

export type Log = Record<LogLevel, (event: string, fields?: Record<string, unknown>) => void>

/** What stands for a link in the log: enough to find it again, of no use to open it. */
export const linkName = (link: LinkRef): string =>
  createHash('sha256').update('key' in link ? link.key : link.slug).digest('hex').slice(0, 10)

/** A log that writes what is at least as grave as `level`. */
export function createLog (level: LogLevel): Log {
  const writer = (own: LogLevel) => (event: string, fields: Record<string, unknown> = {}) => {
    if (LOG_LEVELS.indexOf(own) > LOG_LEVELS.indexOf(level)) return
    const pairs = Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => {
      const plain = typeof value === 'string' ? value : JSON.stringify(value)
      // JSON leaves U+007F to U+009F and the line separators alone, some terminals do not
      const safe = JSON.stringify(plain).replace(/[\x7f-\x9f\u2028\u2029]/g, '?')
      return ` ${name}=${/^[\w.:/@+-]+$/.test(plain) ? plain : safe}`
    })
    process.stdout.write(`${new Date().toISOString()} ${own} ${event}${pairs.join('')}\n`)
  }
  return { error: writer('error'), warn: writer('warn'), info: writer('info'), debug: writer('debug') }
}
