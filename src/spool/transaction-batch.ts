import type { EventHeader } from '../binlog/event-framer.ts'
import type { GtidEvent } from '../binlog/gtid-event.ts'
import { GtidRuns } from '../binlog/gtid-runs.ts'

/** The transactions that one piece of bytes completed, without an object for each. */
export class TransactionBatch {
  readonly gtids = new GtidRuns()
  /** When the source committed each, milliseconds since 1970 in its clock. */
  readonly commitMs: number[] = []

  /** `header`: of the event that ended it. `readAtMs`: when the production gateway read it. */
  add(gtid: GtidEvent, header: EventHeader, readAtMs: number): void {
    this.gtids.add(gtid)
    this.commitMs.push(commitMsOf(gtid, header, readAtMs))
  }
}

/** When the source committed it. `header`: of its first or its last event, of the same time. */
export function commitMsOf(gtid: GtidEvent, header: EventHeader, readAtMs: number): number {
  if (gtid.flavor === 'mysql') return gtid.commitUs / 1000
  return commitMsOfSeconds(header.timestamp, readAtMs)
}

/**
 * When a transaction was committed, where the event says it only in whole seconds (MariaDB): some
 * time in [seconds, seconds + 1). A source hands a commit out at once, so the moment it was read is
 * the best guess inside that second; what was read later than that is backlog and counts from the
 * end of its second. `readMs` is in the source's clock.
 */
export function commitMsOfSeconds(seconds: number, readMs: number): number {
  const firstMs = seconds * 1000
  return Math.min(Math.max(readMs, firstMs), firstMs + 999)
}
