/** Mutants of a source file by rule: each condition turned or taken for granted, each refusal left out, each header emptied. */
import { parseSync } from '@babel/core'

export type Change = { line: number, start: number, end: number, text: string, was: string }
type Node = { type: string, start: number, end: number, loc: { start: { line: number } }, [field: string]: unknown }
const TURNED: Record<string, string> = { '===': '!==', '!==': '===', '<': '<=', '<=': '<', '>': '>=', '>=': '>' }

export function mutantsOf (source: string, filename: string): Change[] {
  const found: Change[] = []
  const put = (node: Node, text: string) => found.push({ line: node.loc.start.line, start: node.start, end: node.end, text, was: source.slice(node.start, node.end) })
  const visit = (node: Node): void => {
    if (node.type.startsWith('TS') || node.type === 'ImportDeclaration') return
    if (node.type === 'IfStatement' || node.type === 'ConditionalExpression') for (const text of ['true', 'false']) put(node.test as Node, text)
    if (node.type === 'LogicalExpression') {
      put(node, source.slice((node.left as Node).start, (node.left as Node).end))
      put(node, source.slice((node.right as Node).start, (node.right as Node).end))
    }
    const operator = String(node.operator)
    if (node.type === 'BinaryExpression' && TURNED[operator]) {
      const [left, right] = [node.left as Node, node.right as Node]
      put(node, `${source.slice(left.start, left.end)} ${TURNED[operator]} ${source.slice(right.start, right.end)}`)
    }
    if (node.type === 'ThrowStatement') put(node, '{}')
    if (node.type === 'ObjectProperty' && (node.value as Node).type === 'StringLiteral' && source.slice((node.key as Node).start, (node.key as Node).end).includes('-')) put(node.value as Node, "''")
    for (const value of Object.values(node)) {
      for (const one of Array.isArray(value) ? value : [value]) if (one && typeof one === 'object' && typeof one.type === 'string' && typeof one.start === 'number') visit(one as Node)
    }
  }
  const ast = parseSync(source, { filename, sourceType: 'module', configFile: false, babelrc: false, presets: ['@babel/preset-typescript'] })
  visit((ast as unknown as { program: Node }).program)
  return found
}
