import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { BINLOG_MAGIC, EventFlag, EventType } from '../../../src/binlog/event-type.ts'
import { PacketWriter } from '../../../src/mysql/packet-writer.ts'
import { DumpDecoder } from '../../../src/source/dump-decoder.ts'
import { eventsOf, recordedFile } from '../../helpers/fixtures.ts'

const LOG_POS_AT = 13
const SUM_BYTES = 4

/** A recorded file as it is with `binlog_checksum=NONE`: only its format description has a sum. */
function withoutSums(): Buffer {
  let end = BINLOG_MAGIC.length
  const events = eventsOf(recordedFile('mysql', 1)).map(({ bytes, type }) => {
    const isFormat = type === EventType.FormatDescription
    const event = Buffer.from(isFormat ? bytes : bytes.subarray(0, -SUM_BYTES))
    end += event.length
    event.writeUInt32LE(event.length, 9)
    event.writeUInt32LE(end, LOG_POS_AT)
    if (isFormat) {
      event.writeUInt8(0, event.length - SUM_BYTES - 1)
      event.writeUInt32LE(crc32(event.subarray(0, -SUM_BYTES)), event.length - SUM_BYTES)
    }
    return event
  })
  return Buffer.concat([BINLOG_MAGIC, ...events])
}

/** What MySQL sends from `offset` on: the first event ends at 0 now, its sum is the old one. */
function dumpFrom(file: Buffer, offset: number): Buffer {
  const name = Buffer.from('binlog.000001')
  const rotate = Buffer.alloc(19 + 8 + name.length)
  rotate.writeUInt8(EventType.Rotate, 4)
  rotate.writeUInt32LE(rotate.length, 9)
  rotate.writeUInt16LE(EventFlag.Artificial, 17)
  rotate.writeBigUInt64LE(BigInt(offset), 19)
  name.copy(rotate, 27)
  const [first, ...rest] = eventsOf(file)
  const format = Buffer.from(first?.bytes ?? [])
  format.writeUInt32LE(0, LOG_POS_AT)
  const events = [
    rotate,
    format,
    ...rest.filter(({ start }) => start >= offset).map((e) => e.bytes),
  ]
  const ok = Buffer.from([0])
  return new PacketWriter().frameAll(events.map((event) => Buffer.concat([ok, event])))
}

function decoded(dump: Buffer, offset: number): Buffer {
  const parts: Buffer[] = []
  const decoder = new DumpDecoder({
    flavor: 'mysql',
    checksum: false,
    expect: { file: 'binlog.000001', offset },
    resume: 'offset',
    sink: {
      accepted: () => undefined,
      file: () => undefined,
      bytes: (chunk, start, end) => parts.push(Buffer.from(chunk.subarray(start, end))),
    },
  })
  // The writer numbers packets from 0, as a dump's second packet on.
  decoder.push(dump)
  return Buffer.concat(parts)
}

describe('a dump of a file without sums', () => {
  const file = withoutSums()

  test('goes on at an offset, though the repeated format description is changed', () => {
    for (const { start } of eventsOf(file).slice(3)) {
      expect(decoded(dumpFrom(file, start), start).equals(file.subarray(start))).toBe(true)
    }
  })

  test('is refused when a format description is changed that is passed on', () => {
    expect(() => decoded(dumpFrom(file, BINLOG_MAGIC.length), 0)).toThrow(/CRC32/)
  })
})
