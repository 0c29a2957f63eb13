import { join } from 'node:path'
import { Backoff } from '../base/backoff.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import {
  codeOf,
  describeError,
  errorFields,
  isLandbridgeError,
  LandbridgeError,
} from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Secret } from '../base/secret.ts'
import { Trouble } from '../base/trouble.ts'
import { problemOf } from '../status/problem-of.ts'
import type { Problem, TunnelStatus } from '../status/status.ts'
import { type BackendChoice, createBackend } from './backend-choice.ts'
import { type Endpoint, EndpointResolver, type Lookup } from './endpoint-resolver.ts'
import {
  type FirewallPolicy,
  firewallStatus,
  listFirewall,
  removeFirewall,
  setFirewall,
} from './firewall.ts'
import { claimInterface } from './interface-claim.ts'
import { LastEndpoint } from './last-endpoint.ts'
import { clampMss } from './mss-clamp.ts'
import { type ProcessRunner, systemRunner } from './process-runner.ts'
import type { TunnelBackend, TunnelReading, TunnelSettings } from './tunnel-backend.ts'
import { RERESOLVE_AFTER_MS, TunnelHealth } from './tunnel-health.ts'
import type { TunnelPath } from './tunnel-path.ts'

export interface TunnelOptions {
  readonly settings: TunnelSettings
  /** Of WireGuard, base64. */
  readonly privateKey: Secret
  /** This gateway's own WireGuard public key, base64. */
  readonly publicKey: string
  /** Where the peer may be reached; empty when the peer comes to us. */
  readonly endpoints: readonly Endpoint[]
  readonly firewall: FirewallPolicy
  readonly backend: 'auto' | 'kernel' | 'userspace'
  /** argv of wireguard-go without the interface name. */
  readonly userspaceArgv: readonly string[]
  /** Folder for the note on a running wireguard-go. */
  readonly dataDir: string
  readonly log: Log
  readonly clock?: Clock
  readonly runner?: ProcessRunner
  readonly lookup?: Lookup
}

/** While there is no fresh handshake, the next address is tried this often. */
const RERESOLVE_EVERY_MS = 10_000
const RESOLVE_FIRST_MS_MAX = 2_000
/** `systemctl reload nftables` and the like empty the machine's rules, ours included. */
const FIREWALL_LOOK_MS = 10_000
const NOTHING_READ: TunnelReading = {
  handshakeAtMs: null,
  receivedBytes: 0,
  sentBytes: 0,
  endpoint: null,
}

/** The WireGuard interface of a gateway: made, watched, made again when it breaks, removed. */
export class Tunnel implements TunnelPath {
  readonly #options: TunnelOptions
  readonly #clock: Clock
  readonly #runner: ProcessRunner
  readonly #resolver: EndpointResolver
  readonly #lastEndpoint: LastEndpoint
  #kind: 'kernel' | 'userspace'
  #state: TunnelStatus['state'] = 'down'
  #reading = NOTHING_READ
  /** As nft lists it after it was set; null while there is none. */
  #firewall: string | null = null
  #heardAtMs: number | null = null
  readonly #trouble: Trouble
  #warnings: readonly Problem[] = []
  #isUp = Promise.withResolvers<void>()

  constructor(options: TunnelOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#trouble = new Trouble(this.#clock)
    this.#runner = options.runner ?? systemRunner
    this.#resolver = new EndpointResolver(options.endpoints, options.lookup)
    const { interfaceName } = options.settings
    this.#lastEndpoint = new LastEndpoint(join(options.dataDir, `tunnel-${interfaceName}.endpoint`))
    this.#kind = options.backend === 'userspace' ? 'userspace' : 'kernel'
  }

  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ clock: this.#clock })
    while (!signal.aborted) {
      try {
        await this.#live(backoff, signal)
      } catch (error) {
        if (signal.aborted) break
        if (!isWorldError(error)) throw error
        this.#report(error)
        await backoff.wait({ signal }).catch(() => undefined)
      }
    }
  }

  async ready(signal: AbortSignal): Promise<void> {
    const stopped = Promise.withResolvers<never>()
    const onAbort = () => stopped.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await Promise.race([this.#isUp.promise, stopped.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  status(): TunnelStatus {
    const { settings } = this.#options
    return {
      state: this.#state,
      backend: this.#kind,
      interface: settings.interfaceName,
      localAddress: settings.address,
      peerAddress: settings.peer.tunnelAddress,
      endpoint: this.#reading.endpoint,
      mtu: settings.mtuBytes,
      handshakeAgeMs: this.#handshakeAgeMs(),
      heardAgoMs: this.#heardAtMs === null ? null : this.#clock.monotonicMs() - this.#heardAtMs,
      receivedBytes: this.#reading.receivedBytes,
      sentBytes: this.#reading.sentBytes,
      firewall: firewallStatus(this.#options.firewall, this.#firewall !== null),
    }
  }

  problems(): readonly Problem[] {
    const trouble = this.#trouble.now
    if (trouble === null) return this.#warnings
    return [problemOf(trouble, { severity: 'error', where: 'tunnel' }), ...this.#warnings]
  }

  /** From nothing to an interface, and back to nothing when it ends in whichever way. */
  async #live(backoff: Backoff, signal: AbortSignal): Promise<void> {
    const { settings, log } = this.#options
    await using _claim = await claimInterface(settings.interfaceName)
    const { backend, reason } = await this.#create(signal)
    try {
      // Before the interface has an address and is up.
      await this.#setFirewall()
      await backend.configure(this.#options.privateKey, await this.#firstEndpoint(signal))
      this.#kind = backend.kind
      this.#trouble.over()
      this.#state = 'never'
      this.#isUp.resolve()
      log.info({ backend: backend.kind, reason }, `tunnel ${settings.interfaceName} is made`)
      await this.#watch(backend, backoff, signal)
    } finally {
      this.#state = 'down'
      this.#reading = NOTHING_READ
      this.#isUp = Promise.withResolvers()
      await this.#remove(backend)
    }
  }

  async #setFirewall(): Promise<void> {
    const { settings, firewall } = this.#options
    this.#firewall = null
    await setFirewall(this.#runner, { ...settings, ...firewall })
    const unclamped = await clampMss(this.#runner, settings.interfaceName)
    this.#warn('ERR_TUNNEL_CLAMP', unclamped, 'use a kernel with nft_exthdr, or set a smaller mtu')
    this.#firewall = await listFirewall(this.#runner, settings.interfaceName)
  }

  /** Rejects when the rules are gone and cannot be set again: the tunnel must not stay open. */
  async #keepFirewall(): Promise<void> {
    const { settings, log } = this.#options
    const now = await listFirewall(this.#runner, settings.interfaceName)
    if (now !== null && now === this.#firewall) return
    await this.#setFirewall()
    const message = `somebody changed the rules of ${settings.interfaceName}; they are set again`
    log.warn({ code: 'ERR_TUNNEL_FIREWALL' }, message)
  }

  #create(signal: AbortSignal): Promise<BackendChoice> {
    const { dataDir, settings } = this.#options
    return createBackend(
      {
        ...this.#options,
        recordPath: join(dataDir, `tunnel-${settings.interfaceName}.json`),
        runner: this.#runner,
        clock: this.#clock,
      },
      signal,
    )
  }

  /** Reads at an even pace until the signal (returns) or the back end's end (throws). */
  async #watch(backend: TunnelBackend, backoff: Backoff, signal: AbortSignal): Promise<void> {
    const { keepaliveMs } = this.#options.settings.peer
    const health = new TunnelHealth({ keepaliveMs, nowMs: this.#clock.monotonicMs() })
    const ended = new AbortController()
    const stop = AbortSignal.any([signal, ended.signal])
    // One waiter for the whole life, not one a second: it ends the sleep below when it fires.
    const watchdog = backend.died(signal).then((words) => {
      ended.abort()
      return words
    })
    let resolvedAtMs = Number.NEGATIVE_INFINITY
    let lookedAtMs = this.#clock.monotonicMs()
    try {
      while (!stop.aborted) {
        this.#reading = await backend.read()
        const nowMs = this.#clock.monotonicMs()
        this.#setState(health.observe(this.#reading, this.#handshakeAgeMs(), nowMs))
        // An interface that was made anew has heard nothing yet; the one before it had.
        this.#heardAtMs = health.heardAtMs ?? this.#heardAtMs
        if (this.#state === 'up') {
          backoff.reset()
          await this.#noteEndpoint()
        }
        if (this.#needsEndpoint() && nowMs - resolvedAtMs >= RERESOLVE_EVERY_MS) {
          resolvedAtMs = nowMs
          await this.#point(backend)
        }
        if (nowMs - lookedAtMs >= FIREWALL_LOOK_MS) {
          lookedAtMs = nowMs
          await this.#keepFirewall()
        }
        await this.#clock.sleep(backend.readIntervalMs, { signal: stop }).catch(() => undefined)
      }
    } catch (error) {
      if (!ended.signal.aborted) throw error
    }
    const words = await watchdog
    if (signal.aborted) return
    const what = `wireguard-go has ended${words === '' ? '' : `: ${words}`}`
    throw new LandbridgeError('ERR_TUNNEL_PROCESS', what, {
      retryable: true,
      remedy: 'it is started again; if this repeats, run `landbridge check`',
    })
  }

  /** It is worth less than the tunnel, which a full disk must not end. */
  async #noteEndpoint(): Promise<void> {
    const remedy = 'make room in dataDir, and see that it is mounted for writing'
    let failure: string | null = null
    try {
      await this.#lastEndpoint.save(this.#reading.endpoint)
    } catch (error) {
      if (!isWorldError(error)) throw error
      failure = `cannot note the address of the peer for the next start: ${describeError(error)}`
    }
    this.#warn('ERR_TUNNEL_NOTE', failure, remedy)
  }

  #needsEndpoint(): boolean {
    const ageMs = this.#handshakeAgeMs()
    return ageMs === null || ageMs > RERESOLVE_AFTER_MS || this.#state === 'stale'
  }

  /** A slow name service does not keep the interface from coming up. */
  async #firstEndpoint(signal: AbortSignal): Promise<string | null> {
    const resolved = new AbortController()
    const stop = AbortSignal.any([signal, resolved.signal])
    const late = this.#clock.sleep(RESOLVE_FIRST_MS_MAX, { signal: stop }).then(
      () => null,
      () => null,
    )
    const endpoint = await Promise.race([this.#resolver.next(), late])
    resolved.abort()
    return endpoint ?? this.#lastEndpoint.load()
  }

  async #point(backend: TunnelBackend): Promise<void> {
    const endpoint = await this.#resolver.next()
    const remedy = "correct the host in the peer's endpoints, or the name service"
    this.#warn('ERR_TUNNEL_ENDPOINT', this.#resolver.failure, remedy)
    if (endpoint !== null && endpoint !== this.#reading.endpoint)
      await backend.setEndpoint(endpoint)
  }

  async #remove(backend: TunnelBackend): Promise<void> {
    const { settings, log } = this.#options
    try {
      await backend.destroy()
    } catch (error) {
      if (!isWorldError(error)) throw error
      this.#report(error)
      // What could not be removed stays guarded.
      return
    }
    this.#firewall = null
    try {
      await removeFirewall(this.#runner, settings.interfaceName)
    } catch (error) {
      // The same nft refused the rules before, or the next start replaces them.
      log.debug({ code: codeOf(error) }, 'the rules of the tunnel could not be removed')
    }
  }

  #setState(state: TunnelStatus['state']): void {
    if (state === this.#state) return
    const { log, settings } = this.#options
    log.info(
      { state, endpoint: this.#reading.endpoint },
      `tunnel ${settings.interfaceName}: ${state}`,
    )
    this.#state = state
  }

  #handshakeAgeMs(): number | null {
    const { handshakeAtMs } = this.#reading
    return handshakeAtMs === null ? null : Math.max(0, this.#clock.wallMs() - handshakeAtMs)
  }

  #report(error: unknown): void {
    if (this.#trouble.met(error) === 'same') return
    this.#options.log.warn(errorFields(error), describeError(error))
  }

  /** Sets or, with a null message, takes back the warning of a code. */
  #warn(code: string, message: string | null, remedy: string): void {
    const old = this.#warnings.find((warning) => warning.code === code)
    if (old?.message === message) return
    const others = this.#warnings.filter((warning) => warning !== old)
    if (message === null) {
      this.#warnings = others
      return
    }
    const sinceMs = this.#clock.wallMs()
    this.#warnings = [
      ...others,
      { code, severity: 'warning', where: 'tunnel', message, remedy, sinceMs },
    ]
    this.#options.log.warn({ code, remedy }, message)
  }
}

/** Ours, or one of the system's; anything else is a mistake in the program. */
function isWorldError(error: unknown): boolean {
  return isLandbridgeError(error) || (error instanceof Error && 'syscall' in error)
}
