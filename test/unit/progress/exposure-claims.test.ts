import { describe, expect, test } from 'vitest'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { exposureOf } from '../../../src/progress/exposure.ts'
import { ReceiveLag } from '../../../src/progress/receive-lag.ts'
import type { SourceSample } from '../../../src/progress/source-facts.ts'
import type { ExposureStatus } from '../../../src/status/status.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const uuid = '29d14f05-e66c-11f1-a076-02fc00000001'
const exact = { aheadMs: 0, doubtMs: 0 }

/** A MySQL source and a copy of it, whose clocks agree. */
class MysqlPair {
  readonly clock = new FakeClock()
  readonly lag = new ReceiveLag({ clock: this.clock })

  constructor() {
    this.lag.setFlavor('mysql')
    this.lag.setPeerClock(exact)
  }

  sample(offset: number, gtids: string, more: Partial<SourceSample> = {}): void {
    const place = { file: 'binlog.000002', offset, gtids }
    const ofHeld = { isOfHeld: true, isSameServer: true, isStreaming: true, sourceClock: exact }
    this.lag.sample({ atMs: this.clock.wallMs(), ...place, ...ofHeld, ...more })
  }

  synced(offset: number, gtids: string): void {
    const held = () => parseGtidSet('mysql', gtids)
    this.lag.synced({ file: 'binlog.000002', offset, gtids: held })
  }

  exposure(isWatched = true): ExposureStatus {
    return exposureOf(this.lag.bounds(), isWatched)
  }
}

describe('without GTIDs', () => {
  const away = { isOfHeld: false, isStreaming: false }

  test.each(['', `${uuid}:1-9`])('all is held only by the place, with %j', async (gtids) => {
    const pair = new MysqlPair()
    pair.synced(1_000, gtids)
    pair.sample(1_000, gtids)
    for (let second = 1; second <= 60; second += 1) {
      await pair.clock.advance(1_000)
      // The throttle is paused: no dump runs.
      pair.sample(1_000 + second * 500, gtids, away)
    }
    expect(pair.exposure(false).atMost.ms).toBe(60_000)
    pair.synced(31_000, gtids)
    expect(pair.exposure(false).atMost.ms).toBe(0)
  })

  test('nobody knows how many are missing', async () => {
    const pair = new MysqlPair()
    pair.synced(1_000, '')
    pair.sample(1_000, '')
    pair.lag.transactions(Array.from({ length: 50 }, () => pair.clock.wallMs()))
    for (let second = 1; second <= 60; second += 1) {
      await pair.clock.advance(1_000)
      pair.sample(1_000 + second * 500, '')
    }
    const { atLeast, atMost } = pair.exposure()
    expect(atLeast).toMatchObject({ transactions: null, bytes: 30_000 })
    expect(atMost.transactions).toBeGreaterThanOrEqual(60 * 50)
  })
})

test('a source that was reset counts its GTIDs anew: nothing follows from them', async () => {
  const pair = new MysqlPair()
  pair.synced(90_000, `${uuid}:1-900`)
  pair.sample(90_000, `${uuid}:1-900`)
  for (let second = 1; second <= 60; second += 1) {
    await pair.clock.advance(1_000)
    pair.sample(500, `${uuid}:1-5`)
    expect(pair.exposure()).toMatchObject({ atMost: { ms: second * 1_000 }, isIdle: false })
  }
  pair.lag.reset()
  pair.synced(500, `${uuid}:1-5`)
  pair.sample(500, `${uuid}:1-5`)
  expect(pair.exposure().atMost.ms).toBe(0)
})

test('so does a MariaDB, until a dump has looked at it', async () => {
  const clock = new FakeClock()
  const lag = new ReceiveLag({ clock })
  lag.setFlavor('mariadb')
  lag.setPeerClock(exact)
  const sample = (offset: number, gtids: string): void => {
    const place = { file: 'binlog.000002', offset, gtids }
    lag.sample({ atMs: clock.wallMs(), ...place, isSameServer: true, isStreaming: true })
  }
  const held = () => parseGtidSet('mariadb', '0-1-900')
  lag.synced({ file: 'binlog.000002', offset: 90_000, gtids: held })
  sample(90_000, '0-1-900')
  await clock.advance(5_000)
  sample(500, '0-1-5')
  expect(exposureOf(lag.bounds(), true)).toMatchObject({ atMost: { ms: 5_000 }, isIdle: false })
  lag.wentOn()
  sample(500, '0-1-5')
  expect(exposureOf(lag.bounds(), true).atMost.ms).toBe(0)
})

describe('clocks', () => {
  test('a sample proves nothing before the clock of the peer is known', () => {
    const clock = new FakeClock()
    const lag = new ReceiveLag({ clock })
    lag.setFlavor('mariadb')
    const sample = { file: 'binlog.000001', offset: 100, gtids: '0-1-1' }
    lag.synced({ ...sample, gtids: () => parseGtidSet('mariadb', '0-1-1') })
    // It lay behind ten seconds of data.
    lag.sample({ atMs: clock.wallMs() - 10_000, ...sample })
    expect(exposureOf(lag.bounds(), true)).toMatchObject({ atMost: { ms: null }, isIdle: false })
    lag.setPeerClock(exact)
    lag.sample({ atMs: clock.wallMs() - 9_000, ...sample })
    expect(exposureOf(lag.bounds(), true).atMost.ms).toBe(9_000)
  })

  test('what was said in the future proves nothing: a clock was stepped', async () => {
    const pair = new MysqlPair()
    pair.synced(100, `${uuid}:1`)
    pair.sample(100, `${uuid}:1`)
    await pair.clock.advance(5_000)
    pair.sample(100, `${uuid}:1`, { atMs: pair.clock.wallMs() + 50 })
    expect(pair.exposure().atMost.ms).toBe(5_000)
    pair.lag.transactions([pair.clock.wallMs() + 50])
    expect(pair.exposure().atMost.ms).toBe(5_000)
  })

  test('commits of before a step of the database clock prove nothing', async () => {
    const pair = new MysqlPair()
    pair.synced(100, `${uuid}:1`)
    pair.sample(100, `${uuid}:1`)
    await pair.clock.advance(60_000)
    // Sixty seconds of backlog; the database was set back by thirty seconds just now.
    pair.sample(6_100, `${uuid}:1-61`, { sourceClock: { aheadMs: -30_000, doubtMs: 0 } })
    pair.lag.transactions([pair.clock.wallMs() - 59_000])
    pair.synced(200, `${uuid}:1-2`)
    expect(pair.exposure().atMost.ms).toBe(60_000)
    pair.synced(6_100, `${uuid}:1-61`)
    expect(pair.exposure().atMost.ms).toBe(0)
    await pair.clock.advance(500)
    pair.lag.transactions([pair.clock.wallMs() - 30_100])
    expect(pair.exposure().atMost.ms).toBe(100)
  })
})
