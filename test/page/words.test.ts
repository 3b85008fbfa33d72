/** The words of the page: each language is complete, and found by its codes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { dateFormat } from '../../src/page/words.ts'
import { HTML, start } from '../helpers.ts'

test('formats are kept, but not for every language that a visitor can think of', () => {
  const formatFor = (n: number) =>
    dateFormat(`en-u-ca-${n.toString(36).padStart(3, '0')}`, { year: 'numeric' })
  const first = formatFor(0)
  assert.equal(formatFor(0), first)
  for (let n = 1; n < 300; n++) formatFor(n)
  assert.notEqual(formatFor(0), first)
})

test('every language has all texts with their placeholders, and is found by its codes', async () => {
  const file = new URL('../../static/strings.json', import.meta.url)
  const strings: Record<string, Record<string, string>> = JSON.parse(readFileSync(file, 'utf8'))
  const { en = {} } = strings
  const blanks = (text = '') => (text.match(/\{\w+\}/g) ?? []).join()
  for (const [lang, words] of Object.entries(strings)) {
    const forms = new Intl.PluralRules(lang).resolvedOptions().pluralCategories
    for (const [name, text] of Object.entries(en)) {
      const wanted = name.replace(/_one$/, '_other')
      assert.equal(blanks(words[wanted]), blanks(text), `${lang} ${wanted}`)
      assert.ok(words[wanted], `${lang} ${wanted}`)
    }
    for (const name of Object.keys(words)) {
      const [plain = '', form] = name.split('_')
      const isKnown = form === undefined ? Object.hasOwn(en, name)
        : Object.hasOwn(en, `${plain}_other`) && forms.includes(form as Intl.LDMLPluralRule)
      assert.ok(isKnown, `${lang} ${name}`)
    }
  }
  const run = await start()
  const asked = {
    ...Object.fromEntries(Object.keys(strings).map(lang => [lang, lang])),
    'nb-NO': 'no', nn: 'no', 'de-AT,en;q=0.5': 'de', 'tlh, he;q=0.3': 'he', xx: 'en',
    'zh-CN': 'zh', 'zh-SG': 'zh', 'zh-Hans-HK': 'zh', 'zh-TW': 'zh-Hant', 'zh-HK,en;q=0.5': 'zh-Hant',
    'zh-MO': 'zh-Hant', 'zh-Hant-HK': 'zh-Hant'
  }
  for (const [language, lang] of Object.entries(asked)) {
    const { text } = await run.get('/', { headers: { ...HTML, 'accept-language': language } })
    const direction = ['ar', 'he'].includes(lang) ? 'rtl' : 'ltr'
    const tag = `<html lang="${lang.split('-')[0]}(-Han[st])?(-[A-Z]+)?" dir="${direction}">`
    assert.match(text, new RegExp(tag), language)
    assert.ok(text.includes(strings[lang]!.homeTitle!), language)
  }
})
