import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'

/** As much of it as is known: at a copy next to nothing. */
export interface ThrottleFacts {
  readonly bytesPerSecond: number | null
  readonly by?: string | null
  readonly sinceMs?: number | null
  readonly measuredBytesPerSecond?: number | null
  readonly waitingBytes?: number | null
}

const HOLDERS = ['configuration', 'schedule', 'operator', 'yielding', 'brake', 'none'] as const

/** `sheet` is that of the stream. */
export function throttleMetrics(sheet: MetricSheet, throttle: ThrottleFacts): void {
  const own = sheet.of('throttle_')
  const { bytesPerSecond, by, sinceMs = null, measuredBytesPerSecond = null } = throttle
  own.gauge('limit_bytes_per_second', 'Limit that holds now; 0: paused', bytesPerSecond)
  if (by !== undefined) {
    own.state('holder', '1 for what holds the stream back now', by ?? 'none', HOLDERS)
  }
  const since = seconds(sinceMs)
  own.gauge('since_timestamp_seconds', 'Unix time from which on that limit holds', since)
  const measured = 'Sent in the last ten seconds'
  own.gauge('measured_bytes_per_second', measured, measuredBytesPerSecond)
  const waiting = 'Held back by the throttle now'
  own.gauge('waiting_bytes', waiting, throttle.waitingBytes ?? null)
}
