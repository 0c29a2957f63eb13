import { replicaMetrics } from '../database/replica-metrics.ts'
import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'
import { lagMetrics } from '../progress/lag-metrics.ts'
import { throttleMetrics } from '../progress/throttle-metrics.ts'
import type { StreamStatus } from '../status/status.ts'

const STATES = ['idle', 'connecting', 'streaming', 'parked', 'blocked'] as const

export function streamMetrics(sheet: MetricSheet, streams: readonly StreamStatus[]): void {
  for (const { source, spool, ...stream } of streams) {
    const own = sheet.of('landbridge_stream_', { stream: stream.name })
    own.state('state', '1 for the state the stream is in', stream.state, STATES)
    for (const role of ['origin', 'copy']) {
      own.gauge('role', '1 for what this site is', Number(stream.role === role), { role })
    }
    own.gauge('term', 'How often the origin was decided', stream.term.term)
    own.gauge('source_connected', '1 while the source is read', Number(source.connected))
    const heardSeconds = seconds(source.heardAgoMs)
    own.gauge('source_heard_age_seconds', 'Since the source was heard', heardSeconds)
    own.gauge('spool_bytes', 'Bytes of binlog held', spool?.bytes ?? null)
    own.gauge('spool_files', 'Binlog files held', spool?.files ?? null)
    throttleMetrics(own, stream.throttle)
    const { transactionsReceived, bytesReceived } = stream
    own.counter('received_transactions_total', 'Transactions received', transactionsReceived)
    own.counter('received_bytes_total', 'Bytes of binlog received', bytesReceived)
    lagMetrics(own, 'receive', stream.receiveLag)
    replicaMetrics(own, stream.replicas)
  }
}
