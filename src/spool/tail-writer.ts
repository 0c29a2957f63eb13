import { open, truncate, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ignoreMissing, syncDirectory } from '../base/atomic-file.ts'
import type { SpoolFile } from './spool-file.ts'

/** What writing needs of an open file; a test puts a failing disk behind it. */
export interface TailHandle {
  writev(buffers: readonly Buffer[], position: number): Promise<{ readonly bytesWritten: number }>
  datasync(): Promise<void>
  close(): Promise<void>
}

export type OpenTail = (path: string, flags: 'w' | 'r+') => Promise<TailHandle>

/**
 * The open end of the newest file: positioned writes, then one fdatasync for all of them.
 * A failed write is repeated at the same place, so a full disk costs nothing but time. A failed
 * sync is not repeated: the kernel may have dropped the pages, so the bytes count as never written.
 */
export class TailWriter {
  readonly file: SpoolFile
  readonly #openTail: OpenTail
  #handle: TailHandle | null = null
  #written: number

  constructor(file: SpoolFile, offset: number, openTail: OpenTail = openFile) {
    this.file = file
    this.#written = offset
    this.#openTail = openTail
  }

  get written(): number {
    return this.#written
  }

  /** A file that begins at 0 is created; another one must be there. */
  async open(): Promise<void> {
    if (this.#handle !== null) return
    const isNew = this.#written === 0
    this.#handle = await this.#openTail(this.file.path, isNew ? 'w' : 'r+')
    if (isNew) await syncDirectory(dirname(this.file.path))
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
    await this.#handle?.datasync()
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
      await unlink(this.file.path).catch(ignoreMissing)
      await syncDirectory(dirname(this.file.path))
    } else {
      await truncate(this.file.path, offset)
    }
    this.#written = offset
  }

  #opened(): TailHandle {
    if (this.#handle === null) throw new TypeError('the tail is not open')
    return this.#handle
  }
}

async function openFile(path: string, flags: 'w' | 'r+'): Promise<TailHandle> {
  const handle = await open(path, flags, 0o640)
  return {
    writev: async (buffers, position) => await handle.writev([...buffers], position),
    datasync: async () => await handle.datasync(),
    close: async () => await handle.close(),
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
