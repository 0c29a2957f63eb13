import { replicaKey } from '../mysql/replica-name.ts'
import { resetText } from '../relay/replica/lineage-guard.ts'
import { standingRemedy } from '../status/replica-standing.ts'
import type { Problem } from '../status/status.ts'
import type { DrStream } from './dr-stream.ts'

/** What a reset of the source, or a lost record of who was served, leaves for a person to do. */
export function lineageProblems(stream: DrStream): Problem[] {
  return [...resetProblems(stream), ...heldProblems(stream), ...damageProblems(stream)]
}

/** Until every replica that was served before the reset was made anew, and detached. */
function resetProblems({ name, spool, relay, poller }: DrStream): Problem[] {
  const lineage = spool.lineage()
  if (lineage === null) return []
  const { startedAtMs: sinceMs, epoch } = lineage
  const asked = poller?.status().identity ?? null
  const met = [...(relay?.status().replicas ?? []), ...(asked === null ? [] : [asked])]
  const named = new Set([...spool.outdatedReplicas(), ...met.map(replicaKey)])
  const refused = [...named].map((id) => ({ id, standing: spool.standing(id) }))
  const problems: Problem[] = []
  for (const standing of ['outdated', 'doubtful'] as const) {
    const ids = refused.flatMap((replica) => (replica.standing === standing ? [replica.id] : []))
    if (ids.length > 0) problems.push(refusedProblem(name, ids, standing, sinceMs))
  }
  if (problems.length === 0) return []
  const code = 'ERR_SOURCE_RESET'
  const message = `${resetText(sinceMs)}: epoch ${epoch} does not go on with what was held before`
  const remedy = 'Make the replicas of before anew; the stream itself needs nothing.'
  const where = `spool:${name}`
  return [{ code, severity: 'warning', where, message, remedy, sinceMs }, ...problems]
}

/** As long as what is of before a reset stays beyond the limits that are set. */
function heldProblems({ name, spool, writer }: DrStream): Problem[] {
  const held = spool.heldBack()
  if (held === null) return []
  const { files, bytes, untilMs } = held
  const until = new Date(untilMs).toISOString().slice(0, 16)
  const isFull = writer.problem?.error.code === 'ERR_DISK_FULL'
  return [
    {
      code: 'ERR_SPOOL_HELD',
      severity: isFull ? 'error' : 'warning',
      where: `spool:${name}`,
      message:
        `${files} files (${Math.ceil(bytes / 1e6)} MB) would go, but the source was reset: ` +
        `they stay until ${until} UTC${isFull ? ', and the disk is full' : ''}`,
      remedy:
        'If you did not reset the source, somebody else may have, to get rid of them: copy the ' +
        "spool's folders of before away. If it was you and you need the room, set a shorter " +
        'retention.minimumHold and restart the gateway.',
      sinceMs: spool.lineage()?.startedAtMs ?? untilMs,
    },
  ]
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

/** Until a person has removed the file that lies aside. */
function damageProblems({ name, spool }: DrStream): Problem[] {
  const damaged = spool.damagedPins
  if (damaged === null) return []
  const { path, sinceMs } = damaged
  return [
    {
      code: 'ERR_SPOOL_REPLICAS',
      severity: 'warning',
      where: `spool:${name}`,
      message: `the record of which replicas were served could not be read; it is kept as ${path}`,
      remedy:
        'See that each replica connects again: only then files are kept for it. After a reset of ' +
        'the source those that are not remembered are refused until `landbridge replica detach ' +
        `ID\`. Then remove ${path}.`,
      sinceMs,
    },
  ]
}
