/**
 * Assembles a part of WebAssembly's text format (webassembly.github.io/spec/core/text): folded
 * instructions on i32, one memory that is imported, functions with parameters, one result and
 * locals. So that a kernel can stand in the source as text and needs no build step and no blob.
 */
export function assembleWat(source: string): Uint8Array<ArrayBuffer> {
  const [module] = parse(source)
  if (!Array.isArray(module) || module[0] !== 'module') throw new TypeError('wat: no module')
  const fields = module.slice(1).map(asList)
  const memories = fields.filter(([kind]) => kind === 'import')
  const functions = fields.filter(([kind]) => kind === 'func').map(asFunction)
  const indexes = new Map(functions.map(({ name }, index) => [name, index]))
  const exported = functions.flatMap(({ exportName }, index) =>
    exportName === null ? [] : [[...text(exportName), FUNCTION_KIND, ...unsigned(index)]],
  )
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, functions.map(functionType)),
    ...section(2, memories.map(memoryImport)),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(7, exported),
    ...section(
      10,
      functions.map((one) => functionBody(one, indexes)),
    ),
  ])
}

export type KernelFunction = (...values: number[]) => number

/** The part of the standard that is used here; Node's types do not have it. */
declare const WebAssembly: {
  readonly Memory: new (options: {
    readonly initial: number
    readonly maximum: number
  }) => {
    readonly buffer: ArrayBuffer
  }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Record<string, KernelFunction> }
}

/** `source`, compiled: each call gives its exported functions over a memory of their own. */
export function compileWat(
  source: string,
  pages: number,
): () => { readonly memory: ArrayBuffer; readonly exports: Record<string, KernelFunction> } {
  const module = new WebAssembly.Module(assembleWat(source))
  return () => {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const { exports } = new WebAssembly.Instance(module, { kernel: { memory } })
    return { memory: memory.buffer, exports }
  }
}

type Node = string | Node[]

interface WatFunction {
  readonly name: string
  readonly exportName: string | null
  readonly parameters: readonly string[]
  readonly locals: readonly string[]
  readonly body: readonly Node[]
}

const I32 = 0x7f
const FUNCTION_KIND = 0
const NO_RESULT = 0x40
const END = 0x0b

/** Instructions without anything but operands. */
const PLAIN: Readonly<Record<string, readonly number[]>> = {
  return: [0x0f],
  'i32.eqz': [0x45],
  'i32.ne': [0x47],
  'i32.lt_u': [0x49],
  'i32.gt_u': [0x4b],
  'i32.ge_u': [0x4f],
  'i32.add': [0x6a],
  'i32.sub': [0x6b],
  'i32.and': [0x71],
  'i32.xor': [0x73],
  'i32.shl': [0x74],
  'i32.shr_u': [0x76],
  'memory.copy': [0xfc, 0x0a, 0, 0],
}
const MEMORY: Readonly<Record<string, number>> = {
  'i32.load': 0x28,
  'i32.load8_u': 0x2d,
  'i32.load16_u': 0x2f,
  'i32.store': 0x36,
}
const LOCAL: Readonly<Record<string, number>> = { 'local.get': 0x20, 'local.set': 0x21 }
const BRANCH: Readonly<Record<string, number>> = { br: 0x0c, br_if: 0x0d }
const NESTED: Readonly<Record<string, number>> = { block: 0x02, loop: 0x03 }

function functionBody(one: WatFunction, functions: ReadonlyMap<string, number>): number[] {
  const variables = [...one.parameters, ...one.locals]
  const emit = (node: Node, labels: readonly string[]): number[] => {
    const [name, ...rest] = asList(node)
    if (typeof name !== 'string') throw new TypeError('wat: an instruction without a name')
    const nested = NESTED[name]
    if (nested !== undefined) {
      const inner = [String(rest[0]), ...labels]
      return [nested, NO_RESULT, ...rest.slice(1).flatMap((child) => emit(child, inner)), END]
    }
    const words = rest.filter((child) => typeof child === 'string')
    const operands = rest.filter(Array.isArray).flatMap((child) => emit(child, labels))
    return [...operands, ...instruction(name, words, { variables, labels, functions })]
  }
  const locals = one.locals.length === 0 ? [] : [[...unsigned(one.locals.length), I32]]
  const code = [...vector(locals), ...one.body.flatMap((node) => emit(node, [])), END]
  return [...unsigned(code.length), ...code]
}

interface Names {
  readonly variables: readonly string[]
  readonly labels: readonly string[]
  readonly functions: ReadonlyMap<string, number>
}

function instruction(name: string, words: readonly string[], names: Names): number[] {
  const [word = ''] = words
  const memory = MEMORY[name]
  if (memory !== undefined) return [memory, 0, ...unsigned(Number(word.replace('offset=', '')))]
  const local = LOCAL[name]
  if (local !== undefined) return [local, ...unsigned(known(names.variables.indexOf(word), word))]
  const branch = BRANCH[name]
  if (branch !== undefined) return [branch, ...unsigned(known(names.labels.indexOf(word), word))]
  if (name === 'call') return [0x10, ...unsigned(known(names.functions.get(word) ?? -1, word))]
  if (name === 'i32.const') return [0x41, ...signed(Number(word))]
  const plain = PLAIN[name]
  if (plain === undefined) throw new TypeError(`wat: no instruction ${name}`)
  return [...plain]
}

function known(index: number, name: string): number {
  if (index < 0) throw new TypeError(`wat: nothing is called ${name}`)
  return index
}

/** `(func $name (export "name")? (param $a i32)* (result i32) (local $b i32)* instruction*)` */
function asFunction(field: readonly Node[]): WatFunction {
  const [, name, ...parts] = field
  const named = (kind: string): string[] =>
    parts.flatMap((part) => (part[0] === kind ? [String(part[1])] : []))
  const declarations = ['export', 'param', 'result', 'local']
  return {
    name: String(name),
    exportName: named('export')[0] ?? null,
    parameters: named('param'),
    locals: named('local'),
    body: parts.filter((part) => !declarations.includes(String(part[0]))),
  }
}

function functionType({ parameters }: WatFunction): number[] {
  return [0x60, ...vector(parameters.map(() => [I32])), ...vector([[I32]])]
}

/** `(import "module" "name" (memory pages))` */
function memoryImport([, module, name, memory]: readonly Node[]): number[] {
  return [...text(String(module)), ...text(String(name)), 2, 0, ...unsigned(Number(memory?.[1]))]
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const bytes = vector(items)
  return [id, ...unsigned(bytes.length), ...bytes]
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()]
}

function text(quoted: string): number[] {
  const bytes = [...Buffer.from(quoted.replaceAll('"', ''))]
  return [...unsigned(bytes.length), ...bytes]
}

/** LEB128. */
function unsigned(value: number): number[] {
  if (!Number.isInteger(value) || value < 0) throw new TypeError(`wat: ${value} is no u32`)
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]
}

function signed(value: number): number[] {
  if (!Number.isInteger(value)) throw new TypeError(`wat: ${value} is no i32`)
  if (value >= -64 && value < 64) return [value & 127]
  return [(value & 127) | 128, ...signed(value >> 7)]
}

function parse(source: string): Node[] {
  const stack: Node[][] = [[]]
  for (const [token] of source.matchAll(/;;.*|[()]|"[^"]*"|[^\s()]+/g)) {
    const open = stack.at(-1)
    if (open === undefined || token.startsWith(';;')) continue
    if (token === '(') stack.push([])
    else if (token === ')') stack.at(-2)?.push(stack.pop() ?? [])
    else open.push(token)
  }
  return stack[0] ?? []
}

function asList(node: Node): Node[] {
  if (!Array.isArray(node)) throw new TypeError(`wat: ${node} where a list belongs`)
  return node
}
