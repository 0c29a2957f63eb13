import { describe, expect, test } from 'vitest'
import { Throttle } from '../../../src/progress/throttle.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const MB = 1_000_000
const WINDOW_MS = 10_000

/** Sends pieces for as long as time goes on, of the size that `size` makes of what it may be. */
function sending(throttle: Throttle, clock: FakeClock, size: (bytesMax: number) => number) {
  const passed: { readonly atMs: number; readonly bytes: number }[] = []
  const stopping = new AbortController()
  const done = (async () => {
    for (;;) {
      const { bytesMax, passed: say } = await throttle.admit({ signal: stopping.signal })
      const bytes = size(bytesMax)
      say(bytes)
      passed.push({ atMs: clock.monotonicMs(), bytes })
    }
  })().catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error
  })
  const stop = async (): Promise<void> => {
    stopping.abort()
    await done
  }
  return { passed, stop }
}

/** The smallest and the largest sum of any ten seconds, as parts of what the rate makes of them. */
function extremes(
  passed: readonly { readonly atMs: number; readonly bytes: number }[],
  rate: number,
  fromMs: number,
  toMs: number,
): { readonly least: number; readonly most: number } {
  const whole = (rate * WINDOW_MS) / 1000
  let [least, most] = [Number.POSITIVE_INFINITY, 0]
  for (let startMs = fromMs; startMs + WINDOW_MS <= toMs; startMs += 50) {
    const inside = passed.filter(({ atMs }) => atMs >= startMs && atMs < startMs + WINDOW_MS)
    const share = inside.reduce((sum, { bytes }) => sum + bytes, 0) / whole
    least = Math.min(least, share)
    most = Math.max(most, share)
  }
  return { least, most }
}

describe('throttle', () => {
  test('without a limit nothing ever waits', async () => {
    const throttle = new Throttle({ bytesPerSecond: null, clock: new FakeClock() })
    const { bytesMax, passed } = await throttle.admit()
    passed(1e12)
    expect(bytesMax).toBe(Number.POSITIVE_INFINITY)
    await throttle.admit()
    expect(throttle.pausedAtMs).toBeNull()
  })

  test.each([10_000, 100_000, MB, 20 * MB, 200 * MB])(
    'keeps to %d bytes a second within 5 percent over any ten seconds',
    async (rate) => {
      const clock = new FakeClock()
      const throttle = new Throttle({ bytesPerSecond: rate, clock })
      let turn = 0
      // Most as large as they may be, some small, some larger than was hoped.
      const sizes = [1, 1, 0.3, 2.5, 1, 0.05]
      const { passed, stop } = sending(throttle, clock, (bytesMax) => {
        turn += 1
        return Math.ceil(bytesMax * (sizes[turn % sizes.length] ?? 1))
      })
      await clock.advance(rate > 10 * MB ? 11_000 : 30_000)
      await stop()
      const { least, most } = extremes(passed, rate, 0, clock.monotonicMs())
      expect(least).toBeGreaterThan(0.95)
      expect(most).toBeLessThan(1.05)
      const measured = throttle.measured() / rate
      expect(measured).toBeGreaterThan(0.95)
      expect(measured).toBeLessThan(1.05)
    },
  )

  test('keeps the rate after a rest too, and has no step longer than 200 ms', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 10_000, clock })
    await clock.advance(3_600_000)
    const { passed, stop } = sending(throttle, clock, (bytesMax) => bytesMax)
    await clock.advance(20_000)
    await stop()
    const { most } = extremes(passed, 10_000, 3_600_000, clock.monotonicMs())
    expect(most).toBeLessThan(1.05)
    const steps = passed.slice(1).map(({ atMs }, at) => atMs - (passed[at]?.atMs ?? 0))
    expect(Math.max(...steps)).toBeLessThanOrEqual(200)
  })

  test('serves all copies in the order they came, and all together keep the rate', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 100_000, clock })
    const one = sending(throttle, clock, (bytesMax) => bytesMax)
    const other = sending(throttle, clock, (bytesMax) => bytesMax / 4)
    await clock.advance(20_000)
    await Promise.all([one.stop(), other.stop()])
    const all = [...one.passed, ...other.passed].sort((a, b) => a.atMs - b.atMs)
    const { least, most } = extremes(all, 100_000, 0, clock.monotonicMs())
    expect(least).toBeGreaterThan(0.95)
    expect(most).toBeLessThan(1.05)
    expect(Math.abs(one.passed.length - other.passed.length)).toBeLessThan(5)
  })

  test('a waiter that is aborted takes nothing and lets the next one on', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 10_000, clock })
    ;(await throttle.admit()).passed(3_000)
    const stopping = new AbortController()
    const first = throttle.admit({ signal: stopping.signal })
    const second = throttle.admit()
    stopping.abort()
    await expect(first).rejects.toMatchObject({ name: 'AbortError' })
    await clock.advance(100)
    await second
    expect(clock.sleeping).toBe(0)
    await expect(throttle.admit({ signal: stopping.signal })).rejects.toThrow()
  })

  test('a waiter can leave before its turn comes', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 10_000, clock })
    ;(await throttle.admit()).passed(3_000)
    const first = throttle.admit()
    const stopping = new AbortController()
    const second = throttle.admit({ signal: stopping.signal })
    const third = throttle.admit()
    stopping.abort()
    await expect(second).rejects.toMatchObject({ name: 'AbortError' })
    await clock.advance(200)
    await Promise.all([first, third])
  })

  test('a new rate reaches those who already wait, and an old debt is forgiven', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: 200 * MB, clock })
    ;(await throttle.admit()).passed(100 * MB)
    throttle.setRate(10_000)
    let passed = 0
    const waiting = throttle.admit().then(() => (passed += 1))
    await clock.advance(1_000)
    expect(passed).toBe(1)
    await waiting
    const next = throttle.admit()
    throttle.setRate(null)
    await next
    expect(throttle.bytesPerSecond).toBeNull()
    expect(() => throttle.setRate(-1)).toThrow(/below 0/)
  })

  test('a pause lets nothing pass until it ends, and says since when', async () => {
    const clock = new FakeClock()
    const throttle = new Throttle({ bytesPerSecond: null, clock })
    await clock.advance(500)
    throttle.setRate(0)
    expect(throttle.pausedAtMs).toBe(500)
    let [passed, released] = [0, 0]
    const waiting = throttle.admit().then(() => (passed += 1))
    const going = throttle.released(new AbortController().signal).then(() => (released += 1))
    await clock.advance(90 * 86_400_000)
    expect([passed, released]).toEqual([0, 0])
    throttle.setRate(1_000)
    await clock.advance(300)
    await Promise.all([waiting, going])
    expect(throttle.pausedAtMs).toBeNull()
    await throttle.released(new AbortController().signal)
  })
})
