import { isIP, isIPv4, isIPv6, SocketAddress } from 'node:net'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** An address with the length of its subnet's prefix, such as 10.77.0.1/30. */
export interface SubnetAddress {
  readonly address: string
  readonly prefixLength: number
}

export interface TransportPort {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

const HOST_LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i
const HOST_CHARS_MAX = 253

export function isHost(value: string): boolean {
  // A name of digits and dots only is a mistyped IPv4 address, not a host name.
  if (isIP(value) !== 0) return true
  const labels = value.replace(/\.$/, '').split('.')
  const isName = value.length <= HOST_CHARS_MAX && labels.every((label) => HOST_LABEL.test(label))
  return isName && !/^[\d.]+$/.test(value)
}

export function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535
}

/** `9100` and `tcp/9100` are TCP, `udp/161` is UDP. Null when it is none of them. */
export function parseTransportPort(value: unknown): TransportPort | null {
  const match = /^(?:(tcp|udp)\/)?(\d{1,5})$/.exec(String(value))
  const port = Number(match?.[2])
  return isPort(port) ? { protocol: match?.[1] === 'udp' ? 'udp' : 'tcp', port } : null
}

/** `198.51.100.20:51820`, `db.example:3306`, `[2001:db8::1]:51820`. Null when it is none. */
export function parseHostPort(value: string): HostPort | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(value)
  if (match === null) return null
  const [, bracketed, plain] = match
  const port = Number(match[3])
  const host = bracketed ?? plain ?? ''
  const hostIsGood = bracketed === undefined ? isHost(host) : isIPv6(host)
  return hostIsGood && isPort(port) ? { host, port } : null
}

export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** `10.77.0.1/30` or `fd77::1/64`. Null when it is neither. */
export function parseSubnetAddress(value: string): SubnetAddress | null {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(value)
  if (match === null) return null
  const address = match[1] ?? ''
  const prefixLength = Number(match[2])
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0
  return bits > 0 && prefixLength >= 1 && prefixLength <= bits ? { address, prefixLength } : null
}

/** The same IPv6 address can be written in many ways: this is one of them. */
export function canonicalAddress(address: string): string {
  if (!isIPv6(address)) return address
  return new SocketAddress({ address, family: 'ipv6' }).address
}

/** Whether two texts are one address. */
export function sameAddress(one: string, other: string): boolean {
  return canonicalAddress(one) === canonicalAddress(other)
}

/** True when both are of one family, have the same prefix length and the same network. */
export function sameSubnet(one: SubnetAddress, other: SubnetAddress): boolean {
  if (isIP(one.address) !== isIP(other.address) || one.prefixLength !== other.prefixLength) {
    return false
  }
  return networkBits(one) === networkBits(other)
}

function networkBits({ address, prefixLength }: SubnetAddress): string {
  const bits = isIPv4(address) ? bitsOfIPv4(address) : bitsOfIPv6(address)
  return bits.slice(0, prefixLength)
}

function bitsOfIPv4(address: string): string {
  return address
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('')
}

function bitsOfIPv6(address: string): string {
  // The WHATWG parser writes an embedded IPv4 tail as two groups and leaves one `::`.
  const plain = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - left.length - right.length
  const groups = [...left, ...Array<string>(missing).fill('0'), ...right]
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}
