import type { Condition } from '../base/condition.ts'
import type { Disk, ReadableFile } from '../base/disk.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'
import { type BinaryLog, isPast, type LogPlace } from '../binlog/log.ts'
import type { SpoolCatalog } from './spool-catalog.ts'
import type { EpochRecord, EpochSource, HeldPoint, SpoolFile } from './spool-file.ts'
import type { Lineage } from './spool-lineage.ts'
import { StoredReaders } from './stored-readers.ts'

/** What can be read now. Whoever keeps it replaces it. */
export interface ShownCatalog {
  readonly now: SpoolCatalog
  /** It was replaced. */
  readonly replaced: Condition
}

/**
 * The reading half of a spool: needs no lock, and changes nothing. Each answer is of one catalog,
 * which never changes, so that nobody sees half of a change.
 */
export class SpoolReader implements BinaryLog {
  readonly directory: string
  readonly #disk: Disk
  readonly #shown: ShownCatalog
  readonly #readers = new StoredReaders()

  constructor(directory: string, disk: Disk, shown: ShownCatalog) {
    this.directory = directory
    this.#disk = disk
    this.#shown = shown
  }

  /** As it is now: for several questions that belong together. */
  catalog(): SpoolCatalog {
    return this.#shown.now
  }

  identity(): EpochSource | null {
    return this.epoch?.source ?? null
  }

  /** The one that is written to. */
  get epoch(): EpochRecord | null {
    return this.catalog().epoch
  }

  /** Of the newest byte held. */
  heldEpoch(): EpochRecord | null {
    return this.catalog().heldEpoch()
  }

  lineage(): Lineage | null {
    return this.catalog().lineage()
  }

  files(): readonly SpoolFile[] {
    return this.catalog().files()
  }

  newestFile(): SpoolFile | undefined {
    return this.catalog().newestFile()
  }

  /** Also those of lineages that a reset of the source ended: kept, but not served. */
  storedFiles(): readonly SpoolFile[] {
    return this.catalog().storedFiles()
  }

  get bytes(): number {
    return this.catalog().bytes
  }

  end(): LogPlace | null {
    return this.catalog().end()
  }

  held(): HeldPoint | null {
    return this.catalog().held()
  }

  readableBytes({ ordinal }: { readonly ordinal: number }): number {
    return this.catalog().readableBytes(ordinal)
  }

  /** What is held at this moment; it changes with the next transaction. Not to be changed. */
  gtidSet(): GtidSet | null {
    return this.catalog().gtidSet()
  }

  gtids(): string {
    return this.catalog().gtids()
  }

  gtidsBeforeEpoch(epoch: number): string {
    return this.catalog().gtidsBeforeEpoch(epoch)
  }

  purgedGtids(): string {
    return this.catalog().purgedGtids()
  }

  /** Retention that removes `file` closes it: reading on throws ERR_SPOOL_REMOVED, as this does. */
  async open(file: { readonly path: string }): Promise<ReadableFile> {
    return await this.#readers.open(file.path, this.#disk)
  }

  /** Settles when nobody reads `path` through this any more. */
  async endReading(path: string): Promise<void> {
    await this.#readers.end(path)
  }

  async waitPast(place: LogPlace, options: { readonly signal: AbortSignal }): Promise<void> {
    while (!isPast(this.end(), place)) await this.#shown.replaced.wait(options)
  }
}
