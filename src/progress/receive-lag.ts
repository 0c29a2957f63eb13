import type { Clock } from '../base/clock.ts'
import type { ClockReading } from '../base/clock-offset.ts'
import type { Flavor } from '../base/flavor.ts'
import { compareBinlogNames } from '../binlog/binlog-name.ts'
import type { GtidSet } from '../binlog/gtid-set.ts'
import type { LagStatus } from '../status/status.ts'
import { CatchUp } from './catch-up.ts'
import { CommitRate } from './commit-rate.ts'
import { DelayWindows } from './delay-windows.ts'
import type { KnownExposure } from './exposure.ts'
import { GtidText } from './gtid-text.ts'
import { MarkRing } from './mark-ring.ts'
import type { KnownLag, SourceSample, SyncedPlace, Unlogged } from './source-facts.ts'
import { type SourceFile, SourceFiles } from './source-files.ts'
import { SourceRetreat } from './source-retreat.ts'
import { SourceTime } from './source-time.ts'
import { UnloggedGtids } from './unlogged-gtids.ts'

export interface ReceiveLagOptions {
  readonly clock: Clock
  /** Samples remembered while they are not yet synced. */
  readonly samplesMax?: number
  /** When the first that came and is not synced was committed, by the source's clock. */
  readonly arrivingMs?: () => number | null
}

interface Mark {
  /** When this place was the source's newest, on this gateway's monotonic clock. */
  readonly bornMs: number
  /** The same, less what the clocks may be off: once it is held, so is all of before. */
  readonly provesMs: number
  readonly file: string | null
  readonly offset: number | null
  readonly gtids: string | null
  /** Its place can be compared with the spool's: both are of one row of files. */
  readonly isOfHeld: boolean
  /** It is held only where the spool has its place too. */
  readonly mustReach: boolean
}

/** A commit of a MariaDB says its time in whole seconds. */
const COARSE_MS = 1_000

/**
 * How far the synced spool is behind the source, at a copy; LAG.md has the definitions. The rules:
 *
 * - A sample is *held* when the synced GTIDs contain its GTIDs; where GTIDs are not known, when the
 *   synced place is at or behind its place in the same lineage of files. GTIDs that are in none of
 *   the source's files (`UnloggedGtids`) are not waited for.
 * - `ms` is the age of the oldest transaction that is known to be missing, and 0 when none is. So
 *   it grows only while something is known to be missing; silence of the source, the link or the
 *   peer never makes it grow, nor does it make a known lag stand still. Silence makes the exposure
 *   grow, which is `bounds`.
 * - When it was committed is known exactly once its first bytes have come. Until then it is between
 *   the newest that is synced and the sample that showed it.
 * - No sample yet (just started, source unreachable): everything is null, which is not 0.
 * - A transaction that is synced after everything was known to be held is younger than that
 *   knowledge, whatever time it claims: `SET timestamp` at a source writes any time into events.
 *
 * Ages are kept on the monotonic clock, so that a stepped wall clock at either end does not change
 * what was measured. A sample's age on arrival comes from the clock offset and is held to between 0
 * and the age of the sample before it: a wrong offset cannot do more harm than that.
 */
export class ReceiveLag {
  readonly #clock: Clock
  readonly #arrivingMs: () => number | null
  readonly #missing: MarkRing<Mark>
  readonly #files = new SourceFiles()
  readonly #time: SourceTime
  readonly #rate: CommitRate
  readonly #windows: DelayWindows
  readonly #catchUp: CatchUp
  readonly #sourceText = new GtidText()
  readonly #oldestText = new GtidText()
  readonly #unlogged = new UnloggedGtids()
  #unloggedSinceMs = 0
  readonly #retreat = new SourceRetreat()
  /** Commits of before a step of the clocks may be among those that are not held. */
  #isStepped = false
  #flavor: Flavor | null = null
  #newest: Mark | null = null
  #newestGtids: string | null = null
  #provenMs = 0
  #synced: SyncedPlace | null = null
  /** When the newest synced transaction was committed, as far as known; monotonic. */
  #lastCommitMs = Number.NEGATIVE_INFINITY
  /** Everything that was committed before is held; monotonic. */
  #heldUntilMs = Number.NEGATIVE_INFINITY
  /** When the source was last seen to move; monotonic. */
  #movedMs = Number.NEGATIVE_INFINITY
  /** What the counts were at most, when `#newest` is from before the start. */
  #restored: KnownLag | null = null
  /** When the source was last known to have nothing that is not held; monotonic. */
  #allHeldMs = Number.NEGATIVE_INFINITY

  constructor(options: ReceiveLagOptions) {
    const { clock } = options
    this.#clock = clock
    this.#arrivingMs = options.arrivingMs ?? (() => null)
    this.#time = new SourceTime(clock)
    this.#rate = new CommitRate(clock)
    this.#windows = new DelayWindows(clock)
    this.#catchUp = new CatchUp(clock)
    this.#missing = new MarkRing({
      limit: options.samplesMax ?? 512,
      bytesOf: ({ gtids }) => gtids?.length ?? 0,
      merge: ({ bornMs, provesMs }, newer) => ({ ...newer, bornMs, provesMs }),
    })
  }

  setFlavor(flavor: Flavor): void {
    this.#flavor = flavor
  }

  /** The clock of the gateway at the origin, as just measured. */
  setPeerClock(reading: ClockReading): void {
    this.#isStepped = this.#time.setPeer(reading) || this.#isStepped
  }

  /** The source's list of files (`SHOW BINARY LOGS`), for bytes of lag across files. */
  setSourceFiles(files: readonly SourceFile[]): void {
    this.#files.list(files)
  }

  /** A sample or a heartbeat; both prove where the source is. */
  sample(sample: SourceSample): void {
    const nowMs = this.#clock.monotonicMs()
    const { sourceClock } = sample
    const isStepped =
      this.#isStepped || (sourceClock !== undefined && this.#time.setDatabase(sourceClock))
    const bornMs = this.#bornMs(sample.atMs, nowMs)
    this.#provenMs = bornMs
    const before = this.#newest
    const samePlace = before?.file === sample.file && before.offset === sample.offset
    const isSame = samePlace && (sample.gtids === null || sample.gtids === before.gtids)
    this.#retreat.note(sample, before)
    const { wentBack } = this.#retreat
    const provesMs = wentBack ? Number.NEGATIVE_INFINITY : this.#time.peerProof(sample.atMs)
    const isPlace = sample.file !== null && !wentBack
    const isOfHeld = isPlace && sample.isOfHeld === true
    const isSameMysql = this.#flavor === 'mysql' && sample.isSameServer === true
    const mustReach = isOfHeld || (isPlace && isSameMysql)
    if (isSame) this.#newest = { ...before, isOfHeld, mustReach }
    else this.#movedMs = bornMs
    this.#dropHeld()
    this.#isStepped = isStepped
    if (isSame) {
      if (this.#missing.length > 0) return
      this.#allHeldMs = bornMs
      this.#heldUntilMs = Math.max(this.#heldUntilMs, provesMs)
      return
    }
    const { file, offset, gtids } = sample
    this.#newest = { bornMs, provesMs, file, offset, gtids, isOfHeld, mustReach }
    this.#restored = null
    this.#newestGtids = sample.gtids ?? this.#newestGtids
    this.#missing.push(this.#newest)
  }

  /** The spool has synced up to here. Cheap: nothing is parsed. */
  synced(place: SyncedPlace): void {
    this.#synced = place
  }

  /**
   * These transactions became synced just now; `commitMs` are by the source's clock, in the order
   * of its log. Not counted before the clock offset is known. A MySQL source writes the time into
   * the log while it holds the log's lock: whatever it acknowledged before that stands before. Of
   * what was committed before a step of the clocks, the clocks of now prove nothing.
   */
  transactions(commitMs: readonly number[]): void {
    const nowMs = this.#clock.monotonicMs()
    for (const at of commitMs) {
      const atMs = this.#time.ofDatabase(at)
      if (atMs === null) return
      const commitAtMs = Math.min(nowMs, Math.max(atMs, this.#allHeldMs))
      this.#windows.record(nowMs - commitAtMs, nowMs)
      this.#rate.add(commitAtMs)
      this.#lastCommitMs = commitAtMs
    }
    this.#movedMs = Math.max(this.#movedMs, this.#lastCommitMs)
    const newest = commitMs.at(-1)
    if (this.#flavor !== 'mysql' || newest === undefined || this.#isStepped) return
    this.#heldUntilMs = Math.max(this.#heldUntilMs, this.#time.databaseProof(newest))
  }

  /** A dump has looked at the source, and goes on with what is held. */
  wentOn(): void {
    this.#retreat.clear()
  }

  /** Another source, or a new epoch: what was known of the one before no longer counts. */
  reset(): void {
    this.#missing.clear()
    this.#files.reset()
    this.#newest = null
    this.#newestGtids = null
    this.#restored = null
    this.#lastCommitMs = Number.NEGATIVE_INFINITY
    this.#heldUntilMs = Number.NEGATIVE_INFINITY
    this.#allHeldMs = Number.NEGATIVE_INFINITY
    this.#movedMs = Number.NEGATIVE_INFINITY
    this.#catchUp.note(null)
    this.#unlogged.clear()
    this.#retreat.clear()
    this.#isStepped = false
  }

  /** What the source has executed and none of its files has; null for none. */
  unlogged(): Unlogged | null {
    const { text: gtids, count } = this.#unlogged
    return gtids === '' ? null : { gtids, count, sinceMs: this.#unloggedSinceMs }
  }

  /** Null before the first sample. */
  known(): KnownLag | null {
    const newest = this.#newest
    if (newest === null) return null
    const { bytes, transactions, provenAgoMs } = this.#figures(newest)
    const { file, offset } = newest
    const gtids = this.#expected(newest.gtids)
    const oldest = this.#missing.oldest
    const nowMs = this.#clock.monotonicMs()
    const missingAgoMs = oldest === undefined ? null : nowMs - oldest.bornMs
    const heldAgoMs = Number.isFinite(this.#heldUntilMs) ? nowMs - this.#heldUntilMs : null
    const perSecondMax = this.#rate.perSecondMax()
    const ages = { provenAgoMs, heldAgoMs, missingAgoMs }
    return { file, offset, gtids, ...ages, perSecondMax, bytes, transactions }
  }

  /** What is missing for sure, and what may be; null before the first sample. */
  bounds(): KnownExposure | null {
    if (this.#newest === null) return null
    const { bytes, transactions, provenAgoMs } = this.#figures(this.#newest)
    const nowMs = this.#clock.monotonicMs()
    const oldest = this.#missing.oldest
    const arrivingMs = this.#arrivedMs(nowMs)
    // The sample that showed it is as old as the transaction or younger.
    const knownAtMs = Math.min(oldest?.bornMs ?? nowMs, arrivingMs ?? nowMs)
    const isHeldUntil = Number.isFinite(this.#heldUntilMs)
    const isAllHeld = oldest === undefined && arrivingMs === null
    const { wentBack } = this.#retreat
    // Without GTIDs, or with those of another count: nobody knows how many are missing.
    const isCounted = !wentBack && (oldest === undefined || transactions !== 0)
    return {
      missing: { bytes, transactions: isCounted ? transactions : null, ms: nowMs - knownAtMs },
      heldAgoMs: isHeldUntil ? Math.max(0, nowMs - this.#heldUntilMs) : null,
      provenAgoMs,
      quietMs: isAllHeld && !wentBack ? nowMs - this.#movedMs : 0,
      committedIn: (spanMs) => this.#rate.atMost(spanMs, this.#heldUntilMs),
    }
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
    const { file, offset, gtids, provenAgoMs, heldAgoMs, missingAgoMs, perSecondMax } = known
    this.#restored = known
    this.#provenMs = nowMs - provenAgoMs
    const provesMs = Number.NEGATIVE_INFINITY
    const unknown = { isOfHeld: false, mustReach: false }
    this.#newest = { bornMs: this.#provenMs, provesMs, file, offset, gtids, ...unknown }
    this.#newestGtids = gtids
    this.#movedMs = this.#provenMs
    const bornMs = missingAgoMs === null ? this.#provenMs : nowMs - missingAgoMs
    this.#missing.push({ ...this.#newest, bornMs })
    if (perSecondMax !== null) this.#rate.restore(perSecondMax)
    this.#dropHeld()
    // What was held then and is not now: this spool is another one.
    const isLost = missingAgoMs === null && this.#missing.length > 0
    if (heldAgoMs !== null && !isLost && this.#synced !== null) {
      this.#heldUntilMs = nowMs - heldAgoMs
    }
  }

  status(): LagStatus {
    const windows = this.#windows.status()
    const newest = this.#newest
    if (newest === null) {
      const unknown = { bytes: null, transactions: null, ms: null, uncertaintyMs: null }
      return { ...unknown, provenAgoMs: null, windows, catchUpMs: null }
    }
    const figures = this.#figures(newest)
    this.#catchUp.note(figures.bytes)
    const age = this.#age(this.#clock.monotonicMs())
    return { ...figures, ...age, windows, catchUpMs: this.#catchUp.leftMs() }
  }

  /** Without the windows, which are sums over distributions: the exposure needs none. */
  #figures(newest: Mark) {
    this.#dropHeld()
    const provenAgoMs = this.#clock.monotonicMs() - this.#provenMs
    return { bytes: this.#bytes(newest), transactions: this.#transactions(), provenAgoMs }
  }

  /** Of the oldest transaction that is known to be missing. */
  #age(nowMs: number): Pick<LagStatus, 'ms' | 'uncertaintyMs'> {
    const coarseMs = this.#flavor === 'mariadb' ? COARSE_MS : 0
    const clockMs = this.#time.databaseDoubtMs ?? this.#time.peerDoubtMs
    const arrivedMs = this.#arrivedMs(nowMs)
    if (arrivedMs !== null) return { ms: nowMs - arrivedMs, uncertaintyMs: clockMs + coarseMs }
    const oldest = this.#missing.oldest
    if (oldest === undefined) return { ms: 0, uncertaintyMs: clockMs }
    const earliestMs = Math.max(this.#lastCommitMs, this.#allHeldMs, this.#heldUntilMs)
    if (!Number.isFinite(earliestMs)) {
      return { ms: nowMs - oldest.bornMs, uncertaintyMs: clockMs }
    }
    // Nothing of it has come: a lag is rather claimed too large.
    const commitAtMs = Math.min(oldest.bornMs, earliestMs)
    const uncertaintyMs = clockMs + Math.max(0, oldest.bornMs - earliestMs)
    return { ms: Math.max(0, nowMs - commitAtMs), uncertaintyMs }
  }

  /** When the first transaction that came and is not synced was committed; monotonic. */
  #arrivedMs(nowMs: number): number | null {
    const atMs = this.#arrivingMs()
    const commitAtMs = atMs === null ? null : this.#time.ofDatabase(atMs)
    return commitAtMs === null ? null : Math.min(nowMs, Math.max(commitAtMs, this.#allHeldMs))
  }

  #bornMs(atMs: number, nowMs: number): number {
    const takenMs = this.#time.ofPeer(atMs)
    if (takenMs === null) return nowMs
    const earliestMs = this.#newest === null ? Number.NEGATIVE_INFINITY : this.#provenMs
    return Math.min(nowMs, Math.max(earliestMs, takenMs))
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
      this.#heldUntilMs = Math.max(this.#heldUntilMs, oldest.provesMs)
      this.#missing.dropOldest()
    }
    this.#isStepped = false
    this.#allHeldMs = Math.max(this.#allHeldMs, this.#newest?.bornMs ?? Number.NEGATIVE_INFINITY)
  }

  #isHeld(mark: Mark, held: GtidSet | null): boolean {
    if (this.#synced === null) return false
    const wanted = this.#oldestText.parse(this.#flavor, mark.gtids)
    const isNamed = wanted !== null && (this.#flavor === 'mariadb' || !wanted.isEmpty())
    if (!isNamed || held === null) return this.#isReached(mark)
    // Transactions without a GTID move the place alone.
    if (mark.mustReach && !this.#isReached(mark)) return false
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
