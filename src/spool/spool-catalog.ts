import { LandbridgeError } from '../base/errors.ts'
import type { GtidRuns } from '../binlog/gtid-runs.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'
import type { LogPlace } from '../binlog/log.ts'
import type { CatalogState } from './catalog-recovery.ts'
import { HeldGtids } from './held-gtids.ts'
import type { EpochRecord, FileFigures, HeldPoint, SpoolFile } from './spool-file.ts'
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
  /** `gtids`: of all that is held. */
  | { readonly state: 'held'; readonly epoch: EpochRecord; readonly gtids: HeldGtids }
  /** `standsOn`: what the epoch begins with. Until it has a byte it may come to nothing. */
  | {
      readonly state: 'begun'
      readonly epoch: EpochRecord
      readonly standsOn: HeldGtids
      readonly gtids: HeldGtids | null
    }

interface Content {
  readonly current: Current
  /** By number; the newest is the one that is written to. */
  readonly epochs: ReadonlyMap<number, EpochRecord>
  /** With something to serve, oldest first, but for the newest of them. */
  readonly older: readonly SpoolFile[]
  readonly olderBytes: number
  /** The one in which what is held ends. */
  readonly newest: SpoolFile | null
  /** Begun, without a synced boundary yet: at most the newest few. */
  readonly begun: readonly SpoolFile[]
  readonly checksum: boolean
}

const NOTHING: Content = {
  current: { state: 'empty', epoch: null },
  epochs: new Map(),
  older: [],
  olderBytes: 0,
  newest: null,
  begun: [],
  checksum: false,
}

/** A sync that went well. */
export interface Publication {
  readonly ordinal: number
  /** `bytes`: a transaction boundary, synced. */
  readonly figures: FileFigures
  /** Whether events behind it carry a CRC32. */
  readonly checksum: boolean
  /** What is held more. */
  readonly gtids: readonly GtidRuns[]
}

/**
 * Which files and epochs a spool has, how far they may be read, and what they hold, at one moment.
 * It never changes: a change makes another catalog, which shares with this one all that stays, so
 * that a sync costs the same however many files there are.
 *
 * Invariant: everything before `end()` is synced, whole transactions, and never changes.
 */
export class SpoolCatalog {
  readonly #content: Content
  /** Null while no reset of the source is known: then all epochs stand on each other. */
  readonly #lineage: Lineage | null
  #stored: readonly SpoolFile[] | null = null
  #files: readonly SpoolFile[] | null = null

  private constructor(content: Content, lineage: Lineage | null) {
    this.#content = content
    this.#lineage = lineage
  }

  static empty(): SpoolCatalog {
    return new SpoolCatalog(NOTHING, null)
  }

  /** As it was found on the disk. */
  static of(found: Pick<CatalogState, 'files' | 'epochs' | 'gtids' | 'checksum'>): SpoolCatalog {
    const { files, epochs, gtids, checksum } = found
    const epoch = epochs.at(-1) ?? null
    const stored = files.filter(({ bytes }) => bytes > 0)
    const newest = stored.at(-1) ?? null
    const older = stored.slice(0, -1)
    const content: Content = {
      current:
        epoch === null || gtids === null
          ? { state: 'empty', epoch }
          : { state: 'held', epoch, gtids: HeldGtids.of(gtids) },
      epochs: new Map(epochs.map((record) => [record.epoch, record])),
      older,
      olderBytes: older.reduce((sum, { bytes }) => sum + bytes, 0),
      newest,
      begun: [],
      checksum,
    }
    return new SpoolCatalog(content, newestLineage(epochs, newest?.epoch ?? 0))
  }

  /** The one that is written to. */
  get epoch(): EpochRecord | null {
    return this.#content.current.epoch
  }

  /** All of them, in the order in which they began. */
  epochs(): readonly EpochRecord[] {
    return [...this.#content.epochs.values()]
  }

  /** Of the newest byte held. */
  heldEpoch(): EpochRecord | null {
    const { newest, epochs } = this.#content
    return (newest && epochs.get(newest.epoch)) ?? null
  }

  lineage(): Lineage | null {
    return this.#lineage
  }

  /** Files with something to serve, oldest first: those of the newest lineage. */
  files(): readonly SpoolFile[] {
    const from = this.#lineage?.epoch ?? 0
    this.#files ??= this.storedFiles().filter(({ epoch }) => epoch >= from)
    return this.#files
  }

  newestFile(): SpoolFile | undefined {
    return this.#content.newest ?? undefined
  }

  /** Also those of lineages that a reset of the source ended: kept, but not served. */
  storedFiles(): readonly SpoolFile[] {
    const { older, newest } = this.#content
    this.#stored ??= newest === null ? [] : [...older, newest]
    return this.#stored
  }

  /** Files that were begun and have no synced boundary yet. */
  unpublishedFiles(): readonly SpoolFile[] {
    return this.#content.begun
  }

  /** The oldest one at or behind a place in the order of files. */
  fileFrom(ordinal: number): SpoolFile | undefined {
    const { older, newest, begun } = this.#content
    const at = placeFrom(older, ordinal)
    return (
      older[at] ??
      [newest, ...begun].find((file) => file !== null && file.ordinal >= ordinal) ??
      undefined
    )
  }

  fileOf(ordinal: number): SpoolFile | undefined {
    const file = this.fileFrom(ordinal)
    return file?.ordinal === ordinal ? file : undefined
  }

  get bytes(): number {
    const { olderBytes, newest } = this.#content
    return olderBytes + (newest?.bytes ?? 0)
  }

  /** Whether events behind the last file's end carry a CRC32. */
  get checksum(): boolean {
    return this.#content.checksum
  }

  end(): LogPlace | null {
    const { newest } = this.#content
    return newest === null ? null : { ordinal: newest.ordinal, offset: newest.bytes }
  }

  held(): HeldPoint | null {
    const { newest } = this.#content
    // A newer epoch may have begun without a boundary yet: then the older one's end is held.
    const epoch = this.heldEpoch()
    if (newest === null || epoch === null) return null
    return {
      epoch: epoch.epoch,
      source: epoch.source,
      file: newest.name,
      offset: newest.bytes,
      complete: newest.complete,
      gtids: this.gtids(),
      firstTimestamp: newest.firstTimestamp,
      // A session may set the time of its events back; when the file was begun it cannot.
      lastTimestamp: Math.max(newest.firstTimestamp, newest.lastTimestamp),
    }
  }

  readableBytes(ordinal: number): number {
    return this.fileOf(ordinal)?.bytes ?? 0
  }

  /** To be read at once, and not to be changed: a later catalog may change it. */
  gtidSet(): GtidSet | null {
    return this.#gtids()?.now() ?? null
  }

  gtids(): string {
    return this.#gtids()?.toString() ?? ''
  }

  #gtids(): HeldGtids | null {
    const { current } = this.#content
    return current.state === 'empty' ? null : current.gtids
  }

  /** What the next file of the current epoch begins with. */
  gtidsToStandOn(): string {
    const { current } = this.#content
    return current.state === 'begun' ? current.standsOn.toString() : this.gtids()
  }

  gtidsBeforeEpoch(epoch: number): string {
    return this.#content.epochs.get(epoch)?.gtidsBefore ?? ''
  }

  purgedGtids(): string {
    return this.files()[0]?.gtidsBefore ?? this.gtids()
  }

  nextEpoch(): number {
    const { epochs, begun } = this.#content
    return nextEpoch([...epochs.keys()], [...this.storedFiles(), ...begun])
  }

  /** Its record is on the disk. Takes `standsOn` over. */
  withEpoch(epoch: EpochRecord, standsOn: GtidSet): SpoolCatalog {
    const gtids = this.#gtids()
    return this.#with({
      epochs: new Map([...this.#content.epochs, [epoch.epoch, epoch]]),
      current: { state: 'begun', epoch, standsOn: HeldGtids.of(standsOn), gtids },
    })
  }

  /** What the server of the current epoch says of itself has changed. */
  withRenewedEpoch(epoch: EpochRecord): SpoolCatalog {
    return this.#with({
      epochs: new Map([...this.#content.epochs, [epoch.epoch, epoch]]),
      current: { ...this.#content.current, epoch },
    })
  }

  /** Goes back to the epoch of the last byte held: a newer one that got none counts for nothing. */
  withoutUnusedEpoch(): SpoolCatalog {
    const epoch = this.heldEpoch()
    const gtids = this.#gtids()
    return this.#with({
      current:
        epoch === null || gtids === null
          ? { state: 'empty', epoch: null }
          : { state: 'held', epoch, gtids },
    })
  }

  /** With the next file of the current epoch. Throws ERR_SPOOL_FILE_EXISTS. */
  withFile(
    name: string,
    create: (ordinal: number, epoch: EpochRecord) => SpoolFile,
  ): { readonly catalog: SpoolCatalog; readonly file: SpoolFile } {
    const { current, begun, newest } = this.#content
    const { epoch } = current
    if (epoch === null) throw new TypeError('a file needs an epoch')
    if (this.#hasFile(epoch.epoch, name)) {
      throw new LandbridgeError('ERR_SPOOL_FILE_EXISTS', `${name} is already in this epoch`)
    }
    const last = Math.max(newest?.ordinal ?? 0, begun.at(-1)?.ordinal ?? 0)
    const file = create(last + 1, epoch)
    return { catalog: this.#with({ begun: [...begun, file] }), file }
  }

  #hasFile(epoch: number, name: string): boolean {
    const isIt = (file: SpoolFile) => file.epoch === epoch && file.name === name
    return this.storedFiles().some(isIt) || this.#content.begun.some(isIt)
  }

  /** A file that was begun is known to stand on more than when it was. */
  withFileStandingOn(ordinal: number, gtidsBefore: string): SpoolCatalog {
    const begun = this.#content.begun.map((file) => {
      return file.ordinal === ordinal ? file.standingOn(gtidsBefore) : file
    })
    return this.#with({ begun })
  }

  /** Without one that never got a synced boundary, or was removed. */
  withoutFile({ ordinal, bytes }: SpoolFile): SpoolCatalog {
    const { older, olderBytes, begun } = this.#content
    const others = (files: readonly SpoolFile[]) => files.filter((file) => file.ordinal !== ordinal)
    const at = placeFrom(older, ordinal)
    if (older[at]?.ordinal !== ordinal) return this.#with({ begun: others(begun) })
    return this.#with({ older: others(older), olderBytes: olderBytes - bytes })
  }

  published({ ordinal, figures, checksum, gtids }: Publication): SpoolCatalog {
    const file = this.fileOf(ordinal)
    if (file === undefined) throw new TypeError('a file that is not in the catalog')
    // Before a new epoch has a boundary it has no transaction either.
    if (figures.bytes === 0) return this
    const content = this.#withPublished(file.grown(figures))
    const { current } = content
    const isFirst = current.state === 'begun' && current.epoch.epoch === file.epoch
    const held = isFirst ? current.standsOn : this.#gtids()
    if (held === null) throw new TypeError('publishing needs an epoch')
    const grown = held.with(gtids)
    const next: Current = isFirst
      ? { state: 'held', epoch: current.epoch, gtids: grown }
      : ({ ...current, gtids: grown } as Current)
    // What a file's first event says counts once that event is held.
    const lineage = isFirst ? newestLineage(content.epochs.values(), file.epoch) : this.#lineage
    return new SpoolCatalog({ ...content, current: next, checksum }, lineage)
  }

  #withPublished(file: SpoolFile): Content {
    const { older, olderBytes, newest, begun } = this.#content
    if (newest === null || newest.ordinal === file.ordinal) {
      const others = begun.filter(({ ordinal }) => ordinal !== file.ordinal)
      return { ...this.#content, newest: file, begun: begun.length === 0 ? begun : others }
    }
    return {
      ...this.#content,
      older: [...older, newest],
      olderBytes: olderBytes + newest.bytes,
      newest: file,
      begun: begun.filter(({ ordinal }) => ordinal !== file.ordinal),
    }
  }

  #with(change: Partial<Content>): SpoolCatalog {
    return new SpoolCatalog({ ...this.#content, ...change }, this.#lineage)
  }
}

/** Where in `files`, which are in order, those at or behind `ordinal` begin. */
function placeFrom(files: readonly SpoolFile[], ordinal: number): number {
  let [low, high] = [0, files.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((files[middle]?.ordinal ?? 0) < ordinal) low = middle + 1
    else high = middle
  }
  return low
}
