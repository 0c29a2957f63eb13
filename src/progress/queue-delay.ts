/** A probe and its answer: sent and received by the own clock, answered by the peer's. */
export interface ProbeAnswer {
  readonly sentMs: number
  readonly answeredMs: number
  readonly receivedMs: number
}

/** RFC 6817: minima of the last ten minutes, one a minute; a route may change. */
const BASE_MINUTES = 10
const MINUTE_MS = 60_000
/** RFC 6817's CURRENT_FILTER: the smallest of a few is not one busy moment of a processor. */
const CURRENT_PROBES = 3

interface Minute {
  readonly minute: number
  forwardMs: number
  roundTripMs: number
}

/**
 * How long packets wait in queues on the way to the peer: pure. As in LEDBAT (RFC 6817) the delay
 * one way is compared with the smallest of the last minutes, so the difference of the clocks does
 * not matter, nor what waits on the way back. The round trip, which knows only the own clock, is
 * the upper limit: a peer's clock that is stepped makes no queue.
 */
export class QueueDelay {
  #minutes: Minute[] = []
  #recent: { readonly queueMs: number; readonly atMs: number }[] = []
  #unansweredMs: number | null = null

  answered({ sentMs, answeredMs, receivedMs }: ProbeAnswer): void {
    const forwardMs = answeredMs - sentMs
    const roundTripMs = receivedMs - sentMs
    this.#learn(Math.floor(receivedMs / MINUTE_MS), forwardMs, roundTripMs)
    const base = this.#base()
    const queueMs = Math.max(
      0,
      Math.min(forwardMs - base.forwardMs, roundTripMs - base.roundTripMs),
    )
    this.#recent = [...this.#recent, { queueMs, atMs: receivedMs }].slice(-CURRENT_PROBES)
    this.#unansweredMs = null
  }

  /** A probe of `sentMs` has no answer yet. */
  unanswered(sentMs: number, nowMs: number): void {
    this.#unansweredMs = nowMs - sentMs
  }

  /** Of a path without queues, there and back; null before the first answer. */
  get idleRoundTripMs(): number | null {
    return this.#minutes.length === 0 ? null : this.#base().roundTripMs
  }

  /** When the last answer came; null before the first. */
  get heardMs(): number | null {
    return this.#recent.at(-1)?.atMs ?? null
  }

  /** Null before the first answer. */
  get queueMs(): number | null {
    if (this.#recent.length === 0) return null
    const smallest = Math.min(...this.#recent.map(({ queueMs }) => queueMs))
    // What has not come back yet waits at least that long.
    const { roundTripMs } = this.#base()
    return Math.max(smallest, (this.#unansweredMs ?? 0) - roundTripMs)
  }

  #learn(minute: number, forwardMs: number, roundTripMs: number): void {
    const now = this.#minutes.at(-1)
    if (now === undefined || now.minute !== minute) {
      this.#minutes = [...this.#minutes, { minute, forwardMs, roundTripMs }].slice(-BASE_MINUTES)
      return
    }
    now.forwardMs = Math.min(now.forwardMs, forwardMs)
    now.roundTripMs = Math.min(now.roundTripMs, roundTripMs)
  }

  #base(): { readonly forwardMs: number; readonly roundTripMs: number } {
    return {
      forwardMs: Math.min(...this.#minutes.map(({ forwardMs }) => forwardMs)),
      roundTripMs: Math.min(...this.#minutes.map(({ roundTripMs }) => roundTripMs)),
    }
  }
}
