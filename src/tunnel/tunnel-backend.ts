import type { Secret } from '../base/secret.ts'
import type { Endpoint } from './endpoint-resolver.ts'

/** One of the gateways at the other ends of the interface. */
export interface TunnelPeer {
  readonly name: string
  /** Of WireGuard, base64. */
  readonly publicKey: string
  readonly tunnelAddress: string
  readonly keepaliveMs: number
  /** Where it may be reached; empty when it comes to us. */
  readonly endpoints: readonly Endpoint[]
}

/** What a WireGuard interface shall be, but for its secret. Keys are base64, as `wg` has them. */
export interface TunnelSettings {
  readonly interfaceName: string
  readonly listenPort: number
  readonly mtuBytes: number
  readonly address: string
  readonly prefixLength: number
  /** One key, port and address of ours for all of them. */
  readonly peers: readonly TunnelPeer[]
}

/** What a WireGuard interface says of a peer. */
export interface TunnelReading {
  /** Wall clock; null before the first handshake. */
  readonly handshakeAtMs: number | null
  readonly receivedBytes: number
  readonly sentBytes: number
  /** `address:port`; the peer's own packets may have changed it. */
  readonly endpoint: string | null
}

/** By the public key of the peer; the interface may have others than those that it shall have. */
export type TunnelReadings = ReadonlyMap<string, TunnelReading>

/** `address:port` or `[address]:port`, by the public key of the peer. */
export type PeerEndpoints = ReadonlyMap<string, string>

/**
 * One way to have a WireGuard interface. The order of calls is create, configure, then setEndpoint
 * and read as often as wanted, and destroy, which also may follow a failed create.
 */
export interface TunnelBackend {
  readonly kind: 'kernel' | 'userspace'
  /** How often `read` may be called: forking is dearer than asking a socket. */
  readonly readIntervalMs: number
  /** Removes what a crash of ours left under the name and makes the interface. */
  create(signal: AbortSignal): Promise<void>
  /**
   * Keys (the private one in base64), port and peers. Endpoints that are known by now belong in
   * here: the first handshake starts at once, and the next only 5 s later.
   */
  configure(privateKey: Secret, endpoints: PeerEndpoints): Promise<void>
  /** Of one peer, without touching the others; no names. */
  setEndpoint(publicKey: string, endpoint: string): Promise<void>
  read(): Promise<TunnelReadings>
  /**
   * Settles when what carries the interface has died by itself, with what it said last in one line,
   * '' for nothing; or on abort. Never rejects.
   */
  died(signal: AbortSignal): Promise<string>
  /** Leaves nothing behind. May be called at any time, also twice. */
  destroy(): Promise<void>
}

/** A peer is reached by its tunnel address alone. */
export function allowedAddress(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`
}
