import { hanging, plainText, plainValue } from '../base/plain-text.ts'

const COLORS: Readonly<Record<string, number>> = { debug: 90, info: 32, warn: 33, error: 31 }
const HIDDEN = new Set(['level', 'time', 'message', 'gateway', 'error', 'err', 'remedy'])
const MARGIN = ' '.repeat(19)

/**
 * One JSON line of the log as a line for people:
 *
 *     12:00:01.250 INFO  link up  peer=azure roundTripMs=31
 *     12:00:09.002 WARN  link lost  peer=azure
 *                    ERR_LINK_CLOSED: the peer closed the connection
 *     12:00:11.730 WARN  link down: cannot reach the peer  code=ERR_LINK_DIAL
 *                    remedy: Check that the peer runs.
 */
export function formatLogLine(line: string, options: { readonly color: boolean }): string {
  const parsed = parse(line)
  if (parsed === null) return plainText(line)
  // A peer's or a database's own words may be in any of it, with line ends of their own.
  const fields = plainValue(parsed)
  const paint = (code: number, text: string): string =>
    options.color ? `\u001b[${code}m${text}\u001b[0m` : text
  const level = String(fields.level)
  const time = String(fields.time).slice(11, 23)
  const head = `${paint(90, time)} ${paint(COLORS[level] ?? 0, level.toUpperCase().padEnd(5))}`
  const pairs = Object.entries(fields)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => `${paint(90, `${name}=`)}${valueText(value)}`)
  const [message = '', ...more] = `${fields.message ?? ''}`.split('\n')
  const text = [`${head} ${message}`, ...pairs].join(' ').trimEnd()
  const rest = [...more, ...errorLines(fields.error ?? fields.err), ...remedyLines(fields)]
  return `${text}\n${below(rest)}`
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' ? (parsed as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function valueText(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

function errorLines(error: unknown): string[] {
  if (typeof error !== 'object' || error === null) return []
  const { code, message, stack } = error as Record<string, unknown>
  const lines = [`${code}: ${message}`, ...remedyLines(error)]
  return stack === undefined ? lines : [...lines, String(stack)]
}

function remedyLines({ remedy }: { readonly remedy?: unknown }): string[] {
  return remedy === undefined ? [] : [`remedy: ${remedy}`]
}

/** Under the message; texts may have several lines, as SQL does. */
function below(lines: readonly string[]): string {
  return lines.map((text) => `${MARGIN}${hanging(text, MARGIN.length)}\n`).join('')
}
