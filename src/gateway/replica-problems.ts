import { FILTER_REMEDY } from '../database/replica-filters.ts'
import type { ReplicaPollerStatus } from '../database/replica-poller.ts'
import { isNotSetUp } from '../database/replica-threads.ts'
import { replicaKey } from '../mysql/replica-name.ts'
import type { RelayStatus } from '../relay/relay-server.ts'
import { resetText } from '../relay/replica/lineage-guard.ts'
import type { Spool } from '../spool/spool.ts'
import type { SpoolClaims } from '../spool/spool-claims.ts'
import { standingRemedy } from '../status/replica-standing.ts'
import type { Problem } from '../status/status.ts'

/** What is known of those who read a spool. */
export interface ReplicaFacts {
  readonly stream: string
  readonly spool: Pick<Spool, 'lineage'> & {
    readonly claims: Pick<SpoolClaims, 'leftOut' | 'outdatedReplicas' | 'standing'>
  }
  /** Null where none is served. */
  readonly relay: RelayStatus | null
  /** Of the replica that can be asked; null where none can. */
  readonly asked: ReplicaPollerStatus | null
}

/** Until every replica that was served before a reset was made anew, and detached. */
export function resetProblems({ stream, spool, relay, asked }: ReplicaFacts): Problem[] {
  const lineage = spool.lineage()
  if (lineage === null) return []
  const { startedAtMs: sinceMs, epoch } = lineage
  const identity = asked?.identity ?? null
  const met = [...(relay?.replicas ?? []), ...(identity === null ? [] : [identity])]
  const named = new Set([...spool.claims.outdatedReplicas(), ...met.map(replicaKey)])
  const refused = [...named].map((id) => ({ id, standing: spool.claims.standing(id) }))
  const problems: Problem[] = []
  for (const standing of ['outdated', 'doubtful'] as const) {
    const ids = refused.flatMap((replica) => (replica.standing === standing ? [replica.id] : []))
    if (ids.length > 0) problems.push(refusedProblem(stream, ids, standing, sinceMs))
  }
  if (problems.length === 0) return []
  const code = 'ERR_SOURCE_RESET'
  const message = `${resetText(sinceMs)}: epoch ${epoch} does not go on with what was held before`
  const remedy = 'Make the replicas of before anew; the stream itself needs nothing.'
  const where = `spool:${stream}`
  return [{ code, severity: 'warning', where, message, remedy, sinceMs }, ...problems]
}

function refusedProblem(
  stream: string,
  ids: readonly string[],
  standing: 'outdated' | 'doubtful',
  sinceMs: number,
): Problem {
  const [id = 'ID', ...others] = ids
  const is = others.length === 0
  const who = `${is ? 'replica' : 'replicas'} ${ids.join(', ')}`
  return {
    code: standing === 'outdated' ? 'ERR_REPLICA_OUTDATED' : 'ERR_REPLICA_UNPROVEN',
    severity: 'blocked',
    where: `replica:${stream}`,
    message:
      standing === 'outdated'
        ? `${who} ${is ? 'has' : 'have'} the data of before the source was reset, ` +
          `and ${is ? 'is' : 'are'} not served`
        : `${who} ${is ? 'is' : 'are'} not served: the record of who was served is lost, ` +
          'and the data may be of before the source was reset',
    remedy: standingRemedy(is ? id : 'ID', standing),
    sinceMs,
  }
}

/** The relay itself, and what ends its dumps. */
export function relayProblems({ stream, relay }: ReplicaFacts): Problem[] {
  const problems: Problem[] = []
  const where = `relay:${stream}`
  if (relay?.state === 'down' && relay.lastError !== null) {
    const { code, message, sinceMs } = relay.lastError
    problems.push({ code, severity: 'error', where, message, sinceMs })
  }
  if (relay?.dumpError) {
    const { code, replica, sinceMs, remedy } = relay.dumpError
    const message = `replica ${replica} cannot be served: ${relay.dumpError.message}`
    problems.push({ code, severity: 'error', where, message, sinceMs, ...(remedy && { remedy }) })
  }
  return problems
}

/** A thread that somebody stopped is only started; one that failed would fail again. */
function stopRemedy(reason: string): string {
  if (isNotSetUp(reason)) return 'landbridge replica attach --config FILE'
  if (reason.startsWith('stopped: ')) return 'landbridge replica attach --config FILE starts it'
  return (
    'Mend at the replica what the error names, or restore it from a backup of the source; ' +
    'then `landbridge replica attach --config FILE` starts it again.'
  )
}

/** What is left out now, or was: it stays missing. */
function filterProblems(
  asked: ReplicaPollerStatus,
  where: string,
  spool: ReplicaFacts['spool'],
): Problem[] {
  const { identity, filters, filteredSinceMs } = asked
  const code = 'ERR_REPLICA_FILTERED'
  if (filters?.length) {
    const message = `the replica leaves out data, and cannot take over: ${filters.join(', ')}`
    const sinceMs = filteredSinceMs ?? 0
    return [{ code, severity: 'error', where, message, remedy: FILTER_REMEDY, sinceMs }]
  }
  const id = identity === null ? '' : replicaKey(identity)
  const leftOut = spool.claims.leftOut(id)
  if (leftOut === null) return []
  const { settings, sinceMs } = leftOut
  const message = `the replica left out data, and cannot take over: it had ${settings}`
  const remedy =
    'Restore it from a backup of the source; then run: ' +
    `landbridge replica detach ${id}, and attach it.`
  return [{ code, severity: 'error', where, message, remedy, sinceMs }]
}

const REPLICA_AWAY_MS = 30_000

/** The replica that can be asked: does it answer, does its replication run? */
export function replicaProblems(
  { stream, asked, relay, spool }: ReplicaFacts,
  nowMs: number,
): Problem[] {
  if (asked === null) return []
  const problems: Problem[] = []
  const where = `replica:${stream}`
  if (asked.error) {
    const { code, message, remedy, sinceMs } = asked.error
    // A replica that is configured and stays away cannot take over: that is worth a call.
    const severity = nowMs - sinceMs > REPLICA_AWAY_MS ? 'error' : 'warning'
    problems.push({ code, severity, where, message, sinceMs, ...(remedy && { remedy }) })
  }
  problems.push(...filterProblems(asked, where, spool))
  if (!asked.stopReason) return problems
  // Before its first attachment a replica is not broken, it is still to come.
  const isNew = isNotSetUp(asked.stopReason) && relay?.replicas.length === 0
  problems.push({
    code: 'ERR_REPLICA_STOPPED',
    severity: isNew ? 'warning' : 'error',
    where,
    message: isNew
      ? 'the replica does not follow this gateway yet'
      : `replication on the replica does not run: ${asked.stopReason}`,
    remedy: isNew ? 'landbridge replica attach --config FILE' : stopRemedy(asked.stopReason),
    sinceMs: asked.stoppedSinceMs ?? 0,
  })
  return problems
}
