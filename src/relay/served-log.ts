import type { BinaryLog, LogFile } from '../binlog/log.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'

/** What replicas still need, by the name of each: retention never passes it. */
export interface ReplicaClaims {
  /** Whether a replica may be judged by its GTIDs in this lineage. */
  standing(id: string): ReplicaStanding
  /** False where files are kept for so many that no new replica can be remembered. */
  hasPlaceFor(id: string): boolean
  /** Less for whom files are kept, or were, for longer; infinite for one that is not known. */
  seniority(id: string): number
  /**
   * Keeps `file` and newer ones from retention on behalf of replica `id`; null lets go. `reached`:
   * how far it has come. What a replica needs is let go in the end when that does not move on.
   */
  retain(id: string, file: LogFile | null, reached?: LogFile): void
}

/** What the relay needs of a spool: to read it, and to keep from retention what is not read yet. */
export interface ServedLog extends BinaryLog, ReplicaClaims {}
