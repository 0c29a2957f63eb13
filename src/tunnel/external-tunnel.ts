import type { Problem, TunnelStatus } from '../status/status.ts'
import type { TunnelPath } from './tunnel-path.ts'

export interface ExternalTunnelOptions {
  readonly localAddress: string
  readonly peerAddress: string
}

/** `tunnel: external`: a VPN that somebody else runs. It is only told of, never touched. */
export class ExternalTunnel implements TunnelPath {
  readonly #options: ExternalTunnelOptions

  constructor(options: ExternalTunnelOptions) {
    this.#options = options
  }

  run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  async ready(): Promise<void> {}

  status(): TunnelStatus {
    return {
      state: 'external',
      backend: 'external',
      interface: null,
      localAddress: this.#options.localAddress,
      peerAddress: this.#options.peerAddress,
      endpoint: null,
      mtu: null,
      handshakeAgeMs: null,
      heardAgoMs: null,
      receivedBytes: 0,
      sentBytes: 0,
      firewall: null,
    }
  }

  problems(): readonly Problem[] {
    return []
  }
}
