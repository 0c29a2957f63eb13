import { untilAborted } from '../base/until-aborted.ts'
import type { Problem, TunnelStatus } from '../status/status.ts'
import type { TunnelPath } from './tunnel-path.ts'

export interface ExternalTunnelOptions {
  readonly localAddress: string
  readonly peers: readonly { readonly name: string; readonly address: string }[]
}

/** `tunnel: external`: a VPN that somebody else runs. It is only told of, never touched. */
export class ExternalTunnel implements TunnelPath {
  readonly #options: ExternalTunnelOptions

  constructor(options: ExternalTunnelOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal)
  }

  async ready(): Promise<void> {}

  status(): TunnelStatus {
    return {
      state: 'external',
      backend: 'external',
      interface: null,
      localAddress: this.#options.localAddress,
      mtu: null,
      firewall: null,
      peers: this.#options.peers.map(({ name, address }) => ({
        name,
        state: 'external',
        address,
        endpoint: null,
        handshakeAgeMs: null,
        heardAgoMs: null,
        receivedBytes: 0,
        sentBytes: 0,
      })),
    }
  }

  problems(): readonly Problem[] {
    return []
  }
}
