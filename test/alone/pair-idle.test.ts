import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { IdleReference } from '../helpers/idle-reference.ts'
import { testFlavors } from '../helpers/needs.ts'
import { processCpuMs, ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const SITES = ['production', 'dr'] as const
/** A gateway that has just started still compiles, and a shared processor has bad moments. */
const WINDOWS_MAX = 12
const WINDOW_MS = 5_000
/** It wakes for a question to the source, a ping and their answers: about five times a second. */
const WAKES_PER_SECOND_MAX = 15
const SHARE_MAX = 0.01
/**
 * On a virtual machine with nothing to do a wake-up can cost ten milliseconds, and then even a
 * process that says a line a second takes more than that share. A gateway does a few times as much.
 */
const TIMES_REFERENCE_MAX = 8

interface Idleness {
  /** Of a core, of the gateway and of the process that does next to nothing. */
  readonly share: number
  readonly referenceShare: number
  readonly wakesPerSecond: number
}

async function wakesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/\nvoluntary_ctxt_switches:\s+(\d+)/.exec(text)?.[1])
}

async function idlenessOf(pid: number, reference: number): Promise<Idleness> {
  const look = () => Promise.all([processCpuMs(pid), processCpuMs(reference), wakesOf(pid)])
  const startedMs = performance.now()
  const before = await look()
  await sleep(WINDOW_MS)
  const after = await look()
  const passedMs = performance.now() - startedMs
  return {
    share: (after[0] - before[0]) / passedMs,
    referenceShare: (after[1] - before[1]) / passedMs,
    wakesPerSecond: ((after[2] - before[2]) * 1_000) / passedMs,
  }
}

function isIdle({ share, referenceShare, wakesPerSecond }: Idleness): boolean {
  const most = Math.max(SHARE_MAX, TIMES_REFERENCE_MAX * referenceShare)
  return share < most && wakesPerSecond < WAKES_PER_SECOND_MAX
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`

testFlavors('a %s pair comes to rest', async (flavor) => {
  await using pair = await ReplicatedPair.create(flavor, { attach: false })
  using reference = new IdleReference()
  await pair.held()
  // Whoever asks for metrics must not leave something behind that wakes it.
  for (const site of SITES) expect(await pair.pair.metrics(site)).toMatch(/^landbridge_state/m)
  for (const site of SITES) {
    const seen: Idleness[] = []
    // A loop that never rests is busy in every window.
    while (seen.length < WINDOWS_MAX && !seen.some(isIdle)) {
      seen.push(await idlenessOf(pair.pair.pid(site), reference.pid))
    }
    const last = seen.at(-1)
    if (last === undefined) throw new Error('nothing was measured')
    const { share, referenceShare, wakesPerSecond } = last
    console.log(
      `${flavor} ${site}: ${percent(share)} of a core, ${wakesPerSecond.toFixed(1)} wake-ups/s;` +
        ` a process that does next to nothing: ${percent(referenceShare)}`,
    )
    expect(seen.some(isIdle), JSON.stringify(seen)).toBe(true)
  }
})
