import { basename } from 'node:path'
import { type Disk, type DiskFile, realDisk } from '../../../src/base/disk.ts'
import { isBinlogName } from '../../../src/binlog/binlog-name.ts'

export interface TailCalls {
  readonly writev?: (
    file: DiskFile,
    ...args: Parameters<DiskFile['writev']>
  ) => ReturnType<DiskFile['writev']>
  readonly datasync?: (file: DiskFile) => Promise<void>
}

/** The real disk, with other ways to write and sync binlog files. */
export function tailDisk(calls: TailCalls): Disk {
  return {
    ...realDisk,
    async open(path, flags, mode) {
      const file = await realDisk.open(path, flags, mode)
      if (flags === 'r' || !isBinlogName(basename(path))) return file
      return {
        writev: (...args) => calls.writev?.(file, ...args) ?? file.writev(...args),
        datasync: () => calls.datasync?.(file) ?? file.datasync(),
        sync: () => file.sync(),
        stat: () => file.stat(),
        read: (...args) => file.read(...args),
        close: () => file.close(),
      }
    },
  }
}
