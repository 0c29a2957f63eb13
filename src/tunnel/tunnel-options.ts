import type { Secret } from '../base/secret.ts'
import type { HostPort, TransportPort } from '../config/address.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { TunnelConfig } from './tunnel-section.ts'

/** What of a gateway's configuration is about the tunnel, apart from its key. */
export interface TunnelFacts {
  readonly tunnel: TunnelConfig
  readonly self: PeerConfig
  readonly peers: readonly PeerConfig[]
  readonly dataDir: string
}

/** What looking at a tunnel takes, or removing it: no secret. */
export interface PublicTunnel {
  readonly settings: {
    readonly interfaceName: string
    readonly listenPort: number
    readonly mtuBytes: number
    readonly address: string
    readonly prefixLength: number
    readonly peers: readonly {
      readonly name: string
      readonly publicKey: string
      readonly tunnelAddress: string
      readonly keepaliveMs: number
      readonly endpoints: readonly HostPort[]
    }[]
  }
  readonly publicKey: string
  /** What the peers may open here. */
  readonly firewall: { readonly accept: readonly TransportPort[]; readonly forward: boolean }
  readonly backend: 'auto' | 'kernel' | 'userspace'
  readonly userspaceArgv: readonly string[]
  readonly dataDir: string
}

/** What `Tunnel` takes, apart from log, clock and the like. */
export interface ConfiguredTunnel extends PublicTunnel {
  readonly privateKey: Secret
}

/** Null for `tunnel: external`. */
export function tunnelOptionsOf(
  config: TunnelFacts & { readonly identity: { readonly wireguardPrivateKey: Secret } },
): ConfiguredTunnel | null {
  const tunnel = publicTunnelOf(config)
  return tunnel && { ...tunnel, privateKey: config.identity.wireguardPrivateKey }
}

/** Null for `tunnel: external`. */
export function publicTunnelOf(config: TunnelFacts): PublicTunnel | null {
  const { tunnel, self, peers, dataDir } = config
  if (tunnel.kind === 'external') return null
  const link: TransportPort = { protocol: 'tcp', port: self.linkPort }
  return {
    settings: {
      interfaceName: tunnel.interfaceName,
      listenPort: tunnel.listenPort,
      mtuBytes: tunnel.mtuBytes,
      address: self.tunnelAddress.address,
      prefixLength: self.tunnelAddress.prefixLength,
      peers: peers.map(({ name, wireguardPublicKey, tunnelAddress, endpoints }) => ({
        name,
        publicKey: wireguardPublicKey,
        tunnelAddress: tunnelAddress.address,
        keepaliveMs: tunnel.keepaliveMs,
        endpoints,
      })),
    },
    publicKey: self.wireguardPublicKey,
    firewall: { accept: [link, ...tunnel.allow], forward: tunnel.forward },
    backend: tunnel.backend,
    userspaceArgv: tunnel.userspaceArgv,
    dataDir,
  }
}
