import { join } from 'node:path'
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

/** A file by its record, which its writer made once all in it was synced. */
interface RecordedFile {
  readonly file: SpoolFile
  readonly epoch: EpochRecord
  readonly record: FileIndexRecord
}

/**
 * What a spool holds for certain, by its records alone: nothing is locked, scanned or mended, so
 * that another process may write there meanwhile. Of the newest file that is as much as its last
 * record covers. Where a file has no record, what is before it is left out: there may be a hole.
 */
export class StoredCatalog {
  readonly #place: SpoolPlace
  /** Records of closed files, which do not change any more, by path. */
  #closed = new Map<string, RecordedFile>()

  constructor(place: SpoolPlace) {
    this.#place = place
  }

  /** Throws ERR_SPOOL_FORMAT, ERR_SPOOL_FLAVOR, and the system's errors. */
  async read(signal: AbortSignal): Promise<SpoolCatalog> {
    const epochs = await readEpochs(this.#place)
    const sets = new RecentSets()
    const closed = new Map<string, RecordedFile>()
    let run: RecordedFile[] = []
    let isUnbroken = true
    for (const { record: epoch, names } of epochs) {
      for (const name of names) {
        signal.throwIfAborted()
        const path = join(epochFolder(this.#place.directory, epoch.epoch), name)
        const known = this.#closed.get(path) ?? (await this.#recorded(epoch, name, path, sets))
        if (known !== null && !isUnbroken) run = []
        if (known !== null) run.push(known)
        isUnbroken = known?.record.closed ?? false
        if (known?.record.closed) closed.set(path, known)
      }
    }
    const newest = run.at(-1)
    if (newest === undefined) return SpoolCatalog.empty
    // It may be taken up again, when nothing came of the file after it.
    closed.delete(newest.file.path)
    this.#closed = closed
    const { flavor } = newest.epoch.source
    return SpoolCatalog.of({
      files: run.map(({ file }) => file),
      epochs: epochs.map(({ record }) => record).filter(({ epoch }) => epoch <= newest.file.epoch),
      gtids: parseGtidSet(flavor, newest.record.gtidsAfter),
      checksum: newest.record.checksum,
    })
  }

  async #recorded(
    epoch: EpochRecord,
    name: string,
    path: string,
    sets: RecentSets,
  ): Promise<RecordedFile | null> {
    const record = await readIndex({ spool: this.#place, epoch, name, sets })
    if (record === null || record.bytes === 0) return null
    return { file: fileOfRecord(record, epoch.epoch, path), epoch, record }
  }
}
