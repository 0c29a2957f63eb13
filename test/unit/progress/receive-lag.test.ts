import { describe, expect, test } from 'vitest'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { ReceiveLag } from '../../../src/progress/receive-lag.ts'
import type { KnownLag } from '../../../src/progress/source-facts.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

/** A production site whose clock is `offsetMs` ahead, seen from a DR gateway. */
class Pair {
  readonly clock = new FakeClock()
  readonly lag = new ReceiveLag({ clock: this.clock, samplesMax: 8 })
  offsetMs: number
  #committed = 0
  #synced = 0

  constructor(offsetMs = 0) {
    this.offsetMs = offsetMs
    this.lag.setFlavor('mariadb')
    this.lag.setPeerClock({ aheadMs: offsetMs, doubtMs: 0 })
  }

  get peerMs(): number {
    return this.clock.wallMs() + this.offsetMs
  }

  commit(transactions: number): void {
    this.#committed += transactions
  }

  sample(delayedMs = 0): void {
    const offset = this.#committed * 100
    this.lag.sample({
      atMs: this.peerMs - delayedMs,
      file: 'binlog.000001',
      offset,
      gtids: this.#committed === 0 ? '' : `0-1-${this.#committed}`,
    })
  }

  syncTo(transactions: number): void {
    this.#synced = transactions
    this.lag.synced({
      file: 'binlog.000001',
      offset: transactions * 100,
      gtids: () => parseGtidSet('mariadb', this.#synced === 0 ? '' : `0-1-${this.#synced}`),
    })
  }

  syncAll(): void {
    this.syncTo(this.#committed)
  }
}

const windows = { minute: null, quarterHour: null, day: null }
const lacking = { bytes: null, transactions: null, ms: null, uncertaintyMs: null }
const nothing = { ...lacking, provenAgoMs: null, windows, catchUpMs: null }

describe('receive lag', () => {
  test('is unknown, not 0, before the first sample and after a restart', () => {
    const pair = new Pair()
    pair.syncTo(5)
    expect(pair.lag.status()).toEqual(nothing)
  })

  test('is 0 when idle, proven by each sample', async () => {
    const pair = new Pair()
    pair.commit(3)
    pair.syncAll()
    for (let second = 0; second < 60; second += 1) {
      pair.sample()
      await pair.clock.advance(1000)
      expect(pair.lag.status()).toEqual({
        ...nothing,
        uncertaintyMs: 0,
        bytes: 0,
        transactions: 0,
        ms: 0,
        provenAgoMs: 1000,
      })
    }
  })

  test('a heartbeat proves idleness as a sample does', async () => {
    const pair = new Pair()
    pair.commit(3)
    pair.syncAll()
    pair.sample()
    await pair.clock.advance(10_000)
    const atMs = pair.peerMs
    pair.lag.sample({ atMs, file: 'binlog.000001', offset: 300, gtids: null })
    expect(pair.lag.status()).toMatchObject({ ms: 0, transactions: 0, provenAgoMs: 0 })
  })

  test('counts a backlog in bytes, transactions and age of its oldest sample', async () => {
    const pair = new Pair()
    pair.syncAll()
    pair.sample()
    for (let second = 0; second < 5; second += 1) {
      pair.commit(10)
      pair.sample()
      await pair.clock.advance(1000)
    }
    expect(pair.lag.status()).toMatchObject({ bytes: 5000, transactions: 50, ms: 5000 })
    pair.syncTo(20)
    expect(pair.lag.status()).toMatchObject({ bytes: 3000, transactions: 30, ms: 4000 })
    pair.syncAll()
    expect(pair.lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0, provenAgoMs: 1000 })
  })

  test('keeps the beginning of a backlog longer than the ring, never too small', async () => {
    const pair = new Pair()
    pair.syncAll()
    for (let second = 0; second < 100; second += 1) {
      pair.commit(1)
      pair.sample()
      await pair.clock.advance(1000)
    }
    expect(pair.lag.status()).toMatchObject({ transactions: 100, ms: 100_000 })
    pair.syncTo(50)
    const { ms } = pair.lag.status()
    expect(ms).toBeGreaterThanOrEqual(50_000)
    expect(ms).toBeLessThanOrEqual(70_000)
  })

  test('link down while all is held: 0 stays 0, only the proof gets older', async () => {
    const pair = new Pair()
    pair.commit(1)
    pair.syncAll()
    pair.sample()
    await pair.clock.advance(120_000)
    expect(pair.lag.status()).toMatchObject({ ms: 0, transactions: 0, provenAgoMs: 120_000 })
  })

  test('link down with something missing: that gets older, and so does the proof', async () => {
    const pair = new Pair()
    pair.commit(1)
    pair.syncAll()
    pair.commit(4)
    pair.sample()
    await pair.clock.advance(30_000)
    expect(pair.lag.status()).toMatchObject({ ms: 30_000, transactions: 4, provenAgoMs: 30_000 })
  })

  test('source down: the gateways still talk, no sample comes, the last one ages', async () => {
    const pair = new Pair()
    pair.commit(1)
    pair.syncAll()
    pair.sample()
    for (let second = 0; second < 10; second += 1) {
      pair.lag.setPeerClock({ aheadMs: pair.offsetMs, doubtMs: 0 })
      await pair.clock.advance(1000)
    }
    expect(pair.lag.status()).toMatchObject({ ms: 0, provenAgoMs: 10_000 })
  })

  test.each([-5000, 5000])('does not depend on a clock offset of %i ms', async (offsetMs) => {
    const pair = new Pair(offsetMs)
    pair.syncAll()
    pair.commit(1)
    await pair.clock.advance(40)
    pair.sample(40)
    expect(pair.lag.status()).toMatchObject({ ms: 40, provenAgoMs: 40 })
    pair.lag.transactions([pair.peerMs - 70])
    expect(pair.lag.status().windows.minute).toMatchObject({ maxMs: 70, count: 1 })
  })

  test('a step of the own wall clock changes nothing that was measured', async () => {
    const pair = new Pair(100)
    pair.syncAll()
    pair.commit(1)
    pair.sample()
    pair.clock.stepWall(3_600_000)
    pair.offsetMs -= 3_600_000
    await pair.clock.advance(1000)
    pair.commit(1)
    pair.sample()
    expect(pair.lag.status()).toMatchObject({ ms: 1000, provenAgoMs: 0 })
    pair.lag.transactions([pair.peerMs - 20])
    expect(pair.lag.status().windows.minute?.maxMs).toBeCloseTo(20)
  })

  test.each([-60_000, 60_000])(
    'a step of the peer clock by %i ms is bounded by the sample before',
    async (stepMs) => {
      const pair = new Pair()
      pair.commit(1)
      pair.syncAll()
      pair.sample()
      pair.offsetMs += stepMs
      await pair.clock.advance(1000)
      pair.commit(1)
      pair.sample()
      const { ms, provenAgoMs } = pair.lag.status()
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThanOrEqual(1000)
      expect(provenAgoMs).toBeLessThanOrEqual(1000)
      pair.lag.setPeerClock({ aheadMs: pair.offsetMs, doubtMs: 0 })
      await pair.clock.advance(1000)
      pair.syncAll()
      pair.commit(1)
      pair.sample()
      expect(pair.lag.status().ms).toBeLessThanOrEqual(2000)
      expect(pair.lag.status().provenAgoMs).toBe(0)
    },
  )

  test('a time that an event claims counts as far as what was held allows', async () => {
    const pair = new Pair()
    pair.commit(1)
    pair.syncAll()
    pair.sample()
    await pair.clock.advance(60_000)
    pair.sample()
    await pair.clock.advance(400)
    // SET timestamp = 1000000000
    pair.commit(1)
    pair.lag.transactions([1e12])
    pair.syncAll()
    expect(pair.lag.status()).toMatchObject({ ms: 0, windows: { minute: { count: 1 } } })
    expect(pair.lag.status().windows.minute?.maxMs).toBeCloseTo(400)
    pair.commit(2)
    pair.sample()
    await pair.clock.advance(5_000)
    pair.lag.transactions([1e12])
    pair.syncTo(3)
    const { ms, windows } = pair.lag.status()
    expect([ms, windows.minute?.maxMs]).toEqual([5_400, expect.closeTo(5_400)])
  })

  test('before the clock offset is known ages count from arrival, delays not at all', async () => {
    const clock = new FakeClock()
    const lag = new ReceiveLag({ clock })
    lag.setFlavor('mariadb')
    lag.synced({ file: 'binlog.000001', offset: 4, gtids: () => parseGtidSet('mariadb', '') })
    lag.transactions([clock.wallMs() - 1e6])
    lag.sample({ atMs: 0, file: 'binlog.000001', offset: 9, gtids: '0-1-1' })
    await clock.advance(10)
    expect(lag.status()).toMatchObject({ ms: 10, provenAgoMs: 10, windows: { minute: null } })
  })

  test('restart into a backlog: at least as late as the transaction synced last', async () => {
    const pair = new Pair()
    pair.commit(100)
    pair.sample()
    pair.syncTo(10)
    pair.lag.transactions([pair.peerMs - 3_600_000])
    expect(pair.lag.status()).toMatchObject({ ms: 3_600_000, transactions: 90 })
    pair.syncTo(99)
    pair.lag.transactions([pair.peerMs - 2000])
    expect(pair.lag.status()).toMatchObject({ ms: 2000, transactions: 1 })
    pair.lag.transactions([pair.peerMs - 1_800_000])
    pair.syncAll()
    await pair.clock.advance(1000)
    pair.commit(1)
    pair.sample()
    // Committed at some time since the sample before.
    expect(pair.lag.status()).toMatchObject({ ms: 1_000, uncertaintyMs: 1_000, transactions: 1 })
  })

  test('being ahead of the newest sample is no lag', () => {
    const pair = new Pair()
    pair.commit(1)
    pair.sample()
    pair.syncTo(9)
    expect(pair.lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0 })
  })

  test('being in a later file than the newest sample is no lag either', () => {
    const pair = new Pair()
    pair.commit(1)
    pair.sample()
    pair.lag.synced({
      file: 'binlog.000002',
      offset: 198,
      gtids: () => parseGtidSet('mariadb', '0-1-1'),
    })
    expect(pair.lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0 })
  })

  test('without GTIDs the place decides, across files too', () => {
    const lag = new ReceiveLag({ clock: new FakeClock() })
    const at = (file: string, offset: number): void =>
      lag.sample({ atMs: 0, file, offset, gtids: null })
    lag.setSourceFiles([
      { name: 'binlog.999999', bytes: 200 },
      { name: 'binlog.1000000', bytes: 30 },
    ])
    const synced = (file: string, offset: number): void =>
      lag.synced({ file, offset, gtids: () => null })
    synced('binlog.999999', 50)
    at('binlog.999999', 100)
    expect(lag.status()).toMatchObject({ bytes: 50, transactions: null })
    at('binlog.1000000', 30)
    expect(lag.status().bytes).toBe(180)
    synced('binlog.1000000', 30)
    expect(lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0 })
    synced('other.000001', 500)
    at('binlog.1000000', 40)
    expect(lag.status()).toMatchObject({ bytes: null, transactions: null })
  })

  test('another source with lower file numbers is not taken for held', () => {
    const lag = new ReceiveLag({ clock: new FakeClock() })
    lag.setFlavor('mysql')
    const before = '00000000-0000-0000-0000-000000000001'
    const after = '00000000-0000-0000-0000-000000000002'
    lag.synced({
      file: 'binlog.000900',
      offset: 4,
      gtids: () => parseGtidSet('mysql', `${before}:1-10`),
    })
    const gtids = `${before}:1-10,${after}:1-2`
    lag.sample({ atMs: 0, file: 'binlog.000002', offset: 800, gtids })
    expect(lag.status()).toMatchObject({ bytes: null, transactions: 2 })
    lag.reset()
    expect(lag.status()).toEqual(nothing)
  })

  describe('after a restart with production gone', () => {
    const known: KnownLag = {
      file: 'binlog.000003',
      offset: 700,
      gtids: '0-1-9',
      provenAgoMs: 60_000,
      heldAgoMs: null,
      missingAgoMs: 61_500,
      perSecondMax: null,
      bytes: 900,
      transactions: 4,
    }
    const restored = (held: { file: string; offset: number; gtids: string } | null) => {
      const clock = new FakeClock()
      const lag = new ReceiveLag({ clock })
      lag.setFlavor('mariadb')
      if (held !== null) lag.synced({ ...held, gtids: () => parseGtidSet('mariadb', held.gtids) })
      lag.restore(known)
      return { clock, lag }
    }

    test('what was missing is missing still, by what is held now', async () => {
      const { clock, lag } = restored({ file: 'binlog.000003', offset: 400, gtids: '0-1-6' })
      expect(lag.status()).toMatchObject({ bytes: 300, transactions: 3, ms: 61_500 })
      await clock.advance(10_000)
      expect(lag.status()).toMatchObject({ ms: 71_500, provenAgoMs: 70_000 })
      expect(lag.known()).toEqual({
        ...known,
        ...{ provenAgoMs: 70_000, missingAgoMs: 71_500, bytes: 300, transactions: 3 },
      })
    })

    test('all that was known is held: 0, with the age of that knowledge', () => {
      const { lag } = restored({ file: 'binlog.000003', offset: 700, gtids: '0-1-9' })
      expect(lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0, provenAgoMs: 60_000 })
    })

    test('where it cannot be told it is as much as it was, never less', () => {
      const elsewhere = { file: 'binlog.000001', offset: 400, gtids: '0-1-6' }
      expect(restored(elsewhere).lag.status()).toMatchObject({ bytes: 900, transactions: 3 })
      const { lag } = restored(null)
      lag.synced({ file: 'binlog.000001', offset: 4, gtids: () => parseGtidSet('mariadb', '') })
      lag.restore({ ...known, gtids: null })
      expect(lag.status()).toMatchObject({ bytes: 900, transactions: 4 })
    })

    test('the first sample counts instead', () => {
      const { lag } = restored({ file: 'binlog.000003', offset: 700, gtids: '0-1-9' })
      const place = { file: 'binlog.000003', offset: 700, gtids: '0-1-9' }
      lag.sample({ atMs: 0, ...place })
      expect(lag.status()).toMatchObject({ ms: 0, transactions: 0, provenAgoMs: 0 })
    })
  })
})

describe('GTIDs that are in no file of a MySQL source', () => {
  const uuid = '29d14f05-e66c-11f1-a076-02fc00000001'
  const added = '11111111-2222-3333-4444-555555555555:1-100'

  function mysqlLag() {
    const clock = new FakeClock()
    const lag = new ReceiveLag({ clock })
    lag.setFlavor('mysql')
    lag.setPeerClock({ aheadMs: 0, doubtMs: 0 })
    const sample = (offset: number, gtids: string, isOfHeld = true): void => {
      const place = { file: 'binlog.000002', offset }
      lag.sample({ atMs: clock.wallMs(), ...place, gtids, isOfHeld })
    }
    const synced = (offset: number, gtids: string): void => {
      lag.synced({ file: 'binlog.000002', offset, gtids: () => parseGtidSet('mysql', gtids) })
    }
    return { clock, lag, sample, synced }
  }

  test('transactions without a GTID move the place alone, and are waited for', async () => {
    const { clock, lag, sample, synced } = mysqlLag()
    synced(1_000, `${uuid}:1-9`)
    sample(1_000, `${uuid}:1-9`)
    expect(lag.status()).toMatchObject({ ms: 0, bytes: 0 })
    sample(50_000, `${uuid}:1-9`)
    await clock.advance(3_000)
    expect(lag.status()).toMatchObject({ ms: 3_000, bytes: 49_000, transactions: 0 })
    synced(50_000, `${uuid}:1-9`)
    expect(lag.status()).toMatchObject({ ms: 0, bytes: 0 })
  })

  test('that come in a file all the same are named no more', () => {
    const { lag, sample, synced } = mysqlLag()
    synced(1_000, `${uuid}:1-9`)
    sample(1_000, `${uuid}:1-9,${added}`)
    lag.status()
    expect(lag.unlogged()?.count).toBe(100)
    synced(2_000, `${uuid}:1-9,${added}`)
    lag.status()
    expect(lag.unlogged()).toBeNull()
  })

  test('are named and not counted as waiting once all bytes are held', async () => {
    const { clock, lag, sample, synced } = mysqlLag()
    synced(500, `${uuid}:1-5`)
    sample(500, `${uuid}:1-5`)
    expect(lag.unlogged()).toBeNull()
    await clock.advance(1_000)
    sample(500, `${added},${uuid}:1-5`)
    expect(lag.status()).toMatchObject({ ms: 0, transactions: 0, bytes: 0 })
    expect(lag.unlogged()).toEqual({ gtids: added, count: 100, sinceMs: clock.wallMs() })
    // Nor is it after a restart, when nobody can ask the source any more.
    expect(lag.known()?.gtids).not.toContain(added)
    sample(700, `${added},${uuid}:1-7`)
    await clock.advance(1_000)
    expect(lag.status()).toMatchObject({ ms: 1000, transactions: 2, bytes: 200 })
    synced(700, `${uuid}:1-7`)
    expect(lag.status()).toMatchObject({ ms: 0, transactions: 0 })
    lag.reset()
    expect(lag.unlogged()).toBeNull()
  })

  test('are told from what is under way also while the source never rests', async () => {
    const { clock, lag, sample, synced } = mysqlLag()
    for (let n = 1; n <= 20; n += 1) {
      sample(n * 100, `${added},${uuid}:1-${n}`)
      if (n > 2) synced((n - 2) * 100 + 50, `${uuid}:1-${n - 2}`)
      await clock.advance(1_000)
    }
    expect(lag.unlogged()?.gtids).toBe(added)
    expect(lag.status()).toMatchObject({ ms: 3000, transactions: 2 })
  })

  test.each([
    ['while no dump of this server runs', false, 500],
    ['after the source stood further back than before', true, 300],
  ])('are not believed in %s', (_what, isOfHeld, offset) => {
    const { lag, sample, synced } = mysqlLag()
    synced(500, `${uuid}:1-5`)
    sample(500, `${uuid}:1-5`)
    sample(offset, `${uuid}:1-9`, isOfHeld)
    expect(lag.unlogged()).toBeNull()
    expect(lag.status()).toMatchObject({ transactions: 4 })
    sample(offset, `${uuid}:1-9`, false)
    sample(offset, `${uuid}:1-9`)
    expect(lag.unlogged()?.gtids).toBe(`${uuid}:6-9`)
  })
})

test('a source without files is behind by its GTIDs alone', async () => {
  const { clock, lag } = new Pair()
  const syncTo = (gtids: string) =>
    lag.synced({ file: 'cut.000001', offset: 100, gtids: () => parseGtidSet('mariadb', gtids) })
  const sample = (gtids: string | null) =>
    lag.sample({ atMs: clock.wallMs(), file: null, offset: null, gtids, isOfHeld: true })
  syncTo('0-1-3')
  sample('0-1-5')
  await clock.advance(2_000)
  expect(lag.status()).toMatchObject({ bytes: null, transactions: 2, ms: 2_000 })
  sample(null)
  expect(lag.status()).toMatchObject({ transactions: 2, ms: 2_000, provenAgoMs: 0 })
  syncTo('0-1-5')
  expect(lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0 })
  const known = lag.known()
  expect(known).toMatchObject({ file: null, offset: null, gtids: '0-1-5' })
  const again = new Pair()
  again.lag.restore(known as KnownLag)
  again.lag.synced({ file: 'cut.000001', offset: 9, gtids: () => parseGtidSet('mariadb', '0-1-4') })
  expect(again.lag.status()).toMatchObject({ transactions: 1 })
})
