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
  const windows = {
    '1m': lag.windows.minute,
    '15m': lag.windows.quarterHour,
    '24h': lag.windows.day,
  }
  for (const [window, delay] of Object.entries(windows)) {
    if (delay === null) continue
    const { p50Ms, p95Ms, p99Ms, maxMs } = delay
    for (const [name, ms] of Object.entries({ p50: p50Ms, p95: p95Ms, p99: p99Ms, max: maxMs })) {
      const help = `${what}: delay of single transactions, ${name}`
      own.gauge(`delay_${name}_seconds`, help, seconds(ms), { window })
    }
  }
}
