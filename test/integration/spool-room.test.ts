import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RetentionPolicy } from '../../src/spool/retention.ts'
import { SmallDisk } from '../helpers/disk/small-disk.ts'
import { recordedFacts, recordedFile } from '../helpers/fixtures.ts'
import { needs } from '../helpers/needs.ts'
import { CopyHalfFixture } from '../helpers/spool/copy-half-fixture.ts'
import {
  epochBeginning,
  epochSource,
  namesIn,
  SpoolFixture,
  temporaryFolder,
  until,
} from '../helpers/spool/spool-fixture.ts'

const FIRST = recordedFile('mysql', 1)
const SECOND = recordedFile('mysql', 2)
const HALF = Math.floor(SECOND.length / 2)
const DUE: RetentionPolicy = { ageMsMax: null, bytesMax: 1, hardLimit: true }

/** Two files, of which the older one is due, and the newer one has no index record yet. */
async function begun(disk: SmallDisk, policy?: RetentionPolicy): Promise<SpoolFixture> {
  const options = policy === undefined ? {} : { retention: policy }
  const fixture = await SpoolFixture.open(join(disk.path, 'main'), options)
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  await fixture.write(0, FIRST)
  fixture.writer.beginFile('binlog.000002', 0)
  await fixture.write(0, SECOND.subarray(0, HALF))
  return fixture
}

describe('a spool whose source was reset, on an ext4', needs('root'), () => {
  test('erases nothing of before when the disk is full, until the hold is over', async () => {
    await using disk = await SmallDisk.create()
    const holdMs = 7 * 86_400_000
    {
      await using before = await begun(disk)
      await before.writer.rewind()
      const reset = epochBeginning(epochSource('mysql'), 'was reset', '', true)
      await before.store.beginEpoch(reset)
      before.writer.beginFile('binlog.000001', 0)
      await before.write(0, FIRST)
    }
    const retention = { ...DUE, minimumHoldMs: holdMs }
    await using fixture = await SpoolFixture.open(join(disk.path, 'main'), { retention })
    const { spool, store, clock } = fixture
    await fixture.writer.rewind()
    await disk.fillBytes()
    fixture.writer.beginFile('binlog.000002', 0)
    fixture.append(0, SECOND)
    await until(() => fixture.writer.trouble?.error.code === 'ERR_DISK_FULL')
    expect(fixture.syncedBytes).toBe(0)
    expect(spool.storedFiles()).toHaveLength(3)
    expect(store.heldBack()).toMatchObject({ files: 2 })
    await clock.advance(holdMs)
    expect(await store.applyRetention()).toHaveLength(2)
    await until(() => {
      void clock.advance(1_000)
      return fixture.syncedBytes === SECOND.length
    })
    expect(fixture.writer.trouble).toBeNull()
  })
})

describe('a spool on a disk that is unmounted under it', needs('root'), () => {
  test('takes no more, and does not begin anew on the mount point', async () => {
    await using disk = await SmallDisk.create()
    await using data = await temporaryFolder()
    const directory = join(disk.path, 'main')
    await (await begun(disk))[Symbol.asyncDispose]()
    {
      await using stream = new CopyHalfFixture(directory, { dataDir: data.path })
      await stream.untilProblem(undefined)
    }
    const fixture = await SpoolFixture.open(directory)
    await fixture.writer.rewind()
    const held = fixture.spool.held()?.offset ?? 0
    fixture.writer.beginFile('binlog.000002', held)
    fixture.append(held, SECOND.subarray(held, held + 1))
    await until(() => fixture.syncedBytes === 1)
    await disk.unmount()
    // The open file takes it, out of everybody's sight.
    fixture.append(held + 1, SECOND.subarray(held + 1))
    await until(() => fixture.broken.length > 0)
    expect(fixture.writer.trouble?.error.code).toBe('ERR_SPOOL_FENCED')
    expect(fixture.syncedBytes).toBe(1)
    await fixture.crash()

    await using stream = new CopyHalfFixture(directory, { dataDir: data.path })
    await stream.untilProblem('ERR_SPOOL_ABSENT')
    expect(await namesIn(disk.path)).toEqual([])
    await disk.mount()
    await stream.untilProblem(undefined)
    expect(stream.stream.status().spool?.files).toBe(2)
  })
})

describe('retention on an ext4', needs('root'), () => {
  test('makes room where not a byte is free, beside a reader that stalls', async () => {
    await using disk = await SmallDisk.create()
    const fixture = await begun(disk, DUE)
    const [oldest] = fixture.spool.files()
    if (oldest === undefined) throw new Error('no file')
    const stalled = await fixture.spool.open(oldest)
    await disk.fillBytes()
    expect((await disk.free()).bytes).toBe(0)
    expect(await fixture.store.applyRetention()).toMatchObject([{ name: 'binlog.000001' }])
    expect((await disk.free()).bytes).toBeGreaterThan(0)
    await stalled.close()
    expect(await namesIn(join(disk.path, 'main', '000001', 'index'))).toEqual([
      'binlog.000002.json',
    ])
    await fixture.crash()
    await using again = await SpoolFixture.open(join(disk.path, 'main'))
    expect(again.spool.files()).toMatchObject([{ name: 'binlog.000002', ordinal: 2 }])
  })

  test('makes room where not an inode is free, and the stream goes on', async () => {
    await using disk = await SmallDisk.create({ inodes: 64 })
    await using fixture = await begun(disk, DUE)
    await disk.fillInodes()
    await fixture.write(HALF, SECOND.subarray(HALF))
    expect(await fixture.store.applyRetention()).toHaveLength(1)
    expect((await disk.free()).inodes).toBeGreaterThan(0)
    expect(fixture.spool.gtids()).toBe(recordedFacts('mysql').end)
  })
})
