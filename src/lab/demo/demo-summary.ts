import type { Flavor } from '../../base/flavor.ts'
import type { SpoolReport } from '../compare/compare-spool.ts'
import type { TablesReport } from '../compare/compare-tables.ts'
import type { Percentiles } from './demo-sample.ts'
import { bytesText, percentilesText } from './demo-screen.ts'

/** The last line of `landbridge demo --json`. */
export interface DemoSummary {
  readonly ok: boolean
  readonly flavor: Flavor
  /** How long the load ran. */
  readonly seconds: number
  /** Committed at the source and acknowledged to the writer. */
  readonly transactions: number
  readonly binlogBytes: number
  readonly tunnelBytes: number
  /** Null only in a lab without gateways. */
  readonly spoolIdentical: boolean | null
  readonly replicaEqual: boolean
  readonly receiveLagMs: Percentiles
  readonly applyLagMs: Percentiles
  readonly failures: readonly string[]
}

export interface DemoOutcome {
  readonly flavor: Flavor
  readonly seconds: number
  readonly transactions: number
  readonly binlogBytes: number
  readonly tunnelBytes: number
  readonly spool: SpoolReport | null
  readonly tables: TablesReport | null
  readonly receiveLagMs: Percentiles
  readonly applyLagMs: Percentiles
  /** Besides what the comparisons found. */
  readonly failures: readonly string[]
}

export function summarise(outcome: DemoOutcome): DemoSummary {
  const { spool, tables } = outcome
  const failures = [
    ...outcome.failures,
    ...(spool?.failures ?? []).map((failure) => `spool: ${failure}`),
    ...(tables?.failures ?? []).map((failure) => `replica: ${failure}`),
  ]
  if (outcome.transactions === 0) failures.push('not one transaction was committed')
  const spoolIdentical = spool === null ? null : spool.identical
  const replicaEqual = tables?.equal ?? false
  return {
    ok: failures.length === 0 && spoolIdentical !== false && replicaEqual,
    flavor: outcome.flavor,
    seconds: outcome.seconds,
    transactions: outcome.transactions,
    binlogBytes: outcome.binlogBytes,
    tunnelBytes: outcome.tunnelBytes,
    spoolIdentical,
    replicaEqual,
    receiveLagMs: outcome.receiveLagMs,
    applyLagMs: outcome.applyLagMs,
    failures,
  }
}

/** The same for people. */
export function summaryLines(summary: DemoSummary, outcome: DemoOutcome): string[] {
  const row = (name: string, value: string) => `  ${name.padEnd(38)} ${value}`
  const rate = Math.round(summary.transactions / Math.max(summary.seconds, 1))
  const { spool, tables } = outcome
  return [
    row(
      'transactions committed at the source',
      `${summary.transactions} in ${Math.round(summary.seconds)} s (${rate} per second)`,
    ),
    row('receive lag (source to synced at DR)', percentilesText(summary.receiveLagMs)),
    row('apply lag (synced to applied)', percentilesText(summary.applyLagMs)),
    row('bytes of binlog', `${summary.binlogBytes} (${bytesText(summary.binlogBytes)})`),
    row('bytes over the tunnel', `${summary.tunnelBytes} (${bytesText(summary.tunnelBytes)})`),
    verdict(
      'spool identical to source',
      spool?.identical ?? null,
      `${spool?.files} files, ${spool?.bytes} bytes compared`,
    ),
    verdict(
      'replica equals source',
      tables?.equal ?? null,
      `${tables?.tables} tables, ${tables?.rows} rows compared`,
    ),
    ...summary.failures.map((failure) => `    ${failure}`),
    summary.ok ? 'all equal' : 'FAILED',
  ]
}

function verdict(claim: string, holds: boolean | null, detail: string): string {
  if (holds === null) return `  - ${claim}: not compared`
  return holds ? `  ✓ ${claim}  (${detail})` : `  ✗ NOT ${claim}`
}
