import { parseMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'
import type { Unlogged } from '../progress/source-facts.ts'
import type { Problem } from '../status/status.ts'
import type { ReplicaPollerStatus } from './replica-poller.ts'

/** What the replica last said of itself; null where none can be asked. */
type Asked = Pick<ReplicaPollerStatus, 'identity' | 'appliedGtids'> | null

const GTIDS_CHARACTERS_MAX = 300

/** What no dump will bring and the replica has not got on another way either; null for none. */
export function lackedUnlogged(unlogged: Unlogged | null, asked: Asked): Unlogged | null {
  const applied = appliedGtids(asked)
  if (unlogged === null || applied === null) return unlogged
  const lacked = parseMysqlGtidSet(unlogged.gtids).minus(parseMysqlGtidSet(applied))
  if (lacked.isEmpty()) return null
  return { ...unlogged, gtids: lacked.toString(), count: Number(lacked.count()) }
}

/** Until the replica has them, or for good where it cannot be asked. */
export function unloggedProblems(
  stream: string,
  unlogged: Unlogged | null,
  asked: Asked,
): Problem[] {
  const lacked = lackedUnlogged(unlogged, asked)
  if (lacked === null) return []
  const { gtids, count, sinceMs } = lacked
  const isKnown = appliedGtids(asked) !== null
  const transactions = count === 1 ? '1 transaction' : `${count} transactions`
  const isShort = gtids.length <= GTIDS_CHARACTERS_MAX
  const shown = isShort ? gtids : `${gtids.slice(0, GTIDS_CHARACTERS_MAX)}…`
  return [
    {
      code: 'ERR_SOURCE_UNLOGGED',
      // Where nobody can ask the replica, it may have them.
      severity: isKnown ? 'error' : 'warning',
      where: `replica:${stream}`,
      message:
        `the source counts ${transactions} as executed that none of its binary logs has, so no ` +
        `copy gets them: ${shown}`,
      remedy:
        'They were added to gtid_purged at the source, or applied there without being logged ' +
        '(log_replica_updates=OFF). If the replica has their data, or needs none of them, ' +
        'run there: SET GLOBAL gtid_purged = ' +
        `'+${isShort ? gtids : 'GTIDS'}'. Else restore it from a backup of the source.`,
      sinceMs,
    },
  ]
}

/** Of the replica that can be asked; null when none can. */
function appliedGtids(asked: Asked): string | null {
  const { identity, appliedGtids: applied } = asked ?? {}
  return identity?.flavor === 'mysql' ? (applied ?? null) : null
}
