/**
 * The words of a statement. Only what replicas and people send to a binlog server needs to be
 * told apart; anything else becomes a `symbol`, which no statement accepts.
 */
export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'symbol'; readonly text: string; readonly at: number }

/** No statement of a replica or a person comes near; what is longer is not understood. */
const TOKENS_MAX = 10_000
const SPACE_OR_REMARK = /\s+|--[ \t][^\n]*|#[^\n]*/y
const WORD = /[A-Za-z_$\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const QUOTED_WORD = /`((?:[^`]|``)*)`/y
const NUMBER = /-?\d+(?:\.\d+)?/y
const STRING = /'((?:[^'\\]|\\[\s\S]|'')*)'|"((?:[^"\\]|\\[\s\S]|"")*)"/y
const SYMBOL = /@@|:=|[\s\S]/y

/**
 * Never throws: what is not understood comes out as symbols. Takes time in proportion to the
 * length, also for the statement of somebody who wants it to take long.
 */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  const scan = new Scan(sql)
  while (!scan.isDone) {
    if (scan.skipSpace()) continue
    // A symbol at the end, which no statement has.
    const isTooLong = tokens.length === TOKENS_MAX
    tokens.push((isTooLong ? undefined : scan.take()) ?? scan.takeSymbol())
    if (isTooLong) break
  }
  return tokens
}

/** How far a statement was read. */
class Scan {
  readonly #sql: string
  #at = 0
  /**
   * Quotes, and the beginning of a comment, that were found without an end: what begins with one
   * later has no end either, for it would be the end that was missing.
   */
  readonly #endless = new Set<string>()

  constructor(sql: string) {
    this.#sql = sql
  }

  get isDone(): boolean {
    return this.#at >= this.#sql.length
  }

  /** White space, a remark or a comment. */
  skipSpace(): boolean {
    const found = this.#match(SPACE_OR_REMARK)
    if (found !== null) {
      this.#at += found[0].length
      return true
    }
    if (this.#endless.has('/*') || !this.#sql.startsWith('/*', this.#at)) return false
    const end = this.#sql.indexOf('*/', this.#at + 2)
    if (end < 0) this.#endless.add('/*')
    else this.#at = end + 2
    return end >= 0
  }

  take(): Token | undefined {
    const at = this.#at
    const found = this.#match(WORD) ?? this.#match(NUMBER) ?? this.#quoted()
    if (found === null) return undefined
    this.#at += found[0].length
    return classify(found, at)
  }

  takeSymbol(): Token {
    const at = this.#at
    const text = this.#match(SYMBOL)?.[0] ?? ''
    this.#at += text.length
    return { kind: 'symbol', text, at }
  }

  #quoted(): RegExpExecArray | null {
    const quote = this.#sql.charAt(this.#at)
    if (this.#endless.has(quote)) return null
    const found = this.#match(QUOTED_WORD) ?? this.#match(STRING)
    if (found === null) this.#endless.add(quote)
    return found
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#sql)
  }
}

function classify(found: RegExpExecArray, at: number): Token {
  const first = found[0][0] as string
  if (first === '`') return { kind: 'word', text: unquote(found[1] ?? '', '`'), at }
  if (first === "'") return { kind: 'string', text: unquote(found[1] ?? '', first), at }
  if (first === '"') return { kind: 'string', text: unquote(found[2] ?? '', first), at }
  if (/[-\d]/.test(first)) return { kind: 'number', text: found[0], at }
  return { kind: 'word', text: found[0], at }
}

function unquote(text: string, quote: string): string {
  const single = text.replaceAll(quote + quote, quote)
  return quote === '`' ? single : single.replace(/\\([\s\S])/g, '$1')
}
