import type { PeerConfig } from '../config/peer-file.ts'
import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'
import type { GatewayStatus, TunnelPeerStatus } from '../status/status.ts'
import { allowedAddress } from './tunnel-backend.ts'

/** Public halves of the peers: their keys and addresses are labels, and not in the status. */
export type LabelledPeers = readonly Pick<
  PeerConfig,
  'name' | 'wireguardPublicKey' | 'tunnelAddress'
>[]

export function tunnelMetrics(
  sheet: MetricSheet,
  status: Pick<GatewayStatus, 'tunnel' | 'nowMs'>,
  known: LabelledPeers,
): void {
  const { backend, peers } = status.tunnel
  for (const peer of peers) {
    const own = sheet.of('landbridge_tunnel_', { peer: peer.name })
    const up = Number(peer.state === 'up' || peer.state === 'external')
    own.gauge('up', '1 when a handshake is recent enough', up, { backend })
    const states = ['up', 'stale', 'down', 'never', 'external']
    own.state('state', '1 for the state the tunnel to the peer is in', peer.state, states)
    const ageSeconds = seconds(peer.handshakeAgeMs)
    own.gauge('handshake_age_seconds', 'Age of the last handshake', ageSeconds)
    const heardSeconds = seconds(peer.heardAgoMs)
    own.gauge('heard_age_seconds', 'Since something last came from the peer', heardSeconds)
    own.counter('received_bytes_total', 'Bytes from the tunnel', peer.receivedBytes)
    own.counter('sent_bytes_total', 'Bytes into the tunnel', peer.sentBytes)
    wireguardMetrics(sheet, status, peer, known)
  }
}

/** The names and labels that existing WireGuard dashboards and alerts use. */
function wireguardMetrics(
  sheet: MetricSheet,
  { tunnel, nowMs }: Pick<GatewayStatus, 'tunnel' | 'nowMs'>,
  { name, handshakeAgeMs: ageMs, receivedBytes, sentBytes }: TunnelPeerStatus,
  known: LabelledPeers,
): void {
  if (tunnel.backend === 'external' || tunnel.interface === null) return
  const config = known.find((peer) => peer.name === name)
  const own = sheet.of('wireguard_', {
    interface: tunnel.interface,
    public_key: config?.wireguardPublicKey ?? '',
    allowed_ips: config === undefined ? '' : allowedAddress(config.tunnelAddress.address),
    peer: name,
  })
  own.counter('received_bytes_total', 'Bytes received', receivedBytes)
  own.counter('sent_bytes_total', 'Bytes sent', sentBytes)
  const atSeconds = ageMs === null ? 0 : Math.round((nowMs - ageMs) / 1000)
  const help = 'Unix time of the last handshake, 0 for never'
  own.gauge('latest_handshake_seconds', help, atSeconds)
  const delayHelp = 'Seconds since the last handshake'
  own.gauge('latest_handshake_delay_seconds', delayHelp, seconds(ageMs))
}
