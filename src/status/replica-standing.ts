/**
 * After a reset of the source. `outdated`: a replica that was last served from before. `unseen`:
 * one that was never served. `doubtful`: nobody knows which of these. `sound` is any other.
 */
export type ReplicaStanding = 'sound' | 'unseen' | 'outdated' | 'doubtful'

export type RefusedStanding = Extract<ReplicaStanding, 'outdated' | 'doubtful'>

/** Whether a replica of that standing is not served until a person has said that it may be. */
export function isRefused(standing: ReplicaStanding): standing is RefusedStanding {
  return standing === 'outdated' || standing === 'doubtful'
}

/** What a person has to do before a replica of that standing is served. */
export function standingRemedy(replica: string, standing: RefusedStanding): string {
  const from = 'it from a backup taken after that, then'
  const detach = `run: landbridge replica detach ${replica}`
  return standing === 'outdated'
    ? `Restore ${from} ${detach}`
    : `If this gateway has fed it since then, ${detach}. If not, restore ${from} do the same`
}

/** Why a replica of that standing is not served. */
export function standingReason(standing: RefusedStanding): string {
  return standing === 'doubtful'
    ? 'whether this replica has data of before is not known: the record of who was served is lost'
    : 'its GTIDs now stand for other transactions than those that this replica has'
}
