import { onlyLink } from '../../../src/status/links.ts'
import type { GatewayStatus, LinkStatus } from '../../../src/status/status.ts'

/** The session that counts, of a gateway with one peer. */
export function linkOf({ links }: Pick<GatewayStatus, 'links'>): LinkStatus {
  const link = onlyLink(links)
  if (link === null) throw new Error(`not one peer: ${JSON.stringify(links)}`)
  return link
}
