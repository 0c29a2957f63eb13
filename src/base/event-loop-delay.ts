import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock } from './clock.ts'

/** No timer is wanted, only what the loop does by itself: the longest that Node takes. */
const NEVER_MS = 2 ** 31 - 1
/** A longest turn is told for as long as this at least, and twice as long at most. */
const WINDOW_MS = 60_000
const NANOSECONDS_PER_MS = 1_000_000

/**
 * How long one turn of the event loop kept everything else waiting, at most. Measured at each turn:
 * a process that has nothing to do is not woken for it, and no turn is missed between two samples.
 * Needs Node 24 (`samplePerIteration` of perf_hooks); before that nothing is known.
 */
export class EventLoopDelay implements Disposable {
  readonly #clock: Clock
  readonly #turns = monitorEventLoopDelay({ samplePerIteration: true, resolution: NEVER_MS })
  #windowSinceMs: number
  #beforeMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#windowSinceMs = clock.monotonicMs()
    this.#turns.enable()
  }

  /** Of the last minute or two, however often it is asked; null where it cannot be measured. */
  maxMs(): number | null {
    // Whoever asks has been through a turn.
    if (this.#turns.count === 0) return this.#beforeMs || null
    const maxMs = this.#turns.max / NANOSECONDS_PER_MS
    const nowMs = this.#clock.monotonicMs()
    const longestMs = Math.max(maxMs, this.#beforeMs)
    if (nowMs - this.#windowSinceMs < WINDOW_MS) return longestMs
    this.#windowSinceMs = nowMs
    this.#beforeMs = maxMs
    this.#turns.reset()
    return longestMs
  }

  [Symbol.dispose](): void {
    this.#turns.disable()
  }
}
