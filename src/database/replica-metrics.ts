import type { MetricSheet } from '../observe/metric-sheet.ts'
import { lagMetrics } from '../progress/lag-metrics.ts'
import type { ReplicaStatus } from '../status/status.ts'

/** `sheet` is that of the stream. */
export function replicaMetrics(sheet: MetricSheet, replicas: readonly ReplicaStatus[]): void {
  for (const replica of replicas) {
    const { serverId, address, state, applyError, delaySeconds } = replica
    const labelled = sheet.of('', { server_id: serverId, address })
    const own = labelled.of('replica_')
    const connected = Number(state !== 'disconnected')
    own.gauge('connected', '1 while the replica is connected to the relay', connected)
    own.gauge('failed', '1 when it does not apply', Number(applyError !== null))
    own.gauge('incomplete', '1 when it leaves out data, or did', incompleteness(replica))
    own.gauge('late_seconds', 'How long it waits on purpose before it applies', delaySeconds)
    lagMetrics(labelled, 'apply', replica.applyLag)
  }
}

/** Null while nobody can ask it for its filters, and nothing is known from before. */
function incompleteness({ filters, leftOut, unlogged }: ReplicaStatus): number | null {
  const isFiltered = leftOut !== null || (filters !== null && filters.length > 0)
  const isIncomplete = isFiltered || unlogged !== null
  return isIncomplete || filters !== null ? Number(isIncomplete) : null
}
