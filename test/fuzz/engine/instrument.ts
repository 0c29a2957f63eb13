import { type Node, parse } from 'acorn'

/*
 * Rewrites a module so that it counts which of its branches run and, while that is asked for, what
 * it compares. Positions of lines stay as they are, so that a stack names the line of the source.
 */

export interface Instrumented {
  readonly code: string
  /** Counters used: from `firstCounter` on. */
  readonly counters: number
  /** Numbers and texts that the module mentions: what its inputs may have to contain. */
  readonly literals: readonly (string | number)[]
}

/** Where the running fuzzer keeps what instrumented code writes to. */
export const RECORDER_KEY = 'landbridgeFuzzRecorder'

interface Edit {
  readonly at: number
  readonly text: string
  /** Bytes that the text replaces. */
  readonly drop: number
}

type Tree = Node & Readonly<Record<string, unknown>>

/** The parts of a node that may run or not. */
const BRANCHES: Readonly<Record<string, readonly string[]>> = {
  FunctionDeclaration: ['body'],
  FunctionExpression: ['body'],
  ArrowFunctionExpression: ['body'],
  IfStatement: ['consequent', 'alternate'],
  ConditionalExpression: ['consequent', 'alternate'],
  LogicalExpression: ['right'],
  ForStatement: ['body'],
  ForOfStatement: ['body'],
  ForInStatement: ['body'],
  WhileStatement: ['body'],
  DoWhileStatement: ['body'],
  CatchClause: ['body'],
}

const COMPARISONS = new Set(['===', '!==', '==', '!=', '<', '>', '<=', '>='])
const LITERAL_LENGTH_MAX = 40

/** `source` is an ES module in JavaScript. */
export function instrument(source: string, firstCounter: number): Instrumented {
  const pass = new Pass(firstCounter)
  const program = parse(source, { ecmaVersion: 'latest', sourceType: 'module' })
  for (const statement of program.body) if (isTree(statement)) pass.visit(statement, source)
  const recorder = `const {counters:$c,trace:$t}=globalThis.${RECORDER_KEY};`
  const head = `${recorder}${pass.comparisons.join('')}`
  const { counters, literals } = pass
  return { code: head + applyEdits(source, pass.edits), counters, literals: [...literals] }
}

function applyEdits(source: string, edits: readonly Edit[]): string {
  // Stable: what was noted first at a place stands first, outer nodes before inner ones.
  const sorted = edits.toSorted((left, right) => left.at - right.at)
  let text = ''
  let at = 0
  for (const edit of sorted) {
    text += source.slice(at, edit.at) + edit.text
    at = edit.at + edit.drop
  }
  return text + source.slice(at)
}

class Pass {
  readonly edits: Edit[] = []
  readonly comparisons: string[] = []
  readonly literals = new Set<string | number>()
  counters = 0
  readonly #first: number

  constructor(first: number) {
    this.#first = first
  }

  visit(node: Tree, source: string): void {
    const closings: Edit[] = []
    this.#enter(node, source, closings)
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (isTree(child)) this.visit(child, source)
      }
    }
    // After those of the inner nodes, which may end at the same place.
    this.edits.push(...closings)
  }

  #enter(node: Tree, source: string, closings: Edit[]): void {
    for (const part of BRANCHES[node.type] ?? []) this.#branch(node[part], closings)
    if (node.type === 'IfStatement' && !isTree(node.alternate)) {
      closings.push({ at: node.end, text: `else{${this.#count()};}`, drop: 0 })
    } else if (node.type === 'SwitchCase') this.#case(node, closings)
    else if (node.type === 'BinaryExpression') this.#comparison(node, source, closings)
    else if (node.type === 'Literal') this.#literal(node.value)
  }

  #count(): string {
    const index = this.#first + this.counters
    this.counters += 1
    return `$c[${index}]++`
  }

  #insert(at: number, text: string, drop = 0): void {
    this.edits.push({ at, text, drop })
  }

  #branch(node: unknown, closings: Edit[]): void {
    if (!isTree(node)) return
    const isBlock = node.type === 'BlockStatement'
    const isStatement = node.type.endsWith('Statement')
    if (isBlock) this.#insert(node.start + 1, `${this.#count()};`)
    else {
      this.#insert(node.start, isStatement ? `{${this.#count()};` : `(${this.#count()},`)
      closings.push({ at: node.end, text: isStatement ? '}' : ')', drop: 0 })
    }
  }

  #case(node: Tree, closings: Edit[]): void {
    const [first] = Array.isArray(node.consequent) ? node.consequent : []
    const text = `${this.#count()};`
    if (isTree(first)) this.#insert(first.start, text)
    else closings.push({ at: node.end, text, drop: 0 })
  }

  /** `left === right` becomes a call that can tell the fuzzer both sides. */
  #comparison(node: Tree, source: string, closings: Edit[]): void {
    const { operator, left, right } = node
    if (typeof operator !== 'string' || !COMPARISONS.has(operator)) return
    if (!isTree(left) || !isTree(right)) return
    const between = source.slice(left.end, right.start)
    const at = left.end + between.indexOf(operator)
    if (at < left.end || between.includes('/')) return
    const name = `$k${this.comparisons.length}`
    this.comparisons.push(`const ${name}=(a,b)=>{if($t.isOn)$t.note(a,b);return a${operator}b};`)
    this.#insert(node.start, `${name}(`)
    this.#insert(at, ',', operator.length)
    closings.push({ at: node.end, text: ')', drop: 0 })
  }

  #literal(value: unknown): void {
    if (typeof value === 'number' && Number.isSafeInteger(value)) this.literals.add(value)
    else if (typeof value === 'string' && value !== '' && value.length <= LITERAL_LENGTH_MAX) {
      this.literals.add(value)
    }
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
