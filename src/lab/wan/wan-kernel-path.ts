import { writeFile } from 'node:fs/promises'
import { tryCommand } from '../hosts/command.ts'

export interface WanSide {
  /** The address of the WAN that faces this gateway. */
  readonly wanAddress: string
  readonly gatewayAddress: string
}

export interface WanPathOptions {
  /** The UDP port that is carried: the same on both sides. */
  readonly port: number
  readonly a: WanSide
  readonly b: WanSide
}

const TABLE = 'lab_wan'

/**
 * Lets the kernel hand packets from one gateway to the other as the relay would: each gateway
 * sees only the WAN's address. Addresses are rewritten without connection tracking, so that
 * removing the table takes effect with the next packet.
 */
export function kernelPathRules({ port, a, b }: WanPathOptions): string {
  const into = (from: WanSide, to: WanSide) =>
    `ip saddr ${from.gatewayAddress} ip daddr ${from.wanAddress} udp dport ${port} ` +
    `counter name "${from === a ? 'a_to_b' : 'b_to_a'}" ip daddr set ${to.gatewayAddress}`
  const out = (from: WanSide, to: WanSide) =>
    `ip saddr ${from.gatewayAddress} ip daddr ${to.gatewayAddress} ip saddr set ${to.wanAddress}`
  return `
table ip ${TABLE} {
  counter a_to_b { }
  counter b_to_a { }
  chain arriving {
    type filter hook prerouting priority -300; policy accept;
    ${into(a, b)}
    ${into(b, a)}
  }
  chain passing {
    type filter hook forward priority 0; policy drop;
    udp dport ${port} accept
  }
  chain leaving {
    type filter hook postrouting priority 300; policy accept;
    ${out(a, b)}
    ${out(b, a)}
  }
}
`
}

/** Both act on the network namespace they run in. False: this machine cannot do it. */
export async function openKernelPath(options: WanPathOptions): Promise<boolean> {
  try {
    await writeFile('/proc/sys/net/ipv4/ip_forward', '1')
  } catch {
    // Read-only in some containers: then the relay passes the packets.
    return false
  }
  const opened = await tryCommand(['nft', '-f', '-'], { stdin: kernelPathRules(options) })
  return opened.code === 0
}

export async function closeKernelPath(prefix: readonly string[] = []): Promise<void> {
  await tryCommand([...prefix, 'nft', 'delete', 'table', 'ip', TABLE])
}

/** Packets and bytes (with IP and UDP headers) the kernel passed since the path was opened. */
export async function readKernelPath(): Promise<{ 'a-to-b': Passed; 'b-to-a': Passed }> {
  const listed = await tryCommand(['nft', 'list', 'counters', 'table', 'ip', TABLE])
  const read = (name: string): Passed => {
    const match = new RegExp(`counter ${name} \\{\\s*packets (\\d+) bytes (\\d+)`).exec(
      listed.stdout,
    )
    return { packets: Number(match?.[1] ?? 0), bytes: Number(match?.[2] ?? 0) }
  }
  return { 'a-to-b': read('a_to_b'), 'b-to-a': read('b_to_a') }
}

export interface Passed {
  readonly packets: number
  readonly bytes: number
}
