import { crc32 } from 'node:zlib'
import { EVENT_HEADER_BYTES, EventFlag, EventType } from '../../../src/binlog/event-type.ts'
import { eventsOf, fixtureBytes, recordedFile } from '../../helpers/fixtures.ts'

const SUM_BYTES = 4

/** A copy with the CRC32 of every event put right, or else no change would get past the sums. */
export function withSums(bytes: Buffer): Buffer {
  const mended = Buffer.from(bytes)
  for (const { start, end } of rangesOf(mended)) {
    const sumAt = end - SUM_BYTES
    if (sumAt < start + EVENT_HEADER_BYTES) continue
    const summed = Buffer.from(mended.subarray(start, sumAt))
    if (summed[4] === EventType.FormatDescription) {
      summed.writeUInt16LE(summed.readUInt16LE(17) & ~EventFlag.BinlogInUse, 17)
    }
    mended.writeUInt32LE(crc32(summed), sumAt)
  }
  return mended
}

export interface EventRange {
  readonly start: number
  readonly end: number
}

/** Where events begin and end by their own word; the last one may end behind the bytes. */
export function rangesOf(bytes: Buffer): EventRange[] {
  const ranges: EventRange[] = []
  for (let start = 0; start + EVENT_HEADER_BYTES <= bytes.length; ) {
    const size = bytes.readUInt32LE(start + 9)
    const end = start + Math.max(size, EVENT_HEADER_BYTES)
    if (end > bytes.length) break
    ranges.push({ start, end })
    start = end
  }
  return ranges
}

const FILES = ['mysql-plain', 'mysql-anonymous', 'mariadb-plain'] as const

/** Whole binlog files as real servers wrote them, of both flavours. */
export function recordedFiles(): Buffer[] {
  const recorded = (['mysql', 'mariadb'] as const).flatMap((flavor) =>
    ([1, 2] as const).map((n) => recordedFile(flavor, n)),
  )
  return [...recorded, ...FILES.map((name) => fixtureBytes(`${name}.hex`))]
}

/** Files short enough to be changed often: the head of one, and a few events behind it. */
export function shortFiles(eventsMax: number): Buffer[] {
  return recordedFiles().flatMap((file) => {
    const events = eventsOf(file)
    const head = events.slice(0, 2).map(({ bytes }) => bytes)
    const starts = Array.from(
      { length: Math.ceil((events.length - 2) / eventsMax) },
      (_, index) => 2 + index * eventsMax,
    )
    return starts.map((start) =>
      Buffer.concat([
        file.subarray(0, 4),
        ...head,
        ...events.slice(start, start + eventsMax).map(({ bytes }) => bytes),
      ]),
    )
  })
}
