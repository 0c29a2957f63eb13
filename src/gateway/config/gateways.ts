import { resolve } from 'node:path'
import type { z } from 'zod'
import { loadPeer, loadPeers } from '../../config/peer-file.ts'
import type { Problems } from '../../config/problem.ts'
import type { SectionContext } from '../../config/section.ts'
import { checkGateways, checkPeerNames } from './cross-check.ts'
import type { gatewaySchema } from './gateway-schema.ts'

/** `top`: what the file says besides its sections; null when that cannot be used. */
export async function loadGateways(
  directory: string,
  top: z.output<typeof gatewaySchema> | null,
  problems: Problems,
): Promise<Pick<SectionContext, 'self' | 'peerNames' | 'peers'>> {
  if (top === null) return { self: null, peerNames: [], peers: [] }
  const { name, site } = top
  const folder = resolve(directory, top.peersFolder)
  const self = await loadPeer(folder, name, problems)
  const peerNames = checkPeerNames(name, top.peers, problems)
  const peers = await loadPeers(folder, peerNames, problems)
  checkGateways({ site, self, peers }, problems)
  return { self, peerNames, peers }
}
