import assert from 'node:assert/strict'
import type { Clock } from '../base/clock.ts'
import { Condition } from '../base/condition.ts'
import { isAbortError } from '../base/errors.ts'
import { type Release, Turns } from '../base/turns.ts'
import { RateMeter } from './rate-meter.ts'

export interface ThrottleOptions {
  /** Null: no limit; 0: nothing passes. */
  readonly bytesPerSecond: number | null
  readonly clock: Clock
}

/** Leave for one piece. */
export interface Admission {
  /** How large it should be; infinite without a limit. */
  readonly bytesMax: number
  /** Says how large it was. A piece that was larger leaves a debt, which the next one waits for. */
  passed(bytes: number): void
}

/** In time at the rate: at a small one no step takes long. */
export interface ThrottleGrain {
  /** May pass at once after a rest: so late a timer may be without a loss. */
  readonly burstMs: number
  readonly pieceMs: number
  readonly pieceBytesMin: number
}

const COARSE: ThrottleGrain = { burstMs: 300, pieceMs: 100, pieceBytesMin: 256 }
/** More is never sent as one frame. */
const PIECE_BYTES_MAX = 256 * 1024
const TIMER_MS_MAX = 2 ** 31 - 1
/** Sums of fractions of a byte are not exact; nobody waits for less than this. */
const EPSILON_BYTES = 1e-6

/**
 * Token bucket. In any span of t seconds at most `burst + rate * t` bytes pass, and what a piece
 * was larger than it should be; while there is always more, at least `rate * t` less a piece.
 * Waiters go in the order they came.
 */
export class Throttle {
  readonly #clock: Clock
  readonly #meter: RateMeter
  readonly #turns = new Turns()
  readonly #changed = new Condition()
  #grain = COARSE
  #bytesPerSecond: number | null
  #tokens: number
  #filledAtMs: number
  #waiting = 0
  #pausedAtMs: number | null
  #rateChanged = new AbortController()

  constructor(options: ThrottleOptions) {
    const { bytesPerSecond, clock } = options
    assertRate(bytesPerSecond)
    this.#clock = clock
    this.#meter = new RateMeter(clock)
    this.#bytesPerSecond = bytesPerSecond
    this.#tokens = this.#burstBytes()
    this.#filledAtMs = clock.monotonicMs()
    this.#pausedAtMs = bytesPerSecond === 0 ? this.#filledAtMs : null
  }

  /** Null: no limit; 0: nothing passes. */
  get bytesPerSecond(): number | null {
    return this.#bytesPerSecond
  }

  /** Since when nothing passes, on the monotonic clock; null while something may. */
  get pausedAtMs(): number | null {
    return this.#pausedAtMs
  }

  /** How large the next piece should be; infinite without a limit. */
  get pieceBytes(): number {
    if (this.#bytesPerSecond === null) return Number.POSITIVE_INFINITY
    const { pieceMs, pieceBytesMin } = this.#grain
    const wanted = Math.floor((this.#bytesPerSecond * pieceMs) / 1000)
    return Math.max(pieceBytesMin, Math.min(PIECE_BYTES_MAX, wanted))
  }

  /** What passed in the last `spanMs`, by default and at most ten seconds. */
  measured(spanMs?: number): number {
    return this.#meter.bytesPerSecond(spanMs)
  }

  /** Takes effect at once, also for those who already wait. */
  setRate(bytesPerSecond: number | null, grain: ThrottleGrain = COARSE): void {
    assertRate(bytesPerSecond)
    if (bytesPerSecond === this.#bytesPerSecond && grain === this.#grain) return
    this.#fill()
    this.#bytesPerSecond = bytesPerSecond
    this.#grain = grain
    // A debt of a large piece at a high rate would be a long silence at a low one.
    this.#tokens = bytesPerSecond === null ? 0 : this.#bounded(this.#tokens)
    this.#pausedAtMs = bytesPerSecond === 0 ? (this.#pausedAtMs ?? this.#filledAtMs) : null
    this.#rateChanged.abort()
    this.#rateChanged = new AbortController()
    this.#changed.notifyAll()
  }

  /** Settles when the next piece may pass. Rejects with AbortError, and takes nothing. */
  async admit(options: { readonly signal?: AbortSignal } = {}): Promise<Admission> {
    options.signal?.throwIfAborted()
    const atOnce = this.#waiting === 0 ? this.#admission() : null
    if (atOnce !== null) return atOnce
    this.#waiting += 1
    let leave: Release | null = null
    try {
      leave = await this.#turns.take(options.signal)
      return await this.#waitForTokens(options.signal)
    } finally {
      this.#waiting -= 1
      leave?.()
    }
  }

  /** Settles once something may pass at all. */
  async released(signal: AbortSignal): Promise<void> {
    while (this.#pausedAtMs !== null) await this.#changed.wait({ signal })
  }

  async #waitForTokens(signal: AbortSignal | undefined): Promise<Admission> {
    for (;;) {
      signal?.throwIfAborted()
      const admission = this.#admission()
      if (admission !== null) return admission
      const wake = this.#rateChanged.signal
      const either = signal === undefined ? wake : AbortSignal.any([signal, wake])
      try {
        await this.#clock.sleep(this.#delayMs(), { signal: either })
      } catch (error) {
        if (!isAbortError(error) || !wake.aborted || signal?.aborted) throw error
      }
    }
  }

  #delayMs(): number {
    const rate = this.#bytesPerSecond ?? Number.POSITIVE_INFINITY
    // Only another rate wakes.
    if (rate === 0) return TIMER_MS_MAX
    const lacking = Math.min(this.pieceBytes, this.#burstBytes()) - this.#tokens
    // Whole milliseconds: timers cut fractions off and would wake a moment too early.
    return Math.ceil((lacking / rate) * 1000 - EPSILON_BYTES)
  }

  /** Null while it has to wait. */
  #admission(): Admission | null {
    const bytesMax = this.pieceBytes
    if (this.#bytesPerSecond === null) {
      return { bytesMax, passed: (bytes) => this.#meter.add(bytes) }
    }
    this.#fill()
    if (this.#bytesPerSecond === 0) return null
    if (this.#tokens < Math.min(bytesMax, this.#burstBytes()) - EPSILON_BYTES) return null
    this.#tokens -= bytesMax
    return {
      bytesMax,
      passed: (bytes) => {
        this.#meter.add(bytes)
        this.#tokens = this.#bounded(this.#tokens + bytesMax - bytes)
      },
    }
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#bytesPerSecond !== null) {
      const earned = ((nowMs - this.#filledAtMs) * this.#bytesPerSecond) / 1000
      this.#tokens = Math.min(this.#burstBytes(), this.#tokens + earned)
    }
    this.#filledAtMs = nowMs
  }

  /** A debt is of one frame that did not compress as was hoped, and no larger than the burst. */
  #bounded(tokens: number): number {
    const most = Math.max(this.#burstBytes(), this.pieceBytes)
    return Math.max(-most, Math.min(tokens, this.#burstBytes()))
  }

  #burstBytes(): number {
    return ((this.#bytesPerSecond ?? 0) * this.#grain.burstMs) / 1000
  }
}

function assertRate(bytesPerSecond: number | null): void {
  assert(bytesPerSecond === null || bytesPerSecond >= 0, 'a rate is not below 0')
}
