/**
 * Makes mutants of a source file by rules: each condition is inverted or taken as true or false, each refusal
 * and each call for a side effect is left out, each anchor of a pattern removed, each header emptied.
 */
import { parseSync } from '@babel/core'

/** `text` replaces the source from `start` to `end`. */
export type Change = { line: number, start: number, end: number, text: string, was: string }
type Node = {
  type: string, start: number, end: number, loc: { start: { line: number } }, [field: string]: unknown
}
const TURNED: Record<string, string> =
  { '===': '!==', '!==': '===', '<': '<=', '<=': '<', '>': '>=', '>=': '>' }

export function mutantsOf (source: string, filename: string): Change[] {
  const found: Change[] = []
  const textOf = ({ start, end }: Node): string => source.slice(start, end)
  const put = (node: Node, text: string) =>
    found.push({ line: node.loc.start.line, start: node.start, end: node.end, text, was: textOf(node) })

  /** The rules by the type of a node: each returns the node's mutations. */
  const RULES: Record<string, (node: Node) => void> = {
    IfStatement: ({ test }) => { for (const text of ['true', 'false']) put(test as Node, text) },
    ConditionalExpression: ({ test }) => { for (const text of ['true', 'false']) put(test as Node, text) },
    LogicalExpression (node) { for (const side of [node.left, node.right]) put(node, textOf(side as Node)) },
    BinaryExpression (node) {
      const turned = TURNED[String(node.operator)]
      if (turned) put(node, `${textOf(node.left as Node)} ${turned} ${textOf(node.right as Node)}`)
    },
    ThrowStatement: node => put(node, '{}'),
    ExpressionStatement (node) {
      const { type } = node.expression as Node
      if (type === 'CallExpression' || type === 'AwaitExpression') put(node, '{}')
    },
    RegExpLiteral (node) {
      const { pattern, flags } = node as unknown as { pattern: string, flags: string }
      if (pattern.startsWith('^')) put(node, `/${pattern.slice(1) || '(?:)'}/${flags}`)
      if (/[^\\]\$$/.test(pattern)) put(node, `/${pattern.slice(0, -1)}/${flags}`)
    },
    ObjectProperty ({ key, value }) {
      const isHeader = textOf(key as Node).includes('-')
      if (isHeader && (value as Node).type === 'StringLiteral') put(value as Node, "''")
    }
  }
  const visit = (node: Node): void => {
    const isType = node.type.startsWith('TS') && node.type !== 'TSAsExpression'
    if (isType || node.type === 'ImportDeclaration') return
    RULES[node.type]?.(node)
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child)
  }
  const ast = parseSync(source, {
    filename, sourceType: 'module', configFile: false, babelrc: false, presets: ['@babel/preset-typescript']
  })
  visit((ast as unknown as { program: Node }).program)
  return found
}
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof (value as Node).start === 'number'
