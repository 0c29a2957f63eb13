import type { LagStatus, ReplicaStatus, StreamStatus } from './status.ts'

/**
 * Whether a copy can take over, for machines; the words for people are in the verdict.
 * `ready`: a replica has applied all that is held. `behind`: one will have soon. `delayed`: one is
 * late on purpose. `disconnected`: the best one lacks transactions and is not fed. `unknown`: it
 * cannot be asked, or has not answered for a while. `failed`: it does not apply. `incomplete`: it
 * lacks data for good. `no-replica`: none is fed here.
 */
export const FAILOVER_STATES = [
  'ready',
  'behind',
  'delayed',
  'disconnected',
  'unknown',
  'failed',
  'incomplete',
  'no-replica',
] as const

export type FailoverState = (typeof FAILOVER_STATES)[number]

/** A replica is asked every second: what is older than this does not prove the present. */
const PROOF_MS_MAX = 10_000

/** Of the replica that is nearest to taking over. Null at the origin, which has none to judge. */
export function failoverState(
  stream: Pick<StreamStatus, 'role' | 'replicas'>,
): FailoverState | null {
  if (stream.role === 'origin') return null
  const states = stream.replicas.map(replicaState)
  return FAILOVER_STATES.find((state) => states.includes(state)) ?? 'no-replica'
}

function replicaState(replica: ReplicaStatus): FailoverState {
  const { applyError, applyLag, filters, leftOut, unlogged, state, delaySeconds } = replica
  if (applyError !== null) return 'failed'
  if (filters?.length || leftOut || unlogged) return 'incomplete'
  if (!isKnown(applyLag)) return 'unknown'
  if (applyLag.transactions === 0) return 'ready'
  if (state === 'disconnected') return 'disconnected'
  return delaySeconds !== null && delaySeconds > 0 ? 'delayed' : 'behind'
}

function isKnown(lag: LagStatus | null): lag is LagStatus {
  if (lag === null || lag.transactions === null || lag.ms === null) return false
  return lag.provenAgoMs !== null && lag.provenAgoMs <= PROOF_MS_MAX
}
