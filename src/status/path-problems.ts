import type {
  GatewayStatus,
  LinkStatus,
  Problem,
  TunnelPeerStatus,
  TunnelStatus,
} from './status.ts'
import { tunnelWhere } from './tunnel-standing.ts'

/** A link that is down for a moment is how reconnecting looks; longer is worth telling. */
const LINK_DOWN_MS = 2_000
/** So long the other gateway may take to start, when nothing else is known to be wrong. */
const FIRST_LINK_MS = 10_000
/** So long a first handshake may take while the other gateway starts as well. */
const FIRST_HANDSHAKE_MS = 10_000
const PEER_REMEDY =
  'See that the other gateway runs and that the tunnel is up; it reconnects by itself.'

export function linkProblems(link: LinkStatus, nowMs: number): Problem[] {
  const { state, lastError, unsteadySinceMs: sinceMs, unsteadySessions: sessions } = link
  if (sinceMs === null) return []
  // It came back once, and will last or not.
  if (state === 'up' && sessions < 2) return []
  const graceMs = lastError === null ? FIRST_LINK_MS : LINK_DOWN_MS
  if (nowMs - sinceMs < graceMs) return []
  const code = lastError?.code ?? 'ERR_LINK_LOST'
  const reason = lastError?.message ?? 'the peer has not connected yet'
  const remedy = lastError?.remedy ?? PEER_REMEDY
  const comesAndGoes = `the link comes and goes, ${sessions} sessions so far, none lasts: ${reason}`
  const message = sessions < 2 ? reason : comesAndGoes
  return [{ code, severity: 'error', where: 'link', message, remedy, sinceMs }]
}

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
