import type { Disk, DiskFile, DiskRoom } from '../base/disk.ts'
import type { FolderLock } from '../base/folder-lock.ts'
import type { SpoolFence } from './spool-fence.ts'

/**
 * The disk of a spool, which lets nobody but its one writer change anything. What removes, replaces
 * or syncs bytes asks the fence each time.
 */
export class FencedDisk implements Disk {
  readonly #disk: Disk
  readonly #fence: SpoolFence

  constructor(disk: Disk, fence: SpoolFence) {
    this.#disk = disk
    this.#fence = fence
  }

  async open(path: string, flags: 'r' | 'r+' | 'w', mode?: number): Promise<DiskFile> {
    if (flags === 'r') return await this.#disk.open(path, flags, mode)
    await this.#fence.check()
    return this.#fenced(await this.#disk.open(path, flags, mode))
  }

  /**
   * Bytes that are synced are acknowledged: by then the folder must still be the one that the next
   * start will read. A disk that was unmounted lazily takes bytes as long as a file of it is open.
   */
  #fenced(file: DiskFile): DiskFile {
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
    const [synced, checked] = await Promise.allSettled([sync, this.#fence.check()])
    if (synced.status === 'rejected') throw synced.reason
    if (checked.status === 'rejected') throw checked.reason
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.#fence.check()
    await this.#disk.mkdir(path, mode)
  }

  async truncate(path: string, bytes: number): Promise<void> {
    await this.#fence.check()
    await this.#disk.truncate(path, bytes)
  }

  async rename(path: string, newPath: string): Promise<void> {
    await this.#fence.check()
    await this.#disk.rename(path, newPath)
  }

  async unlink(path: string): Promise<void> {
    await this.#fence.check()
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
