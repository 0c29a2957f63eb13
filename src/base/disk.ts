import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  statfs,
  truncate,
  unlink,
} from 'node:fs/promises'
import { type FolderLock, lockFolder } from './folder-lock.ts'

/** An open file that is read: as much of Node's FileHandle as is used. */
export interface ReadableFile {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>
  close(): Promise<void>
}

/** `length` bytes of `file` from `offset` on; fewer where it ends. */
export async function readAt(file: ReadableFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await file.read(bytes, 0, length, offset)
  return bytes.subarray(0, bytesRead)
}

export interface DiskFile extends ReadableFile {
  /** May take a part only. */
  writev(buffers: readonly Buffer[], position: number): Promise<{ readonly bytesWritten: number }>
  stat(): Promise<{ readonly size: number }>
  /** Makes content and size durable; the name is the folder's business. */
  datasync(): Promise<void>
  /** The same, and what else is known of the file. */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface DiskRoom {
  readonly bytes: number
  /** Of the whole file system. */
  readonly totalBytes: number
  /** Null where the file system makes inodes as it needs them. */
  readonly inodes: number | null
}

/**
 * What durable storage needs of a file system, call by call, so that a test can put one behind it
 * that fails, tears and delays. Every call rejects with the system's error (`code`, `syscall`).
 */
export interface Disk {
  /** `w` creates the file, or empties one that is there. */
  open(path: string, flags: 'r' | 'r+' | 'w', mode?: number): Promise<DiskFile>
  readText(path: string): Promise<string>
  stat(path: string): Promise<{ readonly size: number }>
  readdir(path: string): Promise<readonly string[]>
  mkdir(path: string, mode: number): Promise<void>
  truncate(path: string, bytes: number): Promise<void>
  /** Null while somebody else has the lock. */
  lockFolder(path: string): Promise<FolderLock | null>
  rename(path: string, newPath: string): Promise<void>
  unlink(path: string): Promise<void>
  /** What this user may still write there, as far as the file system says: quotas it may not. */
  room(path: string): Promise<DiskRoom>
  /** Makes created, renamed and removed names in `path` durable. */
  syncDirectory(path: string): Promise<void>
}

export const realDisk: Disk = {
  // Node's own handle: nothing stands between a writer and the system.
  open,
  readText: (path) => readFile(path, 'utf8'),
  stat,
  readdir: (path) => readdir(path),
  async mkdir(path, mode) {
    await mkdir(path, mode)
  },
  truncate,
  lockFolder,
  rename,
  unlink,
  async room(path) {
    const { bavail, blocks, bsize, files, ffree } = await statfs(path)
    const inodes = files > 0 ? ffree : null
    return { bytes: bavail * bsize, totalBytes: blocks * bsize, inodes }
  },
  async syncDirectory(path) {
    const directory = await open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
}
