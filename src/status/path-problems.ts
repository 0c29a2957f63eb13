import type { GatewayStatus, Problem, TunnelPeerStatus, TunnelStatus } from './status.ts'
import { tunnelWhere } from './tunnel-standing.ts'

/** So long a first handshake may take while the other gateway starts as well. */
const FIRST_HANDSHAKE_MS = 10_000

type Times = Pick<GatewayStatus, 'nowMs' | 'startedAtMs'>

/** An interface that is there but does not reach a peer. Without one, the tunnel says why. */
export function tunnelProblems({ peers }: TunnelStatus, times: Times): Problem[] {
  return peers.flatMap((peer) => {
    const problem = unreached(peer, times)
    return problem === null ? [] : [{ ...problem, where: tunnelWhere(peers.length, peer.name) }]
  })
}

function unreached(
  peer: TunnelPeerStatus,
  { nowMs, startedAtMs }: Times,
): Omit<Problem, 'where'> | null {
  const remedy =
    'See that the other gateway runs, that UDP gets through to ' +
    `${peer.endpoint ?? 'one of the two gateways'}, and that both have the same peer files.`
  // Not since the last handshake: a tunnel that works has one every two minutes only.
  const sinceMs = peer.heardAgoMs === null ? startedAtMs : nowMs - peer.heardAgoMs
  const common = { severity: 'error', remedy, sinceMs } as const
  if (peer.state === 'stale') {
    const ageMs = peer.handshakeAgeMs ?? 0
    const message = `nothing comes through the tunnel; last handshake ${seconds(ageMs)} s ago`
    return { code: 'ERR_TUNNEL_STALE', message, ...common }
  }
  if (peer.state !== 'never' || nowMs - startedAtMs < FIRST_HANDSHAKE_MS) return null
  const message = 'the tunnel has had no handshake with the peer since it was made'
  return { code: 'ERR_TUNNEL_STALE', message, ...common }
}

function seconds(durationMs: number): number {
  return Math.round(durationMs / 1000)
}

export function worstState(problems: readonly Problem[]): GatewayStatus['state'] {
  if (problems.some((problem) => problem.severity === 'blocked')) return 'blocked'
  return problems.some((problem) => problem.severity === 'error') ? 'degraded' : 'ok'
}
