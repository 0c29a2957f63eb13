import type { TunnelReading } from './tunnel-backend.ts'

/*
 *   never ──first handshake──▶ up ◀──────bytes arrive──────┐
 *                              └──too old, or sends into the void──▶ stale
 *
 * `down`, which the tunnel itself sets, is when there is no interface to read.
 */

/** WireGuard refuses a session that is older (REJECT_AFTER_TIME). */
const HANDSHAKE_MS_MAX = 180_000
/** A healthy pair has a new handshake every 120 s; past this the name is asked again. */
export const RERESOLVE_AFTER_MS = 135_000
/** A keepalive may be late by this much before its lack means something. */
const KEEPALIVE_SLACK_MS = 10_000
const KEEPALIVE_BYTES = 32
/** Who gets data answers within 10 s (KEEPALIVE_TIMEOUT), if with nothing else; twice that. */
const ANSWER_MS_MAX = 20_000

/** Tells from successive readings whether the peer can be heard. Pure: time comes in. */
export class TunnelHealth {
  readonly #keepaliveMs: number
  #receivedBytes = 0
  #sentBytesAtReceive = 0
  #receivedAtMs: number
  #heardAtMs: number | null = null

  constructor(options: { readonly keepaliveMs: number; readonly nowMs: number }) {
    this.#keepaliveMs = options.keepaliveMs
    this.#receivedAtMs = options.nowMs
  }

  /** When bytes came last, on the monotonic clock; null while none were seen to come. */
  get heardAtMs(): number | null {
    return this.#heardAtMs
  }

  /** `nowMs` is monotonic, `handshakeAgeMs` was taken from the wall clock by the caller. */
  observe(
    reading: TunnelReading,
    handshakeAgeMs: number | null,
    nowMs: number,
  ): 'up' | 'stale' | 'never' {
    if (reading.receivedBytes !== this.#receivedBytes) {
      this.#receivedBytes = reading.receivedBytes
      this.#sentBytesAtReceive = reading.sentBytes
      this.#receivedAtMs = nowMs
      this.#heardAtMs = nowMs
    }
    if (handshakeAgeMs === null) return 'never'
    if (handshakeAgeMs > HANDSHAKE_MS_MAX) return 'stale'
    const silentMs = nowMs - this.#receivedAtMs
    const unansweredBytes = reading.sentBytes - this.#sentBytesAtReceive
    // Keepalives ask for no answer: only the peer's own ones are missed then.
    const keepalives = 1 + Math.floor(silentMs / this.#keepaliveMs)
    const isData = unansweredBytes > keepalives * KEEPALIVE_BYTES
    const silentMsMax = isData
      ? Math.min(ANSWER_MS_MAX, this.#keepaliveMs + KEEPALIVE_SLACK_MS)
      : this.#keepaliveMs + KEEPALIVE_SLACK_MS
    return unansweredBytes > 0 && silentMs > silentMsMax ? 'stale' : 'up'
  }
}
