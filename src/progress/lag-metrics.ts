import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'
import type { ExposureStatus, LagStatus, ObjectiveStatus, StreamRates } from '../status/status.ts'

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
  const doubt = seconds(lag.uncertaintyMs)
  own.gauge('lag_uncertainty_seconds', `${what}: how far the age may be off`, doubt)
  const catchUp = seconds(lag.catchUpMs)
  own.gauge('catch_up_seconds', `${what}: until it is not behind, as it goes now`, catchUp)
  const windows = {
    '1m': lag.windows.minute,
    '15m': lag.windows.quarterHour,
    '24h': lag.windows.day,
  }
  for (const [window, delay] of Object.entries(windows)) {
    if (delay === null) continue
    const { p50Ms, p95Ms, p99Ms, maxMs } = delay
    for (const [name, ms] of Object.entries({ p50: p50Ms, p95: p95Ms, p99: p99Ms, max: maxMs })) {
      const help = `${what}: delay of single transactions, ${name} of a window`
      own.gauge(`delay_${name}_seconds`, help, seconds(ms), { window })
    }
  }
}

/** `sheet` is that of the stream. Of an idle source nothing is exposed, however old the proof. */
export function exposureMetrics(sheet: MetricSheet, exposure: ExposureStatus | null): void {
  if (exposure === null) return
  const own = sheet.of('exposure_')
  const { atLeast, atMost, isIdle } = exposure
  own.gauge('idle', '1 while the source is proven to commit nothing', Number(isIdle))
  const least = 'A loss of the origin now would cost at least'
  own.gauge('at_least_seconds', `${least}: age of what is missing`, seconds(atLeast.ms))
  own.gauge('at_least_transactions', `${least} so many`, atLeast.transactions)
  own.gauge('at_least_bytes', `${least} so many bytes of binlog`, atLeast.bytes)
  const most = 'A loss of the origin now would cost at most'
  const atMostMs = isIdle ? 0 : atMost.ms
  own.gauge('at_most_seconds', `${most} what was committed in that time`, seconds(atMostMs))
  own.gauge('at_most_transactions', `${most} so many`, atMost.transactions)
}

/** `sheet` is that of the stream. */
export function objectiveMetrics(sheet: MetricSheet, objective: ObjectiveStatus): void {
  sheet.gauge('objective_seconds', 'What was promised', seconds(objective.maxMs))
  for (const subject of ['exposure', 'apply'] as const) {
    const state = objective[subject]
    const breached = state && Number(state.state === 'breached')
    const help = '1 while it is above what was promised'
    sheet.gauge('objective_breached', help, breached, { objective: subject })
  }
}

/** `sheet` is that of the stream. */
export function rateMetrics(sheet: MetricSheet, rates: StreamRates | null): void {
  if (rates === null) return
  const { transactionsPerSecond, bytesPerSecond } = rates
  const help = 'Synced in the last ten seconds'
  sheet.gauge('synced_transactions_per_second', help, transactionsPerSecond)
  sheet.gauge('synced_bytes_per_second', help, bytesPerSecond)
}
