import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { type Disk, realDisk } from '../base/disk.ts'
import type { Log } from '../base/log.ts'
import { parseGtidSet } from '../binlog/gtid-set.ts'
import { type ClosedEnd, loadCatalog } from './catalog-recovery.ts'
import { diskFailure } from './disk-failure.ts'
import { FencedDisk } from './fenced-disk.ts'
import { FileRemoval } from './file-removal.ts'
import { IndexRecords } from './index-records.ts'
import type { HeldBack, RetentionPolicy } from './retention.ts'
import { Spool } from './spool.ts'
import { type Publication, SpoolCatalog } from './spool-catalog.ts'
import { SpoolClaims } from './spool-claims.ts'
import { FolderFence, type SpoolFence } from './spool-fence.ts'
import {
  beginFile,
  type EpochRecord,
  type EpochSource,
  indexPath,
  type SpoolFile,
} from './spool-file.ts'
import { refuseOtherFlavor } from './spool-flavor.ts'
import type { EpochBeginning } from './spool-lineage.ts'
import { type KnownSpool, refuseAbsent } from './spool-presence.ts'
import { writeEpoch } from './spool-records.ts'
import { SpoolRetention } from './spool-retention.ts'
import { type Tolerate, tolerating } from './tolerate.ts'

export interface SpoolStoreOptions {
  readonly directory: string
  readonly retention: RetentionPolicy
  readonly clock: Clock
  readonly log: Log
  /** Where the files are; default: the real one. */
  readonly disk?: Disk
  /** What makes this the only writer; default: the lock on the folder. */
  readonly fence?: SpoolFence
  /** A checkpoint every so many bytes bounds what recovery must scan. */
  readonly checkpointBytes?: number
}

const CLAIMS_FILE = 'replicas.json'
const CHECKPOINT_BYTES = 64 * 1024 * 1024

/**
 * The stored files of one stream, for their one writer: every change of the catalog, with what
 * belongs to it on the disk. Others get `spool`, its reading half.
 *
 * Owner of the catalog: it is replaced as a whole, once what it says is on the disk.
 */
export class SpoolStore {
  readonly directory: string
  /** Changes something only while this process has the fence. */
  readonly disk: FencedDisk
  readonly fence: SpoolFence
  readonly spool: Spool
  readonly #options: SpoolStoreOptions
  readonly #tolerate: Tolerate
  readonly #shown: { now: SpoolCatalog; readonly replaced: Condition }
  readonly #records: IndexRecords
  readonly #removal: FileRemoval
  readonly #retention: SpoolRetention

  constructor(options: SpoolStoreOptions) {
    const { directory, disk = realDisk, log } = options
    this.directory = directory
    this.fence = options.fence ?? new FolderFence(directory, disk)
    this.disk = new FencedDisk(disk, this.fence)
    this.#options = options
    this.#shown = { now: SpoolCatalog.empty(), replaced: new Condition() }
    this.#tolerate = tolerating(log)
    this.#records = new IndexRecords(this)
    const claims = this.#createClaims()
    this.spool = new Spool(directory, this.disk, this.#shown, claims)
    this.#removal = this.#createRemoval()
    this.#retention = new SpoolRetention({
      ...options,
      policy: options.retention,
      catalog: () => this.catalog,
      claims,
      removal: this.#removal,
    })
  }

  get catalog(): SpoolCatalog {
    return this.#shown.now
  }

  /**
   * Takes the fence, recovers. Throws ERR_SPOOL_LOCKED, ERR_SPOOL_FORMAT, ERR_SPOOL_FLAVOR; and
   * ERR_SPOOL_ABSENT where it is not the one that is `known`.
   */
  async open(signal: AbortSignal, known: KnownSpool | null = null): Promise<void> {
    if (known !== null) await refuseAbsent(this, known)
    await this.fence.acquire()
    try {
      await this.#recover(signal)
    } catch (error) {
      // The next attempt must not find the lock held by ourselves.
      await this.fence.release()
      throw error
    }
  }

  async #recover(signal: AbortSignal): Promise<void> {
    const state = await loadCatalog(this, signal)
    this.#show(SpoolCatalog.of(state))
    await this.spool.claims.load(state.epochs.length === 0)
    await this.spool.claims.trySave()
    this.#records.load(state)
    await this.#removal.completeRecords(this.catalog.storedFiles()[0])
    if (state.droppedBytes > 0) {
      this.#options.log.info(
        { droppedBytes: state.droppedBytes, file: state.files.at(-1)?.name },
        'cut the spool back to its last whole transaction',
      )
    }
  }

  /** Of one that is open. */
  async close(): Promise<void> {
    const newest = this.catalog.newestFile()
    if (newest !== undefined) await this.#checkpoint(newest)
    await this.#tolerate('save who needs what', async () => await this.spool.claims.close())
    await this.#tolerate('give back the lock', async () => await this.fence.release())
  }

  /** Throws ERR_SPOOL_FLAVOR. */
  async beginEpoch(beginning: EpochBeginning): Promise<void> {
    const { source, gtidsBefore, breaksLineage } = beginning
    const { catalog } = this
    const number = catalog.nextEpoch()
    const others = catalog.epochs().filter(({ epoch }) => epoch !== number)
    refuseOtherFlavor(this.directory, others, source.flavor)
    const gtids =
      (breaksLineage ? null : catalog.gtidSet())?.clone() ?? parseGtidSet(source.flavor, '')
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
    this.#show(this.catalog.withEpoch(record, gtids))
  }

  /** The same lineage goes on; its server may have moved to another version. */
  async renewSource(source: EpochSource): Promise<void> {
    const { epoch } = this.catalog
    if (epoch !== null) refuseOtherFlavor(this.directory, [epoch], source.flavor)
    if (epoch === null || epoch.source.serverVersion === source.serverVersion) return
    const record: EpochRecord = { ...epoch, source }
    this.#show(this.catalog.withRenewedEpoch(record))
    // Only people and greetings read it: a disk that is full must not hold up the stream.
    await this.#tolerate('save the new version of the source', async () => {
      await writeEpoch(this, record)
    })
  }

  /** Goes back to the epoch of the last byte held: a newer one that got none counts for nothing. */
  leaveUnusedEpoch(): void {
    this.#show(this.catalog.withoutUnusedEpoch())
  }

  /** Adds the next file of the current epoch; the writer creates it on disk. */
  addFile(name: string): SpoolFile {
    const gtidsBefore = this.catalog.gtidsToStandOn()
    const { catalog, file } = this.catalog.withFile(name, (ordinal, { epoch }) =>
      beginFile(this.directory, { ordinal, epoch, name, gtidsBefore }),
    )
    this.#show(catalog)
    return file
  }

  /** Everything before a file that was begun is synced now. */
  settleFile({ ordinal }: SpoolFile): void {
    const { catalog } = this
    this.#show(catalog.withFileStandingOn(ordinal, catalog.gtidsToStandOn()))
  }

  /** Of a file that never got a synced boundary, or was removed. */
  dropFile(file: SpoolFile): void {
    this.#show(this.catalog.withoutFile(file))
  }

  /** The writer's word that a file is synced so far. Returns it. */
  publish(publication: Publication): SpoolFile | undefined {
    this.#records.reopen(publication.ordinal)
    this.#show(this.catalog.published(publication))
    return this.catalog.fileOf(publication.ordinal)
  }

  /** Saves what recovery would have to scan again. A failure costs only that. */
  async checkpoint(file: SpoolFile): Promise<void> {
    const everyBytes = this.#options.checkpointBytes ?? CHECKPOINT_BYTES
    if (this.#records.bytesBehind(file) >= everyBytes) await this.#checkpoint(file)
  }

  /** Of the newest file, when the next one begins. */
  async closeNewest(): Promise<void> {
    const end = this.#newestEnd()
    if (end !== null) await this.#records.close(end)
  }

  /** Removes what the policy lets go; returns what was removed. Needs no room on the disk. */
  async applyRetention(): Promise<readonly SpoolFile[]> {
    return await this.#retention.apply()
  }

  /** What retention would remove, were it not of before a reset of the source. */
  heldBack(): HeldBack | null {
    return this.#retention.heldBack()
  }

  #show(catalog: SpoolCatalog): void {
    this.#shown.now = catalog
    this.#shown.replaced.notifyAll()
  }

  #newestEnd(): ClosedEnd | null {
    const { catalog } = this
    const file = catalog.newestFile()
    if (file === undefined) return null
    return { file, gtidsAfter: catalog.gtids(), checksum: catalog.checksum }
  }

  async #checkpoint(file: SpoolFile): Promise<void> {
    await this.#tolerate('write a checkpoint', async () => {
      await this.#records.checkpoint(file, () => this.#newestEnd())
    })
  }

  /** False where `file` has no record and none can be written. */
  async #record(file: SpoolFile): Promise<boolean> {
    if (file.ordinal === this.catalog.newestFile()?.ordinal) await this.#checkpoint(file)
    return this.#records.has(file)
  }

  #createClaims(): SpoolClaims {
    const { directory, retention, clock, log } = this.#options
    return new SpoolClaims({
      path: join(directory, CLAIMS_FILE),
      disk: this.disk,
      clock,
      log,
      ageMsMax: retention.replicaAgeMsMax ?? Number.POSITIVE_INFINITY,
      catalog: () => this.catalog,
    })
  }

  #createRemoval(): FileRemoval {
    return new FileRemoval({
      disk: this.disk,
      records: this.#records,
      pathOfRecord: ({ epoch, name }) => indexPath(this.directory, epoch, name),
      record: (file) => this.#record(file),
      removed: async (file) => {
        this.dropFile(file)
        await this.spool.endReading(file.path)
      },
      tolerate: this.#tolerate,
    })
  }
}
