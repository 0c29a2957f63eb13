import type { Clock } from '../base/clock.ts'
import { codeOf } from '../base/errors.ts'
import type { TunnelPath } from '../tunnel/tunnel-path.ts'

/** So long a tunnel may take after a start; then its lack is the link's trouble as well. */
const PATH_MS_MAX = 10_000

/**
 * The links' view of the tunnel at a start. What cannot be reached while the way there is still
 * being made is no news: it would be a warning of every start.
 */
export class LinkPath {
  readonly #tunnel: TunnelPath
  readonly #clock: Clock
  readonly #startedMs: number

  constructor(tunnel: TunnelPath, clock: Clock) {
    this.#tunnel = tunnel
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
  }

  /**
   * Whether a dial had to fail like this: before the first handshake with that peer, or because it
   * starts as well and does not listen yet. Nothing is excused when it is overdue.
   */
  excuses(peerName: string, error: unknown): boolean {
    const tunnel = this.#tunnel.status()
    const { state } = tunnel.peers.find(({ name }) => name === peerName) ?? tunnel
    if (state === 'external' || this.#leftMs <= 0) return false
    if (state === 'down' || state === 'never') return true
    return error instanceof Error && codeOf(error.cause) === 'ECONNREFUSED'
  }

  /** Settles when the tunnel's address can be bound, is overdue, or the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const settled = new AbortController()
    const stop = AbortSignal.any([signal, settled.signal])
    const ready = this.#tunnel.ready(stop).catch(() => undefined)
    const overdue = this.#clock.sleep(this.#leftMs, { signal: stop }).catch(() => undefined)
    await Promise.race([ready, overdue])
    settled.abort()
    await Promise.all([ready, overdue])
  }

  get #leftMs(): number {
    return Math.max(0, this.#startedMs + PATH_MS_MAX - this.#clock.monotonicMs())
  }
}
