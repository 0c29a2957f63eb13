/** A run of an operation, from the lines of a journal. */
export interface JournalRow {
  readonly key: string
  readonly atMs: number
  readonly gateway: string
  readonly operation: string
  readonly caller: string
  readonly result: 'runs' | 'done' | 'failed' | 'interrupted' | 'gap'
  /** What it was asked with; where it failed, why. */
  readonly detail: string
}

export interface JournalEntries {
  readonly gateway: string
  readonly entries: readonly unknown[]
}

interface Line {
  readonly sequence: number
  readonly atMs: number
  readonly run: string | null
  readonly operation: string
  readonly caller: string
  readonly phase: string
  readonly detail: unknown
}

const DETAIL_CHARACTERS_MAX = 200
const RESULTS = ['done', 'failed', 'interrupted', 'gap'] as const

/** The newest first; one row for each run, of all gateways. */
export function journalRows(all: readonly JournalEntries[]): JournalRow[] {
  const rows = all.flatMap(({ gateway, entries }) => {
    const runs = new Map<string, JournalRow>()
    for (const line of entries.flatMap((raw) => lineIn(raw))) {
      const key = `${gateway} ${line.run ?? `line ${line.sequence}`}`
      runs.set(key, rowOf(key, gateway, line, runs.get(key)))
    }
    return [...runs.values()]
  })
  return rows.sort((a, b) => b.atMs - a.atMs)
}

function rowOf(key: string, gateway: string, line: Line, before?: JournalRow): JournalRow {
  const { phase, operation, caller, atMs } = line
  const result = RESULTS.find((one) => one === phase) ?? before?.result ?? 'runs'
  const says = phase === 'begun' || phase === 'failed' || phase === 'gap' || before === undefined
  return {
    key,
    atMs: before?.atMs ?? atMs,
    gateway,
    operation: before?.operation ?? operation,
    caller: before?.caller ?? caller,
    result,
    detail: says ? detailText(line.detail) : before.detail,
  }
}

function detailText(detail: unknown): string {
  const { code, message } = (detail ?? {}) as { code?: unknown; message?: unknown }
  const text =
    typeof message === 'string'
      ? `${message}${typeof code === 'string' ? ` (${code})` : ''}`
      : typeof detail === 'string'
        ? detail
        : pairs(detail)
  if (text.length <= DETAIL_CHARACTERS_MAX) return text
  return `${text.slice(0, DETAIL_CHARACTERS_MAX)}…`
}

/** `stream: main, site: azure`. */
function pairs(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return ''
  return Object.entries(detail)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
}

function lineIn(raw: unknown): Line[] {
  const line = (raw ?? {}) as Readonly<Record<keyof Line, unknown>>
  if (typeof line.sequence !== 'number' || typeof line.atMs !== 'number') return []
  return [
    {
      sequence: line.sequence,
      atMs: line.atMs,
      run: typeof line.run === 'string' ? line.run : null,
      operation: String(line.operation ?? ''),
      caller: String(line.caller ?? ''),
      phase: String(line.phase ?? ''),
      detail: line.detail,
    },
  ]
}
