import type { MetricSheet } from '../observe/metric-sheet.ts'
import type { StreamStatus } from '../status/status.ts'

/** `sheet` is that of the stream. */
export function throttleMetrics(sheet: MetricSheet, throttle: StreamStatus['throttle']): void {
  const own = sheet.of('throttle_')
  const help = 'Limit that holds now; 0: paused'
  own.gauge('limit_bytes_per_second', help, throttle.bytesPerSecond)
}
