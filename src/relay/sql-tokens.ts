/**
 * The words of a statement. Only what replicas and people send to a binlog server needs to be
 * told apart; anything else becomes a `symbol`, which no statement accepts.
 */
export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'symbol'; readonly text: string; readonly at: number }

const SPACE_OR_COMMENT = /(?:\s+|\/\*[\s\S]*?\*\/|--[ \t][^\n]*|#[^\n]*)+/y
const WORD = /[A-Za-z_$\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const QUOTED_WORD = /`((?:[^`]|``)*)`/y
const NUMBER = /-?\d+(?:\.\d+)?/y
const STRING = /'((?:[^'\\]|\\[\s\S]|'')*)'|"((?:[^"\\]|\\[\s\S]|"")*)"/y
const SYMBOL = /@@|:=|[\s\S]/y

/** Never throws: what is not understood comes out as symbols. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(sql)
  }
  while (at < sql.length) {
    const space = match(SPACE_OR_COMMENT)
    if (space !== null) {
      at += space[0].length
      continue
    }
    const found = match(WORD) ?? match(QUOTED_WORD) ?? match(NUMBER) ?? match(STRING)
    if (found === null) {
      const symbol = match(SYMBOL)?.[0] ?? sql.slice(at, at + 1)
      tokens.push({ kind: 'symbol', text: symbol, at })
      at += symbol.length
      continue
    }
    tokens.push(classify(found, at))
    at += found[0].length
  }
  return tokens
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
