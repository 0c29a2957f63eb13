import type { Flavor } from '../../../src/base/flavor.ts'
import { FileScanner } from '../../../src/binlog/file-scanner.ts'
import { addGtidEvent } from '../../../src/binlog/gtid-event.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { eventsOf } from '../fixtures.ts'

export interface Boundary {
  readonly offset: number
  /** What is held there. */
  readonly gtids: string
  /** Of the file, up to there. */
  readonly transactions: number
}

/** Where each whole transaction ends, and what is held there: one event at a time. */
export function boundariesOf(flavor: Flavor, file: Buffer, gtidsBefore = ''): Boundary[] {
  const gtids = parseGtidSet(flavor, gtidsBefore)
  let transactions = 0
  const boundaries: Boundary[] = [{ offset: 0, gtids: gtids.toString(), transactions }]
  const scanner = new FileScanner(
    flavor,
    { offset: 0, checksum: true },
    {
      onTransaction: (gtid) => {
        transactions += 1
        addGtidEvent(gtids, gtid)
      },
      onPreviousGtids: () => undefined,
    },
  )
  scanner.push(file.subarray(0, 4))
  for (const event of eventsOf(file)) {
    scanner.push(event.bytes)
    if (scanner.boundary === event.end) {
      boundaries.push({ offset: event.end, gtids: gtids.toString(), transactions })
    }
  }
  return boundaries
}
