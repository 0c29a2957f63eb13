import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Flavor } from '../../../src/base/flavor.ts'
import { DumpDecoder } from '../../../src/source/dump-decoder.ts'
import { fixtureBytes, recordedFacts, recordedFile } from '../../helpers/fixtures.ts'

const FLAVORS = ['mysql', 'mariadb'] as const
type Resume = 'gtid' | 'offset'
type Expect = { readonly file: string; readonly offset: number } | null

/** What came out: by file, where it began and its bytes. */
class Collected {
  readonly files = new Map<string, { readonly offset: number; readonly parts: Buffer[] }>()
  #current: Buffer[] = []

  accepted(): void {}

  file(name: string, offset: number): void {
    this.#current = []
    this.files.set(name, { offset, parts: this.#current })
  }

  bytes(chunk: Buffer, start: number, end: number): void {
    this.#current.push(Buffer.from(chunk.subarray(start, end)))
  }

  /** As text, so that a difference is short to show. */
  summary(): string[] {
    return [...this.files].map(([name, { offset, parts }]) => {
      const bytes = Buffer.concat(parts)
      return `${name} from ${offset}: ${bytes.length} bytes, sum ${crc32(bytes)}`
    })
  }
}

function decoderOf(flavor: Flavor, expect: Expect, resume: Resume, sink = new Collected()) {
  const options = { flavor, checksum: true, expect, resume, sink }
  return { decoder: new DumpDecoder(options), sink }
}

function decoded(flavor: Flavor, dump: Buffer, place: Expect, resume: Resume, cuts: number[] = []) {
  const { decoder, sink } = decoderOf(flavor, place, resume)
  let at = 0
  for (const cut of [...cuts.toSorted((a, b) => a - b), dump.length]) {
    decoder.push(dump.subarray(at, cut))
    at = cut
  }
  return { decoder, sink }
}

function codeFrom(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code)
    throw error
  }
  return 'none'
}

/** What the source's files hold from `offset` of the first one on. */
function expected(flavor: Flavor, offset: number): string[] {
  return ([1, 2] as const).map((n) => {
    const from = n === 1 ? offset : 0
    const bytes = recordedFile(flavor, n).subarray(from)
    const stop = stopBytes(flavor, n)
    const sent = bytes.subarray(0, bytes.length - stop)
    return `binlog.00000${n} from ${from}: ${sent.length} bytes, sum ${crc32(sent)}`
  })
}

/** The last file ends in a stop event, written when the server was stopped after the recording. */
function stopBytes(flavor: Flavor, n: 1 | 2): number {
  const file = recordedFile(flavor, n)
  return n === 2 && file.readUInt8(file.length - 23 + 4) === 3 ? 23 : 0
}

describe.each(FLAVORS)('a recorded dump of %s', (flavor) => {
  const { offset } = recordedFacts(flavor)
  const all = fixtureBytes(`${flavor}-dump-all.hex`)
  const middle = fixtureBytes(`${flavor}-dump-middle.hex`)
  const byPosition = fixtureBytes(`${flavor}-dump-position.hex`)
  const place = { file: 'binlog.000001', offset }

  test('gives the files of the source, each from its magic on', () => {
    const { decoder, sink } = decoded(flavor, all, null, 'gtid')
    expect(sink.summary()).toEqual(expected(flavor, 0))
    expect(decoder.heartbeats).toBeGreaterThan(0)
    const end = recordedFile(flavor, 2).length - stopBytes(flavor, 2)
    expect(decoder.position).toEqual({ file: 'binlog.000002', offset: end })
  })

  test('goes on inside a file by GTID: repeated and made-up events are dropped', () => {
    const { sink } = decoded(flavor, middle, place, 'gtid')
    expect(sink.summary()).toEqual(expected(flavor, offset))
  })

  test('goes on inside a file by position', () => {
    const { sink } = decoded(flavor, byPosition, place, 'offset')
    expect(sink.summary()).toEqual(expected(flavor, offset))
  })

  test('is the same however the bytes are cut', () => {
    const whole = decoded(flavor, middle, place, 'gtid').sink.summary()
    for (let cut = 1; cut < middle.length; cut += 1) {
      const { sink } = decoded(flavor, middle, place, 'gtid', [cut])
      if (sink.summary().join() !== whole.join()) expect([cut, sink.summary()]).toEqual(whole)
    }
    fc.assert(
      fc.property(fc.array(fc.nat(all.length), { maxLength: 40 }), (cuts) => {
        const { sink } = decoded(flavor, all, null, 'gtid', cuts)
        expect(sink.summary()).toEqual(expected(flavor, 0))
      }),
      { numRuns: 40 },
    )
  })

  test('is the same byte by byte', () => {
    const every = Array.from({ length: all.length }, (_, at) => at)
    const { sink } = decoded(flavor, all, null, 'gtid', every)
    expect(sink.summary()).toEqual(expected(flavor, 0))
  })

  test('is refused when it begins with another file than the one held', () => {
    const other = { file: 'binlog.000009', offset: 4 }
    expect(codeFrom(() => decoded(flavor, all, other, 'gtid'))).toBe('ERR_SOURCE_FILE')
  })

  test('is refused when it skips bytes that are not held', () => {
    // The spool ends one transaction before the place where this dump goes on.
    const early = { file: 'binlog.000001', offset: offset - 106 }
    expect(codeFrom(() => decoded(flavor, middle, early, 'gtid'))).toBe('ERR_SOURCE_GAP')
  })

  test('is refused with a code when any byte of it is changed', () => {
    const codes = new Set<string>()
    const lengths = lengthBytesOf(middle)
    for (let at = 0; at < middle.length; at += 1) {
      const torn = Buffer.from(middle)
      torn.writeUInt8(torn.readUInt8(at) ^ 0x04, at)
      const { decoder, sink } = decoderOf(flavor, place, 'gtid')
      const code = codeFrom(() => decoder.push(torn))
      // Changed lengths may leave it waiting; else nothing wrong is ever passed on.
      for (const [name, { offset: from, parts }] of sink.files) {
        const bytes = Buffer.concat(parts)
        const file = recordedFile(flavor, name.endsWith('1') ? 1 : 2)
        const isRight = file.subarray(from, from + bytes.length).equals(bytes)
        if (code === 'none' && !isRight && !lengths.has(at)) expect([at, name]).toEqual([])
      }
      codes.add(code)
    }
    expect([...codes].every((code) => code === 'none' || code.startsWith('ERR_'))).toBe(true)
    expect(codes).toContain('ERR_EVENT_CHECKSUM')
    expect(codes).toContain('ERR_MALFORMED')
  })
})

/** Where packets say their length. */
function lengthBytesOf(dump: Buffer): Set<number> {
  const places = new Set<number>()
  for (let at = 0; at < dump.length; at += 4 + dump.readUIntLE(at, 3)) {
    for (const byte of [0, 1, 2]) places.add(at + byte)
  }
  return places
}

/** An event of any size with a CRC32, ending at `end`. */
function event(type: number, body: Buffer, end: number, flags = 0, timestamp = 1): Buffer {
  const bytes = Buffer.alloc(19 + body.length + 4)
  bytes.writeUInt32LE(timestamp, 0)
  bytes.writeUInt8(type, 4)
  bytes.writeUInt32LE(7, 5)
  bytes.writeUInt32LE(bytes.length, 9)
  bytes.writeUInt32LE(end % 2 ** 32, 13)
  bytes.writeUInt16LE(flags, 17)
  body.copy(bytes, 19)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

function rotate(name: string, artificial = true): Buffer {
  const body = Buffer.alloc(8 + name.length)
  body.writeBigUInt64LE(4n)
  body.write(name, 8, 'latin1')
  return event(4, body, 0, artificial ? 0x20 : 0, 0)
}

/** Events as packets, continued where one is larger than a packet can be. */
function packets(...events: Buffer[]): Buffer {
  const parts: Buffer[] = []
  let sequence = 0
  for (const one of events) {
    const payload = Buffer.concat([Buffer.alloc(1), one])
    for (let at = 0; ; at += 0xffffff) {
      const part = payload.subarray(at, at + 0xffffff)
      sequence = (sequence + 1) % 256
      const header = Buffer.alloc(4)
      header.writeUIntLE(part.length, 0, 3)
      header.writeUInt8(sequence, 3)
      parts.push(header, part)
      if (part.length < 0xffffff) break
    }
  }
  return Buffer.concat(parts)
}

const PLACE = { file: 'b.000001', offset: 4 }
const FORMAT = recordedFile('mysql', 1).subarray(4, 127)

describe('a dump', () => {
  test.each([0xffffff - 25, 0xffffff - 24, 0xffffff - 23, 2 * 0xffffff - 24])(
    'joins an event of more than a packet: %i bytes of body',
    (bodyBytes) => {
      const huge = event(30, Buffer.alloc(bodyBytes, 3), 127 + bodyBytes + 23)
      const after = event(16, Buffer.alloc(8), 127 + huge.length + 31)
      const dump = packets(rotate('b.000001'), FORMAT, huge, after)
      const { decoder, sink } = decoderOf('mysql', null, 'gtid')
      for (let at = 0; at < dump.length; at += 700_001)
        decoder.push(dump.subarray(at, at + 700_001))
      const file = Buffer.concat([Buffer.from('fe62696e', 'hex'), FORMAT, huge, after])
      expect(sink.summary()).toEqual([`b.000001 from 0: ${file.length} bytes, sum ${crc32(file)}`])
    },
  )

  test('counts its own bytes where the source’s positions wrap at 4 GiB', () => {
    const offset = 2 ** 32 - 50
    const first = event(2, Buffer.alloc(40), offset + 63)
    const second = event(2, Buffer.alloc(10), offset + 63 + 33)
    const dump = packets(rotate('b.000001'), FORMAT, first, second)
    const { decoder, sink } = decoderOf('mysql', { file: 'b.000001', offset }, 'gtid')
    decoder.push(dump)
    expect(decoder.position).toEqual({ file: 'b.000001', offset: offset + 96 })
    expect(sink.summary()[0]).toMatch(`b.000001 from ${offset}: 96 bytes`)
  })

  test('of MySQL by GTID ends at a file that follows a crash, whose start it falsifies', () => {
    const commit = event(16, Buffer.alloc(8), 127 + 31)
    const crashed = packets(rotate('b.000001'), FORMAT, commit, rotate('b.000002'), FORMAT)
    expect(codeFrom(() => decoded('mysql', crashed, { ...PLACE, offset: 127 }, 'gtid'))).toBe(
      'ERR_SOURCE_RESTARTED',
    )
    expect(codeFrom(() => decoded('mysql', crashed, { ...PLACE, offset: 127 }, 'offset'))).toBe(
      'none',
    )
    const closing = event(4, Buffer.concat([Buffer.alloc(8), Buffer.from('b.000002')]), 158 + 39)
    const closed = packets(
      ...[rotate('b.000001'), FORMAT, commit, closing],
      ...[rotate('b.000002'), FORMAT],
    )
    const { sink } = decoded('mysql', closed, { ...PLACE, offset: 127 }, 'gtid')
    expect([...sink.files.keys()]).toEqual(['b.000001', 'b.000002'])
  })

  test('takes events that name no position, as MariaDB 11.4 writes inside of groups', () => {
    const file = recordedFile('mariadb', 1)
    const group = [event(162, Buffer.alloc(19), 256 + 42), event(160, Buffer.alloc(5), 0)]
    const dump = packets(rotate('b.000001'), file.subarray(4, 256), ...group)
    const { decoder } = decoderOf('mariadb', null, 'gtid')
    decoder.push(dump)
    expect(decoder.position).toEqual({ file: 'b.000001', offset: 256 + 42 + 28 })
  })

  test('refuses an event that is elsewhere than its place', () => {
    const dump = packets(rotate('b.000001'), FORMAT, event(2, Buffer.alloc(9), 127 + 33))
    expect(codeFrom(() => decoded('mysql', dump, null, 'gtid'))).toBe('ERR_SOURCE_OFFSET')
  })

  test('refuses packets out of order, and a packet that ends inside an event', () => {
    const good = packets(rotate('b.000001'), FORMAT)
    const skipped = Buffer.from(good)
    skipped.writeUInt8(9, rotate('b.000001').length + 5 + 3)
    expect(codeFrom(() => decoded('mysql', skipped, null, 'gtid'))).toBe('ERR_MALFORMED')
    const short = Buffer.concat([packets(rotate('b.000001')), packets(FORMAT.subarray(0, 100))])
    short.writeUInt8(2, rotate('b.000001').length + 5 + 3)
    expect(codeFrom(() => decoded('mysql', short, null, 'gtid'))).toBe('ERR_MALFORMED')
    const two = packets(rotate('b.000001'), Buffer.concat([FORMAT, FORMAT]))
    expect(codeFrom(() => decoded('mysql', two, null, 'gtid'))).toBe('ERR_MALFORMED')
    const before = packets(event(2, Buffer.alloc(5), 99))
    expect(codeFrom(() => decoded('mysql', before, null, 'gtid'))).toBe('ERR_MALFORMED')
    const nothing = Buffer.from('00000001', 'hex')
    expect(codeFrom(() => decoded('mysql', nothing, null, 'gtid'))).toBe('ERR_MALFORMED')
    const strange = Buffer.from('0100000107', 'hex')
    expect(codeFrom(() => decoded('mysql', strange, null, 'gtid'))).toBe('ERR_MALFORMED')
  })

  test.each([
    ['an EOF packet', 'fe00000200', 'ERR_SOURCE_CLOSED', true],
    ['a refusal', 'ffd404234859303030 6e6f'.replace(' ', ''), 'ERR_SOURCE_DUMP', false],
    ['an error cut short', 'ff28', 'ERR_MALFORMED', true],
    ['another error', 'ff2804234859303030 6e6f'.replace(' ', ''), 'ERR_SOURCE_DUMP', true],
  ])('ends with %s, however it is cut', (_what, payload, code, retryable) => {
    const bytes = Buffer.from(payload, 'hex')
    const header = Buffer.alloc(4)
    header.writeUIntLE(bytes.length, 0, 3)
    header.writeUInt8(2, 3)
    const dump = Buffer.concat([packets(rotate('b.000001')), header, bytes])
    for (let cut = 1; cut < dump.length; cut += 1) {
      const run = () => decoded('mysql', dump, PLACE, 'gtid', [cut])
      expect(run).toThrow(expect.objectContaining({ code, retryable }))
    }
  })

  test('says what the source said', () => {
    const bytes = Buffer.from('ffd404', 'hex')
    const payload = Buffer.concat([bytes, Buffer.from('#HY000purged')])
    const header = Buffer.alloc(4)
    header.writeUIntLE(payload.length, 0, 3)
    const run = () => decoded('mysql', Buffer.concat([header, payload]), null, 'gtid')
    expect(run).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/: purged$/),
        details: { errno: 1236 },
      }),
    )
  })

  test('answers garbage with coded errors only', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (garbage) => {
        const code = codeFrom(() => decoded('mysql', Buffer.from(garbage), null, 'gtid'))
        expect(code).toMatch(/^(none|ERR_)/)
      }),
      { numRuns: 500 },
    )
  })
})
