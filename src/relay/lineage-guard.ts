import type { LandbridgeError } from '../base/errors.ts'
import type { BinlogStore, ReplicaStanding, StoredLineage } from './binlog-store.ts'
import { dumpRefusal } from './dump-refusal.ts'

type RefusedStanding = Extract<ReplicaStanding, 'outdated' | 'doubtful'>

/** Whether a replica of that standing is not served until a person has said that it may be. */
export function isRefused(standing: ReplicaStanding): standing is RefusedStanding {
  return standing === 'outdated' || standing === 'doubtful'
}

/**
 * After a reset the source gives its GTIDs to other transactions. A replica that still has the
 * former ones looks like a sound one as soon as the new numbers pass the old ones, and would go on
 * from there with other data than the source. Its GTIDs cannot tell, so what it was served does.
 * Throws ERR_DUMP_REFUSED until a person has said, by detaching it, that it was made anew.
 */
export function refuseOutdated(store: BinlogStore, replica: string): void {
  const lineage = store.lineage()
  const standing = store.standing(replica)
  if (lineage === null || !isRefused(standing)) return
  throw lineageRefusal(lineage, replica, standing)
}

/** The same for a dump that reaches the end of its lineage. */
export function refuseLineageEnd(store: BinlogStore, replica: string, epoch: number): void {
  const lineage = store.lineage()
  if (lineage !== null && epoch < lineage.epoch) throw lineageRefusal(lineage, replica, 'outdated')
}

/** What a person has to do before a replica of that standing is served. */
export function lineageRemedy(replica: string, standing: RefusedStanding): string {
  const from = 'it from a backup taken after that, then'
  const detach = `run: landbridge replica detach ${replica}`
  return standing === 'outdated'
    ? `Restore ${from} ${detach}`
    : `If this gateway has fed it since then, ${detach}. If not, restore ${from} do the same`
}

/** Why a replica of that standing is not served. */
export function lineageReason(standing: RefusedStanding): string {
  return standing === 'doubtful'
    ? 'whether this replica has data of before is not known: the record of who was served is lost'
    : 'its GTIDs now stand for other transactions than those that this replica has'
}

function lineageRefusal(
  { startedAtMs }: StoredLineage,
  replica: string,
  standing: RefusedStanding,
): LandbridgeError {
  const remedy = lineageRemedy(replica, standing)
  return dumpRefusal(`${resetText(startedAtMs)}, and ${lineageReason(standing)}. ${remedy}`)
}

export function resetText(startedAtMs: number): string {
  return `the source was reset (noticed ${new Date(startedAtMs).toISOString()})`
}
