import { createFolder } from '../base/atomic-file.ts'
import type { Disk, DiskFile, DiskRoom } from '../base/disk.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { FolderLock } from '../base/folder-lock.ts'

/**
 * The disk of a spool, which lets nobody but the holder of its lock change anything. What removes,
 * replaces or syncs bytes asks each time whether the folder still is the one that was locked.
 */
export class FencedDisk implements Disk {
  readonly #directory: string
  readonly #disk: Disk
  #lock: FolderLock | null = null

  constructor(directory: string, disk: Disk) {
    this.#directory = directory
    this.#disk = disk
  }

  get isLocked(): boolean {
    return this.#lock !== null
  }

  /** Makes the folder where it is missing. Throws ERR_SPOOL_LOCKED while another has the lock. */
  async lock(): Promise<void> {
    // What is in here is as confidential as the database.
    await createFolder(this.#directory, this.#disk)
    const lock = await this.#disk.lockFolder(this.#directory)
    if (lock === null) throw lockedByOther(this.#directory)
    this.#lock = lock
  }

  async unlock(): Promise<void> {
    const lock = this.#lock
    this.#lock = null
    await lock?.release()
  }

  /** Throws ERR_SPOOL_FENCED unless this process has the lock of the folder that is there now. */
  async check(): Promise<void> {
    if (this.#lock === null || !(await this.#lock.isHeld())) throw fenced(this.#directory)
  }

  async open(path: string, flags: 'r' | 'r+' | 'w', mode?: number): Promise<DiskFile> {
    if (flags === 'r') return await this.#disk.open(path, flags, mode)
    await this.check()
    return this.#fence(await this.#disk.open(path, flags, mode))
  }

  /**
   * Bytes that are synced are acknowledged: by then the folder must still be the one that the next
   * start will read. A disk that was unmounted lazily takes bytes as long as a file of it is open.
   */
  #fence(file: DiskFile): DiskFile {
    return {
      read: (...args) => file.read(...args),
      writev: (...args) => file.writev(...args),
      stat: () => file.stat(),
      sync: () => this.#checked(file.sync()),
      datasync: () => this.#checked(file.datasync()),
      close: () => file.close(),
    }
  }

  /** Settles when `sync` has: a file is not cut while it is synced. */
  async #checked(sync: Promise<void>): Promise<void> {
    const [synced, checked] = await Promise.allSettled([sync, this.check()])
    if (synced.status === 'rejected') throw synced.reason
    if (checked.status === 'rejected') throw checked.reason
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.check()
    await this.#disk.mkdir(path, mode)
  }

  async truncate(path: string, bytes: number): Promise<void> {
    await this.check()
    await this.#disk.truncate(path, bytes)
  }

  async rename(path: string, newPath: string): Promise<void> {
    await this.check()
    await this.#disk.rename(path, newPath)
  }

  async unlink(path: string): Promise<void> {
    await this.check()
    await this.#disk.unlink(path)
  }

  readText(path: string): Promise<string> {
    return this.#disk.readText(path)
  }

  stat(path: string): Promise<{ readonly size: number }> {
    return this.#disk.stat(path)
  }

  readdir(path: string): Promise<readonly string[]> {
    return this.#disk.readdir(path)
  }

  lockFolder(path: string): Promise<FolderLock | null> {
    return this.#disk.lockFolder(path)
  }

  room(path: string): Promise<DiskRoom> {
    return this.#disk.room(path)
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path)
  }
}

function lockedByOther(path: string): LandbridgeError {
  return new LandbridgeError('ERR_SPOOL_LOCKED', `another process writes the spool ${path}`, {
    remedy:
      `Stop the other gateway, which may run in a container (fuser -v ${path} shows processes of` +
      ' this machine), or give this one a spool directory of its own.',
    retryable: true,
    details: { path },
  })
}

function fenced(path: string): LandbridgeError {
  return new LandbridgeError(
    'ERR_SPOOL_FENCED',
    `${path} is no longer the folder that this gateway has locked: nothing is written there`,
    {
      remedy:
        'See whether its disk was unmounted, or the folder was moved or replaced. Put it back, ' +
        'then restart the gateway.',
      details: { path },
    },
  )
}
