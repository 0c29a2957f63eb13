import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'
import type { LagStatus } from '../status/status.ts'

const WHAT = { receive: 'Source to synced', apply: 'Synced to applied' } as const

/** `sheet` is that of a stream, or of one of its replicas. */
export function lagMetrics(
  sheet: MetricSheet,
  which: 'receive' | 'apply',
  lag: LagStatus | null,
): void {
  if (lag === null) return
  const own = sheet.of(`${which}_`)
  const what = WHAT[which]
  own.gauge('lag_bytes', `${what}: bytes missing`, lag.bytes)
  own.gauge('lag_transactions', `${what}: transactions missing`, lag.transactions)
  own.gauge('lag_seconds', `${what}: age of what is missing`, seconds(lag.ms))
  own.gauge('lag_proven_age_seconds', `${what}: age of proof`, seconds(lag.provenAgoMs))
  if (lag.recent === null) return
  const { p50Ms, p99Ms, maxMs } = lag.recent
  const figures = { p50: p50Ms, p99: p99Ms, max: maxMs }
  for (const [figure, ms] of Object.entries(figures)) {
    const help = `${what}: delay of single transactions, ${figure} of a window`
    own.gauge(`delay_${figure}_seconds`, help, seconds(ms), { window: 'all' })
  }
}
