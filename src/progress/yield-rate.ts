export interface YieldRateOptions {
  /** So long packets may wait in the tunnel's queues. */
  readonly targetMs: number
  /** The copy always gets so much. */
  readonly leastBytesPerSecond: number
}

export interface YieldLook {
  readonly nowMs: number
  /** Null: nothing is known of the path. */
  readonly queueMs: number | null
  readonly idleRoundTripMs: number
  /** What went in the last second. */
  readonly usedBytesPerSecond: number
}

/** Of the rate in a look, at most: 2.2 x in a second while the queue is empty. */
const GROWTH = 0.04
const LOOKS_PER_SECOND = 20
export const YIELD_LOOK_MS = 1000 / LOOKS_PER_SECOND
/** Of the rate, at most, at once. */
const CUT_MAX = 0.5
/** More than is used is not proven to be free. */
const HEADROOM = 1.5
const RATE_MAX = 1e10

/**
 * A rate that keeps the queue of a path short, so that others on it keep their latency: pure. As in
 * LEDBAT (RFC 6817) it grows by how far the queue is below the target; above it, it is cut, once for
 * each time that the path takes to show what the last cut did. Where nothing is known of the path it
 * is as low as it gets.
 */
export class YieldRate {
  readonly #options: YieldRateOptions
  #rate: number
  #cutNotBeforeMs = Number.NEGATIVE_INFINITY

  constructor(options: YieldRateOptions) {
    this.#options = options
    this.#rate = options.leastBytesPerSecond
  }

  get bytesPerSecond(): number {
    return Math.round(this.#rate)
  }

  /** Called every YIELD_LOOK_MS. */
  look({ nowMs, queueMs, idleRoundTripMs, usedBytesPerSecond }: YieldLook): void {
    const { targetMs, leastBytesPerSecond: least } = this.#options
    if (queueMs === null) {
      this.#rate = least
      return
    }
    const off = (targetMs - queueMs) / targetMs
    if (off >= 0) {
      const most = Math.max(this.#rate, usedBytesPerSecond * HEADROOM, 2 * least)
      const grown = this.#rate + off * (this.#rate * GROWTH + least / LOOKS_PER_SECOND)
      this.#rate = Math.min(RATE_MAX, most, grown)
    } else if (nowMs >= this.#cutNotBeforeMs) {
      this.#rate *= 1 - Math.min(CUT_MAX, -off * CUT_MAX)
      this.#cutNotBeforeMs = nowMs + idleRoundTripMs + queueMs
    }
    this.#rate = Math.max(least, this.#rate)
  }
}
