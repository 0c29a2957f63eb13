import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventFramer, type EventHeader } from '../../../src/binlog/event-framer.ts'
import { eventsOf, fixtureBytes, recordedFile } from '../../helpers/fixtures.ts'

interface Seen {
  readonly header: EventHeader
  readonly body: string
}

/** Everything a framer reports of `bytes` (without magic) when it gets them in these pieces. */
function framed(bytes: Buffer, cuts: readonly number[], captureBytes = 40, checksum = false) {
  const seen: Seen[] = []
  const framer = new EventFramer({
    checksum,
    visitor: {
      onHeader: () => captureBytes,
      onEnd: (header, body) => {
        seen.push({ header: { ...header }, body: body.toString('hex') })
      },
    },
  })
  let at = 0
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    framer.push(bytes, at, Math.max(at, cut))
    at = Math.max(at, cut)
  }
  return { seen, framer }
}

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
  return 'none'
}

const FILES = {
  mysql: recordedFile('mysql', 1).subarray(4),
  mariadb: recordedFile('mariadb', 1).subarray(4),
  'mysql without checksums': fixtureBytes('mysql-plain.hex').subarray(4),
  'mariadb without checksums': fixtureBytes('mariadb-plain.hex').subarray(4),
}

describe.each(Object.entries(FILES))('events of %s', (name, bytes) => {
  const events = eventsOf(Buffer.concat([Buffer.alloc(4), bytes]))

  test('are found one by one', () => {
    const { seen, framer } = framed(bytes, [])
    expect(seen.map(({ header }) => [header.type, header.size])).toEqual(
      events.map((event) => [event.type, event.bytes.length]),
    )
    expect(framer.openBytes).toBe(0)
    expect(framer.hasChecksum).toBe(!name.includes('without'))
  })

  test('are the same however the bytes are cut', () => {
    const { seen } = framed(bytes, [])
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 30 }), (cuts) => {
        expect(framed(bytes, cuts).seen).toEqual(seen)
      }),
      { numRuns: 60 },
    )
  })

  test('are the same byte by byte', () => {
    const every = Array.from({ length: bytes.length }, (_, at) => at)
    expect(framed(bytes, every).seen).toEqual(framed(bytes, []).seen)
  })
})

describe('a framer', () => {
  const bytes = FILES.mysql
  const [format, previous, gtid] = eventsOf(recordedFile('mysql', 1))
  if (format === undefined || previous === undefined || gtid === undefined) throw new Error()

  test('refuses a changed byte, wherever it is', () => {
    const three = Buffer.concat([format.bytes, previous.bytes, gtid.bytes])
    const from = format.bytes.length + previous.bytes.length
    for (let at = from; at < three.length; at += 1) {
      const torn = Buffer.from(three)
      torn.writeUInt8(torn.readUInt8(at) ^ 0x10, at)
      const isSize = at >= from + 9 && at < from + 13
      for (const cuts of [[], [at], [from + 5, from + 40]]) {
        const run = () => {
          const { framer } = framed(torn, cuts)
          if (framer.openBytes > 0) throw Object.assign(new Error(), { code: 'open' })
        }
        const code = codeOf(run)
        // A changed size leaves the event open, or makes it end in the wrong place.
        const expected = isSize ? ['open', 'ERR_EVENT_SIZE', 'ERR_EVENT_CHECKSUM'] : []
        expect([at, [...expected, 'ERR_EVENT_CHECKSUM'].includes(code)]).toEqual([at, true])
      }
    }
  })

  test('leaves the flag of a file in use out of the sum of its first event', () => {
    const inUse = Buffer.from(bytes)
    inUse.writeUInt16LE(inUse.readUInt16LE(17) | 1, 17)
    expect(framed(inUse, []).seen).toHaveLength(framed(bytes, []).seen.length)
    expect(framed(inUse, [7, 18, 50]).seen[0]?.header.flags).toBe(1)
    const other = Buffer.from(bytes)
    other.writeUInt16LE(other.readUInt16LE(17) | 2, 17)
    expect(codeOf(() => framed(other, []))).toBe('ERR_EVENT_CHECKSUM')
  })

  test('sums a format description also where it says that nothing is summed', () => {
    for (const name of ['mysql-plain.hex', 'mariadb-plain.hex']) {
      const [first] = eventsOf(fixtureBytes(name))
      if (first === undefined) throw new Error()
      expect(framed(first.bytes, []).framer.hasChecksum).toBe(false)
      const torn = Buffer.from(first.bytes)
      torn.writeUInt8(5, torn.length - 5)
      expect(codeOf(() => framed(torn, []))).toBe('ERR_EVENT_CHECKSUM')
    }
  })

  test.each([0, 18, 19, 22])('refuses an event of %i bytes where events are summed', (size) => {
    const small = Buffer.from(gtid.bytes)
    small.writeUInt32LE(size, 9)
    expect(codeOf(() => framed(small, [], 40, true))).toBe('ERR_EVENT_SIZE')
    expect(codeOf(() => framed(small, [3, 12], 40, true))).toBe('ERR_EVENT_SIZE')
  })

  test('takes an event without a body where events are not summed', () => {
    const small = gtid.bytes.subarray(0, 19)
    const bare = Buffer.from(small)
    bare.writeUInt32LE(19, 9)
    expect(framed(Buffer.concat([bare, bare]), []).seen).toHaveLength(2)
    expect(framed(Buffer.concat([bare, bare]), [4, 19, 23]).seen).toHaveLength(2)
  })

  test('refuses a format description that is too small or too large to be one', () => {
    for (const size of [19, 80, 70_000]) {
      const odd = Buffer.alloc(Math.max(size, 100))
      format.bytes.copy(odd)
      odd.writeUInt32LE(size, 9)
      expect([size, codeOf(() => framed(odd, []))]).toEqual([size, 'ERR_EVENT_SIZE'])
    }
  })

  test('keeps no more of a huge event than was asked for', () => {
    const header = Buffer.from(gtid.bytes.subarray(0, 19))
    header.writeUInt32LE(0xffff_ffff, 9)
    const framer = new EventFramer({
      checksum: true,
      visitor: { onHeader: () => 10 ** 9, onEnd: () => undefined },
    })
    framer.push(header, 0, 19)
    const megabyte = Buffer.alloc(1024 * 1024)
    const before = process.memoryUsage().arrayBuffers
    for (let n = 0; n < 64; n += 1) framer.push(megabyte, 0, megabyte.length)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
    expect(framer.openBytes).toBe(19 + 64 * megabyte.length)
    expect(framer.missingBytes).toBe(0xffff_ffff - framer.openBytes)
  })

  test('sums an event that comes in large pieces', () => {
    const body = Buffer.alloc(300_000, 'landbridge')
    const event = Buffer.alloc(19 + body.length + 4)
    event.writeUInt8(30, 4)
    event.writeUInt32LE(event.length, 9)
    body.copy(event, 19)
    event.writeUInt32LE(crc32(event.subarray(0, -4)), event.length - 4)
    for (const cuts of [[], [1], [19], [200_000], [event.length - 4], [event.length - 1]]) {
      expect(framed(event, cuts, 5, true).seen.map((one) => one.body)).toEqual(['6c616e6462'])
    }
  })

  test('forgets an open event when told to', () => {
    const { framer } = framed(gtid.bytes.subarray(0, 30), [], 0, true)
    expect([framer.openBytes, framer.missingBytes]).toEqual([30, gtid.bytes.length - 30])
    framer.reset(true)
    expect([framer.openBytes, framer.missingBytes]).toEqual([0, 0])
    framer.push(gtid.bytes, 0, gtid.bytes.length)
    expect(framer.openBytes).toBe(0)
  })

  test('says how much of a header is missing', () => {
    const { framer } = framed(gtid.bytes.subarray(0, 7), [], 0, true)
    expect([framer.openBytes, framer.missingBytes]).toEqual([7, 12])
  })

  test('answers garbage with coded errors only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (garbage, checksum) => {
        const code = codeOf(() => framed(Buffer.from(garbage), [garbage.length >> 1], 9, checksum))
        expect(['none', 'ERR_EVENT_SIZE', 'ERR_EVENT_CHECKSUM']).toContain(code)
      }),
    )
  })
})
