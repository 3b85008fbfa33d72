/**
 * Checks the page's script and style against MDN's table for the oldest browsers it supports. A newer feature
 * may be used if the page works without it; each such use is listed here, with what happens instead.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseSync } from '@babel/core'
import bcd, { type CompatStatement, type Identifier } from '@mdn/browser-compat-data' with { type: 'json' }

const BASELINE = { safari: 15, safari_ios: 15, firefox: 119, chrome: 105 } as const
const root = new URL('../../static/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, root), 'utf8')

/** The browsers of the baseline that lack a feature. */
function lacking ({ support }: CompatStatement): string[] {
  return Object.entries(BASELINE).filter(([browser, version]) => {
    const given = support[browser as keyof typeof BASELINE]
    const ways = given === undefined ? [] : Array.isArray(given) ? given : [given]
    return !ways.some(way => {
      const { version_added: added, version_removed: removed, flags, prefix, alternative_name: other } = way
      if (prefix || other || removed || flags || typeof added !== 'string') return false
      return parseFloat(added.replace('≤', '')) <= version
    })
  }).map(([browser]) => browser)
}

const without = (name: string, statements: CompatStatement[]): string[] => {
  const missing = statements.map(lacking)
  // one feature of that name that all have is enough, because the object cannot be seen here
  if (missing.length === 0 || missing.some(browsers => browsers.length === 0)) return []
  return [`${name}: not in ${missing[0]!.join(', ')}`]
}

// -------------------------------------------------------------------------------------------------- script

/** Each name of a member, with all entries that the table has for it. */
const members = new Map<string, CompatStatement[]>()
const globals = new Map<string, CompatStatement>()
function add (name: string, entry: Identifier) {
  if (entry.__compat) members.set(name, [...members.get(name) ?? [], entry.__compat])
}
const entries: Record<string, Identifier> = { ...bcd.api, ...bcd.javascript.builtins }
for (const [name, entry] of Object.entries(entries)) {
  if (entry.__compat) globals.set(name, entry.__compat)
  // members of the window can be used without naming it
  add(name, entry)
  for (const [member, inner] of Object.entries(entry)) {
    if (member !== '__compat') add(member, inner as Identifier)
  }
}
for (const entry of Object.values(bcd.javascript.builtins!.Intl!)) {
  for (const [member, inner] of Object.entries(entry)) {
    if (member !== '__compat') add(member, inner as unknown as Identifier)
  }
}

const OPERATORS: Record<string, string> = {
  '??': 'nullish_coalescing', '??=': 'nullish_coalescing_assignment', '||=': 'logical_or_assignment',
  '&&=': 'logical_and_assignment', '**': 'exponentiation'
}
/** APIs that some of the browsers lack, and the page's behaviour there. */
const GUARDED: Record<string, string> = {
  touches: 'only a touch screen sends the event', startViewTransition: 'behind if: the page changes at once',
  updateCallbackDone: 'of a view transition', fullscreenEnabled: 'behind if: no button for full screen',
  fullscreenElement: 'is read, and is nothing there', requestFullscreen: 'behind fullscreenEnabled',
  exitFullscreen: 'behind fullscreenElement',
  showModal: 'behind HTMLDialogElement: the zip stays a link, and prompt() shows a text',
  blocking: 'an attribute that others pass over', wakeLock: 'behind ?.: the screen sleeps as it would',
  canShare: 'behind ?.: no sheet, a download',
  userActivation: 'behind ?.: a press more', requestIdleCallback: 'behind ??: setTimeout',
  trustedTypes: 'behind ?.: nothing asks for them there',
  createPolicy: 'of trustedTypes', share: 'behind if: the address is copied', isActive: 'of userActivation',
  loading: 'is read, and is nothing there'
}

/** Objects of the page itself, and objects whose properties the table does not list by name. */
const OWN = ['t', 'visit', 'options', 'meta', 'listeners', 'pressed', 'mobile', 'own', 'state', 'view',
  'drag', 'facts', 'start', 'lastTap', 'toolbar', 'actions', 'cover', 'dataset', 'style']

type Node = { type: string, [field: string]: unknown }
function usedIn (file: string): { reached: Set<string>, named: Set<string>, operators: Set<string> } {
  const [reached, named, operators] = [new Set<string>(), new Set<string>(), new Set<string>()]
  const visit = (node: Node): void => {
    const property = node.property as Node | undefined
    const object = node.object as Node | undefined
    const of = String(object?.name ?? (object?.property as Node | undefined)?.name)
    const isOwn = OWN.includes(of)
    const isReached = /^(Optional)?MemberExpression$/.test(node.type) && !node.computed && !isOwn
    if (isReached) reached.add(String(property!.name))
    const callee = node.callee as Node | undefined
    if (node.type === 'NewExpression' && callee?.type === 'Identifier') named.add(String(callee.name))
    if (/^(Logical|Assignment|Binary)Expression$/.test(node.type)) operators.add(String(node.operator))
    for (const value of Object.values(node)) {
      for (const one of [value].flat()) {
        if (one && typeof one === 'object' && 'type' in one) visit(one as Node)
      }
    }
  }
  const parsed = parseSync(read(file),
    { filename: file, sourceType: 'module', configFile: false, babelrc: false })
  visit((parsed as unknown as { program: Node }).program)
  return { reached, named, operators }
}

const operatorEntries = bcd.javascript.operators as unknown as Record<string, Identifier>

test('script: nothing that Safari 15, Firefox 119 or Chrome 105 lack, unless the page works without', () => {
  const found: string[] = []
  for (const file of readdirSync(root).filter(name => name.endsWith('.js'))) {
    const { reached, named, operators } = usedIn(file)
    for (const name of reached) {
      if (Object.hasOwn(GUARDED, name)) continue
      found.push(...without(`${file}: .${name}`, members.get(name) ?? []))
    }
    for (const name of named) {
      const known = globals.get(name)
      if (known) found.push(...without(`${file}: new ${name}`, [known]))
    }
    for (const operator of operators) {
      const entry = operatorEntries[OPERATORS[operator] ?? '']
      if (entry?.__compat) found.push(...without(`${file}: ${operator}`, [entry.__compat]))
    }
  }
  assert.deepEqual(found, [])
})

// --------------------------------------------------------------------------------------------------- style

const FALLBACK: Record<string, string> = {
  '100dvh': '100vh stands before it', clip: 'hidden stands before it',
  'match-parent': '-webkit-match-parent beside it',
  '-webkit-match-parent': 'match-parent beside it',
  outline: 'square before Safari 16.4', pointer: 'a phone has none', 'ns-resize': 'a phone has none',
  default: 'a phone has none',
  contain: 'slower', '-webkit-tap-highlight-color': 'of phones alone', 'text-wrap': 'lines as they fall',
  '-webkit-touch-callout': 'of iPhones alone', 'overscroll-behavior': 'the page behind scrolls too',
  resize: 'a phone has no handle', grab: 'a phone has none', grabbing: 'a phone has none',
  'scrollbar-gutter': 'the page moves by the width of a scrollbar',
  'starting-style': 'a sheet appears at once', 'forced-colors': 'they force none'
}
/** Selectors in rules of their own, which browsers without them skip, and what those show instead. */
const PASSED_OVER: Record<string, string> = {
  'focus-visible': 'no label while the scrubber has the focus', has: 'the page behind a sheet scrolls',
  backdrop: 'there are no sheets', 'view-transition': 'no motion', 'view-transition-group': 'no motion',
  'view-transition-old': 'no motion', 'view-transition-new': 'no motion',
  '-webkit-progress-bar': 'of WebKit and Chromium', '-webkit-progress-value': 'of WebKit and Chromium',
  '-moz-progress-bar': 'of Firefox'
}

test('style: no property, value, selector or rule that they lack without a fallback', () => {
  type Part = 'properties' | 'selectors' | 'at-rules'
  const css = bcd.css as unknown as Record<Part, Record<string, Identifier>>
  const found: string[] = []
  for (const file of readdirSync(root).filter(name => name.endsWith('.css'))) {
    const text = read(file).replace(/\/\*[^]*?\*\//g, '')
    for (const [, name = '', value = ''] of text.matchAll(/[{;]\s*([a-z-]+)\s*:\s*([^;{}]+)(?=[;}])/g)) {
      const entry = css.properties[name]
      if (!entry || Object.hasOwn(FALLBACK, name)) continue
      // with its older name too, in the same rule or the next
      const isTwice = text.includes(`-webkit-${name}: ${value}`)
      if (entry.__compat && !isTwice) found.push(...without(`${file}: ${name}`, [entry.__compat]))
      for (const word of value.match(/[a-z][a-z-]+/g) ?? []) {
        const known = (entry[word] as Identifier | undefined)?.__compat
        if (!known || Object.hasOwn(FALLBACK, word)) continue
        found.push(...without(`${file}: ${name}: ${word}`, [known]))
      }
    }
    for (const [, selectors = ''] of text.matchAll(/(?:^|[{};])\s*([^@{};]+)\{/g)) {
      for (const [, name = ''] of selectors.matchAll(/::?([a-z-]+)/g)) {
        const entry = css.selectors[name]
        // in a list of selectors it would invalidate the others
        const isAlone = selectors.split(',').every(one =>
          one.includes(`:${name}`) || one.includes(':view-transition-'))
        if (Object.hasOwn(PASSED_OVER, name) && isAlone) continue
        if (entry?.__compat) found.push(...without(`${file}: ${selectors.trim()}`, [entry.__compat]))
      }
    }
    for (const [, name = '', query = ''] of text.matchAll(/@([a-z-]+)([^{;]*)/g)) {
      const entry = css['at-rules'][name]
      const hasFallback = Object.hasOwn(FALLBACK, name)
      if (entry?.__compat && !hasFallback) found.push(...without(`${file}: @${name}`, [entry.__compat]))
      for (const [, feature = ''] of query.matchAll(/\(([a-z-]+)/g)) {
        const known = (entry?.[feature] as Identifier | undefined)?.__compat
        if (!known || Object.hasOwn(FALLBACK, feature)) continue
        found.push(...without(`${file}: @${name} (${feature})`, [known]))
      }
    }
  }
  assert.deepEqual(found, [])
})

test('the check finds features that they lack', () => {
  const { has } = (bcd.css as unknown as { selectors: Record<string, Identifier> }).selectors
  assert.deepEqual(without('has', [has!.__compat!]), ['has: not in safari, safari_ios, firefox'])
  assert.match(without('toReversed', members.get('startViewTransition')!)[0]!, /safari/)
})
