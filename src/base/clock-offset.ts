/** Two ordinary clocks drift apart by at most this much, as a ratio (100 ppm). */
const DRIFT_RATIO_MAX = 1e-4
/** A wall clock is read in whole milliseconds. */
const RESOLUTION_MS = 1

/** What is known of another clock: how far it is ahead, and how far off that may be. */
export interface ClockReading {
  readonly aheadMs: number
  readonly doubtMs: number
}

/** Of a ping and its pong, in milliseconds: sent and received by the own clock. */
export interface PingTimes {
  readonly sentMs: number
  readonly answeredMs: number
  readonly receivedMs: number
}

interface Exchange {
  readonly roundTripMs: number
  readonly offsetMs: number
  readonly atMs: number
}

/**
 * Round trip and the difference of two clocks, from question and answer as in NTP (RFC 5905). An
 * exchange knows the offset to within half its round trip, and the longer ago it was, the less, by
 * the clocks' drift. The best one counts, so that a path full of data (seconds of round trip) does
 * not spoil what was learned while it was idle. An exchange that contradicts the best one says
 * that a clock was stepped: then only the new one counts.
 */
export class ClockOffset {
  #last: Exchange | null = null
  #best: Exchange | null = null
  #lastTimes: PingTimes | null = null

  /** Times in milliseconds: sent and received by the own clock, answered by the other's. */
  record(sentMs: number, answeredMs: number, receivedMs: number): void {
    this.#lastTimes = { sentMs, answeredMs, receivedMs }
    const roundTripMs = Math.max(0, receivedMs - sentMs)
    const offsetMs = answeredMs - (sentMs + receivedMs) / 2
    const exchange = { roundTripMs, offsetMs, atMs: receivedMs }
    this.#last = exchange
    if (receivedMs < sentMs) {
      // The own clock was set back meanwhile: nothing is known until the next one.
      this.#best = null
      return
    }
    const best = this.#best
    if (best === null) {
      this.#best = exchange
      return
    }
    const bestDoubtMs = doubtMs(best, receivedMs)
    const ownDoubtMs = doubtMs(exchange, receivedMs)
    const contradicts = Math.abs(best.offsetMs - offsetMs) > bestDoubtMs + ownDoubtMs
    if (contradicts || ownDoubtMs <= bestDoubtMs) this.#best = exchange
  }

  get lastTimes(): PingTimes | null {
    return this.#lastTimes
  }

  /** Of the latest exchange. */
  get roundTripMs(): number | null {
    return this.#last?.roundTripMs ?? null
  }

  /** Of the quickest exchange that still counts: the path without queues. */
  get idleRoundTripMs(): number | null {
    return this.#best?.roundTripMs ?? null
  }

  /** The other clock minus the own. */
  get offsetMs(): number | null {
    return this.#best?.offsetMs ?? null
  }

  /** How far off `offsetMs` may be; `nowMs` by the own clock. */
  doubtMs(nowMs: number): number | null {
    return this.reading(nowMs)?.doubtMs ?? null
  }

  /** Null before the first exchange. */
  reading(nowMs: number): ClockReading | null {
    const best = this.#best
    if (best === null) return null
    return { aheadMs: best.offsetMs, doubtMs: doubtMs(best, nowMs) + RESOLUTION_MS }
  }
}

function doubtMs({ roundTripMs, atMs }: Exchange, nowMs: number): number {
  return roundTripMs / 2 + Math.abs(nowMs - atMs) * DRIFT_RATIO_MAX
}
