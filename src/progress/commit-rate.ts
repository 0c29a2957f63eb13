import type { Clock } from '../base/clock.ts'
import { TimeSlots } from './time-slots.ts'

/** From fine to coarse; what a slot is too long ago for is forgotten. */
const RESOLUTIONS = [
  { slotMs: 100, slots: 600 },
  { slotMs: 1_000, slots: 900 },
  { slotMs: 60_000, slots: 1_440 },
] as const
const RECENT_MS = 10_000

/**
 * How densely the source commits: transactions in slots of a tenth of a second (the last minute),
 * a second (the last quarter of an hour) and a minute (the last day), each by its time of commit.
 *
 * Any span of time is covered by one slot more than fit into it, and no slot held more than the
 * fullest. So `atMost` is a bound for a source that goes on as it did, in bursts as well.
 */
export class CommitRate {
  readonly #clock: Clock
  readonly #slots = RESOLUTIONS.map(({ slotMs, slots }) => new TimeSlots(slotMs, slots))

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `atMs`: when they were committed, on this gateway's monotonic clock. */
  add(atMs: number, transactions = 1): void {
    for (const slots of this.#slots) slots.add(atMs, transactions)
  }

  /** What was known before this start: so many in the densest second of the last minutes. */
  restore(perSecondMax: number): void {
    const nowMs = this.#clock.monotonicMs()
    for (const slots of this.#slots.slice(1)) slots.add(nowMs, perSecondMax)
  }

  /** Transactions that a span of so long held at most, as far as measured; null: nothing was. */
  atMost(spanMs: number): number | null {
    const nowMs = this.#clock.monotonicMs()
    const bounds = this.#slots.flatMap((slots) => slots.atMost(spanMs, nowMs) ?? [])
    return bounds.length === 0 ? null : Math.min(...bounds)
  }

  /** In the densest second of the last quarter of an hour; null: there was none. */
  perSecondMax(): number | null {
    return this.#slots[1]?.peak(this.#clock.monotonicMs()) || null
  }

  /** Mean of the last ten seconds. */
  perSecond(): number {
    const nowMs = this.#clock.monotonicMs()
    return (this.#slots[0]?.sumSince(nowMs - RECENT_MS) ?? 0) / (RECENT_MS / 1000)
  }
}
