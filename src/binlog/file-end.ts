import { crc32 } from 'node:zlib'
import type { ReadableFile } from '../base/disk.ts'
import { EVENT_CHECKSUM_BYTES, EVENT_HEADER_BYTES, EventType } from './event-type.ts'

/** A rotate event: header, position 8, a name of up to 255 bytes, sum. */
const CLOSING_BYTES_MAX = EVENT_HEADER_BYTES + 8 + 255 + EVENT_CHECKSUM_BYTES
const TYPE_AT = 4
const SIZE_AT = 9
const LOG_POS_AT = 13

/**
 * Whether a file of `size` bytes ends with the event by which a server closes one, a rotate or a
 * stop. No server writes it inside a transaction, so such a file is whole.
 */
export async function endsClosed(
  file: ReadableFile,
  size: number,
  checksum: boolean,
): Promise<boolean> {
  const bytes = Buffer.alloc(Math.min(size, CLOSING_BYTES_MAX))
  const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length)
  if (bytesRead < bytes.length) return false
  for (let start = bytes.length - EVENT_HEADER_BYTES; start >= 0; start -= 1) {
    if (isClosing(bytes.subarray(start), size, checksum)) return true
  }
  return false
}

function isClosing(event: Buffer, fileBytes: number, checksum: boolean): boolean {
  const type = event.readUInt8(TYPE_AT)
  if (type !== EventType.Rotate && type !== EventType.Stop) return false
  if (event.readUInt32LE(SIZE_AT) !== event.length) return false
  if (!checksum) return event.readUInt32LE(LOG_POS_AT) === fileBytes % 2 ** 32
  const sumAt = event.length - EVENT_CHECKSUM_BYTES
  return crc32(event.subarray(0, sumAt)) === event.readUInt32LE(sumAt)
}
