/*
 * What databases, peers and files call things is shown to people. On a terminal such a text could
 * clear the screen, set the clipboard (OSC 52), or turn its own order round, so that it reads as
 * something else. These functions make all of that visible instead: `\x1b`, `\u202e`.
 */

/** Controls (C0, DEL, C1), formats (bidi among them), line and paragraph separators, halves. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
/** The same without what JSON.stringify escapes itself, and without the line end of the log. */
const RAW_IN_JSON = /[\p{Cf}\p{Zl}\p{Zp}\u007f-\u009f]/gu

/** For a place with several lines: line ends and tabs stay. */
export function plainText(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(UNPRINTABLE, (one) => (one === '\n' || one === '\t' ? one : escaped(one)))
}

/** For a place within a line. */
export function plainLine(text: string): string {
  return text.replaceAll(UNPRINTABLE, escaped)
}

/** JSON that a terminal can show, and that means the same. */
export function plainJson(json: string): string {
  return json.replaceAll(RAW_IN_JSON, (one) =>
    [...Array(one.length).keys()].map((at) => unitEscape(one.charCodeAt(at))).join(''),
  )
}

/** Fields that may have several lines. Whoever shows one gives its lines a margin. */
const SEVERAL_LINES: ReadonlySet<string> = new Set(['message', 'remedy', 'stack', 'statements'])

/**
 * A copy in which every text can be shown: within a line, where the field is not one of several
 * lines. So no view has to think of it.
 */
export function plainValue<T>(value: T): T {
  return plainCopy(value, false) as T
}

function plainCopy(value: unknown, severalLines: boolean): unknown {
  if (typeof value === 'string') return severalLines ? plainText(value) : plainLine(value)
  if (Array.isArray(value)) return value.map((one) => plainCopy(one, severalLines))
  if (typeof value !== 'object' || value === null || !isPlainObject(value)) return value
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([name, one]) => [plainLine(name), plainCopy(one, SEVERAL_LINES.has(name))]),
  )
}

/** A Secret hides itself, and only itself. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The lines after the first begin so far to the right that none passes for one of ours. */
export function hanging(text: string, columns: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(columns)}`)
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code > 0xffff) return `\\u{${code.toString(16)}}`
  if (code > 0xff) return unitEscape(code)
  return SHORT[character] ?? `\\x${code.toString(16).padStart(2, '0')}`
}

function unitEscape(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`
}
