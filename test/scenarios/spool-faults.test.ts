import { basename } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { isBinlogName } from '../../src/binlog/binlog-name.ts'
import { seededRandom } from '../../src/lab/load/workload-statements.ts'
import { type DiskCall, type Fault, MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { ALL_LOST } from '../helpers/disk/power-loss.ts'
import { recordedLineage } from '../helpers/spool/recorded-lineage.ts'
import { SpoolJudge } from '../helpers/spool/spool-judge.ts'
import { openSpool, runSpool, SPOOL } from '../helpers/spool/spool-run.ts'
import { partOf, SEED } from '../helpers/thoroughness.ts'

const ROOM_FOR_SOME = { seed: SEED, retentionBytesMax: 7_000 }

describe.each(['mysql', 'mariadb'] as const)('a spool of %s on a bad disk', (flavor) => {
  const lineage = recordedLineage(flavor)

  /** The whole stream with `fault`, then a loss of power: nothing that was acknowledged is gone. */
  async function survive(fault: (call: DiskCall, n: number) => Fault | Promise<Fault>) {
    const disk = new MemoryDisk()
    const run = await runSpool(lineage, disk, { ...ROOM_FOR_SOME, fault })
    const left = disk.afterPowerLoss(ALL_LOST)
    const fixture = await openSpool(left, ROOM_FOR_SOME)
    new SpoolJudge(lineage, SPOOL).expectComplete(left, fixture.spool)
    await fixture.crash()
    return run
  }

  async function callsOf(): Promise<readonly DiskCall[]> {
    return (await runSpool(lineage, new MemoryDisk(), ROOM_FOR_SOME)).calls
  }

  test.each(['EIO', 'ENOSPC'] as const)(
    'goes on when any one call fails with %s',
    async (error) => {
      const calls = await callsOf()
      for (const n of partOf([...calls.keys()], 2)) {
        try {
          await survive((_call, at) => (at === n ? { error } : undefined))
        } catch (cause) {
          throw new Error(`${calls[n]?.name} of ${calls[n]?.path}: ${cause}`, { cause })
        }
      }
    },
    120_000,
  )

  test('ends the session, and only then, when a sync fails', async () => {
    const syncs = [...(await callsOf()).entries()].filter(([, { name }]) => name === 'datasync')
    expect(syncs.length).toBeGreaterThan(15)
    for (const [n] of syncs) {
      const { sessions } = await survive((_, at) => (at === n ? { error: 'EIO' } : undefined))
      expect(sessions).toBe(2)
    }
  })

  test.each([0, 1, 333])('goes on where a write took only %i bytes', async (takes) => {
    let n = 0
    const { sessions } = await survive(({ name }) => {
      if (name !== 'writev') return undefined
      n += 1
      // A disk that never takes a byte would be waited for, for ever.
      return n % 3 === 0 ? undefined : { takes }
    })
    expect(sessions).toBe(1)
  })

  test('waits while the disk is full, and keeps the session if it has bytes', async () => {
    const calls = await callsOf()
    const writes = [...calls.entries()].filter(([, { name }]) => name === 'writev')
    for (const [n, { path }] of partOf(writes, 2)) {
      let refusals = 0
      const { sessions } = await survive(({ name }, at) => {
        const takesRoom = name === 'writev' || name === 'open'
        if (at < n || !takesRoom || refusals === 4) return undefined
        refusals += 1
        return { error: 'ENOSPC' }
      })
      if (isBinlogName(basename(path))) expect(sessions).toBe(1)
    }
  })

  test('keeps its promises when every call takes a while, some longer than others', async () => {
    for (let seed = SEED; seed < SEED + 10; seed += 1) {
      const random = seededRandom(seed)
      await survive(async () => {
        for (let turns = Math.floor(random() * 6); turns > 0; turns -= 1) await turn()
        return undefined
      })
    }
  })
})
