import type { EventHeader } from '../binlog/event-framer.ts'
import type { GtidEvent } from '../binlog/gtid-event.ts'
import { GtidRuns } from '../binlog/gtid-runs.ts'
import { commitMsOfSeconds } from '../progress/commit-time.ts'

/** The transactions that one piece of bytes completed, without an object for each. */
export class TransactionBatch {
  readonly gtids = new GtidRuns()
  /** When the source committed each, milliseconds since 1970 in its clock. */
  readonly commitMs: number[] = []

  /** `header`: of the event that ended it. `readAtMs`: when the production gateway read it. */
  add(gtid: GtidEvent, header: EventHeader, readAtMs: number): void {
    this.gtids.add(gtid)
    this.commitMs.push(
      gtid.flavor === 'mysql'
        ? gtid.commitUs / 1000
        : commitMsOfSeconds(header.timestamp, readAtMs),
    )
  }
}
