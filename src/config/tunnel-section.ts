import type { HostPort, PeerConfig, TunnelConfig } from './config.ts'
import type { Problems } from './problem.ts'
import { tunnelSchema } from './schema.ts'
import { mtuFor } from './tunnel-mtu.ts'

/** Of both gateways' endpoints: from them the MTU follows where it is not set. */
export type TunnelOf = (endpoints: readonly HostPort[]) => TunnelConfig

/** The section `tunnel` of a gateway file, or null after its problems have been added. */
export function loadTunnel(raw: unknown, problems: Problems): TunnelOf | null {
  if (raw === 'external') return () => ({ kind: 'external' })
  if (typeof raw === 'string') {
    problems.add('tunnel', `${JSON.stringify(raw)} must be a mapping of settings, or external`, raw)
    return null
  }
  const section = problems.parse(tunnelSchema, raw ?? {}, ['tunnel'])
  if (section === null) return null
  return (endpoints) => ({
    kind: 'wireguard',
    interfaceName: section.interface,
    backend: section.backend,
    listenPort: section.listenPort,
    mtuBytes: section.mtu ?? mtuFor(endpoints),
    keepaliveMs: section.keepaliveSeconds * 1000,
    userspaceArgv: section.userspaceBinary,
    allow: section.allow,
    forward: section.forward,
  })
}

export function tunnelBetween(
  tunnelOf: TunnelOf | null,
  gateways: readonly (PeerConfig | null)[],
): TunnelConfig | null {
  return tunnelOf?.(gateways.flatMap((gateway) => gateway?.endpoints ?? [])) ?? null
}
