// @ts-check
/** Numbers and sizes in the visitor's language. */
import { lang, t } from './link.js'

const rules = new Intl.PluralRules(lang)
/** "3 photos": the form of the text `name` for `n`. @param {string} name @param {number} n */
export const counted = (name, n) =>
  (t[`${name}_${rules.select(n)}`] ?? t[`${name}_other`]).replace('{n}', n.toLocaleString(lang))

/** "12 of 30". @param {string} n @param {string} total */
export const positionOf = (n, total, text = t.position) => text.replace('{n}', n).replace('{total}', total)

/** @param {number} bytes @returns {[unit: string, bytes: number]} the largest unit that fits in them */
function unitOf (bytes) {
  if (bytes >= 1e9) return ['gigabyte', 1e9]
  return bytes >= 1e6 ? ['megabyte', 1e6] : ['kilobyte', 1e3]
}

/** 4.2 but 42: one decimal for small numbers. @param {number} n @param {Intl.NumberFormatOptions} [style] */
const short = (n, style) =>
  new Intl.NumberFormat(lang, { ...style, maximumFractionDigits: n < 10 ? 1 : 0 }).format(n)

/** "4.2 GB". @param {number} bytes */
export function sizeText (bytes) {
  const [unit, each] = unitOf(bytes)
  return short(bytes / each, { style: 'unit', unit })
}

/** "38 of 96 MB". @param {number} bytes @param {number} total bytes */
export const sizeProgress = (bytes, total) =>
  positionOf(short(bytes / unitOf(total)[1]), sizeText(total))
