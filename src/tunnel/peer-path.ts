import type { Clock } from '../base/clock.ts'
import type { TunnelPeerStatus } from '../status/status.ts'
import { EndpointResolver, type Lookup } from './endpoint-resolver.ts'
import type { TunnelPeer, TunnelReading } from './tunnel-backend.ts'
import { RERESOLVE_AFTER_MS, TunnelHealth } from './tunnel-health.ts'

/** While there is no fresh handshake, the next address is tried this often. */
const RERESOLVE_EVERY_MS = 10_000

const NOTHING_READ: TunnelReading = {
  handshakeAtMs: null,
  receivedBytes: 0,
  sentBytes: 0,
  endpoint: null,
}

/**
 * One peer of the interface: what is heard of it, and where it is looked for. It waits for nothing
 * on behalf of the others: a name that takes long to be resolved is used when it is known.
 */
export class PeerPath {
  readonly peer: TunnelPeer
  readonly #clock: Clock
  readonly #resolver: EndpointResolver
  #health: TunnelHealth
  #state: TunnelPeerStatus['state'] = 'down'
  #reading = NOTHING_READ
  #heardAtMs: number | null = null
  #resolvedAtMs = Number.NEGATIVE_INFINITY
  #resolving: Promise<void> | null = null
  /** Resolved and not yet used. */
  #found: string | null = null
  #failure: string | null = null

  constructor(peer: TunnelPeer, clock: Clock, lookup?: Lookup) {
    this.peer = peer
    this.#clock = clock
    this.#resolver = new EndpointResolver(peer.endpoints, lookup)
    this.#health = this.#newHealth()
  }

  get state(): TunnelPeerStatus['state'] {
    return this.#state
  }

  /** Where it is, by the last reading. */
  get endpoint(): string | null {
    return this.#reading.endpoint
  }

  /** Why a name could not be resolved or an address not be set, when last tried. */
  get failure(): string | null {
    return this.#failure
  }

  /** The interface was made. */
  made(): void {
    this.#state = 'never'
    this.#health = this.#newHealth()
    this.#resolvedAtMs = Number.NEGATIVE_INFINITY
  }

  /** The interface is gone. */
  gone(): void {
    this.#state = 'down'
    this.#reading = NOTHING_READ
  }

  observe(reading: TunnelReading): void {
    this.#reading = reading
    this.#state = this.#health.observe(reading, this.#handshakeAgeMs(), this.#clock.monotonicMs())
    // An interface that was made anew has heard nothing yet; the one before it had.
    this.#heardAtMs = this.#health.heardAtMs ?? this.#heardAtMs
  }

  /** The first address to try, if it is known before `late` settles. */
  async first(late: Promise<unknown>): Promise<string | null> {
    await Promise.race([this.#resolve(), late])
    return this.#take()
  }

  /** Another address to try, when there is no fresh handshake and one was found. */
  next(): string | null {
    // What was found while it came up by itself is not needed any more.
    const found = this.#take()
    if (!this.#needsEndpoint()) return null
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#resolvedAtMs >= RERESOLVE_EVERY_MS) {
      this.#resolvedAtMs = nowMs
      void this.#resolve()
    }
    return found === this.#reading.endpoint ? null : found
  }

  /** What `next` gave was of no use. */
  refused(reason: string): void {
    this.#failure = reason
  }

  status(): TunnelPeerStatus {
    const { endpoint, receivedBytes, sentBytes } = this.#reading
    return {
      name: this.peer.name,
      state: this.#state,
      address: this.peer.tunnelAddress,
      endpoint,
      handshakeAgeMs: this.#handshakeAgeMs(),
      heardAgoMs: this.#heardAtMs === null ? null : this.#clock.monotonicMs() - this.#heardAtMs,
      receivedBytes,
      sentBytes,
    }
  }

  #resolve(): Promise<void> {
    this.#resolving ??= this.#resolver.next().then((endpoint) => {
      this.#found = endpoint
      this.#failure = this.#resolver.failure
      this.#resolving = null
    })
    return this.#resolving
  }

  #take(): string | null {
    const found = this.#found
    this.#found = null
    return found
  }

  #needsEndpoint(): boolean {
    const ageMs = this.#handshakeAgeMs()
    return ageMs === null || ageMs > RERESOLVE_AFTER_MS || this.#state === 'stale'
  }

  #handshakeAgeMs(): number | null {
    const { handshakeAtMs } = this.#reading
    return handshakeAtMs === null ? null : Math.max(0, this.#clock.wallMs() - handshakeAtMs)
  }

  #newHealth(): TunnelHealth {
    const nowMs = this.#clock.monotonicMs()
    return new TunnelHealth({ keepaliveMs: this.peer.keepaliveMs, nowMs })
  }
}
