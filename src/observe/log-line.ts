const COLORS: Readonly<Record<string, number>> = { debug: 90, info: 32, warn: 33, error: 31 }
const HIDDEN = new Set(['level', 'time', 'message', 'gateway', 'error', 'err'])

/**
 * One JSON line of the log as a line for people:
 *
 *     12:00:01.250 INFO  link up  peer=azure roundTripMs=31
 *     12:00:09.002 WARN  link lost  peer=azure
 *                    ERR_LINK_CLOSED: the peer closed the connection
 */
export function formatLogLine(line: string, options: { readonly color: boolean }): string {
  const fields = parse(line)
  if (fields === null) return line
  const paint = (code: number, text: string): string =>
    options.color ? `\u001b[${code}m${text}\u001b[0m` : text
  const level = String(fields.level)
  const time = String(fields.time).slice(11, 23)
  const head = `${paint(90, time)} ${paint(COLORS[level] ?? 0, level.toUpperCase().padEnd(5))}`
  const pairs = Object.entries(fields)
    .filter(([name]) => !HIDDEN.has(name))
    .map(([name, value]) => `${paint(90, `${name}=`)}${valueText(value)}`)
  const text = [`${head} ${fields.message ?? ''}`, ...pairs].join(' ').trimEnd()
  return `${text}\n${errorText(fields.error ?? fields.err)}`
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
  if (typeof value !== 'string') return JSON.stringify(value)
  return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}

function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { code, message, remedy, stack } = error as Record<string, unknown>
  const lines = [`${code}: ${message}`]
  if (remedy !== undefined) lines.push(`remedy: ${remedy}`)
  if (stack !== undefined) lines.push(String(stack))
  return `${lines.join('\n').replaceAll(/^/gm, ' '.repeat(19))}\n`
}
