import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import {
  decodeRecord,
  encodeRecord,
  type HistoryValues,
  RECORD_BYTES,
} from '../../../src/progress/history-record.ts'
import { LagHistory } from '../../../src/progress/lag-history.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const PATH = '/data/lag-main.history'
const NOTHING: HistoryValues = {
  exposureMs: null,
  receiveLagMs: null,
  applyLagMs: null,
  transactionsPerSecond: null,
  bytesPerSecond: null,
  roundTripMs: null,
  throttleBytesPerSecond: null,
  waitingBytes: null,
}

class Fixture {
  readonly clock = new FakeClock()
  readonly logged: object[] = []
  disk = new MemoryDisk()
  history = this.open()

  static async create(): Promise<Fixture> {
    const fixture = new Fixture()
    await fixture.disk.mkdir('/data', 0o750)
    return fixture
  }

  open(): LagHistory {
    const log = { ...silentLog, warn: (fields: object) => void this.logged.push(fields) }
    return new LagHistory({ path: PATH, clock: this.clock, disk: this.disk, log })
  }

  /** A record each second; `values` gets the number of the second. */
  async run(seconds: number, values: (second: number) => Partial<HistoryValues>): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      await this.history.record({ ...NOTHING, ...values(second) })
      await this.clock.advance(1_000)
    }
  }

  async last(ms: number, pointsMax: number) {
    const toMs = this.clock.wallMs()
    return await this.history.read({ fromMs: toMs - ms, toMs, pointsMax })
  }
}

describe('the history of a lag', () => {
  test('is read in pieces: whoever asks for all of it does not hold up the flow', async () => {
    const fixture = await Fixture.create()
    await fixture.run(2, () => ({ exposureMs: 1 }))
    const sizes: number[] = []
    const file = await fixture.disk.open(PATH, 'r')
    const counted = Object.create(file, {
      read: {
        value: (...read: Parameters<typeof file.read>) => {
          sizes.push(read[2])
          return file.read(...read)
        },
      },
    })
    fixture.disk.open = async () => counted
    await fixture.last(90 * 86_400_000, 600)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100_000)
    expect(sizes.length).toBeGreaterThan(50)
  })

  test('is there by seconds, and in steps with the worst lag and the mean rate', async () => {
    const fixture = await Fixture.create()
    await fixture.run(120, (second) => ({ exposureMs: second, transactionsPerSecond: second % 2 }))
    const fine = await fixture.last(10_000, 100)
    expect(fine.stepMs).toBe(1_000)
    expect(fine.points.map(({ exposureMs }) => exposureMs)).toEqual([
      ...[110, 111, 112, 113, 114, 115, 116, 117, 118, 119],
    ])
    const coarse = await fixture.last(100_000, 10)
    expect(coarse.stepMs).toBe(10_000)
    expect(coarse.points.at(-2)).toMatchObject({ transactionsPerSecond: 0.5, roundTripMs: null })
    expect(coarse.points.length).toBeGreaterThanOrEqual(10)
  })

  test('of long ago is there by minutes, over any number of restarts', async () => {
    const fixture = await Fixture.create()
    await fixture.run(90, (second) => ({ exposureMs: second, bytesPerSecond: 100 }))
    fixture.disk = fixture.disk.afterKill()
    fixture.history = fixture.open()
    await fixture.run(90, (second) => ({ exposureMs: 1_000 + second, bytesPerSecond: 200 }))
    await fixture.clock.advance(48 * 3_600_000)
    const { stepMs, points } = await fixture.last(49 * 3_600_000, 2_000)
    expect(stepMs).toBe(120_000)
    const worst = Math.max(...points.map(({ exposureMs }) => exposureMs ?? 0))
    expect(worst).toBe(1_089)
    const perMinute = (await fixture.last(49 * 3_600_000, 3_000)).points
    expect(perMinute.length).toBeGreaterThanOrEqual(3)
    // The minute in which it was killed holds both halves.
    expect(perMinute.some(({ bytesPerSecond: rate }) => rate && rate > 100 && rate < 200)).toBe(
      true,
    )
  })

  test('forgets what is older than its rings, and never grows beyond them', async () => {
    const fixture = await Fixture.create()
    await fixture.run(3, () => ({ exposureMs: 5 }))
    await fixture.clock.advance(86_400_000)
    // The same places in the file as a day ago.
    expect((await fixture.last(10_000, 100)).points).toEqual([])
    await fixture.clock.advance(91 * 86_400_000)
    await fixture.run(3, () => ({ exposureMs: 6 }))
    const { points } = await fixture.last(91 * 86_400_000, 2_000)
    expect(points.map(({ exposureMs }) => exposureMs)).toEqual([6])
    expect(fixture.disk.bytesOf(PATH).length).toBeLessThanOrEqual(216_000 * RECORD_BYTES)
  })

  test('has no point for a record that is torn at any byte', async () => {
    const whole = encodeRecord({ slot: 7, count: 1, values: { ...NOTHING, exposureMs: 2.5 } })
    expect(decodeRecord(whole)).toMatchObject({ slot: 7, values: { exposureMs: 2.5 } })
    for (let bytes = 0; bytes < whole.length; bytes += 1) {
      expect(decodeRecord(whole.subarray(0, bytes))).toBeNull()
      const torn = Buffer.alloc(RECORD_BYTES)
      whole.copy(torn, 0, 0, bytes)
      if (!torn.equals(whole)) expect(decodeRecord(torn)).toBeNull()
    }
    expect(decodeRecord(Buffer.alloc(RECORD_BYTES))).toBeNull()
  })

  test('a full disk costs its points alone, and is logged once', async () => {
    const fixture = await Fixture.create()
    await fixture.run(2, () => ({ exposureMs: 1 }))
    fixture.disk.before = ({ name }) => (name === 'writev' ? { error: 'ENOSPC' } : undefined)
    await fixture.run(5, () => ({ exposureMs: 2 }))
    fixture.disk.before = () => undefined
    await fixture.run(2, () => ({ exposureMs: 3 }))
    expect(fixture.logged).toMatchObject([{ code: 'ERR_LAG_HISTORY' }])
    const { points } = await fixture.last(20_000, 100)
    expect(points.map(({ exposureMs }) => exposureMs)).toEqual([1, 1, 3, 3])
  })

  test('before there is a file there is nothing', async () => {
    const fixture = await Fixture.create()
    expect((await fixture.last(60_000, 100)).points).toEqual([])
  })
})
