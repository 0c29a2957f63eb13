import { writeFile } from 'node:fs/promises'
import { tryCommand } from '../hosts/command.ts'
import type { SiteName } from '../lab-sites.ts'

/** A site as the WAN sees it. */
export interface WanSite {
  readonly site: SiteName
  /** Where the other sites find it: an address of the WAN. */
  readonly publicAddress: string
  readonly gatewayAddress: string
}

export type WanSitePair = readonly [WanSite, WanSite]

const TABLE = 'lab_wan'

/**
 * Lets the kernel hand packets from one gateway to another as the relay would: each gateway sees
 * only the public address of the other. Addresses are rewritten without connection tracking, so
 * that removing the table takes effect with the next packet. What comes between two sites that are
 * no pair here stays for the relay.
 */
export function kernelPathRules(port: number, pairs: readonly WanSitePair[]): string {
  const ways = pairs.flatMap(([a, b]) => [
    { from: a, to: b },
    { from: b, to: a },
  ])
  const counters = ways.map(({ from, to }) => `  counter ${counterName(from.site, to.site)} { }`)
  const into = ways.map(
    ({ from, to }) =>
      `    ip saddr ${from.gatewayAddress} ip daddr ${to.publicAddress} udp dport ${port} ` +
      `counter name "${counterName(from.site, to.site)}" ip daddr set ${to.gatewayAddress}`,
  )
  const out = ways.map(
    ({ from, to }) =>
      `    ip saddr ${from.gatewayAddress} ip daddr ${to.gatewayAddress} ` +
      `ip saddr set ${from.publicAddress}`,
  )
  return `
table ip ${TABLE} {
${counters.join('\n')}
  chain arriving {
    type filter hook prerouting priority -300; policy accept;
${into.join('\n')}
  }
  chain passing {
    type filter hook forward priority 0; policy drop;
    udp dport ${port} accept
  }
  chain leaving {
    type filter hook postrouting priority 300; policy accept;
${out.join('\n')}
  }
}
`
}

function counterName(from: SiteName, to: SiteName): string {
  return `${from}_to_${to}`
}

/**
 * Both act on the network namespace they run in. In one step in place of what was open before.
 * False: this machine cannot do it.
 */
export async function openKernelPath(
  port: number,
  pairs: readonly WanSitePair[],
): Promise<boolean> {
  try {
    await writeFile('/proc/sys/net/ipv4/ip_forward', '1')
  } catch {
    // Read-only in some containers: then the relay passes the packets.
    return false
  }
  const renew = `table ip ${TABLE}\ndelete table ip ${TABLE}\n`
  const stdin = `${renew}${kernelPathRules(port, pairs)}`
  return (await tryCommand(['nft', '-f', '-'], { stdin })).code === 0
}

export async function closeKernelPath(prefix: readonly string[] = []): Promise<void> {
  await tryCommand([...prefix, 'nft', 'delete', 'table', 'ip', TABLE])
}

export interface Passed {
  readonly packets: number
  readonly bytes: number
}

/** Packets and bytes (with IP and UDP headers) the kernel passed since the path was opened. */
export async function readKernelPath(): Promise<(from: SiteName, to: SiteName) => Passed> {
  const { stdout } = await tryCommand(['nft', 'list', 'counters', 'table', 'ip', TABLE])
  return (from, to) => {
    const name = counterName(from, to)
    const match = new RegExp(`counter ${name} \\{\\s*packets (\\d+) bytes (\\d+)`).exec(stdout)
    return { packets: Number(match?.[1] ?? 0), bytes: Number(match?.[2] ?? 0) }
  }
}
