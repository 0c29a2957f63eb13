import type { Clock } from '../base/clock.ts'
import type { Flavor } from '../base/flavor.ts'
import type { LagStatus } from '../status/status.ts'
import { CatchUp } from './catch-up.ts'
import { DelayWindows } from './delay-windows.ts'
import { GtidText } from './gtid-text.ts'
import { MarkRing } from './mark-ring.ts'

export interface ApplyLagOptions {
  readonly clock: Clock
  readonly marksMax?: number
  /** Syncs closer together than this share one mark. */
  readonly markEveryMs?: number
}

export interface SpoolPlace {
  /** Called at most once per `markEveryMs`: what is synced at that moment. */
  readonly gtids: () => string
  /** Running total of synced bytes, from any fixed beginning. */
  readonly bytesTotal: number | null
}

/** Answers further apart than this say that something was applied, but not when. */
const ANSWER_GAP_MS_MAX = 2_500

const MARK_EVERY_MS = 25

/** A mark writes the GTIDs down, and is read again: where they are many, marks are rarer. */
const GTID_CHARACTERS_PER_MS = 500

interface Mark {
  readonly syncedMs: number
  readonly gtids: string
  readonly bytesTotal: number | null
}

/**
 * How far one replica is behind the spool. `ms` is the age of the oldest mark (a synced place) that
 * the replica has not applied, and 0 when it has applied all; `provenAgoMs` is the age of its last
 * answer. While the replica does not answer, what it is known to lack gets older and nothing else
 * changes. The percentiles are delays from synced to seen applied, so they contain up to one
 * polling interval. After a start marks begin at that moment: `ms` of an older backlog is a lower
 * bound, `transactions` is exact.
 */
export class ApplyLag {
  readonly #clock: Clock
  readonly #markEveryMs: number
  readonly #missing: MarkRing<Mark>
  readonly #windows: DelayWindows
  readonly #catchUp: CatchUp
  readonly #markText = new GtidText()
  readonly #syncedText = new GtidText()
  readonly #appliedText = new GtidText()
  #flavor: Flavor | null = null
  #spool: SpoolPlace | null = null
  /** Since when something is synced for which there is no mark. */
  #unmarkedMs: number | null = null
  #markedMs = Number.NEGATIVE_INFINITY
  #newest: Mark | null = null
  #applied: string | null = null
  #appliedBytes: number | null = null
  #provenMs = 0
  /** False when the answer before is missing or too old to tell when something was applied. */
  #measures = false

  constructor(options: ApplyLagOptions) {
    this.#clock = options.clock
    this.#markEveryMs = options.markEveryMs ?? MARK_EVERY_MS
    this.#windows = new DelayWindows(options.clock)
    this.#catchUp = new CatchUp(options.clock)
    this.#missing = new MarkRing({
      limit: options.marksMax ?? 512,
      bytesOf: ({ gtids }) => gtids.length,
      merge: (older, newer) => ({ ...newer, syncedMs: older.syncedMs }),
    })
  }

  setFlavor(flavor: Flavor): void {
    this.#flavor = flavor
  }

  /** The spool has synced up to here. Called for each sync. */
  synced(place: SpoolPlace): void {
    this.#spool = place
    const nowMs = this.#clock.monotonicMs()
    // Of what one mark stands for, the oldest: a lag is never claimed too small.
    this.#unmarkedMs ??= nowMs
    const markedMs = this.#markedMs
    const costMs = (this.#newest?.gtids.length ?? 0) / GTID_CHARACTERS_PER_MS
    if (nowMs - markedMs >= this.#markEveryMs + costMs) this.#mark()
  }

  /** The replica has just said what it has applied. Throws ERR_GTID_SYNTAX. */
  applied(gtids: string): void {
    this.#mark()
    this.#appliedText.parse(this.#flavor, gtids)
    const nowMs = this.#clock.monotonicMs()
    this.#measures = this.#applied !== null && nowMs - this.#provenMs <= ANSWER_GAP_MS_MAX
    this.#applied = gtids
    this.#provenMs = nowMs
    this.#dropApplied()
  }

  /** The spool began anew: marks of before will never be applied, and mean something else. */
  reset(): void {
    this.#missing.clear()
    this.#spool = null
    this.#unmarkedMs = null
    this.#newest = null
    this.#applied = null
    this.#appliedBytes = null
    this.#measures = false
    this.#catchUp.note(null)
  }

  /** True while the replica is known to lack something that is synced. */
  get isBehind(): boolean {
    return this.#missing.length > 0 || this.#unmarkedMs !== null
  }

  status(): LagStatus {
    const windows = this.#windows.status()
    if (this.#applied === null || this.#flavor === null || this.#spool === null) {
      const unknown = { bytes: null, transactions: null, ms: null, uncertaintyMs: null }
      return { ...unknown, provenAgoMs: null, windows, catchUpMs: null }
    }
    this.#mark()
    this.#dropApplied()
    const nowMs = this.#clock.monotonicMs()
    const oldest = this.#missing.oldest
    const transactions = this.#transactions()
    this.#catchUp.note(transactions)
    return {
      bytes: this.#bytes(),
      transactions,
      ms: oldest === undefined ? 0 : nowMs - oldest.syncedMs,
      // One clock; what was applied since the last answer may be less old.
      uncertaintyMs: this.#markEveryMs + (oldest === undefined ? 0 : nowMs - this.#provenMs),
      provenAgoMs: nowMs - this.#provenMs,
      windows,
      catchUpMs: this.#catchUp.leftMs(),
    }
  }

  #mark(): void {
    if (this.#unmarkedMs === null || this.#spool === null) return
    const { bytesTotal } = this.#spool
    const gtids = this.#spool.gtids()
    const syncedMs = this.#unmarkedMs
    this.#unmarkedMs = null
    this.#markedMs = this.#clock.monotonicMs()
    if (gtids === this.#newest?.gtids) return
    this.#newest = { syncedMs, gtids, bytesTotal }
    this.#missing.push(this.#newest)
  }

  #dropApplied(): void {
    const applied = this.#appliedText.parse(this.#flavor, this.#applied)
    if (applied === null) return
    const nowMs = this.#clock.monotonicMs()
    for (let oldest = this.#missing.oldest; oldest !== undefined; oldest = this.#missing.oldest) {
      const wanted = this.#markText.parse(this.#flavor, oldest.gtids)
      if (wanted === null || !applied.contains(wanted)) return
      if (this.#measures) this.#windows.record(this.#provenMs - oldest.syncedMs, nowMs)
      this.#appliedBytes = oldest.bytesTotal
      this.#missing.dropOldest()
    }
  }

  #bytes(): number | null {
    if (this.#missing.length === 0) return 0
    const syncedBytes = this.#newest?.bytesTotal ?? null
    if (syncedBytes === null || this.#appliedBytes === null) return null
    return Math.max(0, syncedBytes - this.#appliedBytes)
  }

  #transactions(): number | null {
    if (this.#missing.length === 0) return 0
    const synced = this.#syncedText.parse(this.#flavor, this.#newest?.gtids ?? null)
    const applied = this.#appliedText.parse(this.#flavor, this.#applied)
    return synced === null || applied === null ? null : Number(synced.countMissingFrom(applied))
  }
}
