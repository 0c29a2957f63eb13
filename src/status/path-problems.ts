import type { GatewayStatus, Problem, TunnelStatus } from './status.ts'

/** So long a first handshake may take while the other gateway starts as well. */
const FIRST_HANDSHAKE_MS = 10_000

/** An interface that is there but does not reach the peer. Without one, the tunnel says why. */
export function tunnelProblems(
  tunnel: TunnelStatus,
  { nowMs, startedAtMs }: Pick<GatewayStatus, 'nowMs' | 'startedAtMs'>,
): Problem[] {
  const remedy =
    'See that the other gateway runs, that UDP gets through to ' +
    `${tunnel.endpoint ?? 'one of the two gateways'}, and that both have the same peer files.`
  // Not since the last handshake: a tunnel that works has one every two minutes only.
  const sinceMs = tunnel.heardAgoMs === null ? startedAtMs : nowMs - tunnel.heardAgoMs
  const common = { severity: 'error', where: 'tunnel', remedy, sinceMs } as const
  if (tunnel.state === 'stale') {
    const ageMs = tunnel.handshakeAgeMs ?? 0
    const message = `nothing comes through the tunnel; last handshake ${seconds(ageMs)} s ago`
    return [{ code: 'ERR_TUNNEL_STALE', message, ...common }]
  }
  if (tunnel.state !== 'never' || nowMs - startedAtMs < FIRST_HANDSHAKE_MS) return []
  const message = 'the tunnel has had no handshake with the peer since it was made'
  return [{ code: 'ERR_TUNNEL_STALE', message, ...common }]
}

function seconds(durationMs: number): number {
  return Math.round(durationMs / 1000)
}

export function worstState(problems: readonly Problem[]): GatewayStatus['state'] {
  if (problems.some((problem) => problem.severity === 'blocked')) return 'blocked'
  return problems.some((problem) => problem.severity === 'error') ? 'degraded' : 'ok'
}
