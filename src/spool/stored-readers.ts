import { ignoreMissing } from '../base/atomic-file.ts'
import type { Disk, ReadableFile } from '../base/disk.ts'
import { removedMeanwhile } from '../binlog/removed-file.ts'

/**
 * Stored files that are being read. A file that retention removes keeps its bytes on the disk as
 * long as somebody has it open, and a reader that stalls may do so for days: it is closed.
 */
export class StoredReaders {
  readonly #open = new Map<string, Set<StoredReader>>()
  readonly #opening = new Set<Opening>()

  /** Throws ERR_SPOOL_REMOVED where there is no such file, or it was removed meanwhile. */
  async open(path: string, disk: Disk): Promise<ReadableFile> {
    const opening: Opening = { path, isEnded: false }
    this.#opening.add(opening)
    const handle = await disk
      .open(path, 'r')
      .catch((cause: unknown) => {
        ignoreMissing(cause)
        throw removedMeanwhile(path)
      })
      .finally(() => this.#opening.delete(opening))
    if (opening.isEnded) {
      await handle.close()
      throw removedMeanwhile(path)
    }
    const readers = this.#open.get(path) ?? new Set()
    this.#open.set(path, readers)
    const reader = new StoredReader(path, handle, () => {
      readers.delete(reader)
      if (readers.size === 0 && this.#open.get(path) === readers) this.#open.delete(path)
    })
    readers.add(reader)
    return reader
  }

  /**
   * Settles when nobody of this process has `path` open any more. Who is about to open it closes
   * it at once; that is not waited for.
   */
  async end(path: string): Promise<void> {
    for (const opening of this.#opening) if (opening.path === path) opening.isEnded = true
    await Promise.all([...(this.#open.get(path) ?? [])].map((reader) => reader.end()))
  }
}

interface Opening {
  readonly path: string
  /** The file was removed: perhaps after it was opened, of which nothing was heard yet. */
  isEnded: boolean
}

class StoredReader implements ReadableFile {
  readonly #path: string
  readonly #handle: ReadableFile
  readonly #onClosed: () => void
  #closed: Promise<void> | null = null
  #isRemoved = false

  constructor(path: string, handle: ReadableFile, onClosed: () => void) {
    this.#path = path
    this.#handle = handle
    this.#onClosed = onClosed
  }

  async read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }> {
    if (this.#isRemoved) throw removedMeanwhile(this.#path)
    return await this.#handle.read(buffer, offset, length, position)
  }

  /** What is being read is read first. */
  close(): Promise<void> {
    this.#closed ??= this.#handle.close().finally(this.#onClosed)
    return this.#closed
  }

  async end(): Promise<void> {
    this.#isRemoved = true
    await this.close()
  }
}
