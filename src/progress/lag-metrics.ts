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
  const quantiles = { '0.5': p50Ms, '0.99': p99Ms, '1': maxMs }
  for (const [quantile, ms] of Object.entries(quantiles)) {
    own.gauge('delay_seconds', `${what}: delay of single transactions`, seconds(ms), { quantile })
  }
}
