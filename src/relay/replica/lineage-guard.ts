import type { LandbridgeError } from '../../base/errors.ts'
import type { LogLineage } from '../../binlog/log.ts'
import {
  isRefused,
  type RefusedStanding,
  standingReason,
  standingRemedy,
} from '../../status/replica-standing.ts'
import { dumpRefusal } from '../dump/dump-refusal.ts'
import type { ServedLog } from '../served-log.ts'

/**
 * After a reset the source gives its GTIDs to other transactions. A replica that still has the
 * former ones looks like a sound one as soon as the new numbers pass the old ones, and would go on
 * from there with other data than the source. Its GTIDs cannot tell, so what it was served does.
 * Throws ERR_DUMP_REFUSED until a person has said, by detaching it, that it was made anew.
 */
export function refuseOutdated(store: ServedLog, replica: string): void {
  const lineage = store.lineage()
  const standing = store.claims.standing(replica)
  if (lineage === null || !isRefused(standing)) return
  throw lineageRefusal(lineage, replica, standing)
}

/** The same for a dump that reaches the end of its lineage. */
export function refuseLineageEnd(store: ServedLog, replica: string, epoch: number): void {
  const lineage = store.lineage()
  if (lineage !== null && epoch < lineage.epoch) throw lineageRefusal(lineage, replica, 'outdated')
}

function lineageRefusal(
  { startedAtMs }: LogLineage,
  replica: string,
  standing: RefusedStanding,
): LandbridgeError {
  const remedy = standingRemedy(replica, standing)
  return dumpRefusal(`${resetText(startedAtMs)}, and ${standingReason(standing)}. ${remedy}`)
}

export function resetText(startedAtMs: number): string {
  return `the source was reset (noticed ${new Date(startedAtMs).toISOString()})`
}
