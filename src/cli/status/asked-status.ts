import { fetchPeerStatus, fetchStatus } from '../../api/admin-client.ts'
import type { GatewayStatus } from '../../status/status.ts'

/** So long a gateway may take for its status. */
export const ANSWER_MS_MAX = 5_000

/** Of the gateway itself, or of a peer that is asked over the link. */
export async function askStatus(
  socket: string,
  peer: string | undefined,
  signal: AbortSignal,
): Promise<GatewayStatus> {
  if (peer === undefined) return await fetchStatus(socket, { signal })
  return await fetchPeerStatus(socket, peer, { signal, silentMsMax: ANSWER_MS_MAX })
}
