import { ByteReader } from '../base/cursor.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import { isLandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { EventFramer, type EventVisitor } from '../binlog/event-framer.ts'
import { BINLOG_MAGIC, EVENT_CHECKSUM_BYTES, EventType } from '../binlog/event-type.ts'
import { addGtidEvent } from '../binlog/gtid-event.ts'
import { parseGtidSet } from '../binlog/gtid-set.ts'
import { MariadbGtidState } from '../binlog/mariadb-gtid-state.ts'
import { decodeMysqlGtidSet } from '../binlog/mysql-gtid-set.ts'
import { FileScanner, type ScanStart } from './file-scanner.ts'

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

const WINDOW_BYTES = 1024 * 1024

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
    const windowBytes = Math.max(1, Math.min(WINDOW_BYTES, bytes - start.offset))
    const window = Buffer.allocUnsafe(windowBytes)
    let at = start.offset
    while (at < bytes) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(window, 0, windowBytes, at)
      if (bytesRead === 0) break
      scanner.push(window.subarray(0, bytesRead))
      at += bytesRead
    }
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
    stoppedBy = error.code
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

/** The events that say what is before a file are its second or third; no larger set is read. */
const HEAD_BYTES_MAX = 128 * 1024

/**
 * What the source had executed before it began this file, by the file's own word: MySQL's
 * Previous_gtids event, MariaDB's Gtid_list event. Null when the file's head does not say.
 */
export async function readGtidsBefore(
  path: string,
  flavor: Flavor,
  disk: Disk,
): Promise<string | null> {
  const head = Buffer.alloc(HEAD_BYTES_MAX)
  const file = await disk.open(path, 'r')
  let bytesRead = 0
  try {
    bytesRead = (await file.read(head, 0, HEAD_BYTES_MAX, 0)).bytesRead
  } finally {
    await file.close()
  }
  const isMysql = flavor === 'mysql'
  const type = isMysql ? EventType.MysqlPreviousGtids : EventType.MariadbGtidList
  let gtids: string | null = null
  const visitor: EventVisitor = {
    onHeader: (header) => (header.type === type ? header.size : 0),
    onEnd: (header, body) => {
      if (header.type !== type || gtids !== null) return
      const end = body.length - (framer.hasChecksum ? EVENT_CHECKSUM_BYTES : 0)
      gtids = isMysql ? decodeMysqlGtidSet(body.subarray(0, end)).toString() : gtidList(body)
    },
  }
  const framer = new EventFramer({ checksum: true, visitor })
  try {
    framer.push(head, Math.min(BINLOG_MAGIC.length, bytesRead), bytesRead)
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
  }
  return gtids
}

/** Count (its top four bits are flags), then domain 4, server 4, sequence 8 of each. */
function gtidList(body: Buffer): string {
  const reader = new ByteReader(body)
  const state = new MariadbGtidState()
  for (let left = reader.u32() & 0x0fff_ffff; left > 0; left -= 1) {
    const domainId = reader.u32()
    const serverId = reader.u32()
    state.addParts(domainId, serverId, reader.u64())
  }
  return state.toString()
}
