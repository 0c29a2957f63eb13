import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { TunnelStatus } from '../status/status.ts'
import { firewallStatus, listFirewall, removeFirewall } from './firewall.ts'
import { interfaceKind } from './interface-plan.ts'
import { KernelBackend } from './kernel-backend.ts'
import { type ProcessRunner, systemRunner } from './process-runner.ts'
import type { TunnelOptions } from './tunnel.ts'
import type { TunnelReading } from './tunnel-backend.ts'
import { TunnelHealth } from './tunnel-health.ts'
import { UserspaceBackend } from './userspace-backend.ts'

/*
 * What can be said and done of a gateway's tunnel without the gateway: for `landbridge tunnel`.
 */

type RemainsOptions = Pick<
  TunnelOptions,
  'settings' | 'firewall' | 'publicKey' | 'userspaceArgv' | 'dataDir'
>

function backendsOf(options: RemainsOptions, clock: Clock, runner: ProcessRunner) {
  const { settings, dataDir, userspaceArgv: argv, publicKey } = options
  const recordPath = join(dataDir, `tunnel-${settings.interfaceName}.json`)
  return {
    kernel: new KernelBackend({ ...options, runner }),
    userspace: new UserspaceBackend({ settings, publicKey, argv, recordPath, runner, clock }),
  }
}

/** Removes what a killed gateway left; throws ERR_TUNNEL_INTERFACE when it is somebody else's. */
export async function clearTunnel(
  options: RemainsOptions,
  clock: Clock,
  runner: ProcessRunner = systemRunner,
): Promise<string> {
  const { interfaceName } = options.settings
  const { kernel, userspace } = backendsOf(options, clock, runner)
  await userspace.clear()
  await userspace.destroy()
  await kernel.clear()
  // Last, so that what is left of an interface is never without them.
  await removeFirewall(runner, interfaceName)
  return interfaceName
}

/** Reads an interface that may or may not be there. */
export async function peekTunnel(
  options: RemainsOptions,
  clock: Clock,
  runner: ProcessRunner = systemRunner,
): Promise<TunnelStatus> {
  const { settings } = options
  const kind = await interfaceKind(runner, settings.interfaceName)
  const { kernel, userspace } = backendsOf(options, clock, runner)
  const backend = kind === 'wireguard' ? kernel : userspace
  const reading = kind === null ? null : await backend.read()
  const rules = kind === null ? null : await listFirewall(runner, settings.interfaceName)
  // It started nothing, so this only closes its connection.
  await userspace.destroy()
  const ageMs =
    reading === null || reading.handshakeAtMs === null
      ? null
      : Math.max(0, clock.wallMs() - reading.handshakeAtMs)
  return {
    state: reading === null ? 'down' : stateOf(options, reading, ageMs, clock),
    backend: backend.kind,
    interface: settings.interfaceName,
    localAddress: settings.address,
    peerAddress: settings.peer.tunnelAddress,
    endpoint: reading?.endpoint ?? null,
    mtu: settings.mtuBytes,
    handshakeAgeMs: ageMs,
    // One look does not say.
    heardAgoMs: null,
    receivedBytes: reading?.receivedBytes ?? 0,
    sentBytes: reading?.sentBytes ?? 0,
    firewall: firewallStatus(options.firewall, rules !== null),
  }
}

function stateOf(
  { settings }: RemainsOptions,
  reading: TunnelReading,
  ageMs: number | null,
  clock: Clock,
): TunnelStatus['state'] {
  const nowMs = clock.monotonicMs()
  return new TunnelHealth({ keepaliveMs: settings.peer.keepaliveMs, nowMs }).observe(
    reading,
    ageMs,
    nowMs,
  )
}
