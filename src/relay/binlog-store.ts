import type { ReadableFile } from '../base/disk.ts'
import type { Flavor } from '../base/flavor.ts'
import type { ReplicaStanding } from '../status/replica-standing.ts'

/** One stored binlog file. Names may repeat in another epoch; `ordinal` never does. */
export interface StoredFile {
  /** Position in the order of files over all epochs, from 1. */
  readonly ordinal: number
  readonly epoch: number
  readonly name: string
  readonly path: string
  /** GTIDs held before this file's first transaction, as the server prints a set. */
  readonly gtidsBefore: string
}

export interface StorePosition {
  readonly ordinal: number
  readonly offset: number
}

/** What is served began when the source was reset. */
export interface StoredLineage {
  /** Its first one. */
  readonly epoch: number
  readonly startedAtMs: number
}

export interface SourceIdentity {
  readonly flavor: Flavor
  /** As in the source's greeting, e.g. `9.7.4` or `10.11.19-MariaDB-log`. */
  readonly serverVersion: string
  readonly serverId: number
  readonly serverUuid: string | null
  /** MariaDB only. */
  readonly gtidDomainId: number | null
}

/** What the relay needs of a spool. The spool implements it; gateway.ts joins them. */
export interface BinlogStore {
  /** Null until the first byte of a source has arrived. */
  identity(): SourceIdentity | null
  /** Null while no reset of the source is known. */
  lineage(): StoredLineage | null
  /** Whether a replica, as `retain` names it, may be judged by its GTIDs in this lineage. */
  standing(id: string): ReplicaStanding
  /** Of the newest lineage, oldest first. */
  files(): readonly StoredFile[]
  /**
   * End of what may be served: synced, and the end of a whole transaction. Bytes before it never
   * change. Null while nothing is held.
   */
  end(): StorePosition | null
  /** Readable bytes of `file`: its size when a newer file exists, else `end().offset`. */
  readableBytes(file: StoredFile): number
  /** All GTIDs held up to `end()`, including those purged before the oldest file. */
  gtids(): string
  /** GTIDs held when `epoch` began: its first files may repeat transactions of them. */
  gtidsBeforeEpoch(epoch: number): string
  /** GTIDs that are no longer (or never were) in a held file. */
  purgedGtids(): string
  open(file: StoredFile): Promise<ReadableFile>
  /** Settles once `end()` is past `position`; rejects with AbortError on abort. */
  waitPast(position: StorePosition, options: { readonly signal: AbortSignal }): Promise<void>
  /** False where files are kept for so many that no new replica can be remembered. */
  hasPlaceFor(id: string): boolean
  /** Less for whom files are kept, or were, for longer; infinite for one that is not known. */
  seniority(id: string): number
  /**
   * Keeps `file` and newer ones from retention on behalf of replica `id`; null lets go. `reached`:
   * how far it has come. What a replica needs is let go in the end when that does not move on.
   */
  retain(id: string, file: StoredFile | null, reached?: StoredFile): void
}
