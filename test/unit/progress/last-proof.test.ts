import { expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { LastProof } from '../../../src/progress/last-proof.ts'
import type { KnownLag } from '../../../src/progress/source-facts.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const PATH = '/data/last-proof-main.json'
const lag: KnownLag = {
  file: 'binlog.000007',
  offset: 4_000,
  gtids: '0-1-9',
  provenAgoMs: 400,
  heldAgoMs: 950,
  missingAgoMs: 900,
  perSecondMax: 400,
  bytes: 2_000,
  transactions: 3,
}

class Fixture {
  readonly clock = new FakeClock()
  readonly logged: object[] = []
  disk = new MemoryDisk()
  known: KnownLag | null = lag
  lineage = 0

  static async create(): Promise<Fixture> {
    const fixture = new Fixture()
    await fixture.disk.mkdir('/data', 0o750)
    await fixture.disk.syncDirectory('/')
    return fixture
  }

  proof(): LastProof {
    return new LastProof({
      path: PATH,
      clock: this.clock,
      disk: this.disk,
      log: { ...silentLog, warn: (fields) => void this.logged.push(fields) },
      known: () => this.known,
      lineage: () => this.lineage,
    })
  }

  /** A gateway that runs for so long and is then stopped. */
  async runFor(ms: number): Promise<void> {
    const stop = new AbortController()
    const running = this.proof().run(stop.signal)
    await this.clock.advance(ms)
    stop.abort()
    await running
  }
}

test('after a stop and a restart: the same place and counts, and ages that went on', async () => {
  const fixture = await Fixture.create()
  expect(await fixture.proof().load()).toBeNull()
  await fixture.runFor(0)
  await fixture.clock.advance(60_000)
  expect(await fixture.proof().load()).toEqual({
    ...lag,
    provenAgoMs: 60_400,
    heldAgoMs: 60_950,
    missingAgoMs: 60_900,
  })
  expect(fixture.logged).toEqual([])
})

test('after a loss of power it is of ten seconds before, whole', async () => {
  const fixture = await Fixture.create()
  const stop = new AbortController()
  const running = fixture.proof().run(stop.signal)
  await fixture.clock.advance(10_000)
  fixture.known = { ...lag, offset: 5_000 }
  await fixture.clock.advance(9_000)
  fixture.disk = fixture.disk.afterPowerLoss({ file: (node) => node.stable, names: () => [] })
  expect(await fixture.proof().load()).toMatchObject({ offset: 4_000 })
  stop.abort()
  await running
})

test('a damaged file is no knowledge, and is written anew', async () => {
  const fixture = await Fixture.create()
  await fixture.runFor(0)
  const whole = fixture.disk.bytesOf(PATH)
  for (let bytes = 0; bytes < whole.length - 1; bytes += 7) {
    await fixture.disk.truncate(PATH, bytes)
    expect(await fixture.proof().load()).toBeNull()
    await fixture.runFor(0)
    expect(await fixture.proof().load()).not.toBeNull()
  }
  expect(fixture.logged[0]).toMatchObject({ code: 'ERR_LAST_PROOF' })
})

test('a full disk is logged once, leaves what was there, and is gone on after', async () => {
  const fixture = await Fixture.create()
  await fixture.runFor(0)
  fixture.known = { ...lag, offset: 5_000 }
  fixture.disk.before = ({ name }) => (name === 'writev' ? { error: 'ENOSPC' } : undefined)
  await fixture.runFor(40_000)
  expect(fixture.logged).toMatchObject([{ code: 'ERR_LAST_PROOF' }])
  expect(await fixture.proof().load()).toMatchObject({ offset: 4_000 })
  fixture.disk.before = () => undefined
  await fixture.runFor(10_000)
  expect(await fixture.proof().load()).toMatchObject({ offset: 5_000 })
})

test('is not believed of another lineage, nor from the future', async () => {
  const fixture = await Fixture.create()
  await fixture.runFor(0)
  fixture.lineage = 4
  expect(await fixture.proof().load()).toBeNull()
  fixture.lineage = 0
  fixture.clock.stepWall(-3_000)
  expect(await fixture.proof().load()).toMatchObject({ provenAgoMs: 0 })
  fixture.clock.stepWall(-30_000)
  expect(await fixture.proof().load()).toBeNull()
  expect(fixture.logged).toMatchObject([{ code: 'ERR_LAST_PROOF' }])
})

test('stays small: a huge GTID set is left out, nothing known writes nothing', async () => {
  const fixture = await Fixture.create()
  fixture.known = null
  await fixture.runFor(60_000)
  expect(await fixture.proof().load()).toBeNull()
  fixture.known = { ...lag, gtids: 'x'.repeat(1_000_000) }
  await fixture.runFor(0)
  expect(fixture.disk.bytesOf(PATH).length).toBeLessThan(400)
  expect(await fixture.proof().load()).toMatchObject({ gtids: null, transactions: 3 })
})

test('a place without a file is remembered as well', async () => {
  const fixture = await Fixture.create()
  fixture.known = { ...lag, file: null, offset: null, bytes: null }
  await fixture.runFor(0)
  expect(await fixture.proof().load()).toMatchObject({ file: null, offset: null, gtids: '0-1-9' })
})

test('says no age of what was held when the clock was set back since', async () => {
  const fixture = await Fixture.create()
  await fixture.runFor(0)
  fixture.clock.stepWall(-3_000)
  expect(await fixture.proof().load()).toMatchObject({ provenAgoMs: 0, heldAgoMs: null })
})
