import { join } from 'node:path'
import { abortable } from '../base/abortable.ts'
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
import { tunnelWhere, worstPeerState } from '../status/tunnel-standing.ts'
import { type BackendChoice, createBackend } from './backend-choice.ts'
import type { Lookup } from './endpoint-resolver.ts'
import {
  type FirewallPolicy,
  firewallStatus,
  listFirewall,
  removeFirewall,
  setFirewall,
} from './firewall.ts'
import { claimInterface } from './interface-claim.ts'
import { LastEndpoints } from './last-endpoints.ts'
import { clampMss } from './mss-clamp.ts'
import { checkPeers } from './peer-check.ts'
import { PeerPath } from './peer-path.ts'
import { type ProcessRunner, systemRunner } from './process-runner.ts'
import type { PeerEndpoints, TunnelBackend, TunnelSettings } from './tunnel-backend.ts'
import type { TunnelPath } from './tunnel-path.ts'

export interface TunnelOptions {
  readonly settings: TunnelSettings
  /** Of WireGuard, base64. */
  readonly privateKey: Secret
  /** This gateway's own WireGuard public key, base64. */
  readonly publicKey: string
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

const RESOLVE_FIRST_MS_MAX = 2_000
/** `systemctl reload nftables` and the like empty the machine's rules, ours included. */
const FIREWALL_LOOK_MS = 10_000

/**
 * The WireGuard interface of a gateway, with all its peers: made, watched, made again when it
 * breaks, removed.
 */
export class Tunnel implements TunnelPath {
  readonly #options: TunnelOptions
  readonly #clock: Clock
  readonly #runner: ProcessRunner
  readonly #paths: readonly PeerPath[]
  readonly #lastEndpoints: LastEndpoints
  #kind: 'kernel' | 'userspace'
  /** As nft lists it after it was set; null while there is none. */
  #firewall: string | null = null
  readonly #trouble: Trouble
  #warnings: readonly Problem[] = []
  #isUp = Promise.withResolvers<void>()

  /** Throws ERR_TUNNEL_PEERS when two peers cannot be told apart. */
  constructor(options: TunnelOptions) {
    const { interfaceName, address, peers } = options.settings
    checkPeers({ publicKey: options.publicKey, address }, peers)
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#trouble = new Trouble(this.#clock)
    this.#runner = options.runner ?? systemRunner
    this.#paths = peers.map((peer) => new PeerPath(peer, this.#clock, options.lookup))
    this.#lastEndpoints = new LastEndpoints(
      join(options.dataDir, `tunnel-${interfaceName}.endpoint`),
      peers.map(({ publicKey }) => publicKey),
    )
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
    await abortable(this.#isUp.promise, signal)
  }

  status(): TunnelStatus {
    const { settings } = this.#options
    const peers = this.#paths.map((path) => path.status())
    return {
      state: worstPeerState(peers),
      backend: this.#kind,
      interface: settings.interfaceName,
      localAddress: settings.address,
      mtu: settings.mtuBytes,
      firewall: firewallStatus(this.#options.firewall, this.#firewall !== null),
      peers,
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
      await backend.configure(this.#options.privateKey, await this.#firstEndpoints(signal))
      this.#kind = backend.kind
      this.#trouble.over()
      for (const path of this.#paths) path.made()
      this.#isUp.resolve()
      log.info({ backend: backend.kind, reason }, `tunnel ${settings.interfaceName} is made`)
      await this.#watch(backend, backoff, signal)
    } finally {
      for (const path of this.#paths) path.gone()
      this.#isUp = Promise.withResolvers()
      await this.#remove(backend)
    }
  }

  async #setFirewall(): Promise<void> {
    const { settings, firewall } = this.#options
    this.#firewall = null
    const peerAddresses = settings.peers.map(({ tunnelAddress }) => tunnelAddress)
    await setFirewall(this.#runner, { ...settings, ...firewall, peerAddresses })
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
    const ended = new AbortController()
    const stop = AbortSignal.any([signal, ended.signal])
    // One waiter for the whole life, not one a second: it ends the sleep below when it fires.
    const watchdog = backend.died(signal).then((words) => {
      ended.abort()
      return words
    })
    let lookedAtMs = this.#clock.monotonicMs()
    try {
      while (!stop.aborted) {
        await this.#observe(backend)
        if (this.#paths.some(({ state }) => state === 'up')) {
          backoff.reset()
          await this.#noteEndpoints()
        }
        for (const path of this.#paths) await this.#point(backend, path)
        const nowMs = this.#clock.monotonicMs()
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

  async #observe(backend: TunnelBackend): Promise<void> {
    const readings = await backend.read()
    for (const path of this.#paths) {
      const { name, publicKey } = path.peer
      const reading = readings.get(publicKey)
      if (reading === undefined) {
        throw new LandbridgeError('ERR_TUNNEL_PEERS', `somebody removed ${name} from the tunnel`, {
          retryable: true,
          remedy: 'the tunnel is made again; use `landbridge`, not `wg`, to change its peers',
        })
      }
      const before = path.state
      path.observe(reading)
      if (path.state !== before) this.#tellState(path)
    }
  }

  /** It is worth less than the tunnel, which a full disk must not end. */
  async #noteEndpoints(): Promise<void> {
    const heard = new Map<string, string>()
    for (const { state, endpoint, peer } of this.#paths) {
      if (state === 'up' && endpoint !== null) heard.set(peer.publicKey, endpoint)
    }
    const remedy = 'make room in dataDir, and see that it is mounted for writing'
    let failure: string | null = null
    try {
      await this.#lastEndpoints.save(heard)
    } catch (error) {
      if (!isWorldError(error)) throw error
      failure = `cannot note the addresses of peers for the next start: ${describeError(error)}`
    }
    this.#warn('ERR_TUNNEL_NOTE', failure, remedy)
  }

  /** A slow name service does not keep the interface from coming up. */
  async #firstEndpoints(signal: AbortSignal): Promise<PeerEndpoints> {
    const endpoints = new Map(await this.#lastEndpoints.load())
    const resolved = new AbortController()
    const stop = AbortSignal.any([signal, resolved.signal])
    const late = this.#clock.sleep(RESOLVE_FIRST_MS_MAX, { signal: stop }).catch(() => undefined)
    const found = this.#paths.map(async (path) => {
      const endpoint = await path.first(late)
      if (endpoint !== null) endpoints.set(path.peer.publicKey, endpoint)
    })
    await Promise.all(found)
    resolved.abort()
    return endpoints
  }

  /** Turns to where a peer may be next; that this fails is the trouble of that peer alone. */
  async #point(backend: TunnelBackend, path: PeerPath): Promise<void> {
    const { name, publicKey } = path.peer
    const endpoint = path.next()
    try {
      if (endpoint !== null) await backend.setEndpoint(publicKey, endpoint)
    } catch (error) {
      if (!isWorldError(error)) throw error
      path.refused(`${endpoint} cannot be set: ${describeError(error)}`)
    }
    const remedy = "correct the host in the peer's endpoints, or the name service"
    const where = tunnelWhere(this.#paths.length, name)
    this.#warn('ERR_TUNNEL_ENDPOINT', path.failure, remedy, where)
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

  #tellState({ state, endpoint, peer }: PeerPath): void {
    const { log, settings } = this.#options
    const message = `tunnel ${settings.interfaceName} to ${peer.name}: ${state}`
    log.info({ state, endpoint, peer: peer.name }, message)
  }

  #report(error: unknown): void {
    if (this.#trouble.met(error) === 'same') return
    this.#options.log.warn(errorFields(error), describeError(error))
  }

  /** Sets or, with a null message, takes back the warning of a code at a place. */
  #warn(code: string, message: string | null, remedy: string, where = 'tunnel'): void {
    const isThis = (warning: Problem) => warning.code === code && warning.where === where
    const old = this.#warnings.find(isThis)
    if (old?.message === message) return
    const others = this.#warnings.filter((warning) => warning !== old)
    if (message === null) {
      this.#warnings = others
      return
    }
    const sinceMs = this.#clock.wallMs()
    this.#warnings = [...others, { code, severity: 'warning', where, message, remedy, sinceMs }]
    this.#options.log.warn({ code, remedy }, message)
  }
}

/** Ours, or one of the system's; anything else is a mistake in the program. */
function isWorldError(error: unknown): boolean {
  return isLandbridgeError(error) || (error instanceof Error && 'syscall' in error)
}
