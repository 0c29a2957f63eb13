import type { TunnelAnswer } from '../../gateway/tunnel-show.ts'
import type { TunnelFirewallStatus, TunnelPeerStatus } from '../../status/status.ts'
import { createPaint, type Paint } from '../terminal/paint.ts'

export interface TunnelView extends TunnelAnswer {
  readonly schema: 1
}

type Side = TunnelAnswer['self']

/** The order and words of `wg show`, which people on call know, with our lines beside them. */
export function formatTunnel(view: TunnelView, paint = createPaint(false)): string {
  const { status, self, peers, listenPort, keepaliveMs } = view
  const { peers: known } = status
  if (status.backend === 'external') {
    const others = known.map(({ name, address }) => [
      `  peer: ${address}${known.length > 1 ? ` (${name})` : ''}`,
    ])
    const own = [paint.head('tunnel: external'), `  local: ${status.localAddress}`]
    return `${[...own, ...others].join('\n')}\n`
  }
  const lines = [
    paint.head(`interface: ${status.interface}`),
    `  gateway: ${gatewayText(self)}`,
    `  state: ${stateText(status.state, paint)}`,
    `  public key: ${self.publicKey}`,
    '  private key: (hidden)',
    `  listening port: ${listenPort ?? '-'}`,
    `  back end: ${status.backend}`,
    `  address: ${status.localAddress ?? '-'}`,
    `  mtu: ${status.mtu ?? '-'}`,
    ...firewallLines(status.firewall),
  ]
  for (const side of peers) {
    const peer = known.find(({ name }) => name === side.name)
    lines.push('', ...peerLines(side, peer, peers.length > 1, paint))
    if (keepaliveMs !== null) {
      lines.push(`  persistent keepalive: every ${count(Math.round(keepaliveMs / 1000), 'second')}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** Undefined is a peer that the gateway, which has not been started again, does not know yet. */
function peerLines(
  side: Side,
  peer: TunnelPeerStatus | undefined,
  isOneOfMany: boolean,
  paint: Paint,
): string[] {
  const state =
    peer === undefined ? 'unknown to the gateway: restart it' : stateText(peer.state, paint)
  const lines = [
    paint.head(`peer: ${side.publicKey}`),
    `  gateway: ${gatewayText(side)}`,
    // Of a single one it stands above.
    ...(isOneOfMany ? [`  state: ${state}`] : []),
    `  endpoint: ${peer?.endpoint ?? '(none)'}`,
    `  allowed ips: ${peer?.address ?? '(none)'}`,
  ]
  const { handshakeAgeMs = null, receivedBytes = 0, sentBytes = 0 } = peer ?? {}
  if (handshakeAgeMs !== null) lines.push(`  latest handshake: ${ageText(handshakeAgeMs)}`)
  if (receivedBytes + sentBytes > 0) {
    lines.push(`  transfer: ${bytesText(receivedBytes)} received, ${bytesText(sentBytes)} sent`)
  }
  return lines
}

/** What peers may do here; while nothing is guarded, that is everything. */
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

/** A gateway is often named like its site. */
function gatewayText({ name, site }: { readonly name: string; readonly site: string }): string {
  return name === site ? name : `${name} at ${site}`
}

function stateText(state: TunnelPeerStatus['state'], paint: Paint): string {
  if (state === 'up') return paint.good(state)
  return state === 'external' ? state : paint.bad(state)
}
