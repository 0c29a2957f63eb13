import { dirname } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { Disk, DiskFile } from '../base/disk.ts'
import { PRIVATE_FILE_MODE } from '../base/private-folder.ts'
import { isNameTooLong } from './disk-failure.ts'
import type { SpoolFile } from './spool-file.ts'

/**
 * The open end of the newest file: positioned writes, then one fdatasync for all of them.
 * A failed write is repeated at the same place, so a full disk costs nothing but time. A failed
 * sync is not repeated: the kernel may have dropped the pages, so the bytes count as never written.
 */
export class TailWriter {
  readonly file: SpoolFile
  readonly #disk: Disk
  #handle: DiskFile | null = null
  #written: number

  constructor(file: SpoolFile, offset: number, disk: Disk) {
    this.file = file
    this.#written = offset
    this.#disk = disk
  }

  get written(): number {
    return this.#written
  }

  /** A file that begins at 0 is created; another one must be there. */
  async open(): Promise<void> {
    if (this.#handle !== null) return
    const isNew = this.#written === 0
    const handle = await this.#disk.open(this.file.path, isNew ? 'w' : 'r+', PRIVATE_FILE_MODE)
    try {
      // Before the file counts as open: a failure must not leave a name that was never synced.
      if (isNew) await this.#disk.syncDirectory(dirname(this.file.path))
    } catch (error) {
      await handle.close()
      throw error
    }
    this.#handle = handle
  }

  /** Appends `buffers` in order. Rejects with the system's error; calling again repeats it. */
  async write(buffers: readonly Buffer[]): Promise<void> {
    await this.open()
    const handle = this.#opened()
    let left = buffers
    let at = this.#written
    while (left.length > 0) {
      const { bytesWritten } = await handle.writev(left, at)
      at += bytesWritten
      // A disk that fills up takes a part first; only the next call says why it took no more.
      left = behind(left, bytesWritten)
    }
    this.#written = at
  }

  async sync(): Promise<void> {
    await this.#opened().datasync()
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    await handle?.close()
  }

  /** Cuts the file back; 0 removes it. */
  async cut(offset: number): Promise<void> {
    await this.close()
    if (offset === 0) {
      await this.#disk.unlink(this.file.path).catch((error: unknown) => {
        // A name that cannot be made is not there either.
        if (!isNameTooLong(error)) ignoreMissing(error)
      })
      await this.#disk.syncDirectory(dirname(this.file.path))
    } else {
      await this.#disk.truncate(this.file.path, offset)
    }
    this.#written = offset
  }

  #opened(): DiskFile {
    if (this.#handle === null) throw new TypeError('the tail is not open')
    return this.#handle
  }
}

/** What is left of `buffers` once their first `bytes` are written. */
function behind(buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let skip = bytes
  for (const [index, buffer] of buffers.entries()) {
    if (skip < buffer.length) return [buffer.subarray(skip), ...buffers.slice(index + 1)]
    skip -= buffer.length
  }
  return []
}
