import { isIP, isIPv6 } from 'node:net'
import { codeOf, describeError } from '../../base/errors.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { type Lookup, systemLookup } from '../../tunnel/endpoint-resolver.ts'
import { type ProcessRunner, systemRunner } from '../../tunnel/process-runner.ts'
import type { CheckFinding } from './check-list.ts'

/**
 * Whether this machine has a route to where each peer is dialled. The kernel is asked what it would
 * do: no packet is sent, except by the resolver for an endpoint that is a name.
 */
export async function checkRoute(
  { tunnel, peers }: Pick<GatewayConfig, 'tunnel' | 'peers'>,
  runner: ProcessRunner = systemRunner,
  lookup: Lookup = systemLookup,
): Promise<CheckFinding[]> {
  if (tunnel.kind === 'external') {
    return [{ severity: 'ok', message: 'the tunnel is external: its route is not looked at' }]
  }
  const hasIp = (await runner.find('ip')) !== null
  const findings: CheckFinding[] = []
  for (const { name, endpoints } of peers) {
    if (endpoints.length === 0) {
      findings.push({
        severity: 'ok',
        message: `${name} has no endpoint: it is the one that dials`,
      })
    } else if (!hasIp) {
      const message = `without \`ip\` the route to ${name} is not known`
      findings.push({ severity: 'warning', message })
    } else {
      for (const { host } of endpoints) {
        findings.push(...(await hostFindings(name, host, tunnel.interfaceName, runner, lookup)))
      }
    }
  }
  return findings
}

async function hostFindings(
  peer: string,
  host: string,
  interfaceName: string,
  runner: ProcessRunner,
  lookup: Lookup,
): Promise<CheckFinding[]> {
  const addresses = await addressesOf(host, lookup)
  if (typeof addresses === 'string') return [unresolved(peer, host, addresses)]
  const findings: CheckFinding[] = []
  for (const address of addresses) {
    findings.push(await routeFinding(peer, address, interfaceName, runner))
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

function unresolved(peer: string, host: string, code: string): CheckFinding {
  return {
    severity: 'error',
    message: `the endpoint ${host} of ${peer} cannot be resolved (${code})`,
    remedy: "see the peer file's `endpoints`, and this machine's resolver",
  }
}

async function routeFinding(
  peer: string,
  address: string,
  interfaceName: string,
  runner: ProcessRunner,
): Promise<CheckFinding> {
  const remedy = "see the peer file's `endpoints`, and `ip route` on this machine"
  const family = isIPv6(address) ? '-6' : '-4'
  try {
    const answer = await runner.run('ip', [family, 'route', 'get', address])
    const [route = ''] = answer.trim().split('\n')
    const device = / dev (\S+)/.exec(route)?.[1] ?? null
    if (device === interfaceName) {
      const message = `the route to ${peer}’s endpoint ${address} leads through the tunnel itself`
      return { severity: 'error', message, remedy }
    }
    if (/^local /.test(route)) {
      const message = `the endpoint ${address} of ${peer} is an address of this machine`
      return { severity: 'warning', message, remedy }
    }
    return {
      severity: 'ok',
      message: `there is a route to ${peer} at ${address} (${device ?? route})`,
    }
  } catch (error) {
    const message = `there is no route to ${peer}’s endpoint ${address}: ${describeError(error)}`
    return { severity: 'error', message, remedy }
  }
}
