import { describe, expect, test } from 'vitest'
import { type DiskRoom, realDisk } from '../../../src/base/disk.ts'
import { diskFailure, hasRoom, syncFailure } from '../../../src/spool/disk-failure.ts'
import { diskError } from '../../helpers/disk/failing-disk.ts'

type Free = Pick<DiskRoom, 'bytes' | 'inodes'>

const placeWith = (room: Free | null) => ({
  directory: '/srv/spool',
  disk: {
    ...realDisk,
    room: async () => {
      if (room === null) throw diskError('EIO')
      return { totalBytes: 1e12, ...room }
    },
  },
})
const ROOMY = { bytes: 1e9, inodes: 1000 }

describe('a failed call of the disk', () => {
  test.each([
    ['EMFILE', ROOMY, 'this process has no file descriptor left', 'LimitNOFILE'],
    ['ENFILE', ROOMY, 'the system has no file descriptor left', 'fs.file-max'],
    ['EROFS', ROOMY, 'the file system is read-only', 'dmesg'],
    ['EIO', ROOMY, 'the disk failed', 'replace it'],
    ['ENOENT', ROOMY, 'the folder or file is not there', 'findmnt'],
    ['EACCES', ROOMY, 'this user may not', 'chown'],
    ['ESTALE', ROOMY, 'ESTALE', "kernel's log"],
  ])('by %s is told with its cause and what to do about it', async (code, room, why, remedy) => {
    const place = placeWith(room)
    for (const failure of [
      await diskFailure(place, diskError(code)),
      await syncFailure(place, '/srv/spool/000001/binlog.000001', diskError(code)),
    ]) {
      expect(failure.code).toMatch(/^ERR_SPOOL_(WRITE|SYNC)$/)
      expect(failure.message).toContain('/srv/spool')
      expect(failure.message).toContain(why)
      expect(failure.remedy).toContain(remedy)
    }
  })

  test.each([
    ['ENOSPC', { bytes: 0, inodes: 9 }, 'no room in', 'enlarge the disk'],
    ['ENOSPC', { bytes: 5e6, inodes: 0 }, 'no inode is free in', '5000000 bytes free'],
    ['ENOSPC', { bytes: 0, inodes: null }, 'no room in', 'enlarge the disk'],
    ['ENOSPC', null, 'no room in', 'enlarge the disk'],
    ['EDQUOT', ROOMY, 'the quota of this user is used up in', 'edquota'],
  ])('by %s with %o says what there is none of', async (code, room, why, remedy) => {
    const failure = await diskFailure(placeWith(room), diskError(code))
    expect(failure.code).toBe('ERR_DISK_FULL')
    expect(failure.message).toContain(why)
    expect(failure.remedy).toContain(remedy)
  })

  test.each<[Free, boolean]>([
    [ROOMY, true],
    [{ bytes: 1e9, inodes: null }, true],
    [{ bytes: 1e9, inodes: 0 }, false],
    [{ bytes: 4096, inodes: 9 }, false],
  ])('is over where the disk has %o: %s', async (room, isOver) => {
    expect(await hasRoom('/srv/spool', placeWith(room).disk)).toBe(isOver)
  })
})
