import type { Secret } from '../base/secret.ts'
import type { GatewayConfig, HostPort } from './config.ts'

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
  readonly backend: 'auto' | 'kernel' | 'userspace'
  readonly userspaceArgv: readonly string[]
  readonly dataDir: string
}

/** Null for `tunnel: external`. */
export function tunnelOptionsOf(config: GatewayConfig): ConfiguredTunnel | null {
  const { tunnel, self, peer, identity, dataDir } = config
  if (tunnel.kind === 'external') return null
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
    backend: tunnel.backend,
    userspaceArgv: tunnel.userspaceArgv,
    dataDir,
  }
}
