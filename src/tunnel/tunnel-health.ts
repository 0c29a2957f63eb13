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

/** Tells from successive readings whether the peer can be heard. Pure: time comes in. */
export class TunnelHealth {
  readonly #keepaliveMs: number
  #receivedBytes = 0
  #sentBytesAtReceive = 0
  #receivedAtMs: number

  constructor(options: { readonly keepaliveMs: number; readonly nowMs: number }) {
    this.#keepaliveMs = options.keepaliveMs
    this.#receivedAtMs = options.nowMs
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
    }
    if (handshakeAgeMs === null) return 'never'
    if (handshakeAgeMs > HANDSHAKE_MS_MAX) return 'stale'
    const isUnanswered = reading.sentBytes > this.#sentBytesAtReceive
    const silentMs = nowMs - this.#receivedAtMs
    return isUnanswered && silentMs > this.#keepaliveMs + KEEPALIVE_SLACK_MS ? 'stale' : 'up'
  }
}
