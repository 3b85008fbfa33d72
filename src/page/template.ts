/**
 * Templates have three constructs: `{{name}}`, always escaped; `{{#name}}…{{/name}}`, repeated for each entry
 * of a list or shown if there is a value, and `{{^name}}…{{/name}}`, shown if there is none; `{{>file}}`,
 * another template. There is no way to insert a value unescaped.
 */
import { readFileSync } from 'node:fs'

export type Values = { [name: string]: unknown }

const escape = (value: unknown): string =>
  String(value ?? '').replace(/[&<>"'`]/g, char => `&#${char.charCodeAt(0)};`)

/** The value of a dotted name, whose first part is looked up from the innermost scope outwards. */
function look (scopes: Values[], name: string): unknown {
  const [first = '', ...rest] = name.split('.')
  const scope = scopes.findLast(scope => Object.hasOwn(scope, first))
  return rest.reduce<unknown>((value, field) => (value as Values | undefined)?.[field], scope?.[first])
}

/** A template from `templates/` with those that it includes. Throws if there is no such file. */
export const readTemplate = (root: URL, name: string): string =>
  readFileSync(new URL(`templates/${name}.html`, root), 'utf8')
    .replace(/\{\{>(\w+)\}\}\n?/g, (_, included) => readTemplate(root, included))

/**
 * Fills in a template. A name means its value in the last of `scopes` that has it. A section may not contain
 * another of the same name. Throws at any other use of double braces.
 */
export function fill (template: string, scopes: Values[]): string {
  // eslint-disable-next-line regexp/no-super-linear-move -- our own templates
  const tags = /\{\{(?:([#^])([\w.]+)\}\}(.*?)\{\{\/\2|([\w.]+)|[^}]*)\}\}/gs
  return template.replace(tags, (tag, kind?: string, section = '', inner = '', name?: string) => {
    if (name) return escape(look(scopes, name))
    if (!kind) throw new Error(`template: ${tag}`)
    const value = look(scopes, section)
    const values = Array.isArray(value) ? value : [value].filter(Boolean)
    if (kind === '^') return values.length > 0 ? '' : fill(inner, scopes)
    return values.map(value => fill(inner, [...scopes, value instanceof Object ? value : { value }])).join('')
  })
}
