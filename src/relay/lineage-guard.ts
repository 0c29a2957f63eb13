import type { LandbridgeError } from '../base/errors.ts'
import type { BinlogStore, StoredLineage } from './binlog-store.ts'
import { dumpRefusal } from './dump-refusal.ts'

/**
 * After a reset the source gives its GTIDs to other transactions. A replica that still has the
 * former ones looks like a sound one as soon as the new numbers pass the old ones, and would go on
 * from there with other data than the source. Its GTIDs cannot tell, so what it was served does.
 * Throws ERR_DUMP_REFUSED until a person has said, by detaching it, that it was made anew.
 */
export function refuseOutdated(store: BinlogStore, replica: string): void {
  const lineage = store.lineage()
  if (lineage === null || !store.outdatedReplicas().includes(replica)) return
  throw lineageRefusal(lineage, replica)
}

/** The same for a dump that reaches the end of its lineage. */
export function refuseLineageEnd(store: BinlogStore, replica: string, epoch: number): void {
  const lineage = store.lineage()
  if (lineage !== null && epoch < lineage.epoch) throw lineageRefusal(lineage, replica)
}

export function lineageRemedy(replica: string): string {
  return `Restore it from a backup taken after that, then run: landbridge replica detach ${replica}`
}

function lineageRefusal({ startedAtMs }: StoredLineage, replica: string): LandbridgeError {
  return dumpRefusal(
    `${resetText(startedAtMs)}, and its GTIDs now stand for other transactions than those that ` +
      `this replica has. ${lineageRemedy(replica)}`,
  )
}

export function resetText(startedAtMs: number): string {
  return `the source was reset (noticed ${new Date(startedAtMs).toISOString()})`
}
