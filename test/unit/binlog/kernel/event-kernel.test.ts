import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventFlag, EventType } from '../../../../src/binlog/event-type.ts'
import { EventKernel } from '../../../../src/binlog/kernel/event-kernel.ts'

const ROWS = 30
const kernel = new EventKernel()

interface Fields {
  readonly type?: number
  readonly flags?: number
  readonly logPos?: number
}

/** An event of `size` bytes with a sound CRC32. */
function event(size: number, { type = ROWS, flags = 0, logPos = 0 }: Fields = {}): Buffer {
  const bytes = Buffer.alloc(size, size * 7 + type)
  bytes[4] = type
  bytes.writeUInt32LE(size, 9)
  bytes.writeUInt32LE(logPos, 13)
  bytes.writeUInt16LE(flags, 17)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, size - 4)), size - 4)
  return bytes
}

function packet(payload: Buffer, sequence: number): Buffer {
  const header = Buffer.alloc(5)
  header.writeUIntLE(payload.length + 1, 0, 3)
  header[3] = sequence % 256
  return Buffer.concat([header, payload])
}

function walk(bytes: Buffer, limit = Number.POSITIVE_INFINITY): number {
  kernel.load(bytes, 0, bytes.length)
  return kernel.walkTransaction(0, bytes.length, limit)
}

test('walks over whole, sound events of every size up to its limit', () => {
  const sizes = fc.array(fc.integer({ min: 23, max: 4096 }), { maxLength: 30 })
  fc.assert(
    fc.property(sizes, (all) => {
      const bytes = Buffer.concat(all.map((size) => event(size)))
      expect(walk(bytes)).toBe(bytes.length)
    }),
  )
})

test('stops at the event in which any one bit is wrong', () => {
  const bytes = Buffer.concat([event(40), event(61), event(50)])
  for (let bit = 40 * 8; bit < 101 * 8; bit += 1) {
    const wrong = Buffer.from(bytes)
    wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7))
    expect(walk(wrong)).toBe(40)
  }
})

test('stops at an event that is cut off, at every place', () => {
  const bytes = Buffer.concat([event(40), event(61)])
  for (let length = 40; length < bytes.length; length += 1) {
    expect(walk(bytes.subarray(0, length))).toBe(40)
  }
})

test.each([0, 1, 18, 19, 22, 4097, 0xffff_ffff])('leaves an event that claims %i bytes', (size) => {
  const wrong = Buffer.alloc(5000)
  wrong.writeUInt32LE(size, 9)
  expect(walk(Buffer.concat([event(30), wrong]))).toBe(30)
})

test('leaves the event that reaches the limit, as that one may end a transaction', () => {
  const bytes = Buffer.concat([event(40), event(61), event(50)])
  expect(walk(bytes, 101)).toBe(40)
  expect(walk(bytes, 102)).toBe(101)
})

test('leaves the types that begin or end a transaction', () => {
  for (const type of [EventType.Xid, EventType.Query, EventType.MariadbGtid, EventType.Rotate]) {
    expect(walk(Buffer.concat([event(40), event(40, { type })]))).toBe(40)
  }
})

test('unpacks a dump to exactly the bytes of its events', () => {
  const sizes = fc.array(fc.integer({ min: 23, max: 700 }), { minLength: 1, maxLength: 600 })
  fc.assert(
    fc.property(sizes, fc.nat(255), fc.nat(2 ** 33), (all, first, offset) => {
      let end = offset
      const events = all.map((size) => {
        end += size
        return event(size, { logPos: size % 3 === 0 ? 0 : end % 2 ** 32 })
      })
      const bytes = Buffer.concat(events.map((one, at) => packet(one, first + at)))
      kernel.load(bytes, 0, bytes.length)
      expect(kernel.unpackDump(0, bytes.length, offset, first)).toBe(bytes.length)
      expect(kernel.packetCount).toBe(all.length)
      const wanted = Buffer.concat(events)
      expect(kernel.unpacked.subarray(0, wanted.length).equals(wanted)).toBe(true)
    }),
    { numRuns: 30 },
  )
})

test.each([
  ['out of sequence', packet(event(50), 9)],
  ['with a status that is not OK', Buffer.concat([packet(event(50), 8)]).fill(0xff, 4, 5)],
  ['longer than its event', packet(Buffer.concat([event(50), Buffer.alloc(1)]), 8)],
  ['shorter than its event', packet(event(50), 8).fill(50, 0, 1)],
  ['with an event that is not where it says', packet(event(50, { logPos: 91 }), 8)],
  ['with an event that the source made up', packet(event(50, { flags: EventFlag.Artificial }), 8)],
  ['with a heartbeat', packet(event(50, { type: EventType.Heartbeat }), 8)],
  ['with a rotate event', packet(event(50, { type: EventType.Rotate }), 8)],
  ['that is not all there', packet(event(50), 8).subarray(0, 54)],
])('leaves a packet %s', (_name, doubtful) => {
  const bytes = Buffer.concat([packet(event(40, { logPos: 40 }), 7), doubtful])
  kernel.load(bytes, 0, bytes.length)
  expect(kernel.unpackDump(0, bytes.length, 0, 7)).toBe(45)
  expect(kernel.packetCount).toBe(1)
})

test('sums any range as zlib does', () => {
  const range = fc.tuple(fc.uint8Array({ maxLength: 200 }), fc.nat(40))
  fc.assert(
    fc.property(range, ([all, start]) => {
      const bytes = Buffer.from(all)
      const from = Math.min(start, bytes.length)
      kernel.load(bytes, 0, bytes.length)
      expect(kernel.sum(from, bytes.length)).toBe(crc32(bytes.subarray(from)))
    }),
  )
})
