import { expect, test } from 'vitest'
import { silenceLimitMs } from '../../../src/source/silence-limit.ts'

const heartbeatMs = 5_000
const GIB = 1024 ** 3

test('a source that has begun to send is dead after three missed heartbeats', () => {
  expect(silenceLimitMs({ heartbeatMs, heldBytes: 0, hasBegun: true })).toBe(15_000)
  expect(silenceLimitMs({ heartbeatMs, heldBytes: 5 * GIB, hasBegun: true })).toBe(15_000)
})

test('one that still looks for the place gets as long as reading up to it may take', () => {
  const limitMs = (heldBytes: number) => silenceLimitMs({ heartbeatMs, heldBytes, hasBegun: false })
  expect(limitMs(0)).toBe(15_000)
  // A disk of 50 MB/s needs 86 s for 4 GiB.
  expect(limitMs(4 * GIB)).toBeGreaterThan(90_000)
  expect(limitMs(100 * GIB)).toBeGreaterThan(20 * limitMs(4 * GIB))
})
