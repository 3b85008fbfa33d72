/**
 * Templates know three things: `{{name}}`, always escaped; `{{#name}}…{{/name}}`, once for each of a list
 * or where there is something, `{{^name}}…{{/name}}` where there is not; `{{>file}}`, another template. There
 * is no way to put a value in unescaped.
 */
import { readFileSync } from 'node:fs'

export type Values = { [name: string]: unknown }

const escape = (value: unknown): string =>
  String(value ?? '').replace(/[&<>"'`]/g, char => `&#${char.charCodeAt(0)};`)

/** The value of a dotted name; the first part is looked up in the innermost scope that has it. */
function look (scopes: Values[], name: string): unknown {
  const [first = '', ...rest] = name.split('.')
  const scope = scopes.findLast(scope => Object.hasOwn(scope, first))
  return rest.reduce<unknown>((value, field) => (value as Values | undefined)?.[field], scope?.[first])
}

/** A template from `templates/`, with those that it includes. Throws where there is none of that name. */
export const readTemplate = (root: URL, name: string): string =>
  readFileSync(new URL(`templates/${name}.html`, root), 'utf8')
    .replace(/\{\{>(\w+)\}\}\n?/g, (_, included) => readTemplate(root, included))

/**
 * Fills in a template; of `scopes` the last that has a name counts. A section may not hold another of its own
 * name. Throws at braces that are none of the above.
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
