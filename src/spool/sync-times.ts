import type { Clock } from '../base/clock.ts'
import type { SyncStatus } from '../status/status.ts'

/** Upper ends of the buckets: from a disk with a battery to one that is about to fail. */
const BUCKETS_MS = [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000] as const
/** A longest one is told for as long as this at least, and twice as long at most. */
const WINDOW_MS = 60_000

/** How long the disk takes to make bytes durable: every ack waits for that. */
export class SyncTimes {
  readonly #clock: Clock
  readonly #counts: number[] = BUCKETS_MS.map(() => 0)
  #count = 0
  #sumMs = 0
  #windowSinceMs: number
  #maxMs: number | null = null
  #beforeMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    this.#windowSinceMs = clock.monotonicMs()
  }

  note(ms: number): void {
    this.#turnWindow()
    this.#count += 1
    this.#sumMs += ms
    this.#maxMs = Math.max(this.#maxMs ?? 0, ms)
    const bucket = BUCKETS_MS.findIndex((upToMs) => ms <= upToMs)
    if (bucket !== -1) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
  }

  /** Buckets are cumulative, as Prometheus counts them. */
  status(): SyncStatus {
    this.#turnWindow()
    let count = 0
    const buckets = BUCKETS_MS.map((upToMs, index) => {
      count += this.#counts[index] ?? 0
      return { upToMs, count }
    })
    const recent = [this.#maxMs, this.#beforeMs].filter((ms) => ms !== null)
    const maxMs = recent.length === 0 ? null : Math.max(...recent)
    return { count: this.#count, sumMs: this.#sumMs, maxMs, buckets }
  }

  #turnWindow(): void {
    const nowMs = this.#clock.monotonicMs()
    const passedMs = nowMs - this.#windowSinceMs
    if (passedMs < WINDOW_MS) return
    this.#windowSinceMs = nowMs
    this.#beforeMs = passedMs < 2 * WINDOW_MS ? this.#maxMs : null
    this.#maxMs = null
  }
}
