import type { Log } from '../base/log.ts'
import type { SpoolStore } from './spool-store.ts'
import { TailWriter } from './tail-writer.ts'

/** The file that is written: goes on to the next one, and is cut back to what is published. */
export class NewestFile {
  readonly #store: SpoolStore
  readonly #log: Log
  #tail: TailWriter | null = null

  constructor(store: SpoolStore, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** Returns where they were written. */
  async write(buffers: readonly Buffer[]): Promise<TailWriter> {
    const tail = this.#tail
    if (tail === null) throw new TypeError('bytes before a file')
    await tail.write(buffers)
    return tail
  }

  /** Everything written is synced and published. */
  async goOnTo(tail: TailWriter): Promise<void> {
    if (tail.written === 0) {
      await this.#cutTornEnd()
      await this.#store.closeNewest()
      await this.#store.applyRetention()
      // Only now everything before the new file is synced.
      this.#store.settleFile(tail.file)
    }
    await this.#tail?.close()
    this.#tail = tail
    await tail.open()
  }

  /**
   * No transaction goes on in another file: what is behind the last boundary when the next file
   * begins is the torn end that a crash of MariaDB left, and never happened.
   */
  async #cutTornEnd(): Promise<void> {
    const tail = this.#tail
    const stored = tail && this.#store.catalog.fileOf(tail.file.ordinal)
    if (!stored || stored.bytes === 0 || tail.written <= stored.bytes) return
    const { name: file, bytes: offset } = stored
    const torn = { file, offset, droppedBytes: tail.written - offset }
    this.#log.info(torn, 'cut off a transaction that the source never finished')
    await tail.cut(offset)
  }

  /** What is not published is gone then, from the page cache too. */
  async cutBack(): Promise<void> {
    const { disk } = this.#store
    const tail = this.#tail
    await tail?.close()
    for (const file of this.#store.catalog.unpublishedFiles()) {
      await new TailWriter(file, 0, disk).cut(0)
      this.#store.dropFile(file)
    }
    // The newest file that stays may be the one before the tail, ended within a transaction.
    const newest = this.#store.catalog.newestFile()
    if (tail !== null && newest !== undefined) {
      await new TailWriter(newest, newest.bytes, disk).cut(newest.bytes)
    }
    this.#tail = null
    this.#store.leaveUnusedEpoch()
  }

  async close(): Promise<void> {
    await this.#tail?.close()
  }
}
