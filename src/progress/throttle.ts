import assert from 'node:assert/strict'
import type { Clock } from '../base/clock.ts'
import { isAbortError } from '../base/errors.ts'
import { type Release, Turns } from '../base/turns.ts'

export interface ThrottleOptions {
  /** Null: no limit. */
  readonly bytesPerSecond: number | null
  /** What may pass at once after a pause. Default: a tenth of a second's worth, at least 64 KiB. */
  readonly burstBytes?: number
  readonly clock: Clock
}

const BURST_BYTES_MIN = 64 * 1024
/** Sums of fractions of a byte are not exact; nobody waits for less than this. */
const EPSILON_BYTES = 1e-6

/**
 * Token bucket. A piece larger than the bucket passes when the bucket is full and leaves a debt
 * that the next one waits for, so the average is exact whatever the piece size: in any span of t
 * seconds at most `burst + rate * t + one piece` bytes pass. Waiters go in the order they came.
 */
export class Throttle {
  readonly #clock: Clock
  readonly #fixedBurstBytes: number | undefined
  #bytesPerSecond: number | null
  #tokens: number
  #filledAtMs: number
  readonly #turns = new Turns()
  #queuedBytes = 0
  #rateChanged = new AbortController()

  constructor(options: ThrottleOptions) {
    assertRate(options.bytesPerSecond)
    this.#clock = options.clock
    this.#fixedBurstBytes = options.burstBytes
    this.#bytesPerSecond = options.bytesPerSecond
    this.#tokens = this.#burstBytes()
    this.#filledAtMs = options.clock.monotonicMs()
  }

  get bytesPerSecond(): number | null {
    return this.#bytesPerSecond
  }

  /** Takes effect at once, also for those who already wait. */
  setRate(bytesPerSecond: number | null): void {
    assertRate(bytesPerSecond)
    this.#fill()
    this.#bytesPerSecond = bytesPerSecond
    this.#tokens = Math.min(this.#tokens, this.#burstBytes())
    if (bytesPerSecond === null) this.#tokens = 0
    this.#rateChanged.abort()
    this.#rateChanged = new AbortController()
  }

  /** How long `take(bytes)` would wait if it were called now, behind those who wait already. */
  delayMsFor(bytes: number): number {
    if (this.#bytesPerSecond === null) return 0
    this.#fill()
    const lacking = this.#queuedBytes + Math.min(bytes, this.#burstBytes()) - this.#tokens
    return lacking <= EPSILON_BYTES ? 0 : (lacking / this.#bytesPerSecond) * 1000
  }

  /** Settles when `bytes` may pass. Rejects with AbortError, and takes nothing, when aborted. */
  async take(bytes: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    assert(bytes >= 0)
    options.signal?.throwIfAborted()
    if (this.#queuedBytes === 0 && this.#takeNow(bytes)) return
    this.#queuedBytes += bytes
    let leave: Release | null = null
    try {
      leave = await this.#turns.take(options.signal)
      await this.#waitForTokens(bytes, options.signal)
    } finally {
      this.#queuedBytes -= bytes
      leave?.()
    }
  }

  async #waitForTokens(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted()
      if (this.#takeNow(bytes)) return
      const rate = this.#bytesPerSecond ?? Number.POSITIVE_INFINITY
      const lacking = Math.min(bytes, this.#burstBytes()) - this.#tokens
      const wake = this.#rateChanged.signal
      const either = signal === undefined ? wake : AbortSignal.any([signal, wake])
      try {
        // Whole milliseconds: timers cut fractions off and would wake a moment too early.
        await this.#clock.sleep(Math.ceil((lacking / rate) * 1000 - EPSILON_BYTES), {
          signal: either,
        })
      } catch (error) {
        if (!isAbortError(error) || !wake.aborted || signal?.aborted) throw error
      }
    }
  }

  #takeNow(bytes: number): boolean {
    if (this.#bytesPerSecond === null) return true
    this.#fill()
    if (this.#tokens < Math.min(bytes, this.#burstBytes()) - EPSILON_BYTES) return false
    this.#tokens -= bytes
    return true
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#bytesPerSecond !== null) {
      const earned = ((nowMs - this.#filledAtMs) * this.#bytesPerSecond) / 1000
      this.#tokens = Math.min(this.#burstBytes(), this.#tokens + earned)
    }
    this.#filledAtMs = nowMs
  }

  #burstBytes(): number {
    if (this.#fixedBurstBytes !== undefined) return this.#fixedBurstBytes
    return Math.max(BURST_BYTES_MIN, (this.#bytesPerSecond ?? 0) / 10)
  }
}

function assertRate(bytesPerSecond: number | null): void {
  assert(bytesPerSecond === null || bytesPerSecond > 0, 'a rate is above 0, or null for no limit')
}
