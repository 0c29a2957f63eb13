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

const LOOKS_PER_SECOND = 20
export const YIELD_LOOK_MS = 1000 / LOOKS_PER_SECOND
/** Of the rate in a look, at most: 1.6 x in a second while the queue is empty. */
const GROWTH = 0.025
/** Near the rate that was too much, as far as it is not long ago: 6 % in a second. */
const GROWTH_NEAR = 0.003
const NEAR = 0.85
const NEAR_MS = 15_000
const SAME_QUEUE_MS = 1_000
const FORGET = 0.8
/** Of the rate: for each time the target that the queue is longer than it, and at most at once. */
const CUT = 0.2
const CUT_MAX = 0.4
/** What is known is that much older than a round trip: three probes tell it. */
const KNOWN_MS = 3 * YIELD_LOOK_MS
/** More than is used is not proven to be free. */
const HEADROOM = 2
const RATE_MAX = 1e10

/**
 * A rate that keeps the queue of a path short, so that others on it keep their latency: pure. As in
 * LEDBAT (RFC 6817) it grows by how far the queue is below the target; above it, it is cut, once
 * for each time that the path takes to show what the last cut did. What was too much is remembered
 * for a while and come near slowly, since each try costs the others a queue. Where nothing is known
 * of the path it is as low as it gets.
 */
export class YieldRate {
  readonly #options: YieldRateOptions
  #rate: number
  #tooMuch = Number.POSITIVE_INFINITY
  /** Looks in a row that saw a queue longer than wanted; a single one is a busy processor. */
  #longLooks = 0
  #cutAtMs = Number.NEGATIVE_INFINITY
  #cutNotBeforeMs = Number.NEGATIVE_INFINITY

  constructor(options: YieldRateOptions) {
    this.#options = options
    this.#rate = options.leastBytesPerSecond
  }

  get bytesPerSecond(): number {
    return Math.round(this.#rate)
  }

  /** Called every YIELD_LOOK_MS. */
  look(look: YieldLook): void {
    const { targetMs, leastBytesPerSecond: least } = this.#options
    const { queueMs } = look
    this.#longLooks = (queueMs ?? 0) > targetMs ? this.#longLooks + 1 : 0
    if (queueMs === null) this.#rate = least
    else if (queueMs <= targetMs) this.#grow(look, (targetMs - queueMs) / targetMs)
    else if (this.#longLooks > 1 && look.nowMs >= this.#cutNotBeforeMs) this.#cut(look, queueMs)
    this.#rate = Math.min(RATE_MAX, Math.max(least, this.#rate))
  }

  /** `off`: how far the queue is below the target, from 0 to 1. */
  #grow({ nowMs, usedBytesPerSecond }: YieldLook, off: number): void {
    const { leastBytesPerSecond: least } = this.#options
    const isNear = this.#rate > this.#tooMuch * NEAR
    const caution = isNear ? Math.max(0, 1 - (nowMs - this.#cutAtMs) / NEAR_MS) : 0
    const growth = GROWTH - caution * (GROWTH - GROWTH_NEAR)
    const step = this.#rate * growth + ((1 - caution) * least) / LOOKS_PER_SECOND
    const most = Math.max(this.#rate, usedBytesPerSecond * HEADROOM, 2 * least)
    this.#rate = Math.min(most, this.#rate + off * step)
  }

  #cut({ nowMs, idleRoundTripMs }: YieldLook, queueMs: number): void {
    const { targetMs } = this.#options
    // One cut after another is of the same queue: what was too much stood before the first.
    if (nowMs - this.#cutAtMs > SAME_QUEUE_MS) {
      // What looked like a queue may have been a busy processor: a little less is believed.
      const before = Number.isFinite(this.#tooMuch) ? this.#tooMuch * FORGET : 0
      this.#tooMuch = Math.max(this.#rate, before)
    }
    this.#rate *= 1 - Math.min(CUT_MAX, (CUT * (queueMs - targetMs)) / targetMs)
    this.#cutAtMs = nowMs
    this.#cutNotBeforeMs = nowMs + idleRoundTripMs + queueMs + KNOWN_MS
  }
}
