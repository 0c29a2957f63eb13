import type { BinaryLog, LogClaims } from '../binlog/log.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'

/** Claims, and what those of replicas tell of them. A replica is named as in its claim. */
export interface ReplicaClaims extends LogClaims {
  /** Whether a replica may be judged by its GTIDs in this lineage. */
  standing(replica: string): ReplicaStanding
  /** Less for whom files are kept, or were, for longer; infinite for one that is not known. */
  seniority(replica: string): number
}

/** What the relay needs of a spool: to read it, and to keep from retention what is not read yet. */
export interface ServedLog extends BinaryLog {
  readonly claims: ReplicaClaims
}
