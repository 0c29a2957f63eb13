import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { ALL_LOST } from '../helpers/disk/power-loss.ts'
import { recordedLineage } from '../helpers/spool/recorded-lineage.ts'
import { epochBeginning, type SpoolFixture } from '../helpers/spool/spool-fixture.ts'
import { openSpool, SPOOL } from '../helpers/spool/spool-run.ts'

const OPTIONS = { retentionBytesMax: null }

describe.each(['mysql', 'mariadb'] as const)('a sync of %s that failed', (flavor) => {
  const lineage = recordedLineage(flavor)

  /** Up to its third boundary the first file is held; a sync of what is behind that fails. */
  async function failedSync(disk: MemoryDisk): Promise<SpoolFixture> {
    const [file] = lineage.files
    const [source] = lineage.sources
    const at = file?.boundaries[2]?.offset
    if (file === undefined || source === undefined || at === undefined) throw new Error('no file')
    const fixture = await openSpool(disk, OPTIONS)
    await fixture.writer.rewind()
    await fixture.store.beginEpoch(epochBeginning(source, 'first start', file.gtidsBefore))
    fixture.writer.beginFile(file.name, 0)
    await fixture.write(0, file.bytes.subarray(0, at))
    disk.before = ({ name, path }) => {
      const isTail = path.startsWith(`${SPOOL}/000001/${file.name}`)
      return name === 'datasync' && isTail ? { error: 'EIO' } : undefined
    }
    fixture.append(at, file.bytes.subarray(at))
    return fixture
  }

  /** What a process that starts on `disk` serves must be there after a loss of power as well. */
  async function expectServedToStay(disk: MemoryDisk): Promise<void> {
    disk.before = () => undefined
    const again = await openSpool(disk, OPTIONS)
    const served = again.spool.end()
    expect(served).not.toBeNull()
    await again.crash()
    const left = await openSpool(disk.afterPowerLoss(ALL_LOST), OPTIONS)
    expect(left.spool.end()).toEqual(served)
    await left.crash()
  }

  test('is not made good by the next process when this one is stopped', async () => {
    const disk = new MemoryDisk()
    const fixture = await failedSync(disk)
    while (fixture.broken.length === 0) await turn()
    await fixture[Symbol.asyncDispose]()
    await expectServedToStay(disk)
  })

  test('is not made good by the next process when this one is killed', async () => {
    const disk = new MemoryDisk()
    const fixture = await failedSync(disk)
    while (fixture.broken.length === 0) await turn()
    const left = disk.afterKill()
    await fixture.crash()
    await expectServedToStay(left)
  })

  test('is not made good when it fails while this process is being stopped', async () => {
    const disk = new MemoryDisk()
    const fixture = await failedSync(disk)
    const judge = disk.before
    const held = Promise.withResolvers<void>()
    const going = Promise.withResolvers<void>()
    disk.before = async (call) => {
      if (call.name !== 'datasync') return undefined
      held.resolve()
      await going.promise
      return judge(call)
    }
    await held.promise
    const stopped = fixture[Symbol.asyncDispose]()
    going.resolve()
    await stopped
    expect(fixture.broken).toEqual([])
    await expectServedToStay(disk)
  })
})
