import type { ClockReading } from '../base/clock-offset.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'

/** What the gateway at production knows of the source: "at `atMs` its newest place was this". */
export interface SourceSample {
  /** Clock of the production gateway. */
  readonly atMs: number
  /** Null, and `offset` too, where the source has no files: then GTIDs alone tell. */
  readonly file: string | null
  readonly offset: number | null
  /** Null in a heartbeat, which carries only a place. */
  readonly gtids: string | null
  /** The server that said so is the one whose files the spool goes on with, by a dump that runs. */
  readonly isOfHeld?: boolean
  /** The server is that one as far as known, be there a dump or none. */
  readonly isSameServer?: boolean
  /** A dump runs. */
  readonly isStreaming?: boolean
  /** The source's clock against that of the gateway there; null where nobody has asked it. */
  readonly sourceClock?: ClockReading | null
}

export interface SyncedPlace {
  readonly file: string
  readonly offset: number
  /** Called only when a sample must be judged, not for each sync: what is synced at that moment. */
  readonly gtids: () => GtidSet | null
}

/** GTIDs that a MySQL source has executed and none of its files has. */
export interface Unlogged {
  readonly gtids: string
  readonly count: number
  /** Wall clock when the first was found. */
  readonly sinceMs: number
}

/** What is worth remembering over a restart. Ages are of the moment it was asked for. */
export interface KnownLag {
  /** The source's newest known place. */
  readonly file: string | null
  readonly offset: number | null
  readonly gtids: string | null
  readonly provenAgoMs: number
  /** Everything committed longer ago was held; null when that is not known. */
  readonly heldAgoMs: number | null
  /** Transactions in the densest second of the last minutes; null when none was seen. */
  readonly perSecondMax: number | null
  /** Age of the oldest sample that is not held; null when all are. */
  readonly missingAgoMs: number | null
  readonly bytes: number | null
  readonly transactions: number | null
}
