import { LandbridgeError } from '../base/errors.ts'
import type { BinlogStore } from './binlog-store.ts'

/**
 * What a replica needs is remembered while it is away, so a login that comes as somebody else each
 * time could fill memory and disk. Forgetting the oldest instead would lose the files of a replica
 * that is merely away: one that is remembered is always served, and a new one more is refused.
 * Throws ERR_REPLICA_LIMIT.
 */
export function refuseOneTooMany(store: BinlogStore, replica: string): void {
  if (store.hasPlaceFor(replica)) return
  throw new LandbridgeError(
    'ERR_REPLICA_LIMIT',
    'files are kept for as many replicas as a relay remembers, and this one is none of them',
    {
      remedy:
        '`landbridge status` at the DR gateway names them; for each that does not come back:' +
        ' landbridge replica detach ID --config FILE',
    },
  )
}
