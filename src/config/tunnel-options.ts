import type { Secret } from '../base/secret.ts'
import type { GatewayConfig, HostPort, TransportPort } from './config.ts'

/** What `Tunnel` in tunnel/ takes, apart from log, clock and the like. */
export interface ConfiguredTunnel {
  readonly settings: {
    readonly interfaceName: string
    readonly privateKey: Secret
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

/** Null for `tunnel: external`. */
export function tunnelOptionsOf(config: GatewayConfig): ConfiguredTunnel | null {
  const { tunnel, site, self, peer, identity, dataDir } = config
  if (tunnel.kind === 'external') return null
  // Only the gateway that listens for the link needs its port open.
  const link: readonly TransportPort[] =
    site === 'production' ? [{ protocol: 'tcp', port: self.linkPort }] : []
  return {
    settings: {
      interfaceName: tunnel.interfaceName,
      privateKey: identity.wireguardPrivateKey,
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
    firewall: { accept: [...link, ...tunnel.allow], forward: tunnel.forward },
    backend: tunnel.backend,
    userspaceArgv: tunnel.userspaceArgv,
    dataDir,
  }
}
