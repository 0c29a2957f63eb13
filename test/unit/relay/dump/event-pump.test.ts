import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../../src/base/flavor.ts'
import { PacketDecoder } from '../../../../src/mysql/packet-decoder.ts'
import { PacketWriter } from '../../../../src/mysql/packet-writer.ts'
import { type DumpFilter, sendAll } from '../../../../src/relay/dump/dump-filter.ts'
import { dumpRefusal } from '../../../../src/relay/dump/dump-refusal.ts'
import { EventPump } from '../../../../src/relay/dump/event-pump.ts'
import { SOURCE_UUID } from '../../../helpers/relay/folder-binlog-store.ts'
import { BinlogBytes } from '../../../helpers/source/binlog-bytes.ts'

const QUERY = 2
const ANNOTATE = 160
const INCIDENT = 26
const UNKNOWN = 250
/** Of a file of BinlogBytes: what comes before the first event that a test adds. */
const HEAD_BYTES = new BinlogBytes().size

function event(type: number, bodyBytes: number, fill = 0): Buffer {
  const bytes = Buffer.alloc(19 + bodyBytes, fill)
  bytes[4] = type
  bytes.writeUInt32LE(bytes.length, 9)
  return bytes
}

interface PumpResult {
  readonly events: Buffer[]
  readonly reports: number[]
  readonly failure: unknown
  readonly isDone: boolean
  /** Sequence number of the packet that would come next. */
  readonly sequence: number
}

/** Drives a pump over `file` with small buffers, as DumpStream does with large ones. */
function pumpAll(
  file: Buffer,
  options: {
    readonly flavor?: Flavor
    readonly filter?: DumpFilter
    readonly annotate?: boolean
    readonly input: number
    readonly output: number
  },
): PumpResult {
  const writer = new PacketWriter()
  const pump = new EventPump({
    flavor: options.flavor ?? 'mysql',
    writer,
    filter: options.filter ?? sendAll,
    sendAnnotateRows: options.annotate ?? true,
  })
  const decoder = new PacketDecoder({ payloadBytesMax: 2 ** 30 })
  const output = Buffer.alloc(options.output)
  const reports: number[] = []
  let offset = 0
  for (;;) {
    const input = file.subarray(Math.min(offset, file.length), offset + options.input)
    const { consumed, written } = pump.run(input, offset, file.length, output)
    decoder.push(Buffer.from(output.subarray(0, written)))
    offset += consumed
    if (pump.mustReport) {
      reports.push(offset)
      pump.reported()
    } else if (pump.failure !== null || (consumed === 0 && written === 0)) break
  }
  const events: Buffer[] = []
  for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
    expect(packet.payload[0]).toBe(0)
    events.push(packet.payload.subarray(1))
  }
  expect(decoder.takeRest().length).toBe(0)
  const { failure, isDone } = pump
  return { events, reports, failure, isDone, sequence: writer.sequence }
}

/** The number in a GTID event. */
const numberOf = (flavor: Flavor, bytes: Buffer) =>
  Number(bytes.readBigUInt64LE(flavor === 'mysql' ? 19 + 17 : 19))

/** Holds every transaction of an even number. */
const holdsEven = (flavor: Flavor): DumpFilter => ({
  ...sendAll,
  isHeld: (bytes) => numberOf(flavor, bytes) % 2 === 0,
})

type Item = { readonly number: number; readonly bytes: number } | { readonly between: number }

/** The bytes of groups and of what stands between them, each with whether an even one is in it. */
function itemsOf(flavor: Flavor, items: readonly Item[]): { bytes: Buffer; isEven: boolean }[] {
  return items.map((item) => {
    const file = new BinlogBytes()
    if ('between' in item) file.event(item.between, Buffer.alloc(30))
    else if (flavor === 'mysql') file.mysqlTransaction(SOURCE_UUID, item.number, item.bytes)
    else {
      const gtid = { domainId: 0, serverId: 1, sequence: BigInt(item.number) }
      if (item.number % 3 === 0) file.mariadbStatement(gtid, item.bytes)
      else file.mariadbTransaction(gtid, item.bytes)
    }
    const isEven = 'number' in item && item.number % 2 === 0
    return { bytes: file.take().subarray(HEAD_BYTES), isEven }
  })
}

describe('the pump', () => {
  test('sends every event unchanged, whatever the sizes of buffers and events', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 30 })
    const room = fc.integer({ min: 700, max: 4000 })
    fc.assert(
      fc.property(sizes, room, room, (list, input, output) => {
        const events = list.map((size, index) => event(QUERY, size, index))
        const result = pumpAll(Buffer.concat(events), { input, output })
        expect(result.events.map((bytes) => bytes.toString('hex'))).toEqual(
          events.map((bytes) => bytes.toString('hex')),
        )
      }),
    )
  })

  test.each([-2, -1, 0, 1])('splits an event of 16 MiB and %i bytes in packets', (more) => {
    const large = event(QUERY, 0xff_ffff - 19 + more, 9)
    const file = Buffer.concat([large, event(QUERY, 5)])
    const { events } = pumpAll(file, { input: 1 << 18, output: 3 << 17 })
    expect(events.length).toBe(2)
    expect(events[0]?.equals(large)).toBe(true)
  })

  const group = fc.record({ number: fc.integer({ min: 1, max: 99 }), bytes: fc.nat(900) })
  const between = fc.record({ between: fc.constantFrom(4, INCIDENT, UNKNOWN) })
  const items = fc.array(fc.oneof(group, group, between), { maxLength: 30 })

  test.each(['mysql', 'mariadb'] as const)(
    'leaves out groups of %s that the filter holds, and nothing that stands behind them',
    (flavor) => {
      // A query may be a COMMIT, and is looked at whole.
      const room = fc.integer({ min: flavor === 'mysql' ? 700 : 1500, max: 2500 })
      fc.assert(
        fc.property(items, room, (list, input) => {
          const parts = itemsOf(flavor, list)
          const kept = parts.filter(({ isEven }) => !isEven)
          const reports = parts.filter(
            ({ isEven }, index) => !isEven && parts[index - 1]?.isEven === true,
          )
          const file = Buffer.concat(parts.map(({ bytes }) => bytes))
          const result = pumpAll(file, { flavor, filter: holdsEven(flavor), input, output: 2000 })
          expect(result.failure).toBeNull()
          expect(result.reports.length).toBe(reports.length)
          const expected = Buffer.concat(kept.map(({ bytes }) => bytes))
          expect(Buffer.concat(result.events).equals(expected)).toBe(true)
        }),
      )
    },
  )

  test('asks about every group once, whatever the sizes of buffers', () => {
    const room = fc.integer({ min: 700, max: 2000 })
    fc.assert(
      fc.property(fc.array(group, { maxLength: 20 }), room, room, (list, input, output) => {
        const asked: number[] = []
        const filter: DumpFilter = {
          ...sendAll,
          isHeld: (bytes) => {
            asked.push(numberOf('mysql', bytes))
            return (asked.at(-1) ?? 0) % 2 === 0
          },
        }
        const file = Buffer.concat(itemsOf('mysql', list).map(({ bytes }) => bytes))
        pumpAll(file, { filter, input, output })
        expect(asked).toEqual(list.map(({ number }) => number))
      }),
    )
  })

  test('ends with the last group wanted, sent or not, or with one event', () => {
    const list = [1, 2, 3, 4].map((number) => ({ number, bytes: 60 }))
    const parts = itemsOf('mariadb', [...list, { between: UNKNOWN }])
    const file = Buffer.concat(parts.map(({ bytes }) => bytes))
    const end = (last: number) => {
      const seen = { number: 0 }
      const filter: DumpFilter = {
        ...sendAll,
        isHeld: (bytes) => {
          seen.number = numberOf('mariadb', bytes)
          return seen.number === 4
        },
        get isLast() {
          return seen.number >= last
        },
      }
      return pumpAll(file, { flavor: 'mariadb', filter, input: 700, output: 700 })
    }
    const sent = (count: number) => Buffer.concat(parts.slice(0, count).map(({ bytes }) => bytes))
    expect(Buffer.concat(end(2).events).equals(sent(2))).toBe(true)
    expect(Buffer.concat(end(4).events).equals(sent(3))).toBe(true)
    expect([end(2).isDone, end(4).isDone, end(5).isDone]).toEqual([true, true, false])
    const nothing: DumpFilter = { ...sendAll, isLast: true }
    const start = Buffer.concat([event(QUERY, 9), file])
    const { events, isDone } = pumpAll(start, {
      flavor: 'mariadb',
      filter: nothing,
      input: 700,
      output: 700,
    })
    expect([events.length, isDone]).toEqual([1, true])
  })

  test.each(['mysql', 'mariadb'] as const)(
    'sends all that comes before a refusal, wherever in a window of %s that is found',
    (flavor) => {
      const groups = Array.from({ length: 12 }, (_, index) => ({ number: index + 1, bytes: 300 }))
      const parts = itemsOf(flavor, groups)
      const file = Buffer.concat(parts.map(({ bytes }) => bytes))
      for (const refused of groups.map(({ number }) => number)) {
        const filter: DumpFilter = {
          ...sendAll,
          isHeld: (bytes) => {
            if (numberOf(flavor, bytes) === refused) throw dumpRefusal('no')
            return false
          },
        }
        for (const output of [700, 1500, 4000, 20_000]) {
          const result = pumpAll(file, { flavor, filter, input: 5000, output })
          const expected = Buffer.concat(parts.slice(0, refused - 1).map(({ bytes }) => bytes))
          expect(Buffer.concat(result.events).equals(expected)).toBe(true)
          expect(result.failure).toMatchObject({ code: 'ERR_DUMP_REFUSED' })
          // The error packet continues the row of numbers.
          expect(result.sequence).toBe(result.events.length % 256)
        }
      }
    },
  )

  test('leaves out ANNOTATE_ROWS events unless they are wanted', () => {
    const file = Buffer.concat([event(QUERY, 1), event(ANNOTATE, 50), event(QUERY, 2)])
    const room = { input: 800, output: 800 }
    expect(pumpAll(file, { ...room, annotate: false }).events.length).toBe(2)
    expect(pumpAll(file, { ...room, annotate: true }).events.length).toBe(3)
  })

  test('does not begin an event that goes past the limit', () => {
    const file = Buffer.concat([event(QUERY, 100), event(QUERY, 100).subarray(0, 60)])
    expect(pumpAll(file, { input: 800, output: 800 }).events.length).toBe(1)
  })

  test('refuses an event smaller than its own header', () => {
    const broken = event(QUERY, 10)
    broken.writeUInt32LE(18, 9)
    const { failure } = pumpAll(broken, { input: 800, output: 800 })
    expect(failure).toMatchObject({ code: 'ERR_EVENT_SIZE' })
  })
})
