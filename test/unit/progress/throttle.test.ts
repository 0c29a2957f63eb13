import { describe, expect, test } from 'vitest'
import { Throttle } from '../../../src/progress/throttle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

describe('throttle', () => {
  test('without a limit nothing ever waits', async () => {
    const throttle = new Throttle({ bytesPerSecond: null, clock: new FakeClock() })
    await throttle.take(1e12)
    expect(throttle.delayMsFor(1e12)).toBe(0)
  })

  test('lets the burst pass at once and then keeps the rate', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1000, burstBytes: 500, clock })
    await throttle.take(500)
    expect(throttle.delayMsFor(100)).toBe(100)
    let passed = false
    const taken = throttle.take(100).then(() => {
      passed = true
    })
    await clock.advance(99)
    expect(passed).toBe(false)
    await clock.advance(1)
    expect(passed).toBe(true)
    await taken
  })

  test('a piece larger than the bucket leaves a debt, so the average stays exact', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1000, burstBytes: 100, clock })
    let bytes = 0
    const stopping = new AbortController()
    const sending = (async () => {
      for (;;) {
        await throttle.take(777, { signal: stopping.signal })
        bytes += 777
      }
    })()
    await clock.advance(1_000_000)
    stopping.abort()
    await expect(sending).rejects.toThrow(/abort/i)
    expect(bytes).toBeGreaterThanOrEqual(1_000_000)
    expect(bytes).toBeLessThanOrEqual(1_000_000 + 100 + 777)
  })

  test('serves waiters in the order they came, large ones not starved by small ones', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1000, burstBytes: 1000, clock })
    await throttle.take(1000)
    const order: string[] = []
    const all = [
      throttle.take(900).then(() => order.push('large')),
      throttle.take(10).then(() => order.push('small')),
    ]
    expect(throttle.delayMsFor(90)).toBe(1000)
    await clock.advance(899)
    expect(order).toEqual([])
    await clock.advance(111)
    await Promise.all(all)
    expect(order).toEqual(['large', 'small'])
  })

  test('a waiter that is aborted takes nothing and lets the next one on', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1000, burstBytes: 100, clock })
    await throttle.take(100)
    const stopping = new AbortController()
    const first = throttle.take(100, { signal: stopping.signal })
    const second = throttle.take(50)
    stopping.abort()
    await expect(first).rejects.toMatchObject({ name: 'AbortError' })
    await clock.advance(50)
    await second
    expect(clock.sleeping).toBe(0)
    await expect(throttle.take(1, { signal: stopping.signal })).rejects.toThrow()
  })

  test('a waiter can leave before its turn comes', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1000, burstBytes: 100, clock })
    await throttle.take(100)
    const first = throttle.take(100)
    const stopping = new AbortController()
    const second = throttle.take(100, { signal: stopping.signal })
    const third = throttle.take(100)
    stopping.abort()
    await expect(second).rejects.toMatchObject({ name: 'AbortError' })
    await clock.advance(200)
    await Promise.all([first, third])
    expect(throttle.delayMsFor(100)).toBe(100)
  })

  test('a new rate reaches those who already wait', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1, burstBytes: 100, clock })
    await throttle.take(100)
    let passed = 0
    const first = throttle.take(100).then(() => {
      passed += 1
    })
    await clock.advance(1000)
    throttle.setRate(1000)
    await clock.advance(98)
    expect(passed).toBe(0)
    await clock.advance(1)
    await first
    const second = throttle.take(100)
    await clock.advance(0)
    throttle.setRate(null)
    await second
    expect(throttle.bytesPerSecond).toBeNull()
    throttle.setRate(1000)
    expect(throttle.delayMsFor(100)).toBe(100)
    expect(() => throttle.setRate(0)).toThrow(/above 0/)
  })

  test('does not fill beyond the burst while nothing passes', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 1000, burstBytes: 200, clock })
    await clock.advance(3_600_000)
    await throttle.take(200)
    expect(throttle.delayMsFor(1)).toBe(1)
  })
})
