import type { TunnelFirewallStatus, TunnelStatus } from '../../status/status.ts'

export interface TunnelView {
  readonly schema: 1
  readonly status: TunnelStatus
  readonly self: Side
  readonly peer: Side
  readonly listenPort: number | null
  readonly keepaliveMs: number | null
}

interface Side {
  readonly name: string
  readonly site: string
  readonly publicKey: string
}

/** The order and words of `wg show`, which people on call know, with our lines beside them. */
export function formatTunnel(view: TunnelView): string {
  const { status, self, peer, listenPort, keepaliveMs } = view
  if (status.backend === 'external') {
    return `tunnel: external\n  local: ${status.localAddress}\n  peer: ${status.peerAddress}\n`
  }
  const lines = [
    `interface: ${status.interface}`,
    `  gateway: ${self.name} (${self.site})`,
    `  state: ${status.state}`,
    `  public key: ${self.publicKey}`,
    '  private key: (hidden)',
    `  listening port: ${listenPort ?? '-'}`,
    `  back end: ${status.backend}`,
    `  address: ${status.localAddress ?? '-'}`,
    `  mtu: ${status.mtu ?? '-'}`,
    ...firewallLines(status.firewall),
    '',
    `peer: ${peer.publicKey}`,
    `  gateway: ${peer.name} (${peer.site})`,
    `  endpoint: ${status.endpoint ?? '(none)'}`,
    `  allowed ips: ${status.peerAddress ?? '(none)'}`,
  ]
  if (status.handshakeAgeMs !== null) {
    lines.push(`  latest handshake: ${ageText(status.handshakeAgeMs)}`)
  }
  if (status.receivedBytes + status.sentBytes > 0) {
    const { receivedBytes, sentBytes } = status
    lines.push(`  transfer: ${bytesText(receivedBytes)} received, ${bytesText(sentBytes)} sent`)
  }
  if (keepaliveMs !== null) {
    lines.push(`  persistent keepalive: every ${count(Math.round(keepaliveMs / 1000), 'second')}`)
  }
  return `${lines.join('\n')}\n`
}

/** What the peer may do here; while nothing is guarded, that is everything. */
function firewallLines(firewall: TunnelFirewallStatus | null): string[] {
  if (firewall === null) return []
  const { inPlace, accepts, forwards } = firewall
  const what = [...accepts, 'ping'].join(', ')
  return [
    `  accepts: ${inPlace ? what : `everything, the rules are not in place (${what})`}`,
    `  forwards: ${forwards ? 'everything' : 'nothing'}`,
  ]
}

const UNITS = [
  ['year', 31_536_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
] as const

/** The two largest units: `1 minute, 32 seconds ago`. */
export function ageText(ageMs: number): string {
  let left = Math.floor(ageMs / 1000)
  const parts: string[] = []
  for (const [unit, seconds] of UNITS) {
    const number = Math.floor(left / seconds)
    left -= number * seconds
    if (number > 0) parts.push(count(number, unit))
  }
  return parts.length === 0 ? 'Now' : `${parts.slice(0, 2).join(', ')} ago`
}

export function bytesText(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return unit === 'B' ? `${value} B` : `${value.toFixed(2)} ${unit}`
    value /= 1024
  }
  return `${value.toFixed(2)} TiB`
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? '' : 's'}`
}
