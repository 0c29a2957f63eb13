import { describe, expect, test } from 'vitest'
import { ClockOffset } from '../../../src/base/clock-offset.ts'

/** One exchange: the peer's clock is `ahead`, the two ways take so long. */
function exchange(offset: ClockOffset, atMs: number, ahead: number, there: number, back: number) {
  offset.record(atMs, atMs + there + ahead, atMs + there + back)
}

describe('the clock offset', () => {
  test('is unknown before the first exchange', () => {
    const offset = new ClockOffset()
    expect([offset.roundTripMs, offset.offsetMs]).toEqual([null, null])
  })

  test('is exact when both ways take equally long', () => {
    const offset = new ClockOffset()
    exchange(offset, 1_000_000, 250, 40, 40)
    expect([offset.roundTripMs, offset.offsetMs]).toEqual([80, 250])
    exchange(offset, 1_001_000, 250, 40, 40)
    expect(offset.offsetMs).toBe(250)
  })

  test('is not spoilt by exchanges that waited behind data', () => {
    const offset = new ClockOffset()
    exchange(offset, 1_000_000, -30, 10, 10)
    for (let n = 1; n <= 100; n += 1) exchange(offset, 1_000_000 + n * 1_000, -30, 2_000, 10)
    expect(Math.abs((offset.offsetMs ?? 0) + 30)).toBeLessThan(11)
    expect(offset.roundTripMs).toBe(2_010)
  })

  test('follows a clock that was stepped', () => {
    const offset = new ClockOffset()
    for (let n = 0; n < 20; n += 1) exchange(offset, 1_000_000 + n * 1_000, 0, 10, 10)
    for (let n = 20; n < 25; n += 1) exchange(offset, 1_000_000 + n * 1_000, 5_000, 12, 12)
    expect(Math.abs((offset.offsetMs ?? 0) - 5_000)).toBeLessThan(25)
  })

  test('takes a round trip that would be negative for none', () => {
    const offset = new ClockOffset()
    offset.record(1_000, 900, 800)
    expect(offset.roundTripMs).toBe(0)
  })

  test('knows nothing from an exchange in which the own clock was set back', () => {
    const offset = new ClockOffset()
    exchange(offset, 1_000_000, 0, 10, 10)
    offset.record(1_001_000, 1_001_010, 991_020)
    expect(offset.reading(991_020)).toBeNull()
    exchange(offset, 992_000, 10_000, 10, 10)
    expect(offset.reading(992_020)).toMatchObject({ aheadMs: 10_000 })
  })
})
