import type { Secret } from '../base/secret.ts'
import type { GatewayConfig, HostPort, TransportPort } from './config.ts'
import type { PublicConfig } from './public-config.ts'

/** What looking at a tunnel takes, or removing it: no secret. */
export interface PublicTunnel {
  readonly settings: {
    readonly interfaceName: string
    readonly listenPort: number
    readonly mtuBytes: number
    readonly address: string
    readonly prefixLength: number
    readonly peer: {
      readonly publicKey: string
      readonly tunnelAddress: string
      readonly keepaliveMs: number
    }
  }
  readonly publicKey: string
  readonly endpoints: readonly HostPort[]
  /** What the peer may open here. */
  readonly firewall: { readonly accept: readonly TransportPort[]; readonly forward: boolean }
  readonly backend: 'auto' | 'kernel' | 'userspace'
  readonly userspaceArgv: readonly string[]
  readonly dataDir: string
}

/** What `Tunnel` in tunnel/ takes, apart from log, clock and the like. */
export interface ConfiguredTunnel extends PublicTunnel {
  readonly privateKey: Secret
}

/** Null for `tunnel: external`. */
export function tunnelOptionsOf(config: GatewayConfig): ConfiguredTunnel | null {
  const tunnel = publicTunnelOf(config)
  return tunnel && { ...tunnel, privateKey: config.identity.wireguardPrivateKey }
}

/** Null for `tunnel: external`. */
export function publicTunnelOf(config: PublicConfig): PublicTunnel | null {
  const { tunnel, self, peers, dataDir } = config
  const [peer] = peers
  if (tunnel.kind === 'external' || peer === undefined) return null
  const link: TransportPort = { protocol: 'tcp', port: self.linkPort }
  return {
    settings: {
      interfaceName: tunnel.interfaceName,
      listenPort: tunnel.listenPort,
      mtuBytes: tunnel.mtuBytes,
      address: self.tunnelAddress.address,
      prefixLength: self.tunnelAddress.prefixLength,
      peer: {
        publicKey: peer.wireguardPublicKey,
        tunnelAddress: peer.tunnelAddress.address,
        keepaliveMs: tunnel.keepaliveMs,
      },
    },
    publicKey: self.wireguardPublicKey,
    endpoints: peer.endpoints,
    firewall: { accept: [link, ...tunnel.allow], forward: tunnel.forward },
    backend: tunnel.backend,
    userspaceArgv: tunnel.userspaceArgv,
    dataDir,
  }
}
