import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, toSafeInteger } from '../../../src/base/cursor.ts'

const truncated = expect.objectContaining({ code: 'ERR_TRUNCATED' })
const malformed = expect.objectContaining({ code: 'ERR_MALFORMED' })

function reader(hex: string): ByteReader {
  return new ByteReader(Buffer.from(hex, 'hex'))
}

describe('a byte cursor', () => {
  test('reads little-endian values in their order', () => {
    const bytes = reader(
      '01 0201 030201 04030201 060504030201 0807060504030201'.replaceAll(' ', ''),
    )
    expect([bytes.u8(), bytes.u16(), bytes.u24(), bytes.u32(), bytes.u48(), bytes.u64()]).toEqual([
      1,
      0x0102,
      0x010203,
      0x01020304,
      0x010203040506,
      0x0102030405060708n,
    ])
    expect([bytes.offset, bytes.remaining]).toEqual([24, 0])
  })

  test('reads what was written, and nothing of any truncation', () => {
    const writer = new ByteWriter(1)
    writer
      .u8(7)
      .u16(300)
      .u24(70_000)
      .u32(4e9)
      .u48(2 ** 47)
      .u64(2n ** 63n)
    writer.textNul('name').lenencText('ü').lenencInteger(250).lenencInteger(251)
    writer
      .lenencInteger(65_536)
      .lenencInteger(2n ** 60n)
      .zeros(2)
      .bytes(Buffer.from('x'))
    const bytes = writer.take()
    const read = (from: Buffer): unknown[] => {
      const cursor = new ByteReader(from)
      const numbers = [cursor.u8(), cursor.u16(), cursor.u24(), cursor.u32(), cursor.u48()]
      const rest = [cursor.u64(), cursor.textToNul(), cursor.lenencText(), cursor.lenencInteger()]
      const more = [cursor.lenencInteger(), cursor.lenencInteger(), cursor.lenencInteger()]
      return [...numbers, ...rest, ...more, cursor.u16(), cursor.text(1)]
    }
    expect(read(bytes)).toEqual([
      7,
      300,
      70_000,
      4e9,
      2 ** 47,
      2n ** 63n,
      'name',
      'ü',
      250n,
      251n,
      65_536n,
      2n ** 60n,
      0,
      'x',
    ])
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => read(bytes.subarray(0, length))).toThrow(truncated)
    }
  })

  test('never reads beyond its slice into the bytes behind it', () => {
    const slice = Buffer.from('0102030405060708', 'hex').subarray(0, 3)
    expect(() => new ByteReader(slice).u32()).toThrow(truncated)
    expect(() => new ByteReader(slice).bytes(4)).toThrow(truncated)
    expect(() => new ByteReader(slice).bytes(-1)).toThrow(truncated)
    expect(() => new ByteReader(slice).textToNul()).toThrow(truncated)
    expect(new ByteReader(slice).rest()).toEqual(Buffer.from('010203', 'hex'))
  })

  test.each(['fb', 'ff'])('takes %s for no integer', (hex) => {
    expect(() => reader(hex).lenencInteger()).toThrow(malformed)
  })

  test('refuses a length that no file or buffer has', () => {
    expect(() => reader('feffffffffffffffff').lenencBytes()).toThrow(malformed)
    expect(() => reader('ffffffffffffffff').u64Safe()).toThrow(malformed)
    expect(toSafeInteger(2n ** 53n - 1n)).toBe(Number.MAX_SAFE_INTEGER)
    expect(() => toSafeInteger(2n ** 53n)).toThrow(malformed)
  })

  test('writes and reads any text and integer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.bigInt(0n, 2n ** 64n - 1n), (text, value) => {
        const bytes = new ByteWriter().lenencText(text).lenencInteger(value).take()
        const cursor = new ByteReader(bytes)
        expect([cursor.lenencText(), cursor.lenencInteger()]).toEqual([text, value])
      }),
    )
  })
})
