import { LandbridgeError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { untilAborted } from '../base/until-aborted.ts'
import { applyAddress, deleteInterface, interfaceKind, interfaceTaken } from './interface-plan.ts'
import { missingProgram, type ProcessRunner } from './process-runner.ts'
import {
  allowedAddress,
  type PeerEndpoints,
  type TunnelBackend,
  type TunnelReading,
  type TunnelReadings,
  type TunnelSettings,
} from './tunnel-backend.ts'

export interface KernelBackendOptions {
  readonly settings: TunnelSettings
  /** Base64; tells our own interface, left by a crash, from somebody else's. */
  readonly publicKey: string
  readonly runner: ProcessRunner
}

/** Every so many readings the endpoints are read too; they hardly ever change. */
const READINGS_PER_ENDPOINTS = 5

/** WireGuard in the kernel, by way of `ip` and `wg`. */
export class KernelBackend implements TunnelBackend {
  readonly kind = 'kernel'
  readonly readIntervalMs = 2_000
  readonly #settings: TunnelSettings
  readonly #publicKey: string
  readonly #runner: ProcessRunner
  #created = false
  #readings = 0
  /** By public key. */
  #endpoints = new Map<string, string>()

  constructor(options: KernelBackendOptions) {
    this.#settings = options.settings
    this.#publicKey = options.publicKey
    this.#runner = options.runner
  }

  /** Removes what a crash of ours left; refuses to touch what is somebody else's. */
  async clear(): Promise<void> {
    const name = this.#settings.interfaceName
    const kind = await interfaceKind(this.#runner, name)
    if (kind === null) return
    if (kind !== 'wireguard' || !(await this.#isOwn())) throw interfaceTaken(name, kind)
    await deleteInterface(this.#runner, name)
  }

  async create(): Promise<void> {
    if ((await this.#runner.find('wg')) === null) throw missingProgram('wg')
    const name = this.#settings.interfaceName
    await this.clear()
    try {
      await this.#runner.run('ip', ['link', 'add', 'dev', name, 'type', 'wireguard'])
    } catch (cause) {
      throw new LandbridgeError('ERR_TUNNEL_NO_KERNEL', 'the kernel made no WireGuard interface', {
        cause,
        retryable: true,
        remedy: 'load the module with `modprobe wireguard`, or set tunnel.backend: userspace',
      })
    }
    this.#created = true
  }

  async configure(privateKey: Secret, endpoints: PeerEndpoints): Promise<void> {
    const { interfaceName: name, listenPort, peers } = this.#settings
    await this.#runner.run(
      'wg',
      ['set', name, 'listen-port', String(listenPort), 'private-key', '/dev/stdin'],
      { stdin: `${privateKey.reveal().trim()}\n` },
    )
    const words = peers.flatMap(({ publicKey, keepaliveMs, tunnelAddress }) => {
      const endpoint = endpoints.get(publicKey)
      return [
        ...['peer', publicKey],
        ...(endpoint === undefined ? [] : ['endpoint', endpoint]),
        ...['persistent-keepalive', String(Math.ceil(keepaliveMs / 1000))],
        ...['allowed-ips', allowedAddress(tunnelAddress)],
      ]
    })
    await this.#runner.run('wg', ['set', name, ...words])
    await applyAddress(this.#runner, this.#settings)
  }

  async setEndpoint(publicKey: string, endpoint: string): Promise<void> {
    const { interfaceName: name } = this.#settings
    await this.#runner.run('wg', ['set', name, 'peer', publicKey, 'endpoint', endpoint])
    this.#endpoints.set(publicKey, endpoint)
  }

  async read(): Promise<TunnelReadings> {
    const handshakes = await this.#show('latest-handshakes')
    const transfers = await this.#show('transfer')
    if (this.#readings % READINGS_PER_ENDPOINTS === 0) {
      this.#endpoints = new Map()
      for (const [publicKey, [endpoint = '(none)']] of await this.#show('endpoints')) {
        if (endpoint !== '(none)') this.#endpoints.set(publicKey, endpoint)
      }
    }
    this.#readings += 1
    const readings = new Map<string, TunnelReading>()
    for (const [publicKey, [handshake]] of handshakes) {
      const [received, sent] = transfers.get(publicKey) ?? []
      const handshakeSeconds = countOf(handshake)
      readings.set(publicKey, {
        handshakeAtMs: handshakeSeconds === 0 ? null : handshakeSeconds * 1000,
        receivedBytes: countOf(received),
        sentBytes: countOf(sent),
        endpoint: this.#endpoints.get(publicKey) ?? null,
      })
    }
    return readings
  }

  /** The kernel does not die apart from the machine; a removed interface shows in `read`. */
  async died(signal: AbortSignal): Promise<string> {
    await untilAborted(signal)
    return ''
  }

  async destroy(): Promise<void> {
    if (!this.#created) return
    await deleteInterface(this.#runner, this.#settings.interfaceName)
    this.#created = false
  }

  async #isOwn(): Promise<boolean> {
    const shown = await this.#runner.run('wg', ['show', this.#settings.interfaceName, 'public-key'])
    // Without a key it is one that we made and were killed before we set it.
    return [this.#publicKey, '(none)'].includes(shown.trim())
  }

  /**
   * Columns of the peers' lines, by public key. `dump` would print private keys, these sub-commands
   * do not.
   */
  async #show(what: string): Promise<ReadonlyMap<string, readonly string[]>> {
    const text = await this.#runner.run('wg', ['show', this.#settings.interfaceName, what])
    const rows = new Map<string, readonly string[]>()
    for (const line of text.split('\n')) {
      const [publicKey = '', ...columns] = line.split('\t')
      if (publicKey !== '') rows.set(publicKey, columns)
    }
    return rows
  }
}

function countOf(text: string | undefined): number {
  const count = Number(text ?? '0')
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw new LandbridgeError('ERR_MALFORMED', '`wg show` printed something that is no number')
}
