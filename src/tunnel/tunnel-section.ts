import { z } from 'zod'
import { sameAddress, sameSubnet, type TransportPort } from '../config/address.ts'
import * as field from '../config/fields.ts'
import type { GatewayTemplate } from '../config/gateway-template.ts'
import type { ConfigSection, SectionContext } from '../config/section.ts'
import { MTU_IPV4, MTU_IPV6, mtuFor } from './tunnel-mtu.ts'

export type TunnelConfig = WireguardTunnelConfig | { readonly kind: 'external' }

export interface WireguardTunnelConfig {
  readonly kind: 'wireguard'
  readonly interfaceName: string
  readonly backend: 'auto' | 'kernel' | 'userspace'
  readonly listenPort: number
  readonly mtuBytes: number
  readonly keepaliveMs: number
  /** argv of wireguard-go, without the interface name. */
  readonly userspaceArgv: readonly string[]
  /** Ports that the peer may open here besides the link's. */
  readonly allow: readonly TransportPort[]
  /** Whether the peer may reach hosts behind this gateway, and they the peer. */
  readonly forward: boolean
}

const INTERFACE_RULE = 'must be 1 to 15 of A-Z, a-z, 0-9 and _ = + . -'
const schema = field.mapping({
  interface: z
    .string({ error: INTERFACE_RULE })
    .regex(/^(?!\.{1,2}$)[a-zA-Z0-9_=+.-]{1,15}$/, { error: INTERFACE_RULE })
    .default('lb0'),
  backend: field.choice(['auto', 'kernel', 'userspace']).default('auto'),
  listenPort: field.port.default(51_820),
  mtu: field.integer(1280, 9000).optional(),
  keepaliveSeconds: field.integer(1, 120).default(25),
  userspaceBinary: z
    .union([field.text('').transform((one) => [one]), z.array(field.text('')).min(1)], {
      error: 'must be a program, or a list of a program and its arguments',
    })
    .default(['wireguard-go']),
  allow: z.array(field.transportPort, { error: 'must be a list of ports' }).default([]),
  forward: field.flag.default(false),
})

export const tunnelSection: ConfigSection<TunnelConfig> = {
  load(raw, context) {
    const { problems, self, peers } = context
    if (raw === 'external') return { kind: 'external' }
    if (typeof raw === 'string') {
      const message = `${JSON.stringify(raw)} must be a mapping of settings, or external`
      problems.add('tunnel', message, raw)
      return undefined
    }
    const section = problems.parse(schema, raw ?? {}, ['tunnel'])
    checkSubnet(context)
    checkEndpoints(context)
    if (section === null) return undefined
    const gateways = self === null ? peers : [self, ...peers]
    return {
      kind: 'wireguard',
      interfaceName: section.interface,
      backend: section.backend,
      listenPort: section.listenPort,
      mtuBytes: section.mtu ?? mtuFor(gateways.flatMap(({ endpoints }) => endpoints)),
      keepaliveMs: section.keepaliveSeconds * 1000,
      userspaceArgv: section.userspaceBinary,
      allow: section.allow,
      forward: section.forward,
    }
  },

  template: (gateway) => (gateway.externalTunnel ? [EXTERNAL] : wireguardLines(gateway)),
}

const EXTERNAL =
  "tunnel: external                 # a VPN of your own reaches each peer's tunnelAddress"

const FORWARD_WORDS = 'and hosts behind this one; nothing of both unless asked for'
const MTU_WORDS = `${MTU_IPV4} where all endpoints are IPv4 addresses, else ${MTU_IPV6}`

function wireguardLines({ listenPort: port, endpoints }: GatewayTemplate): string[] {
  return [
    'tunnel:                          # or `tunnel: external` when a VPN of your own is there',
    '  interface: lb0',
    '  backend: auto                  # auto | kernel | userspace (wireguard-go)',
    `  listenPort: ${port}              # UDP; let it in from the other gateways' addresses`,
    `  mtu: ${mtuFor(endpoints)}                      # ${MTU_WORDS}`,
    '  keepaliveSeconds: 25',
    "  # allow: [9100, udp/161]       # ports that other gateways may open here besides the link's",
    `  # forward: true                # ${FORWARD_WORDS}`,
  ]
}

/** WireGuard sends what is in the interface's subnet to the peers, and nothing else. */
function checkSubnet({ self, peers, problems }: SectionContext): void {
  const gateways = self === null ? peers : [self, ...peers]
  for (const [index, gateway] of gateways.entries()) {
    for (const other of gateways.slice(0, index)) {
      const [ours, theirs] = [gateway.tunnelAddress, other.tunnelAddress]
      if (sameAddress(ours.address, theirs.address) || sameSubnet(ours, theirs)) continue
      problems.add(
        `${gateway.path} tunnelAddress`,
        `${ours.address}/${ours.prefixLength} is not in the subnet of ${theirs.address}/` +
          `${theirs.prefixLength} (${other.path}); choose both from one subnet`,
      )
    }
  }
}

/** Two gateways without an endpoint could never meet. */
function checkEndpoints({ self, peers, problems }: SectionContext): void {
  if (self === null) return
  for (const { path, name, endpoints } of peers) {
    if (self.endpoints.length + endpoints.length > 0) continue
    problems.add(
      `${path} endpoints`,
      `is empty, and so it is for ${self.name}; ${name} or this gateway needs an address that ` +
        'the other can reach',
    )
  }
}
