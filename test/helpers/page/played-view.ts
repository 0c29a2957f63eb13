import type { PeerView, ViewMessage } from '../../../src/api/page/protocol.ts'
import type { GatewayStatus } from '../../../src/status/status.ts'
import { drStatus, judged, productionStatus } from '../status/status-fixture.ts'

/** A view at the copy, whose gateway hears the origin's, or not for `peerAgeMs`. */
export function viewAtCopy({
  status = drStatus,
  peer = productionStatus,
  peerAgeMs = 100,
}: PlayedView = {}): ViewMessage {
  return viewOf(status, peer, peerAgeMs)
}

/** The same seen from the origin. */
export function viewAtOrigin({
  status = productionStatus,
  peer = drStatus,
  peerAgeMs = 100,
}: PlayedView = {}): ViewMessage {
  return viewOf(status, peer, peerAgeMs)
}

interface PlayedView {
  readonly status?: GatewayStatus
  readonly peer?: GatewayStatus | null
  /** Null: never heard. */
  readonly peerAgeMs?: number | null
}

function viewOf(
  status: GatewayStatus,
  peer: GatewayStatus | null,
  peerAgeMs: number | null,
): ViewMessage {
  const atMs = status.nowMs
  const name = status.name === 'ec2' ? 'azure' : 'ec2'
  const isHeard = peer !== null && peerAgeMs !== null
  const view: PeerView = {
    name,
    status: isHeard ? peer : null,
    heardAtMs: isHeard ? atMs - peerAgeMs : null,
    error: isHeard && peerAgeMs < 3_000 ? null : { code: 'ERR_PEER_AWAY', message: 'is away' },
  }
  return { type: 'view', atMs, status, peers: [view] }
}

/** A status with changes to its only stream, judged anew. */
export function withStream(
  status: GatewayStatus,
  change: Partial<GatewayStatus['streams'][number]>,
): GatewayStatus {
  const { verdicts: _before, ...facts } = status
  return judged({ ...facts, streams: status.streams.map((one) => ({ ...one, ...change })) })
}
