import { expect, test } from 'vitest'
import { TunnelHealth } from '../../../src/tunnel/tunnel-health.ts'

const reading = (receivedBytes: number, sentBytes: number) => ({
  handshakeAtMs: 1,
  receivedBytes,
  sentBytes,
  endpoint: null,
})

test('never before the first handshake, up after it, stale when it is too old', () => {
  const health = new TunnelHealth({ keepaliveMs: 25_000, nowMs: 0 })
  expect(health.observe(reading(0, 148), null, 1000)).toBe('never')
  expect(health.observe(reading(92, 148), 100, 2000)).toBe('up')
  expect(health.observe(reading(124, 148), 179_000, 180_000)).toBe('up')
  expect(health.observe(reading(156, 148), 181_000, 182_000)).toBe('stale')
})

test('stale as soon as sent bytes stay unanswered for longer than a keepalive', () => {
  const health = new TunnelHealth({ keepaliveMs: 25_000, nowMs: 0 })
  expect(health.observe(reading(100, 100), 1000, 1000)).toBe('up')
  expect(health.observe(reading(100, 200), 20_000, 20_000)).toBe('up')
  expect(health.observe(reading(100, 900), 36_100, 36_100)).toBe('stale')
  expect(health.observe(reading(132, 900), 36_200, 36_200)).toBe('up')
})

test('stale sooner when it was data: the peer answers that within ten seconds', () => {
  const health = new TunnelHealth({ keepaliveMs: 25_000, nowMs: 0 })
  expect(health.observe(reading(100, 100), 1000, 1000)).toBe('up')
  expect(health.observe(reading(100, 900), 20_900, 20_900)).toBe('up')
  expect(health.observe(reading(100, 900), 21_100, 21_100)).toBe('stale')
})

test('our own keepalives are no data, however many', () => {
  const health = new TunnelHealth({ keepaliveMs: 5_000, nowMs: 0 })
  expect(health.observe(reading(100, 100), 0, 0)).toBe('up')
  expect(health.observe(reading(100, 100 + 2 * 32), 14_900, 14_900)).toBe('up')
  const slow = new TunnelHealth({ keepaliveMs: 25_000, nowMs: 0 })
  expect(slow.observe(reading(100, 100), 0, 0)).toBe('up')
  expect(slow.observe(reading(100, 132), 34_900, 34_900)).toBe('up')
})

test('says when something came last, which is not when it was looked at first', () => {
  const health = new TunnelHealth({ keepaliveMs: 25_000, nowMs: 0 })
  health.observe(reading(0, 148), null, 1_000)
  expect(health.heardAtMs).toBeNull()
  health.observe(reading(100, 148), 0, 2_000)
  health.observe(reading(132, 400), 58_000, 60_000)
  health.observe(reading(132, 900), 80_000, 82_000)
  expect(health.heardAtMs).toBe(60_000)
})

test('an idle peer that nothing was sent to is not stale', () => {
  const health = new TunnelHealth({ keepaliveMs: 25_000, nowMs: 0 })
  expect(health.observe(reading(100, 100), 1000, 1000)).toBe('up')
  expect(health.observe(reading(100, 100), 100_000, 100_000)).toBe('up')
})
