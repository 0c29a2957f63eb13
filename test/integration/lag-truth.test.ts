import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { GatewayStatus } from '../../src/status/status.ts'
import { showFigures, spreadOf } from '../helpers/figures.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { CommitLedger } from '../helpers/pair/commit-ledger.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const EVERY_MS = 20
const CLOCK_MS = 30_000
/** Of a commit that says its time in microseconds, and of one that says it in seconds. */
const ERROR_MS_MAX = { mysql: 50, mariadb: 1_000 } as const
/** The copies of these tests take so much in a second: what waits is seen to wait. */
const BYTES_PER_SECOND = 400 * 1024

/** How far a lag is from the truth of a ledger, where both are of one moment. */
describeFlavors('the lag of a %s copy', (flavor) => {
  let pair: ReplicatedPair
  let ledger: CommitLedger

  beforeAll(async () => {
    const throttle = { bytesPerSecond: BYTES_PER_SECOND }
    pair = await ReplicatedPair.create(flavor, { gateways: { throttle } })
    ledger = await CommitLedger.create(pair, 1)
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  /** Errors of the lag for so many statuses, while `during` runs. */
  async function errorsOf(
    what: string,
    samples: number,
    measure: (status: GatewayStatus) => number | null,
    truth = (status: GatewayStatus): number => ledger.truthOf(status).ms,
  ): Promise<void> {
    const errors: number[] = []
    const truths: number[] = []
    while (errors.length < samples) {
      const status = await pair.pair.status('dr')
      await sleep(EVERY_MS)
      const ms = status === null ? null : measure(status)
      if (status === null || ms === null) continue
      errors.push(Math.abs(ms - truth(status)))
      truths.push(truth(status))
    }
    judge(what, truths, errors)
  }

  function judge(what: string, truths: readonly number[], errors: readonly number[]): void {
    const figures = { samples: errors.length, trueMs: spreadOf(truths), errorMs: spreadOf(errors) }
    showFigures(`${what}, ${flavor}`, figures)
    // Where other tests have the processors, single ones are of two moments.
    expect(spreadOf(errors)[1]).toBeLessThan(ERROR_MS_MAX[flavor])
  }

  const receiveMs = ({ streams }: GatewayStatus) => streams[0]?.receiveLag?.ms ?? null
  const caughtUp = async (): Promise<void> => {
    await pair.synced()
    await pair.pair.until('dr', ({ streams }) => streams[0]?.receiveLag?.ms === 0)
  }

  test('is none of an idle source, and so is the exposure', async () => {
    await pair.pair.until('dr', ({ streams }) => streams[0]?.exposure?.isIdle === true)
    await errorsOf('idle source', 20, receiveMs)
  })

  test('is right under a steady load', async () => {
    ledger.start(100)
    await errorsOf('steady load', 100, receiveMs)
    await ledger.stop()
    await caughtUp()
  })

  test('grows while a huge transaction is under way', async () => {
    await ledger.commit(undefined, 1_500_000)
    await errorsOf('huge transaction', 60, receiveMs)
    await caughtUp()
  })

  test('is right when a burst comes after a pause and is held back', async () => {
    await sleep(4_000)
    for (let n = 0; n < 200; n += 1) await ledger.commit(undefined, 5_000)
    await errorsOf('burst after a pause, throttled', 80, receiveMs)
    await caughtUp()
  })

  test('of a link that is cut is the exposure, which grows with time', async () => {
    ledger.start(100)
    await sleep(500)
    process.kill(pair.pair.pid('production'), 'SIGSTOP')
    await sleep(200)
    try {
      await errorsOf('link cut', 80, ({ streams }) => streams[0]?.exposure?.atMost.ms ?? null)
    } finally {
      process.kill(pair.pair.pid('production'), 'SIGCONT')
    }
    await ledger.stop()
    await caughtUp()
  })

  test.each(['dr', 'production'] as const)('is right after a restart of %s', async (site) => {
    ledger.start(100)
    await pair.restartGateway(site)
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    await sleep(2_000)
    await errorsOf(`after a restart of ${site}`, 60, receiveMs)
    await ledger.stop()
    await caughtUp()
  })

  test('is right where the clocks are half a minute apart', async () => {
    await pair.pair.kill('production', 'SIGTERM')
    await pair.pair.start('production', { clockMs: CLOCK_MS })
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
    await sleep(2_000)
    ledger.start(100)
    await errorsOf('clocks 30 s apart', 60, receiveMs)
    await ledger.stop()
    await caughtUp()
    await ledger.commit(undefined, 1_500_000)
    await errorsOf('clocks 30 s apart, huge transaction', 60, receiveMs)
    await caughtUp()
    await pair.restartGateway('production', 'SIGTERM')
    await pair.pair.until('dr', ({ streams }) => streams[0]?.state === 'streaming')
  })

  test.runIf(flavor === 'mariadb')('is right over several domains', async () => {
    for (let n = 0; n < 300; n += 1) await ledger.commit(undefined, 8_000, n % 3)
    await errorsOf('several domains, throttled', 60, receiveMs)
    await caughtUp()
  })

  const applyMs = ({ streams }: GatewayStatus) => streams[0]?.replicas[0]?.applyLag?.ms ?? null

  /** When how much was seen synced: what a replica has not applied is as old as that. */
  class SyncedTimes {
    readonly #atMs: number[] = []

    see(status: GatewayStatus): void {
      for (let n = ledger.syncedOf(status); n > 0 && this.#atMs[n] === undefined; n -= 1) {
        this.#atMs[n] = status.nowMs
      }
    }

    /** Age of the oldest that is synced and not applied. */
    truthMs(applied: number, nowMs: number): number {
      const sinceMs = this.#atMs[applied + 1]
      return sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs)
    }
  }

  async function applyErrors(what: string, samples: number): Promise<void> {
    if (pair.replica === null) throw new Error('there is no replica')
    const sql = await pair.sql(pair.replica)
    const variable = flavor === 'mysql' ? 'gtid_executed' : 'gtid_slave_pos'
    const times = new SyncedTimes()
    const [truths, errors]: [number[], number[]] = [[], []]
    // The first ones only see what is there already.
    for (let sample = -samples; sample < samples; sample += 1) {
      const status = await pair.pair.status('dr')
      const [rows] = await sql.query(`SELECT @@GLOBAL.${variable} AS gtids`)
      const ms = status === null ? null : applyMs(status)
      if (status === null || ms === null) continue
      times.see(status)
      const applied = ledger.countOf(String((rows as { gtids: string }[])[0]?.gtids))
      const truth = times.truthMs(applied, status.nowMs)
      await sleep(EVERY_MS)
      if (sample < 0) continue
      truths.push(truth)
      errors.push(Math.abs(ms - truth))
    }
    judge(what, truths, errors)
  }

  test('of a replica that is stopped is the age of what it lacks', async () => {
    if (pair.replica === null) throw new Error('there is no replica')
    await pair.pair.until('dr', ({ streams }) => streams[0]?.replicas[0]?.applyLag?.ms === 0)
    await pair.control(pair.replica, 'STOP')
    ledger.start(100)
    await applyErrors('replica stopped', 60)
    await ledger.stop()
    await pair.control(pair.replica, 'START')
    await pair.pair.until('dr', (status) => applyMs(status) === 0)
  })

  test('of a replica is by what it applied: in parallel, and late on purpose', async () => {
    if (pair.replica === null) throw new Error('there is no replica')
    const sql = await pair.sql(pair.replica)
    const delayed = async (seconds: number): Promise<void> => {
      await sql.query(
        flavor === 'mysql'
          ? `STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY = ${seconds}; START REPLICA`
          : `STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = ${seconds}; START SLAVE`,
      )
    }
    ledger.start(100)
    await applyErrors('parallel appliers', 60)
    await delayed(2)
    await sleep(3_000)
    await applyErrors('a delay of 2 s on purpose', 120)
    await delayed(0)
    await ledger.stop()
  })
})
