import type { Clock } from '../base/clock.ts'
import type { Flavor } from '../base/flavor.ts'
import { compareBinlogNames } from '../binlog/binlog-name.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'
import type { LagStatus } from '../status/status.ts'
import { GtidText } from './gtid-text.ts'
import { MarkRing } from './mark-ring.ts'
import { Percentiles } from './percentiles.ts'
import { type SourceFile, SourceFiles } from './source-files.ts'
import { UnloggedGtids } from './unlogged-gtids.ts'

export interface ReceiveLagOptions {
  readonly clock: Clock
  /** Samples remembered while they are not yet synced. */
  readonly samplesMax?: number
}

/** What the gateway at production knows of the source: "at `atMs` its newest place was this". */
export interface SourceSample {
  /** Clock of the production gateway. */
  readonly atMs: number
  /** Null, and `offset` too, where the source has no files: then GTIDs alone tell. */
  readonly file: string | null
  readonly offset: number | null
  /** Null in a heartbeat, which carries only a place. */
  readonly gtids: string | null
  /** The server that said so is the one whose files the spool goes on with, by a dump that runs. */
  readonly isOfHeld?: boolean
}

export interface SyncedPlace {
  readonly file: string
  readonly offset: number
  /** Called only when a sample must be judged, not for each sync: what is synced at that moment. */
  readonly gtids: () => GtidSet | null
}

/** GTIDs that a MySQL source has executed and none of its files has. */
export interface Unlogged {
  readonly gtids: string
  readonly count: number
  /** Wall clock when the first was found. */
  readonly sinceMs: number
}

/** What is worth remembering over a restart. Ages are of the moment it was asked for. */
export interface KnownLag {
  /** The source's newest known place. */
  readonly file: string | null
  readonly offset: number | null
  readonly gtids: string | null
  readonly provenAgoMs: number
  /** Age of the oldest sample that is not held; null when all are. */
  readonly missingAgoMs: number | null
  readonly bytes: number | null
  readonly transactions: number | null
}

interface Mark {
  /** When this place was the source's newest, on this gateway's monotonic clock. */
  readonly bornMs: number
  readonly file: string | null
  readonly offset: number | null
  readonly gtids: string | null
  /** Its place can be compared with the spool's: both are of one row of files. */
  readonly isOfHeld: boolean
}

/**
 * How far the synced spool is behind the source, at a copy. The rules:
 *
 * - A sample is *held* when the synced GTIDs contain its GTIDs; where GTIDs are not known, when the
 *   synced place is at or behind its place in the same lineage of files. GTIDs that are in none of
 *   the source's files (`UnloggedGtids`) are not waited for.
 * - `ms` is the age of the oldest sample that is not held, and 0 when all are held. So it grows
 *   only while something is known to be missing; silence of the source, the link or the peer never
 *   makes it grow, nor does it make a known lag stand still.
 * - `provenAgoMs` is the age of the newest sample. It grows with silence. What could be lost is
 *   therefore at most what was committed in the last `ms + provenAgoMs` and one sampling interval.
 * - No sample yet (just started, source unreachable): everything is null, which is not 0.
 * - A gateway that starts with a backlog has no old samples. While anything is missing, `ms` is at
 *   least the delay of the transaction that was synced last: what follows it is hardly older.
 *
 * - A transaction that is synced after everything was known to be held is younger than that
 *   knowledge, whatever time it claims: `SET timestamp` at a source writes any time into events.
 *
 * Ages are kept on the monotonic clock, so that a stepped wall clock at either end does not change
 * what was measured. A sample's age on arrival comes from the clock offset and is held to between 0
 * and the age of the sample before it: a wrong offset cannot do more harm than that.
 */
export class ReceiveLag {
  readonly #clock: Clock
  readonly #missing: MarkRing<Mark>
  readonly #files = new SourceFiles()
  readonly #delays = new Percentiles()
  readonly #sourceText = new GtidText()
  readonly #oldestText = new GtidText()
  readonly #unlogged = new UnloggedGtids()
  #unloggedSinceMs = 0
  /** The source stood further back than before: its places mean nothing until a new dump runs. */
  #wentBack = false
  #flavor: Flavor | null = null
  #newest: Mark | null = null
  #newestGtids: string | null = null
  #provenMs = 0
  #synced: SyncedPlace | null = null
  /** Wall clock of the peer minus own monotonic clock. Null until the link has measured it. */
  #peerAheadMs: number | null = null
  #lastDelayMs = 0
  /** What the counts were at most, when `#newest` is from before the start. */
  #restored: KnownLag | null = null
  /** When the source was last known to have nothing that is not held; monotonic. */
  #allHeldMs = Number.NEGATIVE_INFINITY

  constructor(options: ReceiveLagOptions) {
    this.#clock = options.clock
    this.#missing = new MarkRing({
      limit: options.samplesMax ?? 512,
      bytesOf: ({ gtids }) => gtids?.length ?? 0,
      merge: (older, newer) => ({ ...newer, bornMs: older.bornMs }),
    })
  }

  setFlavor(flavor: Flavor): void {
    this.#flavor = flavor
  }

  /** Peer wall clock minus own wall clock, as just measured. */
  setClockOffset(offsetMs: number): void {
    this.#peerAheadMs = offsetMs + this.#clock.wallMs() - this.#clock.monotonicMs()
  }

  /** The source's list of files (`SHOW BINARY LOGS`), for bytes of lag across files. */
  setSourceFiles(files: readonly SourceFile[]): void {
    this.#files.list(files)
  }

  /** A sample or a heartbeat; both prove where the source is. */
  sample(sample: SourceSample): void {
    const nowMs = this.#clock.monotonicMs()
    const bornMs = this.#bornMs(sample.atMs, nowMs)
    this.#provenMs = bornMs
    const before = this.#newest
    const samePlace = before?.file === sample.file && before.offset === sample.offset
    const isSame = samePlace && (sample.gtids === null || sample.gtids === before.gtids)
    const isOfHeld = this.#isOfHeld(sample)
    if (isSame) this.#newest = { ...before, isOfHeld }
    this.#dropHeld()
    if (isSame) {
      if (this.#missing.length === 0) this.#allHeldMs = bornMs
      return
    }
    const { file, offset, gtids } = sample
    this.#newest = { bornMs, file, offset, gtids, isOfHeld }
    this.#restored = null
    this.#newestGtids = sample.gtids ?? this.#newestGtids
    this.#missing.push(this.#newest)
  }

  /** The spool has synced up to here. Cheap: nothing is parsed. */
  synced(place: SyncedPlace): void {
    this.#synced = place
  }

  /**
   * One transaction became synced. `commitMs` is in the production clock, `syncedMs` in this one.
   * Called for each transaction: allocates nothing. Not counted before the clock offset is known.
   */
  recordTransaction(commitMs: number, syncedMs: number): void {
    if (this.#peerAheadMs === null) return
    const ownAheadMs = this.#clock.wallMs() - this.#clock.monotonicMs()
    const claimedMs = Math.max(0, syncedMs - commitMs + this.#peerAheadMs - ownAheadMs)
    const delayMs = Math.min(claimedMs, this.#clock.monotonicMs() - this.#allHeldMs)
    this.#delays.record(delayMs)
    this.#lastDelayMs = delayMs
  }

  /** Another source, or a new epoch: what was known of the one before no longer counts. */
  reset(): void {
    this.#missing.clear()
    this.#files.reset()
    this.#newest = null
    this.#newestGtids = null
    this.#restored = null
    this.#lastDelayMs = 0
    this.#allHeldMs = Number.NEGATIVE_INFINITY
    this.#unlogged.clear()
    this.#wentBack = false
  }

  /** What the source has executed and none of its files has; null for none. */
  unlogged(): Unlogged | null {
    const { text: gtids, count } = this.#unlogged
    return gtids === '' ? null : { gtids, count, sinceMs: this.#unloggedSinceMs }
  }

  /** Null before the first sample. */
  known(): KnownLag | null {
    const { bytes, transactions, provenAgoMs } = this.status()
    const newest = this.#newest
    if (newest === null || provenAgoMs === null) return null
    const { file, offset } = newest
    const gtids = this.#expected(newest.gtids)
    const oldest = this.#missing.oldest
    const missingAgoMs = oldest === undefined ? null : this.#clock.monotonicMs() - oldest.bornMs
    return { file, offset, gtids, provenAgoMs, missingAgoMs, bytes, transactions }
  }

  /** Without what no dump will bring: after a restart that is not known any more. */
  #expected(gtids: string | null): string | null {
    if (gtids === null || this.#unlogged.count === 0) return gtids
    const executed = this.#sourceText.parse(this.#flavor, gtids)
    return executed === null ? gtids : this.#unlogged.without(executed).toString()
  }

  /**
   * What was known before this start. It counts until the first sample; what is missing of it is
   * judged by what is held now, and where that cannot be told it is as much as it was.
   */
  restore(known: KnownLag): void {
    const nowMs = this.#clock.monotonicMs()
    const { file, offset, gtids, provenAgoMs, missingAgoMs } = known
    this.#restored = known
    this.#provenMs = nowMs - provenAgoMs
    this.#newest = { bornMs: this.#provenMs, file, offset, gtids, isOfHeld: false }
    this.#newestGtids = gtids
    const bornMs = missingAgoMs === null ? this.#provenMs : nowMs - missingAgoMs
    this.#missing.push({ ...this.#newest, bornMs })
  }

  status(): LagStatus {
    const recent = this.#delays.summary()
    const newest = this.#newest
    if (newest === null) {
      return { bytes: null, transactions: null, ms: null, provenAgoMs: null, recent }
    }
    this.#dropHeld()
    const nowMs = this.#clock.monotonicMs()
    const oldest = this.#missing.oldest
    const ms = oldest === undefined ? 0 : Math.max(nowMs - oldest.bornMs, this.#lastDelayMs)
    return {
      bytes: this.#bytes(newest),
      transactions: this.#transactions(),
      ms,
      provenAgoMs: nowMs - this.#provenMs,
      recent,
    }
  }

  #bornMs(atMs: number, nowMs: number): number {
    if (this.#peerAheadMs === null) return nowMs
    const earliestMs = this.#newest === null ? Number.NEGATIVE_INFINITY : this.#provenMs
    return Math.min(nowMs, Math.max(earliestMs, atMs - this.#peerAheadMs))
  }

  #isOfHeld({ isOfHeld = false, file, offset }: SourceSample): boolean {
    const before = this.#newest
    if (file === null || offset === null) return false
    const order = before?.file ? compareBinlogNames(file, before.file) : 0
    const isBack = order === null || order < 0 || (order === 0 && offset < (before?.offset ?? 0))
    this.#wentBack = isOfHeld && (this.#wentBack || isBack)
    return isOfHeld && !this.#wentBack
  }

  /** Where all up to the mark's place is held, what is missing of its GTIDs never was in a file. */
  #noteUnlogged(mark: Mark, wanted: GtidSet | null, held: GtidSet): void {
    if (wanted === null || !mark.isOfHeld || !this.#isReached(mark)) return
    if (held.contains(this.#unlogged.without(wanted))) return
    if (this.#unlogged.count === 0) this.#unloggedSinceMs = this.#clock.wallMs()
    this.#unlogged.note(wanted, held)
  }

  #dropHeld(): void {
    const held = this.#synced?.gtids() ?? null
    if (held !== null) this.#unlogged.drop(held)
    if (held !== null && this.#newest !== null && this.#missing.length > 0) {
      const wanted = this.#sourceText.parse(this.#flavor, this.#newest.gtids)
      this.#noteUnlogged(this.#newest, wanted, held)
    }
    for (let oldest = this.#missing.oldest; oldest !== undefined; oldest = this.#missing.oldest) {
      if (!this.#isHeld(oldest, held)) return
      this.#missing.dropOldest()
    }
    this.#lastDelayMs = 0
    this.#allHeldMs = Math.max(this.#allHeldMs, this.#newest?.bornMs ?? Number.NEGATIVE_INFINITY)
  }

  #isHeld(mark: Mark, held: GtidSet | null): boolean {
    if (this.#synced === null) return false
    const wanted = this.#oldestText.parse(this.#flavor, mark.gtids)
    if (wanted === null || held === null) return this.#isReached(mark)
    // Transactions without a GTID move the place alone.
    if (mark.isOfHeld && !this.#isReached(mark)) return false
    if (held.contains(this.#unlogged.without(wanted))) return true
    this.#noteUnlogged(mark, wanted, held)
    return held.contains(this.#unlogged.without(wanted))
  }

  #isReached({ file, offset }: Mark): boolean {
    if (this.#synced === null || file === null || offset === null) return false
    const order = compareBinlogNames(this.#synced.file, file)
    if (order === null) return false
    return order > 0 || (order === 0 && this.#synced.offset >= offset)
  }

  #bytes(newest: Mark): number | null {
    if (this.#synced === null) return null
    const { file, offset } = newest
    const isPlace = file !== null && offset !== null
    const bytes = isPlace ? this.#files.bytesBetween(this.#synced, { file, offset }) : null
    if (bytes !== null && bytes >= 0) return bytes
    // Ahead of the newest sample is normal. Ahead and yet missing something: two lineages.
    return this.#missing.length === 0 ? 0 : (this.#restored?.bytes ?? null)
  }

  #transactions(): number | null {
    if (this.#missing.length === 0) return 0
    const wanted = this.#sourceText.parse(this.#flavor, this.#newestGtids)
    if (wanted === null) return this.#restored?.transactions ?? null
    const held = this.#synced?.gtids() ?? null
    return held === null ? null : Number(this.#unlogged.without(wanted).countMissingFrom(held))
  }
}
