import { isIPv4, isIPv6 } from 'node:net'
import type { HostPort } from '../config/address.ts'

/** Azure fragments, or drops, what is longer; a path between clouds promises no more. */
const PATH_BYTES = 1400
/** Header and tag of a WireGuard data packet, and UDP. */
const WIREGUARD_BYTES = 16 + 16 + 8
const IPV4_BYTES = 20
const IPV6_BYTES = 40

export const MTU_IPV4 = PATH_BYTES - WIREGUARD_BYTES - IPV4_BYTES
export const MTU_IPV6 = PATH_BYTES - WIREGUARD_BYTES - IPV6_BYTES

/**
 * What fits through the tunnel, by the endpoints of both gateways: 1340, or 1320 where the packets
 * around it are, or may be, IPv6. A name is resolved anew all the time, and may become either.
 */
export function mtuFor(endpoints: readonly HostPort[]): number {
  return endpoints.every(({ host }) => isIPv4(host)) ? MTU_IPV4 : MTU_IPV6
}

/** The endpoint of IPv6 for which this is too large; null if none is known. */
export function endpointTooNarrow(
  mtuBytes: number,
  endpoints: readonly HostPort[],
): HostPort | null {
  return mtuBytes <= MTU_IPV6 ? null : (endpoints.find(({ host }) => isIPv6(host)) ?? null)
}
