import type { TunnelConfig } from './config.ts'
import type { Problems } from './problem.ts'
import { tunnelSchema } from './schema.ts'

/** The section `tunnel` of a gateway file, or null after its problems have been added. */
export function loadTunnel(raw: unknown, problems: Problems): TunnelConfig | null {
  if (raw === 'external') return { kind: 'external' }
  if (typeof raw === 'string') {
    problems.add('tunnel', `${JSON.stringify(raw)} must be a mapping of settings, or external`, raw)
    return null
  }
  const section = problems.parse(tunnelSchema, raw ?? {}, ['tunnel'])
  if (section === null) return null
  return {
    kind: 'wireguard',
    interfaceName: section.interface,
    backend: section.backend,
    listenPort: section.listenPort,
    mtuBytes: section.mtu,
    keepaliveMs: section.keepaliveSeconds * 1000,
    userspaceArgv: section.userspaceBinary,
    allow: section.allow,
    forward: section.forward,
  }
}
