import { expect, test } from 'vitest'
import { type Disk, type DiskFile, realDisk } from '../../../src/base/disk.ts'
import { StoredReaders } from '../../../src/spool/stored-readers.ts'

test('a file that is removed while it is being opened is not read', async () => {
  const readers = new StoredReaders()
  const opened = Promise.withResolvers<DiskFile>()
  const disk: Disk = { ...realDisk, open: () => opened.promise }
  const first = readers.open('/spool/binlog.000001', disk)
  const other = readers.open('/spool/binlog.000002', disk)
  await readers.end('/spool/binlog.000001')
  let closed = 0
  const read = async () => ({ bytesRead: 1 })
  const close = async () => {
    closed += 1
  }
  opened.resolve({ read, close } as unknown as DiskFile)
  await expect(first).rejects.toMatchObject({ code: 'ERR_SPOOL_REMOVED' })
  expect(closed).toBe(1)
  const reader = await other
  expect(await reader.read(Buffer.alloc(1), 0, 1, 0)).toEqual({ bytesRead: 1 })
  await readers.end('/spool/binlog.000002')
  expect(closed).toBe(2)
  await expect(reader.read(Buffer.alloc(1), 0, 1, 0)).rejects.toMatchObject({
    code: 'ERR_SPOOL_REMOVED',
  })
})
