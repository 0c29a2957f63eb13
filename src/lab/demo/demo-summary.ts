import type { Flavor } from '../../base/flavor.ts'
import type { CopyReport } from '../compare/compare-copy.ts'
import { labelled } from '../lab-shape.ts'
import { type Percentiles, worstOf } from './demo-sample.ts'
import { bytesText, percentilesText } from './demo-screen.ts'

/** The last line of `landbridge demo --json`. */
export interface DemoSummary {
  readonly ok: boolean
  readonly flavor: Flavor
  /** How long the load ran. */
  readonly seconds: number
  /** Committed at the sources and acknowledged to the writers. */
  readonly transactions: number
  readonly binlogBytes: number
  readonly tunnelBytes: number
  /** Of all copies. Null only in a lab without gateways. */
  readonly spoolIdentical: boolean | null
  readonly replicaEqual: boolean
  /** The worst copy's, as is the next. */
  readonly receiveLagMs: Percentiles
  readonly applyLagMs: Percentiles
  readonly copies: readonly DemoCopy[]
  readonly failures: readonly string[]
}

export interface DemoCopy {
  readonly stream: string
  readonly site: string
  readonly spoolIdentical: boolean | null
  readonly replicaEqual: boolean
  readonly receiveLagMs: Percentiles
  readonly applyLagMs: Percentiles
}

export type CopyOutcome = CopyReport & Pick<DemoCopy, 'receiveLagMs' | 'applyLagMs'>

export interface DemoOutcome {
  readonly flavor: Flavor
  readonly seconds: number
  readonly transactions: number
  readonly binlogBytes: number
  readonly tunnelBytes: number
  readonly copies: readonly CopyOutcome[]
  /** Besides what the comparisons found. */
  readonly failures: readonly string[]
}

export function summarise(outcome: DemoOutcome): DemoSummary {
  const failures = [...outcome.failures, ...outcome.copies.flatMap(failuresOf)]
  if (outcome.transactions === 0) failures.push('not one transaction was committed')
  const copies = outcome.copies.map(copyOf)
  const compared = copies.map((copy) => copy.spoolIdentical).filter((same) => same !== null)
  const spoolIdentical = compared.length === 0 ? null : !compared.includes(false)
  const replicaEqual = copies.length > 0 && copies.every((copy) => copy.replicaEqual)
  return {
    ok: failures.length === 0 && spoolIdentical !== false && replicaEqual,
    flavor: outcome.flavor,
    seconds: outcome.seconds,
    transactions: outcome.transactions,
    binlogBytes: outcome.binlogBytes,
    tunnelBytes: outcome.tunnelBytes,
    spoolIdentical,
    replicaEqual,
    receiveLagMs: worstOf(copies.map(({ receiveLagMs }) => receiveLagMs)),
    applyLagMs: worstOf(copies.map(({ applyLagMs }) => applyLagMs)),
    copies,
    failures,
  }
}

function copyOf({ stream, site, spool, tables, receiveLagMs, applyLagMs }: CopyOutcome): DemoCopy {
  const spoolIdentical = spool === null ? null : spool.identical
  return { stream, site, spoolIdentical, replicaEqual: tables.equal, receiveLagMs, applyLagMs }
}

function failuresOf({ label, spool, tables }: CopyReport): string[] {
  const failures = [
    ...(spool?.failures ?? []).map((failure) => `spool: ${failure}`),
    ...tables.failures.map((failure) => `replica: ${failure}`),
  ]
  return failures.map((failure) => labelled(label, failure, ', '))
}

/** The same for people. */
export function summaryLines(summary: DemoSummary, outcome: DemoOutcome): string[] {
  const row = (name: string, value: string) => `  ${name.padEnd(38)} ${value}`
  const rate = Math.round(summary.transactions / Math.max(summary.seconds, 1))
  return [
    row(
      'transactions committed at the source',
      `${summary.transactions} in ${Math.round(summary.seconds)} s (${rate} per second)`,
    ),
    row('receive lag (source to synced at copy)', percentilesText(summary.receiveLagMs)),
    row('apply lag (synced to applied)', percentilesText(summary.applyLagMs)),
    row('bytes of binlog', `${summary.binlogBytes} (${bytesText(summary.binlogBytes)})`),
    row('bytes over the tunnel', `${summary.tunnelBytes} (${bytesText(summary.tunnelBytes)})`),
    ...outcome.copies.flatMap(verdicts),
    ...summary.failures.map((failure) => `    ${failure}`),
    summary.ok ? 'all equal' : 'FAILED',
  ]
}

function verdicts({ label, spool, tables }: CopyReport): string[] {
  return [
    verdict(
      labelled(label, 'spool identical to source'),
      spool?.identical ?? null,
      `${spool?.files} files, ${spool?.bytes} bytes compared`,
    ),
    verdict(
      labelled(label, 'replica equals source'),
      tables.equal,
      `${tables.tables} tables, ${tables.rows} rows compared`,
    ),
  ]
}

function verdict(claim: string, holds: boolean | null, detail: string): string {
  if (holds === null) return `  - ${claim}: not compared`
  return holds ? `  ✓ ${claim}  (${detail})` : `  ✗ NOT ${claim}`
}
