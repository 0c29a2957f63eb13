import { durationText } from '../base/quantity-text.ts'
import type { TunnelPeerStatus, TunnelStatus, Verdict } from './status.ts'

const FROM_WORST = ['down', 'never', 'stale', 'up', 'external'] as const

/** A tunnel is as well as the worst of its peers. */
export function worstPeerState(
  peers: readonly Pick<TunnelPeerStatus, 'state'>[],
): TunnelStatus['state'] {
  return FROM_WORST.find((state) => peers.some((peer) => peer.state === state)) ?? 'down'
}

/** `where` of a problem that is one peer's: among several its name is needed. */
export function tunnelWhere(peerCount: number, peerName: string): string {
  return peerCount > 1 ? `tunnel:${peerName}` : 'tunnel'
}

/** Whether the tunnel reaches its peers; of several, how many, and which it does not reach. */
export function tunnelStanding({ state, peers }: TunnelStatus): Pick<Verdict, 'mood' | 'answer'> {
  const missing = peers.filter((peer) => peer.state !== 'up' && peer.state !== 'external')
  const reached = peers.length - missing.length
  const mood = reached === 0 ? 'bad' : missing.length === 0 ? 'good' : 'warn'
  const [first] = peers
  if (state === 'down') return { mood: 'bad', answer: 'down' }
  if (state === 'external') return { mood, answer: 'not ours (external)' }
  if (first !== undefined && peers.length === 1) return { mood, answer: peerText(first) }
  const names = missing.map((peer) => `${peer.name} ${peerText(peer)}`)
  return { mood, answer: [`${reached} of ${peers.length} up`, ...names].join('; ') }
}

function peerText({ state, handshakeAgeMs }: TunnelPeerStatus): string {
  if (state === 'up') return `up, handshake ${durationText(handshakeAgeMs)} ago`
  if (state === 'stale') return `stale, last handshake ${durationText(handshakeAgeMs)} ago`
  return state === 'never' ? 'never was up: no handshake yet' : state
}
