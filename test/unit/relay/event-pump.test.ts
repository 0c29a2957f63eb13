import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PacketDecoder } from '../../../src/mysql/packet-decoder.ts'
import { PacketWriter } from '../../../src/mysql/packet-writer.ts'
import { type DumpFilter, sendAll } from '../../../src/relay/dump-filter.ts'
import { EventPump } from '../../../src/relay/event-pump.ts'

const QUERY = 2
const ROTATE = 4
const GTID = 33
const ANNOTATE = 160

function event(type: number, bodyBytes: number, fill = 0): Buffer {
  const bytes = Buffer.alloc(19 + bodyBytes, fill)
  bytes[4] = type
  bytes.writeUInt32LE(bytes.length, 9)
  return bytes
}

interface PumpResult {
  readonly events: Buffer[]
  readonly reports: number[]
}

/** Drives a pump over `file` with small buffers, as DumpStream does with large ones. */
function pumpAll(
  file: Buffer,
  options: {
    readonly filter?: DumpFilter
    readonly annotate?: boolean
    readonly input: number
    readonly output: number
  },
): PumpResult {
  const pump = new EventPump({
    writer: new PacketWriter(),
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
    } else if (consumed === 0 && written === 0) break
  }
  const events: Buffer[] = []
  for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
    expect(packet.payload[0]).toBe(0)
    events.push(packet.payload.subarray(1))
  }
  expect(decoder.takeRest().length).toBe(0)
  return { events, reports }
}

/** Holds every transaction whose GTID event is filled with 1. */
const holdsOnes: DumpFilter = { ...sendAll, isHeld: (bytes) => bytes[20] === 1 }

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

  test('leaves out what the filter holds and says so before it goes on', () => {
    const groups = fc.array(fc.tuple(fc.boolean(), fc.nat(900)), { maxLength: 30 })
    const room = fc.integer({ min: 700, max: 2000 })
    fc.assert(
      fc.property(groups, room, (list, input) => {
        const bytes: Buffer[] = []
        const expected: Buffer[] = []
        let runs = 0
        let before = false
        for (const [held, size] of list) {
          const group = [event(GTID, 40, held ? 1 : 2), event(QUERY, size), event(QUERY, 3)]
          bytes.push(...group)
          if (!held) expected.push(...group)
          if (!held && before) runs += 1
          before = held
        }
        bytes.push(event(ROTATE, 20))
        expected.push(event(ROTATE, 20))
        if (before) runs += 1
        const options = { filter: holdsOnes, input, output: 2000 }
        const result = pumpAll(Buffer.concat(bytes), options)
        expect(result.reports.length).toBe(runs)
        expect(Buffer.concat(result.events).equals(Buffer.concat(expected))).toBe(true)
      }),
    )
  })

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
    expect(() => pumpAll(broken, { input: 800, output: 800 })).toThrow(
      expect.objectContaining({ code: 'ERR_EVENT_SIZE' }),
    )
  })
})
