import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { EventLoopDelay } from '../../../src/base/event-loop-delay.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const BLOCK_MS = 150

async function block(): Promise<void> {
  const startedMs = performance.now()
  while (performance.now() - startedMs < BLOCK_MS);
  await sleep(1)
}

test('a turn that kept others waiting is told for a minute, and not for ever', async () => {
  const clock = new FakeClock()
  using delay = new EventLoopDelay(clock)
  await block()
  expect(delay.maxMs()).toBeGreaterThan(BLOCK_MS * 0.99)
  await clock.advance(61_000)
  for (let count = 0; count < 3; count += 1) {
    expect(delay.maxMs()).toBeGreaterThan(BLOCK_MS * 0.99)
    await sleep(1)
  }
  // This machine may be slow as well, but not always.
  const later = async () => {
    await clock.advance(61_000)
    await sleep(1)
    return delay.maxMs()
  }
  await expect.poll(later).toBeLessThan(BLOCK_MS)
})
