import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CommitRate } from '../../../src/progress/commit-rate.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

test('no span holds more commits than it is said to hold at most', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 0, max: 60_000 }),
      (gapsUs, spanMs) => {
        const clock = new FakeClock()
        const rate = new CommitRate(clock)
        const commits: number[] = []
        let atMs = clock.monotonicMs()
        for (const gapUs of gapsUs) {
          atMs += gapUs / 1000
          commits.push(atMs)
        }
        void clock.advance(atMs - clock.monotonicMs())
        for (const commit of commits) rate.add(commit)
        const most = rate.atMost(spanMs, atMs) ?? 0
        for (const from of commits) {
          const held = commits.filter((at) => at >= from && at <= from + spanMs).length
          expect(held).toBeLessThanOrEqual(most)
        }
      },
    ),
  )
})

test('nothing is said of a source that never committed, or has not for a day', async () => {
  const clock = new FakeClock()
  const rate = new CommitRate(clock)
  const atMost = (spanMs: number) => rate.atMost(spanMs, clock.monotonicMs())
  expect(atMost(1_000)).toBeNull()
  for (let n = 0; n < 40; n += 1) rate.add(clock.monotonicMs())
  expect(atMost(50)).toBe(80)
  await clock.advance(180_000)
  // Known to be idle since then: forty in a minute were all.
  expect(atMost(50)).toBe(80)
  expect(atMost(10_000)).toBe(80)
  await clock.advance(2 * 86_400_000)
  expect(atMost(1_000)).toBeNull()
})

test('a load that has just begun is not taken for all that there is', async () => {
  const clock = new FakeClock()
  const rate = new CommitRate(clock)
  for (let step = 0; step < 15; step += 1) {
    for (let n = 0; n < 40; n += 1) rate.add(clock.monotonicMs())
    await clock.advance(100)
  }
  // Cut off after a second and a half at 400 a second.
  const knownToMs = clock.monotonicMs()
  await clock.advance(600_000)
  expect(rate.atMost(600_000, knownToMs)).toBeGreaterThanOrEqual(240_000)
})

test('what is known from before a start counts', () => {
  const clock = new FakeClock()
  const rate = new CommitRate(clock)
  rate.restore(400)
  expect(rate.atMost(2_500, clock.monotonicMs())).toBe(1_600)
  expect(rate.perSecondMax()).toBe(400)
})
