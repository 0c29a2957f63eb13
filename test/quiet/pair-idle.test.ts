import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { processCpuMs, ReplicatedPair } from '../helpers/replicated-pair.ts'

const SITES = ['production', 'dr'] as const
/** A gateway that has just started still compiles, and a shared processor has bad moments. */
const WINDOWS_MAX = 12
const WINDOW_MS = 5_000
const SHARE_MAX = 0.01

async function shareOfCore(pid: number): Promise<number> {
  const before = await processCpuMs(pid)
  const startedMs = performance.now()
  await sleep(WINDOW_MS)
  return ((await processCpuMs(pid)) - before) / (performance.now() - startedMs)
}

test.each(['mysql', 'mariadb'] as const)(
  'a %s pair uses less than one percent of a core while idle',
  async (flavor) => {
    await using pair = await ReplicatedPair.create(flavor, { attach: false })
    await pair.held()
    for (const site of SITES) {
      // Idle is what it settles to; a loop that never rests is busy in every window.
      let share = 1
      for (let window = 0; window < WINDOWS_MAX && share >= SHARE_MAX; window += 1) {
        share = await shareOfCore(pair.pair.pid(site))
      }
      console.log(`${flavor} ${site}: ${(share * 100).toFixed(2)} % of a core idle`)
      expect(share).toBeLessThan(SHARE_MAX)
    }
  },
)
