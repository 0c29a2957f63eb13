import assert from 'node:assert/strict'
import { LandbridgeError } from '../base/errors.ts'

/** Bytes that were handed to the channel at about the same time. */
interface Mark {
  endBytes: number
  readonly sentMs: number
  /** What was under way then, these bytes included. */
  inFlightBytes: number
}

/** So much waiting in queues is wanted at most, on top of what the path itself takes. */
const QUEUE_DELAY_MS_MAX = 500
const START_BYTES = 1024 * 1024
const FLOOR_BYTES = 64 * 1024
const MARK_EVERY_MS = 5
const GROW = 1.25

/**
 * How much may be under way: sent and not yet synced by the receiver. Pure.
 *
 * The hard limit is what the receiver allows. Below it an allowance follows the path: it grows
 * while acknowledgements come back promptly, and when they take longer than an idle round trip plus
 * half a second it shrinks to what the path carried in that time. On a slow path that keeps
 * samples, pings and the news of trouble from waiting behind a window full of data; on a fast one
 * the allowance reaches the limit within a few round trips.
 *
 * Invariant: 0 <= acked <= sent; sent - acked <= allowance <= limit, except that one frame may
 * always go while nothing is under way.
 */
export class SendWindow {
  readonly limitBytes: number
  #allowanceBytes: number
  #sentBytes = 0
  #ackedBytes = 0
  #shrunkBytes = 0
  #marks: Mark[] = []

  constructor(limitBytes: number) {
    assert(limitBytes > 0)
    this.limitBytes = limitBytes
    this.#allowanceBytes = Math.min(limitBytes, START_BYTES)
  }

  get inFlightBytes(): number {
    return this.#sentBytes - this.#ackedBytes
  }

  get allowanceBytes(): number {
    return this.#allowanceBytes
  }

  fits(bytes: number): boolean {
    return this.inFlightBytes === 0 || this.inFlightBytes + bytes <= this.#allowanceBytes
  }

  sent(bytes: number, nowMs: number): void {
    this.#sentBytes += bytes
    const last = this.#marks.at(-1)
    const { inFlightBytes } = this
    if (last !== undefined && nowMs - last.sentMs < MARK_EVERY_MS) {
      last.endBytes = this.#sentBytes
      last.inFlightBytes = inFlightBytes
    } else this.#marks.push({ endBytes: this.#sentBytes, sentMs: nowMs, inFlightBytes })
  }

  /**
   * `total`: synced since the stream was opened. `idleRoundTripMs`: of a path without queues.
   * Throws ERR_LINK_ACK when it cannot be.
   */
  acked(total: number, nowMs: number, idleRoundTripMs: number): void {
    if (total < this.#ackedBytes || total > this.#sentBytes) {
      throw new LandbridgeError(
        'ERR_LINK_ACK',
        `the peer acknowledges ${total} bytes of ${this.#sentBytes}, ${this.#ackedBytes} before`,
        { retryable: true },
      )
    }
    const wasFull = this.inFlightBytes > this.#allowanceBytes / 2
    this.#ackedBytes = total
    let mark: Mark | undefined
    while (this.#marks[0] !== undefined && this.#marks[0].endBytes <= total) {
      mark = this.#marks.shift()
    }
    if (mark !== undefined) this.#adapt(mark, nowMs - mark.sentMs, idleRoundTripMs, wasFull)
  }

  #adapt(mark: Mark, delayMs: number, idleRoundTripMs: number, wasFull: boolean): void {
    const wantedMs = idleRoundTripMs + QUEUE_DELAY_MS_MAX
    if (delayMs <= wantedMs) {
      if (!wasFull) return
      this.#allowanceBytes = Math.min(this.limitBytes, Math.ceil(this.#allowanceBytes * GROW))
    } else if (this.#ackedBytes >= this.#shrunkBytes) {
      // Once per window: what is under way now was sent under the old allowance.
      const carried = Math.floor((mark.inFlightBytes * wantedMs) / delayMs)
      this.#allowanceBytes = Math.min(
        this.limitBytes,
        this.#allowanceBytes,
        Math.max(FLOOR_BYTES, carried),
      )
      this.#shrunkBytes = this.#sentBytes
    }
  }
}
