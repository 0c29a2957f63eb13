import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { recordedFacts, recordedFile } from '../helpers/fixtures.ts'
import { needs } from '../helpers/needs.ts'
import { SmallDisk } from '../helpers/small-disk.ts'
import { epochBeginning, epochSource, namesIn, SpoolFixture } from '../helpers/spool-fixture.ts'

const FIRST = recordedFile('mysql', 1)
const SECOND = recordedFile('mysql', 2)
const HALF = Math.floor(SECOND.length / 2)
const retention = { ageMsMax: null, bytesMax: 1, hardLimit: true }

/** Two files, of which the older one is due, and the newer one has no index record yet. */
async function begun(disk: SmallDisk): Promise<SpoolFixture> {
  const fixture = await SpoolFixture.open(join(disk.path, 'main'), { retention })
  await fixture.writer.rewind()
  await fixture.spool.beginEpoch(epochBeginning(epochSource('mysql'), 'first start'))
  fixture.writer.beginFile('binlog.000001', 0)
  await fixture.write(0, FIRST)
  fixture.writer.beginFile('binlog.000002', 0)
  await fixture.write(0, SECOND.subarray(0, HALF))
  return fixture
}

describe('retention on an ext4', needs('root'), () => {
  test('makes room where not a byte is free, beside a reader that stalls', async () => {
    await using disk = await SmallDisk.create()
    const fixture = await begun(disk)
    const [oldest] = fixture.spool.files()
    if (oldest === undefined) throw new Error('no file')
    const stalled = await fixture.spool.open(oldest)
    await disk.fillBytes()
    expect((await disk.free()).bytes).toBe(0)
    expect(await fixture.spool.applyRetention()).toMatchObject([{ name: 'binlog.000001' }])
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
    await using fixture = await begun(disk)
    await disk.fillInodes()
    await fixture.write(HALF, SECOND.subarray(HALF))
    expect(await fixture.spool.applyRetention()).toHaveLength(1)
    expect((await disk.free()).inodes).toBeGreaterThan(0)
    expect(fixture.spool.gtids()).toBe(recordedFacts('mysql').end)
  })
})
