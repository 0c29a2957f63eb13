import { type Disk, realDisk } from '../base/disk.ts'
import type { Flavor } from '../base/flavor.ts'
import { FileScanner, type ScanStart, scanOn } from './file-scanner.ts'
import { addGtidEvent } from './gtid-event.ts'
import { parseGtidSet } from './gtid-set.ts'

export interface RecoveredFile {
  /** End of the last whole transaction; what lies behind it is not trusted. */
  readonly keptBytes: number
  readonly droppedBytes: number
  readonly gtidsAfter: string
  readonly transactions: number
  readonly complete: boolean
  readonly checksum: boolean
  readonly firstTimestamp: number
  readonly lastTimestamp: number
  /** Why the rest is dropped: the code of what the scan met; null at a clean end or a cut event. */
  readonly stoppedBy: string | null
}

/**
 * Reads a stored file from `start` and finds the last whole transaction. Does not change the file.
 * A torn tail is expected after a crash: what cannot be read ends the scan and does not fail it.
 */
export async function recoverFile(
  path: string,
  flavor: Flavor,
  gtidsBefore: string,
  start: ScanStart,
  signal: AbortSignal,
  disk: Disk = realDisk,
): Promise<RecoveredFile> {
  const gtids = parseGtidSet(flavor, gtidsBefore)
  let transactions = 0
  let firstPrevious: string | null = null
  const scanner = new FileScanner(flavor, start, {
    onTransaction: (gtid) => {
      transactions += 1
      addGtidEvent(gtids, gtid)
    },
    onPreviousGtids: (text) => {
      firstPrevious = text
    },
  })
  const file = await disk.open(path, 'r')
  let stoppedBy: string | null = null
  let bytes = 0
  try {
    bytes = (await file.stat()).size
    stoppedBy = await scanOn(scanner, file, bytes, signal)
  } finally {
    await file.close()
  }
  if (firstPrevious !== null) gtids.addSet(parseGtidSet(flavor, firstPrevious))
  return {
    keptBytes: scanner.boundary,
    droppedBytes: bytes - scanner.boundary,
    gtidsAfter: gtids.toString(),
    transactions,
    complete: scanner.complete && scanner.boundary === scanner.offset,
    checksum: scanner.hasChecksum,
    firstTimestamp: scanner.firstTimestamp,
    lastTimestamp: scanner.lastTimestamp,
    stoppedBy,
  }
}
