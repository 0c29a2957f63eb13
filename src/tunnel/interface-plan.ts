import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { ProcessRunner } from './process-runner.ts'
import { allowedAddress, type TunnelSettings } from './tunnel-backend.ts'

/** wireguard-go and one TCP stream fill the usual 500 packets and reorder when there are drops. */
const TX_QUEUE_PACKETS = 1000

/** The `ip` calls that give an interface its address, size and routes. Each may be repeated. */
export function addressPlan(settings: TunnelSettings): readonly (readonly string[])[] {
  const { interfaceName: name, address, prefixLength, mtuBytes, peers } = settings
  return [
    ['address', 'replace', `${address}/${prefixLength}`, 'dev', name],
    ['link', 'set', 'dev', name, 'mtu', `${mtuBytes}`, 'txqueuelen', `${TX_QUEUE_PACKETS}`, 'up'],
    // The source address is named, else a host with many could answer with another one.
    ...peers.map(({ tunnelAddress }) => [
      ...['route', 'replace', allowedAddress(tunnelAddress), 'dev', name, 'src', address],
    ]),
  ]
}

export async function applyAddress(runner: ProcessRunner, settings: TunnelSettings): Promise<void> {
  for (const args of addressPlan(settings)) await runner.run('ip', args)
}

/** The kind of an interface (`wireguard`, `tun`, `veth`...), or null when there is none. */
export async function interfaceKind(runner: ProcessRunner, name: string): Promise<string | null> {
  const listing = await runner.run('ip', ['-j', '-d', 'link', 'show'])
  const links: unknown = JSON.parse(listing)
  if (!Array.isArray(links)) return null
  for (const link of links as { ifname?: unknown; linkinfo?: { info_kind?: unknown } }[]) {
    if (link.ifname === name) return String(link.linkinfo?.info_kind ?? 'other')
  }
  return null
}

/** Removes the interface. That it is gone already is as good. */
export async function deleteInterface(runner: ProcessRunner, name: string): Promise<void> {
  try {
    await runner.run('ip', ['link', 'delete', 'dev', name])
  } catch (error) {
    const gone = isLandbridgeError(error) && (await interfaceKind(runner, name)) === null
    if (!gone) throw error
  }
}

export function interfaceTaken(name: string, kind: string): LandbridgeError {
  return new LandbridgeError(
    'ERR_TUNNEL_INTERFACE',
    `tunnel.interface: there is an interface ${name} (${kind}) that is not this gateway's`,
    {
      remedy: `choose another tunnel.interface, or remove it with \`ip link delete ${name}\``,
      retryable: true,
      details: { interface: name, kind },
    },
  )
}
