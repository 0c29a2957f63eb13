import type { ReadableFile } from '../base/disk.ts'
import type { Flavor } from '../base/flavor.ts'

/** One binlog file that can be read. Names may repeat in another epoch; `ordinal` never does. */
export interface LogFile {
  /** Position in the order of files over all epochs, from 1. */
  readonly ordinal: number
  readonly epoch: number
  readonly name: string
  readonly path: string
  /** GTIDs held before this file's first transaction, as the server prints a set. */
  readonly gtidsBefore: string
}

export interface LogPlace {
  readonly ordinal: number
  readonly offset: number
}

/** Whether `end` is behind `place`. */
export function isPast(end: LogPlace | null, place: LogPlace): boolean {
  if (end === null) return false
  if (end.ordinal !== place.ordinal) return end.ordinal > place.ordinal
  return end.offset > place.offset
}

/** What is read began when the source was reset. */
export interface LogLineage {
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

/**
 * What consumes a log. `reader`: somebody who is served files, has no name, and needs nothing any
 * more once it is gone.
 */
export type ClaimKind = 'replica' | 'reader' | 'backup' | 'follower'

/** `replica:` with its server_uuid or `id:SERVER_ID`, `reader:CONNECTION`, `backup:NAME`. */
export type ClaimName = `${ClaimKind}:${string}`

/** A file by its place in the order of files. */
export type ClaimedFile = Pick<LogFile, 'ordinal' | 'epoch'>

/**
 * What consumers of a log still need, by name: retention never passes it, unless its limit is a
 * hard one. A claim outlives a restart of whoever keeps the log; that of a reader does not.
 */
export interface LogClaims {
  /** To be asked before a first claim: of each kind there are only so many. */
  hasPlaceFor(claim: ClaimName): boolean
  /**
   * Keeps `needed` and newer files from retention. `reached` (default: `needed`): how far the
   * consumer has come. A claim whose consumer does not move on is let go in the end, and taken
   * again when it does.
   */
  confirm(claim: ClaimName, needed: ClaimedFile, reached?: ClaimedFile): void
  letGo(claim: ClaimName): void
}

/**
 * A binlog to read, whoever keeps it. The relay reads a spool through this and knows nothing else
 * of it, and so does whatever reads a log later. Reading needs no lock.
 *
 * Invariant: everything before `end()` is synced, whole transactions, and never changes.
 */
export interface BinaryLog {
  /** Null until the first byte of a source has arrived. */
  identity(): SourceIdentity | null
  /** Null while no reset of the source is known. */
  lineage(): LogLineage | null
  /** Of the newest lineage, oldest first. */
  files(): readonly LogFile[]
  /** End of what may be read. Null while nothing is held. */
  end(): LogPlace | null
  /** Readable bytes of `file`: its size when a newer file exists, else `end().offset`. */
  readableBytes(file: LogFile): number
  /** All GTIDs held up to `end()`, including those purged before the oldest file. */
  gtids(): string
  /** GTIDs held when `epoch` began: its first files may repeat transactions of them. */
  gtidsBeforeEpoch(epoch: number): string
  /** GTIDs that are no longer (or never were) in a held file. */
  purgedGtids(): string
  /** Reading on throws ERR_SPOOL_REMOVED once the file was removed, as this does. */
  open(file: LogFile): Promise<ReadableFile>
  /** Settles once `end()` is past `place`; rejects with AbortError on abort. */
  waitPast(place: LogPlace, options: { readonly signal: AbortSignal }): Promise<void>
}
