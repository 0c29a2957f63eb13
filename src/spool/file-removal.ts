import { dirname } from 'node:path'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { Disk } from '../base/disk.ts'
import type { IndexRecords } from './index-records.ts'
import type { SpoolFile } from './spool-file.ts'
import type { Tolerate } from './tolerate.ts'

export interface FileRemovalOptions {
  readonly disk: Disk
  readonly records: IndexRecords
  readonly pathOfRecord: (file: SpoolFile) => string
  /** Writes the record of a file that has none; false where that cannot be done. */
  readonly record: (file: SpoolFile) => Promise<boolean>
  /** Called once the name is gone, before that is durable. Settles when nobody has it open. */
  readonly removed: (file: SpoolFile) => Promise<void>
  readonly tolerate: Tolerate
}

/**
 * Removes the oldest files of a spool, also where not a byte and not an inode is free.
 *
 *     bytes of `file` gone, synced ──▶ there is room: record of `next` ──▶ record of `file` gone
 *
 * Until `next` has its own record, that of `file` says where `next` stands: recovery reads it.
 */
export class FileRemoval {
  readonly #options: FileRemovalOptions
  /** A folder whose removed names may not be durable yet. */
  #unsynced: string | null = null

  constructor(options: FileRemovalOptions) {
    this.#options = options
  }

  /**
   * Files of `stored`, oldest first and never all, as long as they are due: `isDue` is asked before
   * each, since somebody may claim one meanwhile. Returns what was removed.
   */
  async remove(
    stored: readonly SpoolFile[],
    isDue: (file: SpoolFile) => boolean,
  ): Promise<SpoolFile[]> {
    const removed: SpoolFile[] = []
    for (const [index, file] of stored.entries()) {
      const next = stored[index + 1]
      if (next === undefined || !isDue(file) || !(await this.#mayRemove(file, next))) break
      let isClaimed = false
      const isSafe = await this.#options.tolerate(`remove ${file.path}`, async () => {
        await this.#sync()
        isClaimed = !isDue(file)
        if (isClaimed) return
        await this.#unlink(file)
        removed.push(file)
        await this.#sync()
      })
      if (!isSafe || isClaimed) break
    }
    await this.completeRecords(stored[removed.length])
    return removed
  }

  /** Whatever can be written now, of files that lack a record; the next retention tries again. */
  async completeRecords(oldest: SpoolFile | undefined): Promise<void> {
    const { records, record, tolerate } = this.#options
    await tolerate('write index records', async () => await records.writeMissing())
    if (oldest === undefined || !records.hasLeftovers) return
    if (!records.has(oldest) && !(await record(oldest))) return
    await tolerate('remove old index records', async () => {
      await this.#sync()
      await records.dropLeftovers()
    })
  }

  /** One of the two must have a record, or nothing would say where `next` stands. */
  async #mayRemove(file: SpoolFile, next: SpoolFile): Promise<boolean> {
    const { records, record } = this.#options
    return records.has(file) || records.has(next) || (await record(next))
  }

  async #unlink(file: SpoolFile): Promise<void> {
    const { disk, records, pathOfRecord, removed } = this.#options
    await disk.unlink(file.path).catch(ignoreMissing)
    this.#unsynced = dirname(file.path)
    records.removed(file, pathOfRecord(file))
    await removed(file)
  }

  /** Files go in order, also on the disk: a later one must not be gone before an earlier one. */
  async #sync(): Promise<void> {
    if (this.#unsynced === null) return
    await this.#options.disk.syncDirectory(this.#unsynced)
    this.#unsynced = null
  }
}
