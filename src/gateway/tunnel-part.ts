import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { tunnelProblems } from '../status/path-problems.ts'
import { ExternalTunnel } from '../tunnel/external-tunnel.ts'
import { Tunnel } from '../tunnel/tunnel.ts'
import { tunnelMetrics } from '../tunnel/tunnel-metrics.ts'
import { tunnelOptionsOf } from '../tunnel/tunnel-options.ts'
import type { TunnelPath } from '../tunnel/tunnel-path.ts'
import type { Capability } from './capability.ts'
import type { GatewayConfig } from './config/gateway-config.ts'
import { tunnelShow } from './tunnel-show.ts'

export function createTunnel(
  config: GatewayConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): TunnelPath {
  const options = tunnelOptionsOf(config)
  if (options !== null) return new Tunnel({ ...options, log, clock })
  return new ExternalTunnel({
    localAddress: config.self.tunnelAddress.address,
    peers: config.peers.map(({ name, tunnelAddress: { address } }) => ({ name, address })),
  })
}

export function tunnelPart(tunnel: TunnelPath, config: GatewayConfig): Capability {
  return {
    operations: [tunnelShow(config, () => tunnel.status())],
    ground: [tunnel],
    problems: (parts) => [...tunnel.problems(), ...tunnelProblems(parts.tunnel, parts)],
    metrics: (sheet, status) => tunnelMetrics(sheet, status, config.peers),
  }
}
