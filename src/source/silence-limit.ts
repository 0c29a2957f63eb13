/** Heartbeats come this often at least, once the source has begun to send. */
const MISSED_HEARTBEATS_MAX = 3
/** Slower than any disk that keeps up with a database. */
const SEEK_BYTES_PER_MS = 10_000

/** What is known of a dump while nothing comes. */
export interface DumpProgress {
  readonly heartbeatMs: number
  /** Of the file that is resumed; the source may read it over from its beginning. */
  readonly heldBytes: number
  /** The first byte that was asked for, or a heartbeat, has come. */
  readonly hasBegun: boolean
}

/**
 * How long a source may be silent before it counts as dead. Asked by GTID, MariaDB reads over all
 * that is held of the file before it sends anything, heartbeats included: for gigabytes that takes
 * longer than any heartbeat, and giving up would begin the same reading again, for ever. A host
 * that is dead meanwhile is noticed by TCP's own keepalive.
 */
export function silenceLimitMs({ heartbeatMs, heldBytes, hasBegun }: DumpProgress): number {
  const limitMs = heartbeatMs * MISSED_HEARTBEATS_MAX
  return hasBegun ? limitMs : limitMs + heldBytes / SEEK_BYTES_PER_MS
}
