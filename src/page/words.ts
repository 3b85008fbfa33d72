/** The visitor's language: words from `static/strings.json`, and dates and numbers formatted by Intl. */
import { readFileSync } from 'node:fs'
import { forgetOldest } from '../memory-cache.ts'

export type Words = Record<string, string>
export const DAY = 86_400_000

/** The words of each language, by its code. */
export type Strings = Record<string, Words>

export const loadStrings = (root: URL): Strings =>
  JSON.parse(readFileSync(new URL('static/strings.json', root), 'utf8')) as Strings

/**
 * The words of a language. `zh` is simplified Chinese; `zh-Hant` is traditional Chinese, also for Taiwan and
 * Hong Kong (`zh-TW`, `zh-HK`).
 */
export function wordsOf (strings: Strings, tag: string): Words {
  const { language, script } = new Intl.Locale(tag).maximize()
  return strings[`${language}-${script}`] ?? strings[language] ?? {}
}

/** Language codes that share the words of another code. */
const SAME: Record<string, string> = { nb: 'no', nn: 'no', iw: 'he' }
/** Languages written from right to left. */
const RIGHT_TO_LEFT = ['ar', 'he']

export const directionOf = (lang: string): 'ltr' | 'rtl' =>
  RIGHT_TO_LEFT.includes(lang.split('-')[0] ?? '') ? 'rtl' : 'ltr'

/** The first of the visitor's languages that has words, with its region, which sets the format of dates. */
export function pickLanguage (languages: string[], strings: Record<string, Words>): string {
  const tag = /^(zh-han[st]|[a-z]{2,3})(-[a-z]{2}(?![a-z\d]))?/
  const plain = languages.map(language => tag.exec(language)?.[0] ?? '')
    .map(language => language.replace(/^[a-z]+/, code => SAME[code] ?? code))
  const spoken = plain.find(language => Object.hasOwn(strings, language.split('-')[0] ?? ''))
  return Intl.getCanonicalLocales(spoken ?? 'en')[0] ?? 'en'
}

/** a visitor can request thousands of languages with regions */
const MAX_FORMATS = 200

/** Caches the results of `make`, because creating one of Intl's formats takes longer than using it. */
function keep<T> (make: (lang: string, options: Intl.DateTimeFormatOptions) => T): typeof make {
  const made = new Map<string, T>()
  return (lang, options) => {
    const name = lang + JSON.stringify(options)
    const value = made.get(name) ?? make(lang, options)
    made.set(name, value)
    forgetOldest(made, MAX_FORMATS)
    return value
  }
}

const pluralRules = keep(lang => new Intl.PluralRules(lang))
/** Formats times as the cameras' clocks showed them, because they are stored as if those showed UTC. */
export const dateFormat = keep((lang, options) =>
  new Intl.DateTimeFormat(lang, { timeZone: 'UTC', ...options }))

/** The text `name` with the number `n`, in the plural form of the language. */
export function counted (words: Words, lang: string, name: string, n: number): string {
  const form = words[`${name}_${pluralRules(lang, {}).select(n)}`] ?? words[`${name}_other`] ?? ''
  return form.replace('{n}', n.toLocaleString(lang))
}

/** A duration as a clock shows it: 83,000 ms is 1:23, and an hour is 1:00:00. */
export function clock (ms: number): string {
  const seconds = Math.round(ms / 1000)
  const parts = [seconds / 3600, seconds / 60 % 60, seconds % 60]
  const padded = parts.map(part => String(Math.floor(part)).padStart(2, '0')).join(':')
  return padded.replace(/^(00:)?0?/, '')
}
