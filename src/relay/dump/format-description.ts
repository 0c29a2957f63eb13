import { crc32 } from 'node:zlib'
import { LandbridgeError } from '../../base/errors.ts'
import { EVENT_CHECKSUM_BYTES, EventFlag, EventType } from '../../binlog/event-type.ts'

const TYPE_AT = 4
const SIZE_AT = 9
const LOG_POS_AT = 13
const FLAGS_AT = 17
/** After the header: binlog version 2, server version 50. */
const CREATED_AT = 19 + 52
const TAIL_BYTES = 1 + EVENT_CHECKSUM_BYTES
const BYTES_MIN = CREATED_AT + 5 + TAIL_BYTES

export interface FormatDescription {
  /** As it is to be sent. */
  readonly bytes: Buffer
  /** Whether the events of this file end with a CRC32. */
  readonly checksum: boolean
}

export interface FormatDescriptionChanges {
  /** Or the replica drops its temporary tables, of which it may still need some. */
  readonly clearCreated: boolean
  /** When the events right behind it are not sent, so that the replica does not count it. */
  readonly clearPosition: boolean
}

/** Prepares a file's first event for a replica; `stored` is not touched. */
export function prepareFormatDescription(
  stored: Buffer,
  changes: FormatDescriptionChanges,
): FormatDescription {
  const size = stored.length < BYTES_MIN ? 0 : stored.readUInt32LE(SIZE_AT)
  if (size < BYTES_MIN || size > stored.length || stored[TYPE_AT] !== EventType.FormatDescription) {
    throw new LandbridgeError('ERR_SPOOL_FILE', 'a stored binlog file has no format description')
  }
  const bytes = Buffer.from(stored.subarray(0, size))
  const checksum = bytes.readUInt8(size - TAIL_BYTES) === 1
  bytes.writeUInt16LE(bytes.readUInt16LE(FLAGS_AT) & ~EventFlag.BinlogInUse, FLAGS_AT)
  if (changes.clearCreated) bytes.writeUInt32LE(0, CREATED_AT)
  if (changes.clearPosition) bytes.writeUInt32LE(0, LOG_POS_AT)
  // The in-use flag is not part of the sum, so nothing is to be done for that change alone.
  if (checksum && (changes.clearCreated || changes.clearPosition)) {
    const sumAt = size - EVENT_CHECKSUM_BYTES
    bytes.writeUInt32LE(crc32(bytes.subarray(0, sumAt)), sumAt)
  }
  return { bytes, checksum }
}
