/** Dates as the page shows them: the heading of a day or month, and the span of a whole link. */
import { dateFormat, DAY } from './words.ts'

/** A day since 1970, or a month as year × 12 + month. */
type Unit = 'day' | 'month'
/** When a day or month begins, in ms since 1970. */
const timeOf = (day: number, unit: Unit): number =>
  unit === 'month' ? Date.UTC(Math.floor(day / 12), day % 12) : day * DAY

/** The heading of a day or month. A day has its year, unless the day `before` was in the same. */
export function headingOf (day: number, unit: Unit, language: string, before?: number): string {
  if (unit === 'month') {
    return dateFormat(language, { year: 'numeric', month: 'long' }).format(timeOf(day, unit))
  }
  const yearOf = (day: number) => new Date(timeOf(day, unit)).getUTCFullYear()
  const isSameYear = before !== undefined && yearOf(before) === yearOf(day)
  const parts = { weekday: 'short', day: 'numeric', month: 'short' } as const
  return dateFormat(language, isSameYear ? parts : { ...parts, year: 'numeric' }).format(timeOf(day, unit))
}

/** The months that days or months in order of time span, in either direction; '' if none is known. */
export function spanOf (days: readonly number[], unit: Unit, language: string): string {
  const ends = [days[0] ?? 0, days.at(-1) ?? 0].map(day => timeOf(day, unit))
  const from = Math.min(...ends)
  const to = Math.max(...ends)
  if (days.length === 0 || to === 0) return ''
  // a link with a single day has no heading that shows it
  const isOneDay = unit === 'day' && from === to
  const format = dateFormat(language, { year: 'numeric', month: 'short', ...isOneDay && { day: 'numeric' } })
  return format.formatRange(from, to)
}
