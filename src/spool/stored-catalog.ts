import { join } from 'node:path'
import type { Flavor } from '../base/flavor.ts'
import { parseGtidSet } from '../binlog/gtid-set.ts'
import { RecentSets } from './recent-sets.ts'
import { SpoolCatalog } from './spool-catalog.ts'
import {
  type EpochRecord,
  epochFolder,
  type FileIndexRecord,
  fileOfRecord,
  type SpoolFile,
} from './spool-file.ts'
import { readEpochs, readIndex, type SpoolPlace } from './spool-records.ts'

/** The newest file that has a record. */
interface Newest {
  readonly file: SpoolFile
  readonly flavor: Flavor
  /** Null where the file was known. */
  readonly record: FileIndexRecord | null
}

/**
 * What a spool holds for certain, by its records alone: nothing is locked, scanned or mended, so
 * that another process may write there meanwhile. Of the newest file that is as much as its last
 * record covers. Where a file has no record, what is before it is left out: there may be a hole.
 */
export class StoredCatalog {
  readonly #place: SpoolPlace
  /**
   * Closed files, which do not change any more, by path. What is held behind each is not kept: of
   * thousands of files that may be gigabytes.
   */
  #closed = new Map<string, SpoolFile>()

  constructor(place: SpoolPlace) {
    this.#place = place
  }

  /** Throws ERR_SPOOL_FORMAT, ERR_SPOOL_FLAVOR, and the system's errors. */
  async read(signal: AbortSignal): Promise<SpoolCatalog> {
    const epochs = await readEpochs(this.#place)
    const sets = new RecentSets()
    const closed = new Map<string, SpoolFile>()
    let files: SpoolFile[] = []
    let isUnbroken = true
    let newest: Newest | null = null
    for (const { record: epoch, names } of epochs) {
      for (const name of names) {
        signal.throwIfAborted()
        const path = join(epochFolder(this.#place.directory, epoch.epoch), name)
        const known = this.#closed.get(path)
        const record = known === undefined ? await this.#record(epoch, name, sets) : null
        const file = known ?? (record && fileOfRecord(record, epoch.epoch, path))
        if (file === null) {
          isUnbroken = false
          continue
        }
        if (!isUnbroken) files = []
        files.push(file)
        isUnbroken = record?.closed ?? true
        if (isUnbroken) closed.set(path, file)
        newest = { file, flavor: epoch.source.flavor, record }
      }
    }
    if (newest === null) return SpoolCatalog.empty()
    const { file, flavor, record } = newest
    // It may be taken up again, when nothing came of the file after it.
    closed.delete(file.path)
    this.#closed = closed
    // Nothing came: now its record is asked.
    if (record === null) return await this.read(signal)
    return SpoolCatalog.of({
      files,
      epochs: epochs.map(({ record: epoch }) => epoch).filter(({ epoch }) => epoch <= file.epoch),
      gtids: parseGtidSet(flavor, record.gtidsAfter),
      checksum: record.checksum,
    })
  }

  /** Null where there is none that says something. */
  async #record(
    epoch: EpochRecord,
    name: string,
    sets: RecentSets,
  ): Promise<FileIndexRecord | null> {
    const record = await readIndex({ spool: this.#place, epoch, name, sets })
    return record === null || record.bytes === 0 ? null : record
  }
}
