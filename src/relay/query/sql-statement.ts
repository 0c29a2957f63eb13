import { type Token, tokenize } from './sql-tokens.ts'

export type Expression =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'null' }
  | { readonly kind: 'user'; readonly name: string }
  | { readonly kind: 'system'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string }

export interface SelectItem {
  readonly expression: Expression
  /** As written, or the alias: the name of the column. */
  readonly title: string
}

export interface Assignment {
  readonly target: 'user' | 'system'
  readonly name: string
  readonly value: Expression
}

export type Statement =
  | { readonly kind: 'select'; readonly items: readonly SelectItem[] }
  | { readonly kind: 'set'; readonly assignments: readonly Assignment[] }
  /** SET NAMES, SET CHARACTER SET, USE, BEGIN, COMMIT ...: agreed to and forgotten. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'show-variables' | 'show-status'; readonly matches: NameTest }
  | { readonly kind: 'show-nothing' }
  | { readonly kind: 'show-processes'; readonly isFull: boolean }
  | { readonly kind: 'show-replicas'; readonly words: 'replicas' | 'slave-hosts' | 'replica-hosts' }
  | { readonly kind: 'show-events'; readonly wish: EventsWish }
  | { readonly kind: 'show-files' }
  | { readonly kind: 'show-position'; readonly words: 'binary log' | 'master' }
  | { readonly kind: 'kill'; readonly connectionId: number }
  | { readonly kind: 'unknown' }

/** Of a variable, in lower case. */
export type NameTest = (name: string) => boolean

/** SHOW BINLOG EVENTS [IN file] [FROM from] [LIMIT [skip,] count]; null for all, or not said. */
export interface EventsWish {
  readonly file: string | null
  readonly from: number | null
  readonly skip: number
  readonly count: number | null
}

const UNKNOWN: Statement = { kind: 'unknown' }
const IGNORED = new Set(['use', 'begin', 'commit', 'rollback', 'start'])

/** Reads the statements that replicas, `mysqlbinlog` and people send to a binlog server. */
export function parseStatement(sql: string): Statement {
  const cursor = new TokenCursor(sql)
  const first = cursor.takeWord()
  if (first === 'select') return parseSelect(cursor)
  if (first === 'set') return parseSet(cursor)
  if (first === 'show') return parseShow(cursor)
  if (first === 'kill') return parseKill(cursor)
  return first !== undefined && IGNORED.has(first) ? { kind: 'ignored' } : UNKNOWN
}

function parseSelect(cursor: TokenCursor): Statement {
  const items: SelectItem[] = []
  do {
    const from = cursor.at
    const expression = parseExpression(cursor)
    if (expression === undefined) return UNKNOWN
    let title = cursor.textSince(from)
    if (cursor.skipWord('as')) title = cursor.takeName() ?? title
    items.push({ expression, title })
  } while (cursor.skipSymbol(','))
  return cursor.isDone() || cursor.skipWord('limit') ? { kind: 'select', items } : UNKNOWN
}

function parseSet(cursor: TokenCursor): Statement {
  if (cursor.skipWord('names') || cursor.skipWord('character')) return { kind: 'ignored' }
  const assignments: Assignment[] = []
  do {
    const target = parseTarget(cursor)
    if (target === undefined) return UNKNOWN
    if (!cursor.skipSymbol('=') && !cursor.skipSymbol(':=')) return UNKNOWN
    const value = parseExpression(cursor)
    if (value === undefined) return UNKNOWN
    assignments.push({ ...target, value })
  } while (cursor.skipSymbol(','))
  return cursor.isDone() ? { kind: 'set', assignments } : UNKNOWN
}

function parseTarget(
  cursor: TokenCursor,
): { readonly target: 'user' | 'system'; readonly name: string } | undefined {
  const variable = parseVariable(cursor)
  if (variable !== undefined) return { target: variable.kind, name: variable.name }
  skipScope(cursor)
  const name = cursor.takeName()
  return name === undefined ? undefined : { target: 'system', name: name.toLowerCase() }
}

function parseVariable(
  cursor: TokenCursor,
): { readonly kind: 'user' | 'system'; readonly name: string } | undefined {
  const kind = cursor.skipSymbol('@@') ? 'system' : cursor.skipSymbol('@') ? 'user' : undefined
  if (kind === undefined) return undefined
  if (kind === 'system' && skipScope(cursor)) cursor.skipSymbol('.')
  const name = cursor.takeName()
  return name === undefined ? undefined : { kind, name: name.toLowerCase() }
}

function skipScope(cursor: TokenCursor): boolean {
  return ['global', 'session', 'local'].some((scope) => cursor.skipWord(scope))
}

function parseExpression(cursor: TokenCursor): Expression | undefined {
  const variable = parseVariable(cursor)
  if (variable !== undefined) return variable
  const token = cursor.take()
  if (token === undefined || token.kind === 'symbol') return undefined
  if (token.kind !== 'word') return { kind: 'literal', text: token.text }
  if (cursor.skipSymbol('(')) {
    return cursor.skipPast(')') ? { kind: 'call', name: token.text.toLowerCase() } : undefined
  }
  if (token.text.toLowerCase() === 'null') return { kind: 'null' }
  return { kind: 'literal', text: token.text }
}

function parseShow(cursor: TokenCursor): Statement {
  const isFull = cursor.skipWord('full')
  if (cursor.skipWord('processlist')) return { kind: 'show-processes', isFull }
  if (isFull) return UNKNOWN
  skipScope(cursor)
  if (cursor.skipWord('variables')) return parseNames(cursor, 'show-variables')
  if (cursor.skipWord('status')) return parseNames(cursor, 'show-status')
  if (cursor.skipWord('replicas')) return { kind: 'show-replicas', words: 'replicas' }
  if (cursor.skipWords('slave', 'hosts')) return { kind: 'show-replicas', words: 'slave-hosts' }
  if (cursor.skipWords('replica', 'hosts')) return { kind: 'show-replicas', words: 'replica-hosts' }
  if (cursor.skipWords('binlog', 'events')) return parseShowEvents(cursor)
  if (cursor.skipWords('binary', 'logs') || cursor.skipWords('master', 'logs')) {
    return { kind: 'show-files' }
  }
  if (cursor.skipWords('binary', 'log', 'status')) {
    return { kind: 'show-position', words: 'binary log' }
  }
  if (cursor.skipWords('master', 'status') || cursor.skipWords('binlog', 'status')) {
    return { kind: 'show-position', words: 'master' }
  }
  if (cursor.skipWord('warnings')) return { kind: 'show-nothing' }
  return UNKNOWN
}

function parseShowEvents(cursor: TokenCursor): Statement {
  const wish = { file: null as string | null, from: null as number | null, skip: 0 }
  if (cursor.skipWord('in')) {
    const file = cursor.take()
    if (file?.kind !== 'string') return UNKNOWN
    wish.file = file.text
  }
  if (cursor.skipWord('from')) {
    wish.from = cursor.takeCount() ?? null
    if (wish.from === null) return UNKNOWN
  }
  let count: number | null = null
  if (cursor.skipWord('limit')) {
    const numbers = [cursor.takeCount()]
    const isOffset = cursor.skipWord('offset')
    if (isOffset || cursor.skipSymbol(',')) numbers.push(cursor.takeCount())
    const [first, second] = isOffset ? numbers.toReversed() : numbers
    if (first === undefined || (numbers.length > 1 && second === undefined)) return UNKNOWN
    count = second ?? first
    wish.skip = second === undefined ? 0 : first
  }
  return cursor.isDone() ? { kind: 'show-events', wish: { ...wish, count } } : UNKNOWN
}

function parseNames(cursor: TokenCursor, kind: 'show-variables' | 'show-status'): Statement {
  const matches = parseNameTest(cursor)
  return matches === undefined ? UNKNOWN : { kind, matches }
}

function parseNameTest(cursor: TokenCursor): NameTest | undefined {
  if (cursor.isDone()) return () => true
  if (!cursor.skipWord('like')) {
    if (!cursor.skipWords('where', 'variable_name')) return undefined
    if (!cursor.skipWord('like')) return parseNameList(cursor)
  }
  const pattern = cursor.take()?.text
  return pattern === undefined ? undefined : likes(pattern)
}

function parseNameList(cursor: TokenCursor): NameTest | undefined {
  const names = new Set<string>()
  if (!cursor.skipSymbol('=') && !(cursor.skipWord('in') && cursor.skipSymbol('('))) {
    return undefined
  }
  do {
    const name = cursor.take()
    if (name?.kind !== 'string') return undefined
    names.add(name.text.toLowerCase())
  } while (cursor.skipSymbol(','))
  return (name) => names.has(name)
}

/** Beyond every name, and short enough to be made an expression of. */
const PATTERN_LENGTH_MAX = 256

/** `%` is any text, `_` any character; case does not count. */
function likes(pattern: string): (name: string) => boolean {
  if (pattern.length > PATTERN_LENGTH_MAX) return () => false
  const source = pattern
    .toLowerCase()
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll(/%+/g, '.*')
    .replaceAll('_', '.')
  // A pattern of many wildcards could take exponential time; nobody needs more than a few.
  if (source.split('.*').length > 4) return () => false
  const expression = new RegExp(`^${source}$`, 's')
  return (name) => expression.test(name)
}

function parseKill(cursor: TokenCursor): Statement {
  if (!cursor.skipWord('connection')) cursor.skipWord('hard')
  const token = cursor.take()
  if (token?.kind !== 'number' || !/^\d{1,10}$/.test(token.text)) return UNKNOWN
  return { kind: 'kill', connectionId: Number(token.text) }
}

/** Semicolons, spaces and zero bytes at the end mean nothing. */
function withoutEnd(sql: string): string {
  let end = sql.length
  while (end > 0 && /[;\s\0]/.test(sql.charAt(end - 1))) end -= 1
  return sql.slice(0, end)
}

class TokenCursor {
  readonly #sql: string
  readonly #tokens: readonly Token[]
  #index = 0

  constructor(sql: string) {
    this.#sql = sql
    this.#tokens = tokenize(withoutEnd(sql))
  }

  get at(): number {
    return this.#tokens[this.#index]?.at ?? this.#sql.length
  }

  textSince(from: number): string {
    return this.#sql.slice(from, this.at).trim()
  }

  isDone(): boolean {
    return this.#index >= this.#tokens.length
  }

  take(): Token | undefined {
    const token = this.#tokens[this.#index]
    this.#index += 1
    return token
  }

  #peek(kind: Token['kind'], ahead = 0): string | undefined {
    const token = this.#tokens[this.#index + ahead]
    return token?.kind === kind ? token.text : undefined
  }

  takeWord(): string | undefined {
    const text = this.#peek('word')?.toLowerCase()
    if (text !== undefined) this.#index += 1
    return text
  }

  takeCount(): number | undefined {
    const text = this.#peek('number')
    if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined
    this.#index += 1
    return Number(text)
  }

  /** A name, quoted or not. */
  takeName(): string | undefined {
    const text = this.#peek('word') ?? this.#peek('string')
    if (text !== undefined) this.#index += 1
    return text
  }

  skipWord(word: string): boolean {
    return this.skipWords(word)
  }

  skipWords(...words: readonly string[]): boolean {
    if (!words.every((word, ahead) => this.#peek('word', ahead)?.toLowerCase() === word)) {
      return false
    }
    this.#index += words.length
    return true
  }

  skipSymbol(symbol: string): boolean {
    if (this.#peek('symbol') !== symbol) return false
    this.#index += 1
    return true
  }

  skipPast(symbol: string): boolean {
    while (!this.isDone()) {
      const token = this.take()
      if (token?.kind === 'symbol' && token.text === symbol) return true
    }
    return false
  }
}
