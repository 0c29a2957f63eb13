import type { Clock } from './clock.ts'
import { codeOf, describeError } from './errors.ts'

export interface TroubleNow<Failure> {
  /** As it was met last. */
  readonly error: Failure
  /** Wall clock when it began. */
  readonly sinceMs: number
}

/**
 * What a part that tries again and again cannot get past, and since when. An attempt that fails
 * does not begin a trouble anew: it has one beginning for as long as its code stays the same.
 */
export class Trouble<Failure = unknown> {
  readonly #clock: Clock
  #now: TroubleNow<Failure> | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Null while all goes well. */
  get now(): TroubleNow<Failure> | null {
    return this.#now
  }

  /**
   * It was met, now or again. `begun` is worth a line in the log, and so may be `changed`: the same
   * code in other words.
   */
  met(error: Failure): 'begun' | 'changed' | 'same' {
    const before = this.#now
    if (before === null || codeOf(before.error) !== codeOf(error)) {
      this.#now = { error, sinceMs: this.#clock.wallMs() }
      return 'begun'
    }
    if (describeError(before.error) === describeError(error)) return 'same'
    this.#now = { error, sinceMs: before.sinceMs }
    return 'changed'
  }

  over(): void {
    this.#now = null
  }
}
