import { isIP, isIPv6 } from 'node:net'
import { codeOf, describeError } from '../../base/errors.ts'
import type { GatewayConfig } from '../../config/config.ts'
import { type Lookup, systemLookup } from '../../tunnel/endpoint-resolver.ts'
import { type ProcessRunner, systemRunner } from '../../tunnel/process-runner.ts'
import type { CheckFinding } from './check-list.ts'

/**
 * Whether this machine has a route to where the peer is dialled. The kernel is asked what it would
 * do: no packet is sent, except by the resolver for an endpoint that is a name.
 */
export async function checkRoute(
  { tunnel, peer }: Pick<GatewayConfig, 'tunnel' | 'peer'>,
  runner: ProcessRunner = systemRunner,
  lookup: Lookup = systemLookup,
): Promise<CheckFinding[]> {
  if (tunnel.kind === 'external') {
    return [{ severity: 'ok', message: 'the tunnel is external: its route is not looked at' }]
  }
  if (peer.endpoints.length === 0) {
    return [{ severity: 'ok', message: `${peer.name} has no endpoint: it is the one that dials` }]
  }
  if ((await runner.find('ip')) === null) {
    return [{ severity: 'warning', message: 'without `ip` the route to the peer is not known' }]
  }
  const findings: CheckFinding[] = []
  for (const { host } of peer.endpoints) {
    const addresses = await addressesOf(host, lookup)
    if (typeof addresses === 'string') findings.push(unresolved(host, addresses))
    else {
      for (const address of addresses) {
        findings.push(await routeFinding(runner, address, tunnel.interfaceName))
      }
    }
  }
  return findings
}

async function addressesOf(host: string, lookup: Lookup): Promise<readonly string[] | string> {
  if (isIP(host) !== 0) return [host]
  try {
    return await lookup(host)
  } catch (error) {
    return codeOf(error)
  }
}

function unresolved(host: string, code: string): CheckFinding {
  return {
    severity: 'error',
    message: `the endpoint ${host} of the peer cannot be resolved (${code})`,
    remedy: "see the peer file's `endpoints`, and this machine's resolver",
  }
}

async function routeFinding(
  runner: ProcessRunner,
  address: string,
  interfaceName: string,
): Promise<CheckFinding> {
  const remedy = "see the peer file's `endpoints`, and `ip route` on this machine"
  const family = isIPv6(address) ? '-6' : '-4'
  try {
    const answer = await runner.run('ip', [family, 'route', 'get', address])
    const [route = ''] = answer.trim().split('\n')
    const device = / dev (\S+)/.exec(route)?.[1] ?? null
    if (device === interfaceName) {
      const message = `the route to the endpoint ${address} leads through the tunnel itself`
      return { severity: 'error', message, remedy }
    }
    if (/^local /.test(route)) {
      const message = `the endpoint ${address} of the peer is an address of this machine`
      return { severity: 'warning', message, remedy }
    }
    return { severity: 'ok', message: `there is a route to ${address} (${device ?? route})` }
  } catch (error) {
    const message = `there is no route to the endpoint ${address}: ${describeError(error)}`
    return { severity: 'error', message, remedy }
  }
}
