import { expect, test } from 'vitest'
import { CatchUp } from '../../../src/progress/catch-up.ts'
import { DelayWindows } from '../../../src/progress/delay-windows.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

test('an outage leaves the windows when they have passed it', async () => {
  const clock = new FakeClock()
  const windows = new DelayWindows(clock)
  const second = async (delayMs: number): Promise<void> => {
    for (let n = 0; n < 10; n += 1) windows.record(delayMs, clock.monotonicMs())
    await clock.advance(1_000)
  }
  for (let n = 0; n < 30; n += 1) await second(25)
  for (let n = 0; n < 30; n += 1) await second(9_000)
  expect(windows.status().minute).toMatchObject({ maxMs: 9_000 })
  for (let n = 0; n < 70; n += 1) await second(25)
  const { minute, quarterHour, day } = windows.status()
  expect(minute?.maxMs).toBe(25)
  expect(minute?.coveredMs).toBeLessThanOrEqual(65_000)
  expect(quarterHour).toMatchObject({ maxMs: 9_000, count: 1_300, coveredMs: 130_000 })
  expect(quarterHour?.p50Ms).toBeGreaterThan(24)
  expect(quarterHour?.p50Ms).toBeLessThan(26)
  expect(quarterHour?.p95Ms).toBeGreaterThan(8_700)
  await clock.advance(20 * 60_000)
  expect(windows.status()).toMatchObject({ minute: null, quarterHour: null })
  expect(day?.count).toBe(1_300)
  await clock.advance(25 * 3_600_000)
  expect(windows.status().day).toBeNull()
})

test('time left is by the speed of the last half minute, and not told where it grows', async () => {
  const clock = new FakeClock()
  const catchUp = new CatchUp(clock)
  for (let missing = 100; missing > 60; missing -= 2) {
    catchUp.note(missing)
    await clock.advance(1_000)
  }
  // 62 left a second ago, at 2 a second.
  expect(catchUp.leftMs()).toBe(30_000)
  for (let missing = 62; missing < 200; missing += 2) {
    catchUp.note(missing)
    await clock.advance(1_000)
  }
  expect(catchUp.leftMs()).toBeNull()
  catchUp.note(0)
  expect(catchUp.leftMs()).toBeNull()
})
