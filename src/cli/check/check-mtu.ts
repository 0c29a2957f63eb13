import { formatHostPort } from '../../config/address.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { endpointTooNarrow, MTU_IPV6 } from '../../tunnel/tunnel-mtu.ts'
import type { CheckFinding } from './check-list.ts'

/** Whether what the tunnel takes fits the path once it is packed: with IPv6 less does. */
export async function checkMtu({ tunnel, self, peers }: GatewayConfig): Promise<CheckFinding[]> {
  if (tunnel.kind === 'external') return []
  const endpoints = [self, ...peers].flatMap((gateway) => gateway.endpoints)
  const endpoint = endpointTooNarrow(tunnel.mtuBytes, endpoints)
  if (endpoint === null) return []
  return [
    {
      severity: 'warning',
      message:
        `mtu ${tunnel.mtuBytes} is too large for ${formatHostPort(endpoint)}: around it come 80 ` +
        'bytes with IPv6, and a path between clouds may take no more than 1400',
      remedy: `tunnel: { mtu: ${MTU_IPV6} } at every gateway`,
    },
  ]
}
