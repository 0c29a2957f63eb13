import { LandbridgeError } from '../base/errors.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'
import type { LogPlace } from '../binlog/log.ts'
import type { CatalogState } from './catalog-recovery.ts'
import type { EpochRecord, HeldPoint, SpoolFile } from './spool-file.ts'
import { type Lineage, newestLineage, nextEpoch } from './spool-lineage.ts'

/**
 * What bytes that come next belong to.
 *
 *     empty ──epoch begun──▶ begun ──first byte of it──▶ held ──epoch begun──▶ begun
 *       ▲                      │                          ▲                      │
 *       └──────left unused─────┘                          └─────left unused──────┘
 */
type Current =
  /** No byte is held. An epoch may have been begun before the last start. */
  | { readonly state: 'empty'; readonly epoch: EpochRecord | null }
  /** `gtids`: of all that is held. They grow with each transaction. */
  | { readonly state: 'held'; readonly epoch: EpochRecord; readonly gtids: GtidSet }
  /** `standsOn`: what the epoch begins with. Until it has a byte it may come to nothing. */
  | {
      readonly state: 'begun'
      readonly epoch: EpochRecord
      readonly standsOn: GtidSet
      readonly gtids: GtidSet | null
    }

/**
 * Which files and epochs a spool has, how far they may be read, and what they hold. In memory: the
 * disk is the business of whoever changes it, which is the writer alone.
 *
 * Invariant: everything before `end()` is synced, whole transactions, and never changes.
 */
export class SpoolCatalog {
  #files: SpoolFile[] = []
  /** By number; the newest is the one that is written to. */
  #epochs = new Map<number, EpochRecord>()
  #current: Current = { state: 'empty', epoch: null }
  #lineage: Lineage | null = null
  #checksum = false

  /** As it was found on the disk. */
  load({ files, epochs, gtids, checksum }: CatalogState): void {
    const newest = epochs.at(-1) ?? null
    this.#files = files
    this.#epochs = new Map(epochs.map((record) => [record.epoch, record]))
    this.#current =
      newest === null || gtids === null
        ? { state: 'empty', epoch: newest }
        : { state: 'held', epoch: newest, gtids }
    this.#lineage = this.#newestLineage()
    this.#checksum = checksum
  }

  /** The one that is written to. */
  get epoch(): EpochRecord | null {
    return this.#current.epoch
  }

  /** All of them, in the order in which they began. */
  epochs(): readonly EpochRecord[] {
    return [...this.#epochs.values()]
  }

  /** Of the newest byte held. */
  heldEpoch(): EpochRecord | null {
    const file = this.newestFile()
    return (file && this.#epochs.get(file.epoch)) ?? null
  }

  /** Null while no reset of the source is known: then all epochs stand on each other. */
  lineage(): Lineage | null {
    return this.#lineage
  }

  /** Files with something to serve, oldest first: those of the newest lineage. */
  files(): readonly SpoolFile[] {
    const from = this.#lineage?.epoch ?? 0
    return this.#files.filter((file) => file.bytes > 0 && file.epoch >= from)
  }

  /** The one in which what is held ends. */
  newestFile(): SpoolFile | undefined {
    return this.#files.findLast((file) => file.bytes > 0)
  }

  /** The newest one, be it without a boundary. */
  lastFile(): SpoolFile | undefined {
    return this.#files.at(-1)
  }

  /** Also those of lineages that a reset of the source ended: kept, but not served. */
  storedFiles(): readonly SpoolFile[] {
    return this.#files.filter((file) => file.bytes > 0)
  }

  /** Files that were begun and have no synced boundary yet: at most the newest few. */
  unpublishedFiles(): readonly SpoolFile[] {
    return this.#files.filter((file) => file.bytes === 0)
  }

  /** The oldest one at or behind a place in the order of files. */
  fileFrom(ordinal: number): SpoolFile | undefined {
    return this.#files.find((file) => file.ordinal >= ordinal)
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0)
  }

  /** Whether events behind the last file's end carry a CRC32. */
  get checksum(): boolean {
    return this.#checksum
  }

  end(): LogPlace | null {
    const file = this.newestFile()
    return file === undefined ? null : { ordinal: file.ordinal, offset: file.bytes }
  }

  held(): HeldPoint | null {
    const file = this.newestFile()
    // A newer epoch may have begun without a boundary yet: then the older one's end is held.
    const epoch = this.heldEpoch()
    if (file === undefined || epoch === null) return null
    return {
      epoch: epoch.epoch,
      source: epoch.source,
      file: file.name,
      offset: file.bytes,
      complete: file.complete,
      gtids: this.gtids(),
      firstTimestamp: file.firstTimestamp,
      // A session may set the time of its events back; when the file was begun it cannot.
      lastTimestamp: Math.max(file.firstTimestamp, file.lastTimestamp),
    }
  }

  readableBytes(ordinal: number): number {
    return this.#files.find((candidate) => candidate.ordinal === ordinal)?.bytes ?? 0
  }

  /** What is published at this moment; it changes with the next transaction. Not to be changed. */
  gtidSet(): GtidSet | null {
    return this.#current.state === 'empty' ? null : this.#current.gtids
  }

  gtids(): string {
    return this.gtidSet()?.toString() ?? ''
  }

  /** What the next file of the current epoch begins with. */
  gtidsToStandOn(): string {
    return this.#current.state === 'begun' ? this.#current.standsOn.toString() : this.gtids()
  }

  gtidsBeforeEpoch(epoch: number): string {
    return this.#epochs.get(epoch)?.gtidsBefore ?? ''
  }

  purgedGtids(): string {
    return this.files()[0]?.gtidsBefore ?? this.gtids()
  }

  nextEpoch(): number {
    return nextEpoch([...this.#epochs.keys()], this.#files)
  }

  /** Its record is on the disk. */
  beginEpoch(epoch: EpochRecord, standsOn: GtidSet): void {
    this.#epochs.set(epoch.epoch, epoch)
    this.#current = { state: 'begun', epoch, standsOn, gtids: this.gtidSet() }
  }

  /** What the server of the current epoch says of itself has changed. */
  renewEpoch(epoch: EpochRecord): void {
    this.#epochs.set(epoch.epoch, epoch)
    this.#current = { ...this.#current, epoch }
  }

  /** Goes back to the epoch of the last byte held: a newer one that got none counts for nothing. */
  leaveUnusedEpoch(): void {
    const epoch = this.heldEpoch()
    const gtids = this.gtidSet()
    this.#current =
      epoch === null || gtids === null
        ? { state: 'empty', epoch: null }
        : { state: 'held', epoch, gtids }
  }

  /** Throws ERR_SPOOL_FILE_EXISTS. */
  addFile(name: string, create: (ordinal: number, epoch: EpochRecord) => SpoolFile): SpoolFile {
    const { epoch } = this.#current
    if (epoch === null) throw new TypeError('a file needs an epoch')
    if (this.#files.some((file) => file.epoch === epoch.epoch && file.name === name)) {
      throw new LandbridgeError('ERR_SPOOL_FILE_EXISTS', `${name} is already in this epoch`)
    }
    const file = create((this.#files.at(-1)?.ordinal ?? 0) + 1, epoch)
    this.#files.push(file)
    return file
  }

  /** Of a file that never got a synced boundary, or was removed. */
  dropFile(file: SpoolFile): void {
    this.#files = this.#files.filter((candidate) => candidate !== file)
  }

  /** `file` is synced up to `bytes`, a transaction boundary; `apply` adds what that holds more. */
  publish(
    file: SpoolFile,
    bytes: number,
    checksum: boolean,
    apply: (gtids: GtidSet) => void,
  ): void {
    file.bytes = bytes
    // Before a new epoch has a boundary it has no transaction either.
    if (bytes === 0) return
    const current = this.#current
    if (current.state === 'begun' && current.epoch.epoch === file.epoch) {
      this.#current = { state: 'held', epoch: current.epoch, gtids: current.standsOn }
      this.#lineage = this.#newestLineage()
    }
    const gtids = this.gtidSet()
    if (gtids === null) throw new TypeError('publishing needs an epoch')
    // What a file's first event says counts once that event is held.
    this.#checksum = checksum
    apply(gtids)
  }

  #newestLineage(): Lineage | null {
    return newestLineage(this.#epochs.values(), this.newestFile()?.epoch ?? 0)
  }
}
