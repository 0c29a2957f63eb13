import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../src/base/flavor.ts'
import { BINLOG_MAGIC, EventType } from '../../src/binlog/event-type.ts'
import { FileScanner } from '../../src/binlog/file-scanner.ts'
import { PacketDecoder } from '../../src/mysql/packet-decoder.ts'
import { PacketWriter } from '../../src/mysql/packet-writer.ts'
import { sendAll } from '../../src/relay/dump/dump-filter.ts'
import { EventPump } from '../../src/relay/dump/event-pump.ts'
import { DumpDecoder } from '../../src/source/dump-decoder.ts'
import { eventsOf, recordedFile } from '../helpers/fixtures.ts'

const KNOWN = new Set<number>(Object.values(EventType))
const UNKNOWN_TYPES = [1, 43, 44, 99, 127, 128, 159, 173, 200, 255]

/**
 * No server sends types that nobody has invented yet, so they are put in place of those that no
 * decision needs: row events and the like, within transactions. Lengths and places stay.
 */
function withUnknownEvents(flavor: Flavor): { readonly file: Buffer; readonly count: number } {
  let count = 0
  const events = eventsOf(recordedFile(flavor, 1)).map((event) => {
    if (KNOWN.has(event.type)) return event.bytes
    const bytes = Buffer.from(event.bytes)
    bytes.writeUInt8(UNKNOWN_TYPES[count % UNKNOWN_TYPES.length] ?? 255, 4)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
    count += 1
    return bytes
  })
  return { file: Buffer.concat([BINLOG_MAGIC, ...events]), count }
}

/** The file as its source sends it, behind a made-up rotate event. */
function dumpOf(file: Buffer): Buffer {
  const rotate = Buffer.alloc(19 + 8 + 'binlog.000001'.length + 4)
  rotate.writeUInt8(EventType.Rotate, 4)
  rotate.writeUInt32LE(rotate.length, 9)
  rotate.writeUInt16LE(0x20, 17)
  rotate.writeBigUInt64LE(4n, 19)
  rotate.write('binlog.000001', 27, 'latin1')
  rotate.writeUInt32LE(crc32(rotate.subarray(0, -4)), rotate.length - 4)
  const writer = new PacketWriter()
  const ok = Buffer.from([0])
  return writer.frameAll(
    [rotate, ...eventsOf(file).map(({ bytes }) => bytes)].map((event) =>
      Buffer.concat([ok, event]),
    ),
  )
}

function decoded(flavor: Flavor, dump: Buffer, step: number): Buffer {
  const parts: Buffer[] = []
  const decoder = new DumpDecoder({
    flavor,
    checksum: true,
    expect: null,
    resume: 'gtid',
    sink: {
      accepted: () => undefined,
      file: () => undefined,
      bytes: (chunk, start, end) => parts.push(Buffer.from(chunk.subarray(start, end))),
    },
  })
  for (let at = 0; at < dump.length; at += step) decoder.push(dump.subarray(at, at + step))
  return Buffer.concat(parts)
}

function scanned(flavor: Flavor, file: Buffer, step: number) {
  const boundaries: number[] = []
  const scanner = new FileScanner(
    flavor,
    { offset: 0, checksum: false },
    {
      onTransaction: () => boundaries.push(scanner.boundary),
      onPreviousGtids: () => undefined,
    },
  )
  for (let at = 0; at < file.length; at += step) scanner.push(file.subarray(at, at + step))
  return { boundaries, boundary: scanner.boundary, complete: scanner.complete }
}

function served(flavor: Flavor, file: Buffer): Buffer {
  const pump = new EventPump({
    flavor,
    writer: new PacketWriter(),
    filter: sendAll,
    sendAnnotateRows: true,
  })
  pump.startFile({ checksum: true })
  const packets = new PacketDecoder({ payloadBytesMax: 2 ** 30 })
  const output = Buffer.alloc(2 * file.length)
  const start = BINLOG_MAGIC.length
  const { written } = pump.run(file.subarray(start), start, file.length, output)
  packets.push(output.subarray(0, written))
  const events: Buffer[] = [BINLOG_MAGIC]
  for (let packet = packets.next(); packet !== undefined; packet = packets.next()) {
    events.push(Buffer.from(packet.payload.subarray(1)))
  }
  return Buffer.concat(events)
}

describe.each(['mysql', 'mariadb'] as const)('events of %s that nobody knows', (flavor) => {
  const { file, count } = withUnknownEvents(flavor)

  test('are in the file under test', () => {
    expect(count).toBeGreaterThan(3)
    expect(file.equals(recordedFile(flavor, 1))).toBe(false)
  })

  test.each([1, 7, 100, 1_000_000])(
    'are taken from the source unchanged, %i bytes a time',
    (step) => {
      expect(decoded(flavor, dumpOf(file), step).equals(file)).toBe(true)
    },
  )

  test.each([1, 7, 100, 1_000_000])('leave boundaries where they are, %i bytes a time', (step) => {
    expect(scanned(flavor, file, step)).toEqual(scanned(flavor, recordedFile(flavor, 1), step))
  })

  test('are refused like any other when their sum does not agree', () => {
    const unknown = eventsOf(file).find(({ type }) => UNKNOWN_TYPES.includes(type))
    const torn = Buffer.from(file)
    const at = (unknown?.start ?? 0) + 19
    torn.writeUInt8(torn.readUInt8(at) ^ 1, at)
    expect(() => decoded(flavor, dumpOf(torn), 4096)).toThrow(/CRC32/)
    expect(() => scanned(flavor, torn, 4096)).toThrow(/CRC32/)
  })

  test('are served to a replica unchanged', () => {
    expect(served(flavor, file).equals(file)).toBe(true)
  })
})
