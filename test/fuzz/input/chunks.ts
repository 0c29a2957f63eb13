import { crc32 } from 'node:zlib'
import { Random } from '../engine/random.ts'

const SMALL_BYTES_MAX = 24
/** Byte by byte, longer inputs would take all the time. */
const SINGLE_BYTES_MAX = 160

/** The same bytes in pieces: where they are cut follows from the bytes alone. */
export function chunksOf(bytes: Buffer): Buffer[] {
  const random = new Random(crc32(bytes))
  const least = bytes.length <= SINGLE_BYTES_MAX ? 1 : 2 * SMALL_BYTES_MAX
  const pieceBytesMax = random.pick([least, least * SMALL_BYTES_MAX, 2 + bytes.length])
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(pieceBytesMax)
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}
