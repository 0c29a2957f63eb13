import { bytesText, durationText } from '../../base/quantity-text.ts'
import { mainLinks } from '../../status/links.ts'
import type {
  GatewayStatus,
  LagStatus,
  LinkStatus,
  ReplicaStatus,
  StreamStatus,
} from '../../status/status.ts'
import type { Paint } from '../terminal/paint.ts'
import { answersOf } from './copies-answers.ts'
import { headline, problemLines, type ShownStatus, verdictLine } from './status-view.ts'

type Cells = readonly string[]

const PROBLEMS_MAX = 4
const GAP = '  '

/** The status on one screen: the answers, what is wrong, and a line for each stream and replica. */
export function renderWatch({ status, copies }: ShownStatus, paint: Paint): string {
  const time = `${new Date(status.nowMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`
  return [
    [headline(status, paint), paint.dim(time)].join('\n'),
    answersOf(status, copies)
      .map((verdict) => verdictLine(verdict, paint))
      .join('\n'),
    problemsBlock(status, paint),
    table(streamRows(status), paint),
    table(linkRows(mainLinks(status.links)), paint),
  ]
    .filter((block) => block !== '')
    .map((block) => `${block}\n`)
    .join('\n')
}

function problemsBlock({ problems, nowMs }: GatewayStatus, paint: Paint): string {
  const shown = problems.slice(0, PROBLEMS_MAX)
  const lines = shown.flatMap((problem) => problemLines(problem, nowMs, paint))
  const more = problems.length - shown.length
  if (more > 0) lines.push(paint.warn(`  and ${more} more: landbridge status without --watch`))
  return lines.join('\n')
}

const STREAM_HEAD = ['stream', 'state', 'exposed', 'behind', 'per second', 'received'] as const

function streamRows({ streams }: GatewayStatus): Cells[] {
  return [STREAM_HEAD, ...streams.flatMap((one) => [streamCells(one), ...one.replicas.map(cells)])]
}

function streamCells(stream: StreamStatus): Cells {
  const { name, state, exposure, receiveLag, rates, bytesReceived, role } = stream
  const shown = role === 'origin' ? 'origin' : state
  const exposed = exposure === null ? '-' : exposedText(exposure)
  const rate = rates === null ? '-' : `${Math.round(rates.transactionsPerSecond)}`
  return [name, shown, exposed, lagText(receiveLag), rate, bytesText(bytesReceived)]
}

function exposedText({ isIdle, atMost }: NonNullable<StreamStatus['exposure']>): string {
  return isIdle ? 'nothing' : durationText(atMost.ms)
}

function cells({ serverId, state, applyLag, applyError }: ReplicaStatus): Cells {
  const shown = applyError === null ? state : 'failed'
  return [`  replica ${serverId}`, shown, '', lagText(applyLag), '', '']
}

function lagText(lag: LagStatus | null): string {
  return lag === null ? '-' : durationText(lag.ms)
}

const LINK_HEAD = ['link', 'state', 'round trip', 'received', 'sent'] as const

function linkRows(links: readonly LinkStatus[]): Cells[] {
  const rows = links.map((link): Cells => {
    const { peer, state, roundTripMs, receivedBytes, sentBytes } = link
    return [
      ...[peer, state, durationText(roundTripMs)],
      ...[bytesText(receivedBytes), bytesText(sentBytes)],
    ]
  })
  return [LINK_HEAD, ...rows]
}

/** As wide as its widest cells; the first line is its head. */
function table(rows: readonly Cells[], paint: Paint): string {
  const [head = []] = rows
  const widths = head.map((_cell, column) => {
    return Math.max(...rows.map((row) => row[column]?.length ?? 0))
  })
  return rows
    .map((row, index) => {
      const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(GAP)
      return index === 0 ? paint.head(line.trimEnd()) : line.trimEnd()
    })
    .join('\n')
}
