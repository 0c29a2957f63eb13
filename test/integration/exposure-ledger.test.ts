import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { showFigures, spreadOf } from '../helpers/figures.ts'
import { testFlavors } from '../helpers/needs.ts'
import { CommitLedger } from '../helpers/pair/commit-ledger.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const SAMPLES = 1_000
const EVERY_MS = 30
const PER_SECOND = 400
/** At which sample what happens. */
const CUT_FROM = 200
const CUT_TO = 300
const RESTART_COPY = 450
const RESTART_ORIGIN = 700

testFlavors(
  'no status of a %s copy claims less exposure than the acknowledged commits prove',
  async (flavor) => {
    await using pair = await ReplicatedPair.create(flavor, { attach: false })
    const ledger = await CommitLedger.create(pair, 4)
    ledger.start(PER_SECOND)
    const claims = { checked: 0, unknown: 0, exposed: 0, excessMs: [] as number[] }
    const tooSmall: object[] = []
    let restarting: Promise<void> = Promise.resolve()
    for (let sample = 0; sample < SAMPLES; ) {
      const status = await pair.pair.status('dr')
      await sleep(EVERY_MS)
      const stream = status?.streams[0]
      if (!status || !stream?.exposure) continue
      sample += 1
      if (sample === CUT_FROM) process.kill(pair.pair.pid('production'), 'SIGSTOP')
      if (sample === CUT_TO) process.kill(pair.pair.pid('production'), 'SIGCONT')
      if (sample === RESTART_COPY) restarting = pair.restartGateway('dr')
      if (sample === RESTART_ORIGIN) restarting = pair.restartGateway('production')
      const truth = ledger.truthOf(status)
      const { atMost } = stream.exposure
      claims.checked += 1
      if (truth.transactions > 0) claims.exposed += 1
      if (atMost.ms === null || atMost.transactions === null) claims.unknown += 1
      else claims.excessMs.push(atMost.ms - truth.ms)
      const isTooSmall =
        (atMost.ms !== null && atMost.ms < truth.ms) ||
        (atMost.transactions !== null && atMost.transactions < truth.transactions)
      if (isTooSmall) tooSmall.push({ sample, truth, exposure: stream.exposure })
    }
    await ledger.stop()
    await restarting
    const { checked, exposed, unknown, excessMs } = claims
    const { acknowledged } = ledger
    const figures = { acknowledged, checked, exposed, unknown, excessMs: spreadOf(excessMs) }
    showFigures(`exposure, ${flavor}`, figures)
    expect(tooSmall).toEqual([])
    expect(claims.checked).toBe(SAMPLES)
    // A status that knows nothing, or a source at rest, would prove nothing.
    expect(claims.unknown).toBeLessThan(SAMPLES / 5)
    expect(claims.exposed).toBeGreaterThan(SAMPLES / 4)
    await pair.synced()
    const end = await pair.pair.until('dr', ({ streams }) => streams[0]?.exposure?.isIdle === true)
    expect(ledger.truthOf(end)).toEqual({ transactions: 0, ms: 0 })
  },
)
