import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { TunnelStatus } from '../status/status.ts'
import { worstPeerState } from '../status/tunnel-standing.ts'
import { firewallStatus, listFirewall, removeFirewall } from './firewall.ts'
import { interfaceKind } from './interface-plan.ts'
import { KernelBackend } from './kernel-backend.ts'
import { PeerPath } from './peer-path.ts'
import { type ProcessRunner, systemRunner } from './process-runner.ts'
import type { TunnelOptions } from './tunnel.ts'
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
  const readings = kind === null ? null : await backend.read()
  const rules = kind === null ? null : await listFirewall(runner, settings.interfaceName)
  // It started nothing, so this only closes its connection.
  await userspace.destroy()
  const peers = settings.peers.map((peer) => {
    const path = new PeerPath(peer, clock)
    if (readings !== null) path.made()
    const reading = readings?.get(peer.publicKey)
    if (reading !== undefined) path.observe(reading)
    // When it was heard one look does not say.
    return { ...path.status(), heardAgoMs: null }
  })
  return {
    state: worstPeerState(peers),
    backend: backend.kind,
    interface: settings.interfaceName,
    localAddress: settings.address,
    mtu: settings.mtuBytes,
    firewall: firewallStatus(options.firewall, rules !== null),
    peers,
  }
}
