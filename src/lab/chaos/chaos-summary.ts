import type { Flavor } from '../../base/flavor.ts'
import type { MemoryReport } from './memory-watch.ts'

/** One fault as it happened. */
export interface FaultReport {
  readonly step: number
  readonly name: string
  readonly text: string
  /** Since the first fault was due. */
  readonly atMs: number
  /** Why it could not be done; it does not count then. */
  readonly skipped: string | null
  /** From the heal of its step until bytes of after the heal are synced; null: not measured. */
  readonly recoveryMs: number | null
  /** The same until the replica has applied them. */
  readonly replicaRecoveryMs: number | null
  /** Copies that had not synced it when the wait was given up; the only one is named `the copy`. */
  readonly late: readonly string[]
}

export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly count: number
}

/** What became of one copy of one stream. */
export interface CopyVerdict {
  readonly stream: string
  readonly site: string
  readonly lost: number
  readonly doubled: number
  readonly spoolIdentical: boolean
  readonly replicaEqual: boolean
}

/** The last line of `landbridge chaos --json`. */
export interface ChaosSummary {
  readonly ok: boolean
  readonly flavor: Flavor
  readonly seed: number
  readonly seconds: number
  readonly faults: number
  /** Acknowledged by the sources. */
  readonly transactions: number
  readonly unknown: number
  /** Of all copies together, as are the three below. */
  readonly lost: number
  readonly doubled: number
  readonly spoolIdentical: boolean
  readonly replicaEqual: boolean
  readonly copies: readonly CopyVerdict[]
  readonly recoveryMs: Spread | null
  readonly replicaRecoveryMs: Spread | null
  readonly byFault: Readonly<Record<string, { count: number; medianMs: number; maxMs: number }>>
  /** Of the gateways' last processes; null when they did not run for long enough. */
  readonly memory: Readonly<Record<string, MemoryReport | null>>
  /** A gateway's start counts as recovery, and takes longer where others want the processors. */
  readonly machine: { readonly processors: number; readonly load: number }
  readonly failures: readonly string[]
}

export function spreadOf(values: readonly number[]): Spread | null {
  const sorted = [...values].sort((left, right) => left - right)
  const at = (share: number) =>
    Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? sorted[0] ?? 0)
  if (sorted.length === 0) return null
  return { p50: at(0.5), p99: at(0.99), max: at(1), count: sorted.length }
}

/** Recoveries by kind of fault; those of a pair count for both. */
export function byFault(reports: readonly FaultReport[]): ChaosSummary['byFault'] {
  const groups = new Map<string, number[]>()
  const counts = new Map<string, number>()
  for (const { name, skipped, recoveryMs, replicaRecoveryMs } of reports) {
    if (skipped !== null) continue
    counts.set(name, (counts.get(name) ?? 0) + 1)
    const measured = recoveryMs ?? replicaRecoveryMs
    const group = groups.get(name) ?? []
    if (measured !== null) group.push(measured)
    groups.set(name, group)
  }
  const rows = [...groups].sort(([left], [right]) => left.localeCompare(right))
  return Object.fromEntries(
    rows.map(([name, values]) => {
      const spread = spreadOf(values)
      const count = counts.get(name) ?? 0
      return [name, { count, medianMs: spread?.p50 ?? 0, maxMs: spread?.max ?? 0 }]
    }),
  )
}

/** What a copy had not synced within the 90 s that are waited is a failure of its own. */
export function lateCopies(reports: readonly FaultReport[]): string[] {
  return reports.flatMap(({ late, text }) =>
    late.map((copy) => `${copy} had not synced within 90 s what was committed before: ${text}`),
  )
}

/** One sample per step: what recovers from a pair of faults recovers once. */
export function recoveriesOf(
  reports: readonly FaultReport[],
  field: 'recoveryMs' | 'replicaRecoveryMs',
): number[] {
  const steps = new Map<number, number>()
  for (const report of reports) {
    const value = report[field]
    if (value !== null) steps.set(report.step, value)
  }
  return [...steps.values()]
}

function copyLine({ stream, site, ...copy }: CopyVerdict): string {
  const { lost, doubled, spoolIdentical, replicaEqual } = copy
  const spool = `spool ${spoolIdentical ? 'identical' : 'NOT IDENTICAL'}`
  const replica = `replica ${replicaEqual ? 'equal' : 'NOT EQUAL'}`
  const name = `${stream} at ${site}`.padEnd(22)
  return `  ${name} ${lost} lost, ${doubled} doubled, ${spool}, ${replica}`
}

export function summaryText(summary: ChaosSummary): string {
  const spread = (value: Spread | null) =>
    value === null
      ? 'none measured'
      : `p50 ${value.p50} ms, p99 ${value.p99} ms, max ${value.max} ms`
  const { machine, memory } = summary
  const mib = (value: MemoryReport | null) =>
    value === null
      ? 'not measured'
      : `${value.beginMiB} MiB at first, ${value.endMiB} at last, ${value.maxMiB} at most`
  const lines = [
    ...Object.entries(summary.byFault).map(
      ([name, { count, medianMs, maxMs }]) =>
        `  ${name.padEnd(36)} ${String(count).padStart(3)} x` +
        `   median ${medianMs} ms, max ${maxMs} ms`,
    ),
    `  faults                 ${summary.faults} in ${summary.seconds} s (seed ${summary.seed})`,
    `  transactions           ${summary.transactions} acknowledged, ${summary.unknown} unknown`,
    ...(summary.copies.length > 1 ? summary.copies.map(copyLine) : []),
    `  lost                   ${summary.lost}`,
    `  doubled                ${summary.doubled}`,
    `  spool identical        ${summary.spoolIdentical ? 'yes' : 'NO'}`,
    `  replica equal          ${summary.replicaEqual ? 'yes' : 'NO'}`,
    `  recovery               ${spread(summary.recoveryMs)}`,
    `  recovery of replica    ${spread(summary.replicaRecoveryMs)}`,
    ...Object.entries(memory).map(
      ([site, report]) => `  ${`memory, ${site}`.padEnd(22)} ${mib(report)}`,
    ),
    `  machine                ${machine.processors} processors, load ${machine.load}`,
    ...summary.failures.map((failure) => `  ✗ ${failure}`),
    summary.ok ? 'nothing lost, nothing doubled' : 'FAILED',
  ]
  return `${lines.join('\n')}\n`
}
