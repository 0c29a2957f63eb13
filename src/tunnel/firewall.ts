import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { TunnelFirewallStatus } from '../status/status.ts'
import { missingProgram, type ProcessRunner } from './process-runner.ts'

/*
 * A peer is trusted for the link and for nothing else of this machine: whoever takes one gateway
 * over must not find the other one's ssh. WireGuard itself lets a peer send from its own address
 * alone. One table of our own, replaced whole in one transaction, so that a crash or a second start
 * leaves no double rules. It filters by the interface's name, so it is there before the interface
 * is up. What other tables of the machine accept, this one still drops. The reference is nft(8).
 */

export interface AcceptedPort {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

/** What may come out of the tunnel besides answers to what this machine asked, and ping. */
export interface FirewallPolicy {
  /** Ports of this gateway's own tunnel address. */
  readonly accept: readonly AcceptedPort[]
  /** Whether anything is passed on between the tunnel and other interfaces. */
  readonly forward: boolean
}

export interface FirewallSettings extends FirewallPolicy {
  readonly interfaceName: string
  readonly address: string
  /** Inside the tunnel: who may open what is accepted. */
  readonly peerAddresses: readonly string[]
}

/** Echo for whoever looks for a fault; the others carry path MTU and errors, as TCP needs them. */
const ICMP = 'echo-request, destination-unreachable, time-exceeded, parameter-problem'

/** Two interfaces never share a table: what no name of a table may have is written as hex. */
export function tunnelTable(interfaceName: string): string {
  const safe = interfaceName.replace(
    /[^A-Za-z0-9]/g,
    (character) => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `landbridge_${safe}`
}

export function firewallRules(settings: FirewallSettings): string {
  const { interfaceName: name, address, peerAddresses, accept, forward } = settings
  const family = familyOf(address)
  const peers = peerAddresses.filter((peer) => familyOf(peer) === family).join(', ')
  const way = `${family} saddr { ${peers} } ${family} daddr ${address}`
  const open = peers === '' ? [] : accept
  const ports = open.map(({ protocol, port }) => `${way} ${protocol} dport ${port} accept`)
  const input = [
    'type filter hook input priority filter; policy accept;',
    `iifname != "${name}" return`,
    'ct state established,related accept',
    ...ports,
    `icmp type { ${ICMP} } accept`,
    `icmpv6 type { ${ICMP} } accept`,
    'icmpv6 type packet-too-big accept',
    'counter drop',
  ]
  const passing = [
    'type filter hook forward priority filter; policy accept;',
    `iifname "${name}" counter drop`,
    `oifname "${name}" counter drop`,
  ]
  const chain = (hook: string, lines: readonly string[]) =>
    `  chain ${hook} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`
  const table = `inet ${tunnelTable(name)}`
  return (
    `add table ${table}\ndelete table ${table}\n` +
    `table ${table} {\n${chain('input', input)}${forward ? '' : chain('forward', passing)}}\n`
  )
}

function familyOf(address: string): 'ip' | 'ip6' {
  return address.includes(':') ? 'ip6' : 'ip'
}

/** Replaces the table. Rejects with ERR_TUNNEL_FIREWALL: then the interface must not come up. */
export async function setFirewall(
  runner: ProcessRunner,
  settings: FirewallSettings,
): Promise<void> {
  try {
    if ((await runner.find('nft')) === null) throw missingProgram('nft')
    await runner.run('nft', ['-f', '-'], { stdin: firewallRules(settings) })
  } catch (cause) {
    if (!isLandbridgeError(cause)) throw cause
    throw new LandbridgeError(
      'ERR_TUNNEL_FIREWALL',
      "the tunnel is not made, because the rules that keep the peers off this machine's other " +
        'ports cannot be set',
      {
        cause,
        retryable: true,
        remedy: '`apt-get install nftables`; the kernel needs nf_tables, the gateway CAP_NET_ADMIN',
      },
    )
  }
}

/** The table as nft lists it, without counters; null when it is gone or cannot be read. */
export async function listFirewall(
  runner: ProcessRunner,
  interfaceName: string,
): Promise<string | null> {
  const args = ['--stateless', 'list', 'table', 'inet', tunnelTable(interfaceName)]
  try {
    return await runner.run('nft', args)
  } catch (error) {
    if (isLandbridgeError(error)) return null
    throw error
  }
}

export async function removeFirewall(runner: ProcessRunner, interfaceName: string): Promise<void> {
  if ((await runner.find('nft')) === null) return
  const table = `inet ${tunnelTable(interfaceName)}`
  await runner.run('nft', ['-f', '-'], { stdin: `add table ${table}\ndelete table ${table}\n` })
}

export function firewallStatus(
  { accept, forward }: FirewallPolicy,
  inPlace: boolean,
): TunnelFirewallStatus {
  return {
    inPlace,
    accepts: accept.map(({ protocol, port }) => `${protocol}/${port}`),
    forwards: forward,
  }
}
