import type { Clock } from '../base/clock.ts'
import { TimeSlots } from './time-slots.ts'

/** From fine to coarse; what a slot is too long ago for is forgotten. */
const RESOLUTIONS = [
  { slotMs: 100, slots: 600 },
  { slotMs: 1_000, slots: 900 },
  { slotMs: 60_000, slots: 1_440 },
] as const

/**
 * How densely the source commits: transactions in slots of a tenth of a second (the last minute),
 * a second (the last quarter of an hour) and a minute (the last day), each by its time of commit.
 *
 * Any span of time is covered by one slot more than fit into it, and no slot held more than the
 * fullest. So `atMost` is a bound for a source that goes on as it did, in bursts as well. Slots
 * that are longer than it has been busy say too little, and do not count:
 * see `TimeSlots.isSettled`.
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
    for (const agoMs of [0, 1_000, 2_000]) this.#slots[1]?.add(nowMs - agoMs, perSecondMax)
  }

  /**
   * Transactions that a span of so long held at most, as far as measured; null: nothing was.
   * `knownToMs`: up to then all commits are among those that were added.
   */
  atMost(spanMs: number, knownToMs: number): number | null {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#slots.filter((slots) => slots.peak(nowMs) > 0)
    const settled = known.filter((slots) => slots.isSettled(knownToMs))
    const counting = settled.length > 0 ? settled : known.slice(0, 1)
    const bounds = counting.map((slots) => slots.atMost(spanMs, nowMs))
    return bounds.length === 0 ? null : Math.min(...bounds)
  }

  /** In the densest second of the last quarter of an hour; null: there was none. */
  perSecondMax(): number | null {
    return this.#slots[1]?.peak(this.#clock.monotonicMs()) || null
  }
}
