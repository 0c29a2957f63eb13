import { formatHostPort, type HostPort, sameAddress } from '../../config/address.ts'
import type { PeerConfig } from '../../config/peer-file.ts'
import type { Problems } from '../../config/problem.ts'
import type { Listener } from '../../config/section.ts'

/*
 * What no section can see by itself. Each check runs on as much as could be read: of the rest the
 * problems were added already.
 */

export interface GatewayFacts {
  readonly site: string
  readonly self: PeerConfig | null
  /** Those whose files could be read. */
  readonly peers: readonly PeerConfig[]
}

/** What has to be one gateway's own: two with the same could not be told apart. */
const UNIQUE = ['wireguardPublicKey', 'certificateFingerprint'] as const

export function checkGateways({ site, self, peers }: GatewayFacts, problems: Problems): void {
  if (self !== null && self.site !== site) {
    problems.add('site', `${site} is not the site ${self.site} of ${self.path}; correct one`, site)
  }
  const gateways = self === null ? peers : [self, ...peers]
  for (const [index, gateway] of gateways.entries()) {
    for (const other of gateways.slice(0, index)) {
      checkAddresses(gateway, other, problems)
      for (const key of UNIQUE) {
        if (gateway[key] !== other[key]) continue
        const message = `is the same as in ${other.path}; each gateway needs its own`
        problems.add(`${gateway.path} ${key}`, message)
      }
    }
  }
}

/** The names of `peers` that can be looked for: each once, and none of them this gateway's. */
export function checkPeerNames(
  name: string,
  peers: readonly string[],
  problems: Problems,
): readonly string[] {
  return peers.filter((peer, index) => {
    const path = `peers[${index}]`
    if (peer === name) problems.add(path, `"${peer}" must be another gateway, not this one`, peer)
    else if (peers.indexOf(peer) < index) problems.add(path, `"${peer}" is named twice`, peer)
    else return true
    return false
  })
}

function checkAddresses(one: PeerConfig, other: PeerConfig, problems: Problems): void {
  const { address, prefixLength } = one.tunnelAddress
  if (!sameAddress(address, other.tunnelAddress.address)) return
  const where = `${one.path} tunnelAddress`
  problems.add(where, `${address}/${prefixLength} is the address in ${other.path}; change one`)
}

/** Of one stream, and the setting that says it. */
export interface NamedStream {
  readonly where: string
  readonly name: string
  readonly origin: string
}

/** An origin is this site, or one where a peer is: from elsewhere nothing could come. */
export function checkOrigins(
  { site, peers }: Pick<GatewayFacts, 'site' | 'peers'>,
  streams: readonly NamedStream[],
  problems: Problems,
): void {
  const sites = new Set([site, ...peers.map((peer) => peer.site)])
  for (const { where, origin } of streams) {
    if (sites.has(origin)) continue
    problems.add(
      `${where}.origin`,
      `"${origin}" is no site that is known here (${[...sites].join(', ')}); correct it, or add ` +
        'a gateway of that site to `peers`',
      origin,
    )
  }
}

export function checkStreamNames(streams: readonly NamedStream[], problems: Problems): void {
  const taken = new Map<string, string>()
  for (const { where, name } of streams) {
    const first = taken.get(name)
    if (first === undefined) taken.set(name, where)
    else problems.add(`${where}.name`, `"${name}" is the name of ${first} too; change one`, name)
  }
}

const WILDCARDS = ['0.0.0.0', '::']

/** Two listeners of this gateway on one TCP address would stop the second from starting. */
export function checkListeners(listeners: readonly Listener[], problems: Problems): void {
  for (const [index, { path, at }] of listeners.entries()) {
    const clash = listeners.slice(0, index).find((other) => overlap(other.at, at))
    if (clash === undefined) continue
    const shown = formatHostPort(at)
    problems.add(path, `${shown} is already taken by ${clash.path}; choose another port`, shown)
  }
}

function overlap(one: HostPort, other: HostPort): boolean {
  if (one.port !== other.port) return false
  return one.host === other.host || WILDCARDS.includes(one.host) || WILDCARDS.includes(other.host)
}
