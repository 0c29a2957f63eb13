import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { processCpuMs, ReplicatedPair } from '../helpers/replicated-pair.ts'

const SITES = ['production', 'dr'] as const
/** A gateway that has just started still compiles, and a shared processor has bad moments. */
const WINDOWS_MAX = 12
const WINDOW_MS = 5_000
/**
 * It wakes for a question to the source, a ping and their answers: five or six times a second.
 * Unlike the processor time, that is the same on every machine.
 */
const WAKES_PER_SECOND_MAX = 15
/**
 * On a quiet machine less than 0.01. Where processors are shared, a process that wakes now and then
 * finds its caches cold, and the same wake-ups were seen to cost up to five times as much.
 */
const SHARE_MAX = 0.03

interface Idleness {
  readonly share: number
  readonly wakesPerSecond: number
}

async function wakesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/\nvoluntary_ctxt_switches:\s+(\d+)/.exec(text)?.[1])
}

async function idlenessOf(pid: number): Promise<Idleness> {
  const before = { cpuMs: await processCpuMs(pid), wakes: await wakesOf(pid) }
  const startedMs = performance.now()
  await sleep(WINDOW_MS)
  const [cpuMs, wakes] = [await processCpuMs(pid), await wakesOf(pid)]
  const passedMs = performance.now() - startedMs
  return {
    share: (cpuMs - before.cpuMs) / passedMs,
    wakesPerSecond: ((wakes - before.wakes) * 1_000) / passedMs,
  }
}

function isIdle({ share, wakesPerSecond }: Idleness): boolean {
  return share < SHARE_MAX && wakesPerSecond < WAKES_PER_SECOND_MAX
}

function least(seen: readonly number[]): number {
  return Math.min(...seen)
}

test.each(['mysql', 'mariadb'] as const)('a %s pair comes to rest', async (flavor) => {
  await using pair = await ReplicatedPair.create(flavor, { attach: false })
  await pair.held()
  for (const site of SITES) {
    const seen: Idleness[] = []
    // A loop that never rests is busy in every window.
    while (seen.length < WINDOWS_MAX && !seen.some(isIdle)) {
      seen.push(await idlenessOf(pair.pair.pid(site)))
    }
    const share = least(seen.map((window) => window.share))
    const wakes = least(seen.map(({ wakesPerSecond }) => wakesPerSecond))
    console.log(
      `${flavor} ${site}: ${(share * 100).toFixed(2)} % of a core, ${wakes.toFixed(1)} wake-ups/s`,
    )
    expect(seen.some(isIdle), JSON.stringify(seen)).toBe(true)
  }
})
