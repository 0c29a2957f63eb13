import { canonicalAddress, formatHostPort, sameSubnet } from './address.ts'
import type { HostPort, PeerConfig, StreamConfig, TunnelConfig } from './config.ts'
import type { Problems } from './problem.ts'
import { SERVER_ID_MAX } from './schema.ts'

/*
 * What no section can see by itself. Each check runs on as much as could be read; a null was
 * already reported.
 */

export interface GatewayFacts {
  readonly site: string
  readonly self: PeerConfig | null
  /** Those whose files could be read. */
  readonly peers: readonly PeerConfig[]
  readonly tunnel: TunnelConfig | null
}

/** What has to be one gateway's own: two with the same could not be told apart. */
const UNIQUE = ['wireguardPublicKey', 'certificateFingerprint'] as const

export function checkGateways(facts: GatewayFacts, problems: Problems): void {
  const { site, self, peers, tunnel } = facts
  if (self !== null && self.site !== site) {
    problems.add('site', `${site} is not the site ${self.site} of ${self.path}; correct one`, site)
  }
  const gateways = self === null ? peers : [self, ...peers]
  for (const [index, gateway] of gateways.entries()) {
    for (const other of gateways.slice(0, index)) {
      checkAddressPair(gateway, other, tunnel, problems)
      for (const key of UNIQUE) {
        if (gateway[key] !== other[key]) continue
        const message = `is the same as in ${other.path}; each gateway needs its own`
        problems.add(`${gateway.path} ${key}`, message)
      }
    }
  }
  if (self === null || tunnel?.kind !== 'wireguard') return
  for (const { path, name, endpoints } of peers) {
    if (self.endpoints.length + endpoints.length > 0) continue
    problems.add(
      `${path} endpoints`,
      `is empty, and so it is for ${self.name}; ${name} or this gateway needs an address that ` +
        'the other can reach',
    )
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

function checkAddressPair(
  one: PeerConfig,
  other: PeerConfig,
  tunnel: TunnelConfig | null,
  problems: Problems,
): void {
  const { address, prefixLength } = one.tunnelAddress
  const theirs = other.tunnelAddress
  const where = `${one.path} tunnelAddress`
  if (canonicalAddress(address) === canonicalAddress(theirs.address)) {
    problems.add(where, `${address}/${prefixLength} is the address in ${other.path}; change one`)
  } else if (tunnel?.kind === 'wireguard' && !sameSubnet(one.tunnelAddress, theirs)) {
    problems.add(
      where,
      `${address}/${prefixLength} is not in the subnet of ${theirs.address}/` +
        `${theirs.prefixLength} (${other.path}); choose both from one subnet`,
    )
  }
}

/** An origin is this site, or one where a peer is: from elsewhere nothing could come. */
export function checkOrigins(
  { site, peers }: Pick<GatewayFacts, 'site' | 'peers'>,
  streams: readonly Pick<StreamConfig, 'name' | 'origin'>[],
  problems: Problems,
): void {
  const sites = new Set([site, ...peers.map((peer) => peer.site)])
  for (const [index, { origin }] of streams.entries()) {
    if (sites.has(origin)) continue
    problems.add(
      `streams[${index}].origin`,
      `"${origin}" is no site that is known here (${[...sites].join(', ')}); correct it, or add ` +
        'a gateway of that site to `peers`',
      origin,
    )
  }
}

export function checkStreams(streams: readonly StreamConfig[], problems: Problems): void {
  const names = new Map<string, number>()
  const directories = new Map<string, string>()
  for (const [index, stream] of streams.entries()) {
    const first = names.get(stream.name)
    if (first === undefined) names.set(stream.name, index)
    else {
      problems.add(
        `streams[${index}].name`,
        `"${stream.name}" is the name of streams[${first}] too; change one`,
        stream.name,
      )
    }
    const { directory } = stream.spool
    const other = directories.get(directory)
    if (other === undefined) directories.set(directory, stream.name)
    else if (other !== stream.name) {
      problems.add(
        `streams[${index}].spool.directory`,
        `${directory} is the spool of stream "${other}" too; each stream needs its own`,
        directory,
      )
    }
  }
}

/** Each peer is read for with a server_id of its own: the one that is set, and those behind it. */
export function checkServerIds(
  peers: number,
  streams: readonly StreamConfig[],
  problems: Problems,
): void {
  const taken: { readonly server: string; readonly from: number; readonly index: number }[] = []
  for (const [index, { database }] of streams.entries()) {
    if (database === null || database.serverId === null) continue
    const where = `streams[${index}].database.serverId`
    const { serverId: from } = database
    const shown = `${from} to ${from + peers - 1}, one for each peer`
    if (from + peers - 1 > SERVER_ID_MAX) {
      problems.add(where, `${shown}, goes beyond ${SERVER_ID_MAX}; choose a smaller one`, from)
    }
    const server = formatHostPort(database)
    const other = taken.find((one) => one.server === server && Math.abs(one.from - from) < peers)
    if (other === undefined) taken.push({ server, from, index })
    else {
      const message = `${shown}, overlaps with streams[${other.index}] at ${server}; choose another`
      problems.add(where, message, from)
    }
  }
}

export interface AddressFacts {
  readonly self: PeerConfig
  readonly streams: readonly StreamConfig[]
  readonly metrics: { readonly listen: HostPort } | null
}

const WILDCARDS = ['0.0.0.0', '::']

/** Two listeners of this gateway on one TCP address would stop the second from starting. */
export function checkAddresses(facts: AddressFacts, problems: Problems): void {
  const { self, streams, metrics } = facts
  const link = { host: self.tunnelAddress.address, port: self.linkPort }
  const listeners: { readonly path: string; readonly at: HostPort }[] = [
    { path: `${self.path} linkPort`, at: link },
  ]
  if (metrics !== null) listeners.push({ path: 'metrics.listen', at: metrics.listen })
  for (const [index, { relay }] of streams.entries()) {
    if (relay !== null) listeners.push({ path: `streams[${index}].relay.listen`, at: relay.listen })
  }
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
