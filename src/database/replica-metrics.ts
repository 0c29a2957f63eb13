import { parseHostPort } from '../config/address.ts'
import type { MetricSheet } from '../observe/metric-sheet.ts'
import { lagMetrics } from '../progress/lag-metrics.ts'
import type { ReplicaStatus } from '../status/status.ts'

/**
 * `sheet` is that of the stream. A replica is named by what stays the same when it connects again;
 * its address is beside that, without the port.
 */
export function replicaMetrics(sheet: MetricSheet, replicas: readonly ReplicaStatus[]): void {
  for (const replica of replicas) {
    const { serverId, serverUuid, address, applyError, delaySeconds } = replica
    const labels = { server_id: serverId, server_uuid: serverUuid ?? '' }
    const labelled = sheet.of('', labels)
    const own = labelled.of('replica_')
    own.gauge('info', 'Always 1; where it is', 1, { host: hostOf(address) })
    own.gauge('connected', '1 while the replica is connected to the relay', connected(replica))
    own.gauge('failed', '1 when it does not apply', Number(applyError !== null))
    own.gauge('incomplete', '1 when it leaves out data, or did', incompleteness(replica))
    own.gauge('late_seconds', 'How long it waits on purpose before it applies', delaySeconds)
    lagMetrics(labelled, 'apply', replica.applyLag)
  }
}

/** Null of one that is away and for which nothing is kept: nobody waits for it. */
function connected({ state, retainsFile }: ReplicaStatus): number | null {
  if (state === 'disconnected') return retainsFile === null ? null : 0
  return 1
}

function hostOf(address: string): string {
  return parseHostPort(address)?.host ?? address
}

/** Null while nobody can ask it for its filters, and nothing is known from before. */
function incompleteness({ filters, leftOut, unlogged }: ReplicaStatus): number | null {
  const isFiltered = leftOut !== null || (filters !== null && filters.length > 0)
  const isIncomplete = isFiltered || unlogged !== null
  return isIncomplete || filters !== null ? Number(isIncomplete) : null
}
