import { expect, test } from 'vitest'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { BinlogBytes } from '../../helpers/source/binlog-bytes.ts'
import {
  epochBeginning,
  epochSource,
  SpoolFixture,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const UUID = '29d14f05-e66c-11f1-a076-02fc00000001'
const NAME = 'b.000001'

test('what a failed sync left is cut off before the end, if a rewind could not', async () => {
  const disk = new MemoryDisk()
  const fixture = await SpoolFixture.open('/s', { disk })
  await fixture.writer.rewind()
  await fixture.store.beginEpoch(epochBeginning(epochSource('mysql'), 'first'))
  const file = new BinlogBytes().previousGtids('').mysqlTransaction(UUID, 1)
  const first = file.take()
  const all = file.mysqlTransaction(UUID, 2).take()
  fixture.writer.beginFile(NAME, 0)
  await fixture.write(0, first)
  const [held, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let isFirst = true
  disk.before = async (call) => {
    if (call.name === 'truncate') return { error: 'ENOSPC' }
    if (call.name !== 'datasync' || !isFirst) return undefined
    isFirst = false
    held.resolve()
    await goOn.promise
    return { error: 'EIO' }
  }
  fixture.append(first.length, all.subarray(first.length))
  await held.promise
  const rewinding = fixture.writer.rewind().catch(() => 'given up')
  goOn.resolve()
  // The rewind waits for room that it does not get before the end.
  await until(() => fixture.clock.sleeping > 0)
  disk.before = () => undefined
  await fixture.crash()
  await fixture.writer.close()
  expect(await rewinding).toBe('given up')
  await using next = await SpoolFixture.open('/s', { disk: disk.afterKill() })
  expect(next.spool.end()?.offset).toBe(first.length)
})

test('a rewind that is asked for behind the end is refused, and does not hang', async () => {
  const fixture = await SpoolFixture.open('/s', { disk: new MemoryDisk() })
  await fixture.crash()
  await expect(fixture.writer.rewind()).rejects.toMatchObject({ name: 'AbortError' })
  await fixture.writer.close()
})
