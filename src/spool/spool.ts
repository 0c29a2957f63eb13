import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { type Disk, type ReadableFile, realDisk } from '../base/disk.ts'
import type { Log } from '../base/log.ts'
import { type GtidSet, parseGtidSet } from '../binlog/gtid-set.ts'
import { type BinaryLog, isPast, type LogPlace } from '../binlog/log.ts'
import { type FileEnd, loadCatalog } from './catalog-recovery.ts'
import { diskFailure } from './disk-failure.ts'
import { FencedDisk } from './fenced-disk.ts'
import { FileRemoval } from './file-removal.ts'
import { IndexRecords } from './index-records.ts'
import type { HeldBack, RetentionPolicy } from './retention.ts'
import { SpoolCatalog } from './spool-catalog.ts'
import { SpoolClaims } from './spool-claims.ts'
import {
  beginFile,
  type EpochRecord,
  type EpochSource,
  type HeldPoint,
  indexPath,
  type SpoolFile,
} from './spool-file.ts'
import { refuseOtherFlavor } from './spool-flavor.ts'
import type { EpochBeginning, Lineage } from './spool-lineage.ts'
import { type KnownSpool, refuseAbsent } from './spool-presence.ts'
import { writeEpoch } from './spool-records.ts'
import { SpoolRetention } from './spool-retention.ts'
import { StoredReaders } from './stored-readers.ts'
import { type Tolerate, tolerating } from './tolerate.ts'

export interface SpoolOptions {
  readonly directory: string
  readonly retention: RetentionPolicy
  readonly clock: Clock
  readonly log: Log
  /** Where the files are; default: the real one. */
  readonly disk?: Disk
  /** A checkpoint every so many bytes bounds what recovery must scan. */
  readonly checkpointBytes?: number
}

const CLAIMS_FILE = 'replicas.json'
const CHECKPOINT_BYTES = 64 * 1024 * 1024

/**
 * The stored files of one stream: which there are, how far they may be served, what they hold.
 * Readers (relay, streamer) look here; the single writer (SpoolWriter) publishes into it.
 *
 * Invariant: everything before `end()` is synced, whole transactions, and never changes.
 */
export class Spool implements BinaryLog {
  readonly directory: string
  /** Changes something only while this process has the lock of the folder. */
  readonly disk: FencedDisk
  readonly claims: SpoolClaims
  readonly #options: SpoolOptions
  readonly #tolerate: Tolerate
  readonly #published = new Condition()
  readonly #catalog = new SpoolCatalog()
  readonly #records: IndexRecords
  readonly #readers = new StoredReaders()
  readonly #removal: FileRemoval
  readonly #retention: SpoolRetention

  constructor(options: SpoolOptions) {
    this.directory = options.directory
    this.disk = new FencedDisk(options.directory, options.disk ?? realDisk)
    this.#options = options
    this.#tolerate = tolerating(options.log)
    this.#records = new IndexRecords({ directory: options.directory, disk: this.disk })
    this.#removal = new FileRemoval({
      disk: this.disk,
      records: this.#records,
      pathOfRecord: ({ epoch, name }) => indexPath(options.directory, epoch, name),
      record: (file) => this.#record(file),
      removed: async (file) => {
        this.dropFile(file)
        await this.#readers.end(file.path)
      },
      tolerate: this.#tolerate,
    })
    this.claims = new SpoolClaims({
      ...options,
      path: join(options.directory, CLAIMS_FILE),
      disk: this.disk,
      ageMsMax: options.retention.replicaAgeMsMax ?? Number.POSITIVE_INFINITY,
      catalog: this.#catalog,
    })
    this.#retention = new SpoolRetention({
      ...options,
      policy: options.retention,
      catalog: this.#catalog,
      claims: this.claims,
      removal: this.#removal,
    })
  }

  /**
   * Takes the lock, recovers. Throws ERR_SPOOL_LOCKED, ERR_SPOOL_FORMAT, ERR_SPOOL_FLAVOR; and
   * ERR_SPOOL_ABSENT where it is not the one that is `known`.
   */
  async load(signal: AbortSignal, known: KnownSpool | null = null): Promise<void> {
    if (known !== null) await refuseAbsent(this, known)
    await this.disk.lock()
    try {
      await this.#read(signal)
    } catch (error) {
      // The next attempt must not find the lock held by ourselves.
      await this.disk.unlock()
      throw error
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const state = await loadCatalog(this, signal)
    this.#catalog.load(state)
    await this.claims.load(state.epochs.length === 0)
    await this.claims.trySave()
    this.#records.load(state)
    await this.#removal.completeRecords(this.storedFiles()[0])
    if (state.droppedBytes > 0) {
      this.#options.log.info(
        { droppedBytes: state.droppedBytes, file: state.files.at(-1)?.name },
        'cut the spool back to its last whole transaction',
      )
    }
  }

  async close(): Promise<void> {
    if (!this.disk.isLocked) return
    const last = this.#catalog.lastFile()
    if (last !== undefined) await this.#checkpoint(last)
    await this.#tolerate('save who needs what', async () => await this.claims.close())
    await this.#tolerate('give back the lock', async () => await this.disk.unlock())
  }

  identity(): EpochSource | null {
    return this.#catalog.epoch?.source ?? null
  }

  get epoch(): EpochRecord | null {
    return this.#catalog.epoch
  }

  /** Of the newest byte held. */
  heldEpoch(): EpochRecord | null {
    return this.#catalog.heldEpoch()
  }

  lineage(): Lineage | null {
    return this.#catalog.lineage()
  }

  files(): readonly SpoolFile[] {
    return this.#catalog.files()
  }

  newestFile(): SpoolFile | undefined {
    return this.#catalog.newestFile()
  }

  storedFiles(): readonly SpoolFile[] {
    return this.#catalog.storedFiles()
  }

  unpublishedFiles(): readonly SpoolFile[] {
    return this.#catalog.unpublishedFiles()
  }

  get bytes(): number {
    return this.#catalog.bytes
  }

  get checksum(): boolean {
    return this.#catalog.checksum
  }

  end(): LogPlace | null {
    return this.#catalog.end()
  }

  held(): HeldPoint | null {
    return this.#catalog.held()
  }

  readableBytes(file: { readonly ordinal: number }): number {
    return this.#catalog.readableBytes(file.ordinal)
  }

  /** What is published at this moment; it changes with the next transaction. Not to be changed. */
  gtidSet(): GtidSet | null {
    return this.#catalog.gtidSet()
  }

  gtids(): string {
    return this.#catalog.gtids()
  }

  gtidsToStandOn(): string {
    return this.#catalog.gtidsToStandOn()
  }

  gtidsBeforeEpoch(epoch: number): string {
    return this.#catalog.gtidsBeforeEpoch(epoch)
  }

  purgedGtids(): string {
    return this.#catalog.purgedGtids()
  }

  /** Retention that removes `file` closes it: reading on throws ERR_SPOOL_REMOVED, as this does. */
  async open(file: { readonly path: string }): Promise<ReadableFile> {
    return await this.#readers.open(file.path, this.disk)
  }

  async waitPast(position: LogPlace, options: { readonly signal: AbortSignal }): Promise<void> {
    while (!isPast(this.end(), position)) await this.#published.wait(options)
  }

  /** Throws ERR_SPOOL_FLAVOR. */
  async beginEpoch(beginning: EpochBeginning): Promise<void> {
    const { source, gtidsBefore, breaksLineage } = beginning
    const number = this.#catalog.nextEpoch()
    const others = this.#catalog.epochs().filter(({ epoch }) => epoch !== number)
    refuseOtherFlavor(this.directory, others, source.flavor)
    const gtids =
      (breaksLineage ? null : this.gtidSet())?.clone() ?? parseGtidSet(source.flavor, '')
    gtids.addSet(parseGtidSet(source.flavor, gtidsBefore))
    const record: EpochRecord = {
      format: 1,
      epoch: number,
      ...beginning,
      startedAtMs: this.#options.clock.wallMs(),
    }
    try {
      await writeEpoch(this, record)
    } catch (error) {
      throw await diskFailure(this, error)
    }
    this.#catalog.beginEpoch(record, gtids)
  }

  /** The same lineage goes on; its server may have moved to another version. */
  async renewSource(source: EpochSource): Promise<void> {
    const { epoch } = this.#catalog
    if (epoch !== null) refuseOtherFlavor(this.directory, [epoch], source.flavor)
    if (epoch === null || epoch.source.serverVersion === source.serverVersion) return
    const record: EpochRecord = { ...epoch, source }
    this.#catalog.renewEpoch(record)
    // Only people and greetings read it: a disk that is full must not hold up the stream.
    await this.#tolerate('save the new version of the source', async () => {
      await writeEpoch(this, record)
    })
  }

  /** Goes back to the epoch of the last byte held: a newer one that got none counts for nothing. */
  leaveUnusedEpoch(): void {
    this.#catalog.leaveUnusedEpoch()
  }

  /** Adds the next file of the current epoch; the writer creates it on disk. */
  addFile(name: string): SpoolFile {
    const gtidsBefore = this.gtidsToStandOn()
    return this.#catalog.addFile(name, (ordinal, { epoch }) =>
      beginFile(this.directory, { ordinal, epoch, name, gtidsBefore }),
    )
  }

  /** Of a file that never got a synced boundary, or was removed. */
  dropFile(file: SpoolFile): void {
    this.#catalog.dropFile(file)
  }

  /** The writer's word that `file` is synced up to `bytes`, a transaction boundary. */
  publish(
    file: SpoolFile,
    bytes: number,
    checksum: boolean,
    apply: (gtids: GtidSet) => void,
  ): void {
    this.#records.reopen(file)
    this.#catalog.publish(file, bytes, checksum, apply)
    this.#published.notifyAll()
  }

  /** Saves what recovery would have to scan again. A failure costs only that. */
  async checkpoint(file: SpoolFile): Promise<void> {
    const everyBytes = this.#options.checkpointBytes ?? CHECKPOINT_BYTES
    if (this.#records.bytesBehind(file) >= everyBytes) await this.#checkpoint(file)
  }

  async closeFile(file: SpoolFile): Promise<void> {
    await this.#records.close(file, this.#end())
  }

  /** Removes what the policy lets go; returns what was removed. Needs no room on the disk. */
  async applyRetention(): Promise<readonly SpoolFile[]> {
    return await this.#retention.apply()
  }

  /** What retention would remove, were it not of before a reset of the source. */
  heldBack(): HeldBack | null {
    return this.#retention.heldBack()
  }

  /** False where `file` has no record and none can be written. */
  async #record(file: SpoolFile): Promise<boolean> {
    if (file === this.newestFile()) await this.#checkpoint(file)
    return this.#records.has(file)
  }

  async #checkpoint(file: SpoolFile): Promise<void> {
    await this.#tolerate('write a checkpoint', async () => {
      await this.#records.checkpoint(file, () => this.#end())
    })
  }

  #end(): FileEnd {
    return { gtidsAfter: this.gtids(), checksum: this.checksum }
  }
}
