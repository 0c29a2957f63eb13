import type { MetricSheet } from '../observe/metric-sheet.ts'

/** As much of it as is known. */
export interface ThrottleFacts {
  readonly bytesPerSecond: number | null
  readonly by?: string | null
  readonly measuredBytesPerSecond?: number
  readonly waitingBytes?: number
}

const LIMITERS = ['operator', 'brake', 'schedule', 'yielding', 'configuration'] as const

/** At a copy as the origin told it. */
export function throttleMetrics(stream: MetricSheet, throttle: ThrottleFacts): void {
  const own = stream.of('throttle_')
  const { bytesPerSecond, by, measuredBytesPerSecond = null, waitingBytes = null } = throttle
  // Without a limit there is no series: 0 stands for a pause.
  own.gauge('bytes_per_second', 'The limit that holds; 0 while paused', bytesPerSecond)
  own.gauge('paused', '1 while nothing passes on purpose', Number(bytesPerSecond === 0))
  own.gauge('sent_bytes_per_second', 'Sent in the last 10 seconds', measuredBytesPerSecond)
  own.gauge('waiting_bytes', 'Bytes that the throttle holds back', waitingBytes)
  if (by === undefined) return
  for (const one of LIMITERS) {
    own.gauge('by', '1 for who holds the stream back', Number(by === one), { by: one })
  }
}
