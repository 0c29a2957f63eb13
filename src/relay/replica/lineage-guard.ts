import type { LandbridgeError } from '../../base/errors.ts'
import {
  isRefused,
  type RefusedStanding,
  standingReason,
  standingRemedy,
} from '../../status/replica-standing.ts'
import type { BinlogStore, StoredLineage } from '../binlog-store.ts'
import { dumpRefusal } from '../dump/dump-refusal.ts'

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

function lineageRefusal(
  { startedAtMs }: StoredLineage,
  replica: string,
  standing: RefusedStanding,
): LandbridgeError {
  const remedy = standingRemedy(replica, standing)
  return dumpRefusal(`${resetText(startedAtMs)}, and ${standingReason(standing)}. ${remedy}`)
}

export function resetText(startedAtMs: number): string {
  return `the source was reset (noticed ${new Date(startedAtMs).toISOString()})`
}
