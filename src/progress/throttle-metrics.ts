import type { MetricSheet } from '../observe/metric-sheet.ts'
import { LIMITERS, type ThrottleStatus } from '../status/status.ts'

/** At a copy as the origin told it. */
export function throttleMetrics(stream: MetricSheet, throttle: ThrottleStatus): void {
  const own = stream.of('throttle_')
  const { bytesPerSecond, by, measuredBytesPerSecond, waitingBytes } = throttle
  // Without a limit there is no series: 0 stands for a pause.
  own.gauge('bytes_per_second', 'The limit that holds; 0 while paused', bytesPerSecond)
  own.gauge('paused', '1 while nothing passes on purpose', Number(bytesPerSecond === 0))
  own.gauge('sent_bytes_per_second', 'Sent in the last 10 seconds', measuredBytesPerSecond)
  own.gauge('waiting_bytes', 'Bytes that the throttle holds back', waitingBytes)
  for (const one of LIMITERS) {
    own.gauge('by', '1 for who holds the stream back', Number(by === one), { by: one })
  }
}
