import { expect, test } from 'vitest'
import { agoText, bytesText, durationText, plural } from '../../../src/base/quantity-text.ts'

test.each([
  [null, '-'],
  [0, '0 s'],
  [420.4, '420 ms'],
  [3_240, '3.2 s'],
  [45_000, '45 seconds'],
  [61_000, '1 minute, 1 second'],
  [120_000, '2 minutes'],
  [93_784_000, '1 day, 2 hours'],
])('duration %s ms is %s', (ms, text) => {
  expect(durationText(ms)).toBe(text)
})

test.each([
  [null, '-'],
  [0, '0 B'],
  [1023, '1023 B'],
  [1_048_575, '1.00 MiB'],
  [1_299_227_607, '1.21 GiB'],
])('%s bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text)
})

test('counts and ages are words', () => {
  expect(plural(1, 'file')).toBe('1 file')
  expect(plural(120_000, 'transaction')).toBe('120,000 transactions')
  expect(plural(null, 'file')).toBe('-')
  expect(agoText(1500)).toBe('1.5 s ago')
  expect(agoText(null)).toBe('-')
})
