import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isBinlogName } from '../../src/binlog/binlog-name.ts'
import { type Random, seededRandom } from '../../src/lab/load/workload-statements.ts'
import type { Spool } from '../../src/spool/spool.ts'
import { type DiskCall, type Fault, MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { ALL_KEPT, ALL_LOST, anyOutcome } from '../helpers/disk/power-loss.ts'
import { recordedLineage } from '../helpers/spool/recorded-lineage.ts'
import { SpoolJudge } from '../helpers/spool/spool-judge.ts'
import {
  type CrashPoint,
  openSpool,
  runSpool,
  SPOOL,
  type SpoolRunOptions,
} from '../helpers/spool/spool-run.ts'
import { IS_FULL, partOf, SEED } from '../helpers/thoroughness.ts'

const CHANGES = ['open', 'writev', 'datasync', 'sync', 'rename', 'mkdir', 'syncDirectory']

/** What the disk may look like afterwards: by the way in which it was left. */
function aftermaths(point: CrashPoint, random: Random): readonly (readonly [string, MemoryDisk])[] {
  const disk = new MemoryDisk(point.files)
  const torn = Array.from({ length: IS_FULL ? 20 : 2 }, (_, n) => {
    return [`power lost, chance ${n}`, disk.afterPowerLoss(anyOutcome(random))] as const
  })
  return [
    ['killed', disk.afterKill()],
    ['power lost with all that was not synced', disk.afterPowerLoss(ALL_LOST)],
    ['power lost when all was on the disk', disk.afterPowerLoss(ALL_KEPT)],
    ...torn,
  ]
}

/** Fails with the moment in front of the reason: which call did not happen any more, and how. */
async function at(point: CrashPoint, way: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    const { name, path } = point.call
    throw new Error(`before ${name} of ${path}, ${way}: ${cause}`, { cause })
  }
}

/** True when the oldest file has no index record, and one that was removed still has its own. */
function leansOnRemoved(disk: MemoryDisk): boolean {
  const records: string[] = []
  const files: string[] = []
  for (const epoch of ['000001', '000002', '000003']) {
    const folder = disk.files.find(join(SPOOL, epoch, 'index'))
    if (folder === undefined) continue
    records.push(...disk.namesIn(join(SPOOL, epoch, 'index')).map((name) => `${epoch}/${name}`))
    const names = disk.namesIn(join(SPOOL, epoch)).filter(isBinlogName).sort()
    files.push(...names.map((name) => `${epoch}/${name}.json`))
  }
  const [oldest] = files
  return oldest !== undefined && records.length > 0 && !records.includes(oldest)
}

// Between every two calls that change the disk: creating, writing, syncing, renaming, truncating
// and removing of binlog files, index records, epoch records, pins and folders.
describe.each(['mysql', 'mariadb'] as const)('a spool of %s that crashes', (flavor) => {
  const lineage = recordedLineage(flavor)
  const judge = new SpoolJudge(lineage, SPOOL)

  /** Opens what is left, looks at it, and receives the rest. */
  async function recover(disk: MemoryDisk, point: CrashPoint, options: SpoolRunOptions) {
    const onOpened = (spool: Spool): void => judge.expectRecovered(disk, spool, point.published)
    await runSpool(lineage, disk, { ...options, onOpened })
  }

  async function pointsOf(options: SpoolRunOptions): Promise<readonly CrashPoint[]> {
    return (await runSpool(lineage, new MemoryDisk(), { ...options, remembers: true })).points
  }

  test.each([
    ['with room for all and no checkpoint', null],
    ['while retention removes what is old', 5_000],
    ['while retention leaves only the newest file', 1],
  ])(
    'keeps all that it acknowledged, and goes on, %s',
    async (_what, retentionBytesMax) => {
      const options = { seed: SEED, retentionBytesMax }
      const points = await pointsOf(options)
      const names = new Set(points.map(({ call }) => call.name))
      const removals = retentionBytesMax === null ? [] : ['unlink']
      expect([...names]).toEqual(expect.arrayContaining([...CHANGES, ...removals]))
      const random = seededRandom(SEED)
      // The rest of the moments when another seed asks for them, all in a full run.
      for (const point of partOf(points, 3)) {
        for (const [way, disk] of aftermaths(point, random)) {
          await at(point, way, async () => {
            await recover(disk, point, options)
          })
        }
      }
    },
    120_000,
  )

  test('keeps it also where there is room for index records only now and then', async () => {
    const narrow = (seed: number): SpoolRunOptions => {
      const random = seededRandom(seed)
      const fault = ({ name, path, isChange }: DiskCall): Fault => {
        const isRecord = name === 'open' && isChange && /\/index\/[^/]*\.tmp$/.test(path)
        return isRecord && random() < 0.7 ? { error: 'ENOSPC' } : undefined
      }
      return { seed, retentionBytesMax: 1, fault }
    }
    const seeds = Array.from({ length: 5 }, (_, n) => SEED + n)
    const points: CrashPoint[] = []
    for (const seed of seeds) points.push(...(await pointsOf(narrow(seed))))
    // Only the record of what was removed says where the oldest file stands.
    const leaning = points.filter(({ files }) => leansOnRemoved(new MemoryDisk(files)))
    expect(leaning.length).toBeGreaterThan(5)
    const random = seededRandom(SEED)
    for (const point of new Set([...leaning, ...partOf(points, 20)])) {
      for (const [way, disk] of aftermaths(point, random)) {
        await at(point, way, async () => {
          await recover(disk, point, narrow(SEED))
        })
      }
    }
  })

  test('survives another crash while it recovers from the first', async () => {
    const options = { seed: SEED, retentionBytesMax: 7_000 }
    const points = await pointsOf(options)
    const random = seededRandom(SEED + 1)
    let seconds = 0
    for (const point of partOf(points, 7)) {
      const disk = new MemoryDisk(point.files).afterPowerLoss(anyOutcome(random))
      const moments: CrashPoint[] = []
      disk.before = (call) => {
        if (call.isChange) moments.push({ ...point, call, files: disk.files.copy() })
        return undefined
      }
      const fixture = await openSpool(disk, options)
      await fixture.crash()
      for (const moment of moments) {
        const [way, left] = aftermaths(moment, random)[Math.floor(random() * 4)] ?? []
        if (way === undefined || left === undefined) throw new Error('no such way')
        seconds += 1
        await at(moment, `recovering, ${way}`, async () => {
          await recover(left, moment, options)
        })
      }
    }
    expect(seconds).toBeGreaterThan(40)
  })
})
