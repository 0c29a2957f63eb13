import { expect, test } from 'vitest'
import { measureYielding } from '../bench/throttle/yielding.ts'
import { needs } from '../helpers/needs.ts'

/**
 * Shorter than `npm run bench -- throttle`, which says what the figures are: here it is seen that
 * yielding makes the difference.
 */
test('a stream that yields leaves a second flow through the tunnel its latency', {
  timeout: 300_000,
  ...needs('root', 'mariadb'),
}, async () => {
  const report = await measureYielding({
    ...{ flavor: 'mariadb', seconds: 10, roundTripMs: 40, megabitsPerSecond: 20, queueMs: 20 },
    say: () => undefined,
    signal: AbortSignal.timeout(280_000),
  })
  const { idle, beside, yielding, yieldingBytesPerSecond } = report
  console.log(JSON.stringify(report))
  expect(beside.p50Ms).toBeGreaterThan(1.5 * idle.p50Ms)
  expect(yielding.p50Ms).toBeLessThan(1.5 * idle.p50Ms)
  expect(yielding.p99Ms).toBeLessThan(2 * idle.p99Ms)
  expect(yielding.lost).toBeLessThan(yielding.sent / 100)
  expect(yieldingBytesPerSecond).toBeGreaterThan(50_000)
})
