import { replicaMetrics } from '../database/replica-metrics.ts'
import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'
import {
  exposureMetrics,
  lagMetrics,
  objectiveMetrics,
  rateMetrics,
} from '../progress/lag-metrics.ts'
import { throttleMetrics } from '../progress/throttle-metrics.ts'
import { spoolMetrics } from '../spool/spool-metrics.ts'
import { FAILOVER_STATES, failoverState } from '../status/failover-state.ts'
import type { StreamStatus } from '../status/status.ts'

const STATES = ['idle', 'connecting', 'streaming', 'parked', 'blocked'] as const

export function streamMetrics(sheet: MetricSheet, streams: readonly StreamStatus[]): void {
  for (const stream of streams) {
    const { source } = stream
    const own = sheet.of('landbridge_stream_', { stream: stream.name })
    own.state('state', '1 for the state the stream is in', stream.state, STATES)
    for (const role of ['origin', 'copy']) {
      own.gauge('role', '1 for what this site is', Number(stream.role === role), { role })
    }
    own.gauge('term', 'How often the origin was decided', stream.term.term)
    own.gauge('source_connected', '1 while the source is read', Number(source.connected))
    const heardSeconds = seconds(source.heardAgoMs)
    own.gauge('source_heard_age_seconds', 'Since the source was heard', heardSeconds)
    const { transactionsReceived, bytesReceived } = stream
    own.counter('received_transactions_total', 'Transactions received', transactionsReceived)
    own.counter('received_bytes_total', 'Bytes of binlog received', bytesReceived)
    copyMetrics(own, stream.copies)
    throttleMetrics(own, stream.throttle)
    spoolMetrics(own, stream.spool)
    lagMetrics(own, 'receive', stream.receiveLag)
    exposureMetrics(own, stream.exposure)
    objectiveMetrics(own, stream.objective)
    rateMetrics(own, stream.rates)
    failoverMetrics(own, stream)
    replicaMetrics(own, stream.replicas)
  }
}

/** As the origin sees them. */
function copyMetrics(sheet: MetricSheet, copies: StreamStatus['copies']): void {
  for (const { peer, state, sentBytes, inFlightBytes } of copies) {
    const own = sheet.of('copy_', { peer })
    own.state('state', '1 for the state the stream to that copy is in', state, STATES)
    own.counter('sent_bytes_total', 'Bytes of binlog sent to that copy', sentBytes)
    own.gauge('in_flight_bytes', 'Sent, and not yet synced there', inFlightBytes)
  }
}

function failoverMetrics(sheet: MetricSheet, stream: StreamStatus): void {
  const state = failoverState(stream)
  if (state === null) return
  const help = '1 for how far the best replica is from taking over; ready: it can'
  sheet.state('failover_state', help, state, FAILOVER_STATES)
}
