import { unlink } from 'node:fs/promises'
import { abortable } from '../base/abortable.ts'
import { ignoreMissing } from '../base/atomic-file.ts'
import type { Clock } from '../base/clock.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Secret } from '../base/secret.ts'
import { wireguardPublicKey } from '../base/wireguard-key.ts'
import { applyAddress, deleteInterface, interfaceKind, interfaceTaken } from './interface-plan.ts'
import type { ProcessRunner } from './process-runner.ts'
import type {
  PeerEndpoints,
  TunnelBackend,
  TunnelReadings,
  TunnelSettings,
} from './tunnel-backend.ts'
import { encodeSet, encodeSetEndpoint, GET_REQUEST } from './uapi.ts'
import { UapiClient } from './uapi-client.ts'
import { WireguardProcess } from './wireguard-process.ts'

export interface UserspaceBackendOptions {
  readonly settings: TunnelSettings
  /** Base64; tells our own interface, left by a crash, from somebody else's. */
  readonly publicKey: string
  /** argv of wireguard-go without the interface name. */
  readonly argv: readonly string[]
  readonly recordPath: string
  readonly runner: ProcessRunner
  readonly clock: Clock
  readonly log?: Log
}

/** wireguard-go has it built in; the folder is one for all network namespaces. */
export const SOCKET_FOLDER = '/var/run/wireguard'
const START_MS_MAX = 10_000
const STOP_MS_MAX = 3_000
const START_POLL_MS = 25

/** WireGuard in a process of its own, by way of its socket. */
export class UserspaceBackend implements TunnelBackend {
  readonly kind = 'userspace'
  readonly readIntervalMs = 1_000
  readonly #settings: TunnelSettings
  readonly #publicKey: string
  readonly #runner: ProcessRunner
  readonly #clock: Clock
  readonly #process: WireguardProcess
  readonly #client: UapiClient
  readonly #socketPath: string
  /** Why the socket did not answer, when it was last asked. */
  #refusal: string | null = null

  constructor(options: UserspaceBackendOptions) {
    this.#settings = options.settings
    this.#publicKey = options.publicKey
    this.#runner = options.runner
    this.#clock = options.clock
    this.#socketPath = `${SOCKET_FOLDER}/${options.settings.interfaceName}.sock`
    this.#client = new UapiClient(this.#socketPath)
    this.#process = new WireguardProcess({
      ...options,
      interfaceName: options.settings.interfaceName,
    })
  }

  /** Removes what a crash of ours left; refuses to touch what is somebody else's. */
  async clear(): Promise<void> {
    await this.#process.endLeftover()
    await this.#clearName()
    await this.#demandFreeSocket()
  }

  async create(signal: AbortSignal): Promise<void> {
    await this.clear()
    await this.#process.start()
    const deadlineMs = this.#clock.monotonicMs() + START_MS_MAX
    for (;;) {
      if (!this.#process.running) {
        await this.#process.exited()
        throw this.#processError('ended at once')
      }
      if (await this.#answers()) return
      if (this.#clock.monotonicMs() > deadlineMs) throw this.#processError('opened no socket')
      await this.#clock.sleep(START_POLL_MS, { signal })
    }
  }

  async configure(privateKey: Secret, endpoints: PeerEndpoints): Promise<void> {
    await this.#client.request(encodeSet(this.#settings, privateKey, endpoints))
    await applyAddress(this.#runner, this.#settings)
  }

  async setEndpoint(publicKey: string, endpoint: string): Promise<void> {
    await this.#client.request(encodeSetEndpoint(publicKey, endpoint))
  }

  async read(): Promise<TunnelReadings> {
    const { peers } = await this.#client.request(GET_REQUEST)
    return new Map(peers.map((peer) => [peer.publicKey, peer]))
  }

  async died(signal: AbortSignal): Promise<string> {
    try {
      await abortable(this.#process.exited(), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
    return signal.aborted ? '' : this.#process.reason
  }

  async destroy(): Promise<void> {
    this.#client.close()
    const wasOurs = this.#process.running
    await this.#process.stop()
    if (!wasOurs) return
    await unlink(this.#socketPath).catch(ignoreMissing)
  }

  /** An interface of the name goes away with its process; what is still there has another owner. */
  async #clearName(): Promise<void> {
    const name = this.#settings.interfaceName
    const kind = await interfaceKind(this.#runner, name)
    // A wireguard interface is the kernel back end's to judge; in our way, start() fails.
    if (kind === null || kind === 'wireguard') return
    if (kind !== 'tun' || !(await this.#isOwn())) throw interfaceTaken(name, kind)
    await deleteInterface(this.#runner, name)
  }

  /**
   * Namespaces share the folder of the sockets: one that still answers is of an interface of the
   * same name elsewhere, and what we sent there would change it.
   */
  async #demandFreeSocket(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + STOP_MS_MAX
    while (await this.#answers()) {
      if (this.#clock.monotonicMs() > deadlineMs) {
        throw interfaceTaken(this.#settings.interfaceName, 'in another network namespace')
      }
      await this.#clock.sleep(START_POLL_MS)
    }
    // Refused means that the one who listened is gone for good; a killed one leaves its socket.
    if (this.#refusal === 'ECONNREFUSED') await unlink(this.#socketPath).catch(ignoreMissing)
  }

  async #answers(): Promise<boolean> {
    try {
      await this.#client.request(GET_REQUEST)
      return true
    } catch (error) {
      this.#refusal = error instanceof Error ? codeOf(error.cause) : null
      return false
    }
  }

  async #isOwn(): Promise<boolean> {
    const device = await this.#client.request(GET_REQUEST).catch(() => null)
    const privateKey = device?.privateKey ?? null
    return privateKey !== null && wireguardPublicKey(privateKey) === this.#publicKey
  }

  #processError(what: string): LandbridgeError {
    const words = this.#process.reason
    return new LandbridgeError(
      'ERR_TUNNEL_PROCESS',
      `wireguard-go ${what}${words === '' ? '' : `: ${words}`}`,
      {
        retryable: true,
        remedy: 'it needs /dev/net/tun and CAP_NET_ADMIN; run `landbridge check`',
      },
    )
  }
}
