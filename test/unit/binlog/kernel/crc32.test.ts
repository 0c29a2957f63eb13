import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../../../src/binlog/kernel/crc32.ts'

test('gives the sum that everybody gives', () => {
  expect(crc32(Buffer.from('123456789'), 0, 9)).toBe(0xcbf43926)
  expect(crc32(Buffer.alloc(0), 0, 0)).toBe(0)
})

test('agrees with zlib for every short length, at any place', () => {
  const bytes = Buffer.from(Array.from({ length: 600 }, (_, at) => (at * 167 + 13) & 255))
  for (let start = 0; start < 9; start += 1) {
    for (let end = start; end < bytes.length; end += 1) {
      expect(crc32(bytes, start, end)).toBe(zlibCrc32(bytes.subarray(start, end)))
    }
  }
})

test('goes on from the sum of what came before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(2000), (array, cut) => {
      const bytes = Buffer.from(array)
      const at = Math.min(cut, bytes.length)
      const whole = zlibCrc32(bytes)
      expect(crc32(bytes, at, bytes.length, crc32(bytes, 0, at))).toBe(whole)
    }),
  )
})
