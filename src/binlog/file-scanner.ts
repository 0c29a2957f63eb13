import type { ReadableFile } from '../base/disk.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { EventFramer, type EventHeader } from './event-framer.ts'
import { BINLOG_MAGIC, EventType } from './event-type.ts'
import type { GtidEvent } from './gtid-event.ts'
import { decodeMysqlGtidSet } from './mysql-gtid-set.ts'
import { createTransactionTracker, type TransactionTracker } from './transaction-tracker.ts'

export interface ScanStart {
  readonly offset: number
  /** Whether events at `offset` carry a CRC32; at the start of a file the first one says. */
  readonly checksum: boolean
}

export interface ScanSink {
  /** The first event of a transaction was seen. */
  onOpen?(gtid: GtidEvent, header: EventHeader): void
  /** A transaction became whole at the scanner's `boundary`. */
  onTransaction(gtid: GtidEvent, header: EventHeader): void
  /** MySQL: the GTIDs that were executed before this file, from the file itself. */
  onPreviousGtids(text: string): void
}

/** One read of a file takes at most so much. */
const WINDOW_BYTES = 1024 * 1024
/** Previous_gtids of a busy fleet can be long; beyond this the file's own set is not read. */
const PREVIOUS_GTIDS_BYTES_MAX = 64 * 1024

/**
 * Follows the bytes of one binlog file from `start` on: checks every CRC32, finds transaction
 * boundaries and GTIDs. Knows nothing of disks; the writer and recovery both feed it.
 *
 * Invariant: `boundary <= offset`; everything before `boundary` is whole transactions.
 */
export class FileScanner {
  readonly #framer: EventFramer
  readonly #tracker: TransactionTracker
  readonly #flavor: Flavor
  readonly #sink: ScanSink
  #offset: number
  #eventStart: number
  #boundary: number
  /** Set by a rotate or stop event: nothing may follow. */
  #complete = false
  firstTimestamp = 0
  lastTimestamp = 0

  constructor(flavor: Flavor, start: ScanStart, sink: ScanSink) {
    this.#flavor = flavor
    this.#sink = sink
    this.#offset = start.offset
    this.#eventStart = Math.max(start.offset, BINLOG_MAGIC.length)
    this.#boundary = start.offset
    this.#tracker = createTransactionTracker(flavor)
    this.#framer = new EventFramer({ checksum: start.checksum, visitor: this })
  }

  get offset(): number {
    return this.#offset
  }

  get boundary(): number {
    return this.#boundary
  }

  get complete(): boolean {
    return this.#complete
  }

  get hasChecksum(): boolean {
    return this.#framer.hasChecksum
  }

  /** Throws ERR_EVENT_CHECKSUM, ERR_EVENT_SIZE, ERR_NOT_A_BINLOG and the like. */
  push(bytes: Buffer): void {
    const magicLeft = BINLOG_MAGIC.length - this.#offset
    let start = 0
    if (magicLeft > 0) {
      start = Math.min(magicLeft, bytes.length)
      const wanted = BINLOG_MAGIC.subarray(this.#offset, this.#offset + start)
      if (!bytes.subarray(0, start).equals(wanted)) {
        throw new LandbridgeError('ERR_NOT_A_BINLOG', 'the file does not begin with fe 62 69 6e')
      }
    }
    this.#framer.push(bytes, start, bytes.length)
    this.#offset += bytes.length
  }

  onHeader(header: EventHeader): number {
    if (header.type === EventType.MysqlPreviousGtids && this.#flavor === 'mysql') {
      return Math.min(header.size, PREVIOUS_GTIDS_BYTES_MAX)
    }
    return this.#tracker.captureBytes(header)
  }

  onEnd(header: EventHeader, body: Buffer): void {
    const start = this.#eventStart
    this.#eventStart = start + header.size
    if (this.firstTimestamp === 0) this.firstTimestamp = header.timestamp
    if (header.timestamp !== 0) this.lastTimestamp = header.timestamp
    if (header.type === EventType.FormatDescription) this.#tracker.reset()
    if (header.type === EventType.MysqlPreviousGtids) this.#previousGtids(header, body)
    const wasInside = this.#tracker.isInside
    this.#tracker.observe(header, body, start)
    if (!wasInside && this.#tracker.open !== null) this.#sink.onOpen?.(this.#tracker.open, header)
    this.#complete = header.type === EventType.Rotate || header.type === EventType.Stop
    if (this.#tracker.isInside) return
    this.#boundary = this.#eventStart
    const gtid = this.#tracker.completed
    if (gtid !== null) this.#sink.onTransaction(gtid, header)
  }

  quietBytes(): number {
    return this.#tracker.quietBytes(this.#eventStart)
  }

  onQuiet(bytes: number): void {
    this.#eventStart += bytes
  }

  #previousGtids(header: EventHeader, body: Buffer): void {
    if (this.#flavor !== 'mysql' || header.size > PREVIOUS_GTIDS_BYTES_MAX) return
    const end = body.length - (this.hasChecksum ? 4 : 0)
    this.#sink.onPreviousGtids(decodeMysqlGtidSet(body.subarray(0, end)).toString())
  }
}

/**
 * Goes on with `file` from where `scanner` is, up to `toBytes` or the end of the file. Returns
 * the code of what cannot be read as a binlog: a torn tail is expected after a crash, and ends it.
 */
export async function scanOn(
  scanner: FileScanner,
  file: ReadableFile,
  toBytes: number,
  signal: AbortSignal,
): Promise<string | null> {
  const windowBytes = Math.max(1, Math.min(WINDOW_BYTES, toBytes - scanner.offset))
  const window = Buffer.allocUnsafe(windowBytes)
  while (scanner.offset < toBytes) {
    signal.throwIfAborted()
    const { bytesRead } = await file.read(window, 0, windowBytes, scanner.offset)
    if (bytesRead === 0) break
    try {
      scanner.push(window.subarray(0, bytesRead))
    } catch (error) {
      if (!isLandbridgeError(error)) throw error
      return error.code
    }
  }
  return null
}
