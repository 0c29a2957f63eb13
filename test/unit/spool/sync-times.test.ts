import { expect, test } from 'vitest'
import { SyncTimes } from '../../../src/spool/sync-times.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

test('counts how many syncs took no longer than each bound, and those beyond all', () => {
  const times = new SyncTimes(new FakeClock())
  for (const ms of [0.1, 0.25, 0.3, 7, 60_000]) times.note(ms)
  const { count, sumMs, maxMs, buckets } = times.status()
  expect([count, sumMs, maxMs]).toEqual([5, 60_007.65, 60_000])
  const upTo = (ms: number) => buckets.find(({ upToMs }) => upToMs === ms)?.count
  expect([upTo(0.25), upTo(0.5), upTo(5), upTo(10), upTo(10_000)]).toEqual([2, 3, 3, 4, 4])
})

test('tells the longest of the last minute or two, and none when there was none', async () => {
  const clock = new FakeClock()
  const times = new SyncTimes(clock)
  expect(times.status().maxMs).toBeNull()
  times.note(900)
  await clock.advance(61_000)
  times.note(3)
  expect(times.status().maxMs).toBe(900)
  await clock.advance(60_000)
  expect(times.status().maxMs).toBe(3)
  await clock.advance(180_000)
  expect(times.status()).toMatchObject({ maxMs: null, count: 2 })
})
