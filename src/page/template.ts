/**
 * Templates have four constructs: `{{name}}`, always escaped; `{{#name}}…{{/name}}`, repeated for each entry
 * of a list or shown if there is a value; `{{^name}}…{{/name}}`, shown if there is none; and `{{>file}}`,
 * another template. There is no way to insert a value unescaped.
 */
import { readFileSync } from 'node:fs'

export type Values = { [name: string]: unknown }
/** Literal text, a value, or a section. */
type Part = string | { path: string[], inner?: Part[], isInverted?: boolean }

const escape = (value: unknown): string =>
  String(value ?? '').replace(/[&<>"'`]/g, char => `&#${char.charCodeAt(0)};`)

/** The value of a dotted name, whose first part is looked up from the innermost scope outwards. */
function lookUp (scopes: Values[], [first = '', ...rest]: string[]): unknown {
  const scope = scopes.findLast(scope => Object.hasOwn(scope, first))
  return rest.reduce<unknown>((value, field) => (value as Values | undefined)?.[field], scope?.[first])
}

/** A template from `templates/`, with its includes filled in. Throws if there is no such file. */
export const readTemplate = (root: URL, name: string): string =>
  readFileSync(new URL(`templates/${name}.html`, root), 'utf8')
    .replace(/\{\{>(\w+)\}\}\n?/g, (_, included) => readTemplate(root, included))

/** The parts of a template. Throws at an unknown construct in double braces, or one that is not closed. */
function parse (template: string): Part[] {
  const open: { name: string, parts: Part[] }[] = [{ name: '', parts: [] }]
  for (const [n, token] of template.split(/\{\{([^{}]*)\}\}/).entries()) {
    const parts = open.at(-1)?.parts ?? []
    const [, sign, name = ''] = /^([#^/]?)([\w.]+)$/.exec(token) ?? []
    const path = name.split('.')
    if (n % 2 === 0) parts.push(token)
    else if (sign === '') parts.push({ path })
    else if (sign === '/' && open.pop()?.name === name) continue
    else if (sign === '#' || sign === '^') {
      const inner: Part[] = []
      parts.push({ path, inner, isInverted: sign === '^' })
      open.push({ name, parts: inner })
    } else throw new Error(`template: {{${token}}}`)
  }
  if (open.length !== 1) throw new Error(`template: {{#${open.at(-1)?.name}}} is not closed`)
  return open[0]?.parts ?? []
}

function render (parts: Part[], scopes: Values[]): string {
  let html = ''
  for (const part of parts) html += typeof part === 'string' ? part : renderValue(part, scopes)
  return html
}

function renderValue ({ path, inner, isInverted }: Exclude<Part, string>, scopes: Values[]): string {
  const value = lookUp(scopes, path)
  if (!inner) return escape(value)
  const values = Array.isArray(value) ? value : [value].filter(Boolean)
  if (isInverted) return values.length > 0 ? '' : render(inner, scopes)
  const scopeOf = (value: unknown) => value instanceof Object ? { ...value } : { value }
  let html = ''
  for (const value of values) html += render(inner, [...scopes, scopeOf(value)])
  return html
}

const parsed = new Map<string, Part[]>()

/**
 * Fills in a template, which is parsed once. A name means its value in the last of `scopes` that has it.
 * Throws at malformed double braces.
 */
export function fill (template: string, scopes: Values[]): string {
  const parts = parsed.get(template) ?? parse(template)
  parsed.set(template, parts)
  return render(parts, scopes)
}
