import { isIPv4 } from 'node:net'
import { LandbridgeError } from '../base/errors.ts'
import type { SubnetAddress } from '../config/address.ts'
import { parseSubnetAddress } from '../config/address.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import type { IdentitiesPlan } from './sites-plan.ts'

/** With room for sites that come later. */
export const TUNNEL_SUBNET: SubnetAddress = { address: '10.77.0.0', prefixLength: 24 }

/** `10.77.0.0/24`, an IPv4 network with room for two at least. Throws ERR_USAGE. */
export function parseTunnelSubnet(text: string): SubnetAddress {
  const subnet = parseSubnetAddress(text)
  if (subnet !== null && isIPv4(subnet.address) && subnet.prefixLength <= 30) {
    if (networkOf(subnet).address === subnet.address) return subnet
  }
  throw new LandbridgeError('ERR_USAGE', `--tunnel-subnet ${text} is not an IPv4 subnet`, {
    remedy: 'write one such as 10.77.0.0/24',
  })
}

/**
 * The address of each gateway inside the tunnel: its own where it has one, else the one of its
 * place in the list, else the next that nobody has. Throws ERR_USAGE when there are too few.
 */
export function assignTunnelAddresses(
  { gateways, tunnelSubnet }: Pick<IdentitiesPlan, 'gateways' | 'tunnelSubnet'>,
  peers: ReadonlyMap<string, PeerConfig>,
): ReadonlyMap<string, SubnetAddress> {
  const used = [...peers.values()].map(({ tunnelAddress }) => tunnelAddress)
  const [known] = used
  const isKnown = known !== undefined && isIPv4(known.address) && known.prefixLength <= 30
  const subnet = tunnelSubnet ?? (isKnown ? networkOf(known) : TUNNEL_SUBNET)
  const assigned = new Map<string, SubnetAddress>()
  for (const { name, tunnelAddress } of gateways) {
    const own = peers.get(name)?.tunnelAddress ?? tunnelAddress
    if (own !== null) assigned.set(name, own)
  }
  const taken = new Set([...assigned.values(), ...used].map(({ address }) => address))
  const isFree = (address: SubnetAddress | null): address is SubnetAddress =>
    address !== null && !taken.has(address.address)
  for (const [index, { name }] of gateways.entries()) {
    if (assigned.has(name)) continue
    let address = nthAddress(subnet, index)
    for (let at = 0; !isFree(address); at++) {
      address = nthAddress(subnet, at)
      if (address === null) throw tooFew(subnet, gateways.length)
    }
    taken.add(address.address)
    assigned.set(name, address)
  }
  return assigned
}

/** Null behind the last one. */
function nthAddress(subnet: SubnetAddress, index: number): SubnetAddress | null {
  const { prefixLength } = subnet
  if (index >= capacityOf(subnet)) return null
  return { address: textFromNumber(numberOf(subnet.address) + index + 1), prefixLength }
}

/** Without the network's own address and the one for broadcasts. */
function capacityOf({ prefixLength }: SubnetAddress): number {
  return 2 ** (32 - prefixLength) - 2
}

function tooFew(subnet: SubnetAddress, count: number): LandbridgeError {
  const text = `${subnet.address}/${subnet.prefixLength}`
  const message = `the tunnel's subnet ${text} has ${capacityOf(subnet)} addresses, not ${count}`
  return new LandbridgeError('ERR_USAGE', message, {
    remedy:
      'write a larger one with --tunnel-subnet, such as 10.77.0.0/24, and the same prefix length ' +
      'behind tunnelAddress in every file of peers/',
  })
}

function networkOf({ address, prefixLength }: SubnetAddress): SubnetAddress {
  const size = 2 ** (32 - prefixLength)
  return { address: textFromNumber(Math.floor(numberOf(address) / size) * size), prefixLength }
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function textFromNumber(number: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256).join('.')
}
