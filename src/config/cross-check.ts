import { formatHostPort, sameSubnet } from './address.ts'
import type {
  HostPort,
  LinkConfig,
  PeerConfig,
  Site,
  StreamConfig,
  TunnelConfig,
} from './config.ts'
import type { Problems } from './problem.ts'

/*
 * What no section can see by itself. Each check runs on as much as could be read; a null was
 * already reported.
 */

export interface PairFacts {
  readonly name: string
  readonly site: Site
  readonly peerName: string
  readonly self: PeerConfig | null
  readonly peer: PeerConfig | null
  readonly tunnel: TunnelConfig | null
}

export function checkPair(facts: PairFacts, problems: Problems): void {
  const { name, site, peerName, self, peer, tunnel } = facts
  if (name === peerName) {
    problems.add('peer', `"${peerName}" must be the other gateway, not this one`, peerName)
  }
  if (self !== null && self.site !== site) {
    problems.add('site', `${site} is not the site ${self.site} of ${self.path}; correct one`, site)
  }
  if (peer !== null && peer.site === site) {
    const other = site === 'dr' ? 'production' : 'dr'
    problems.add(
      'peer',
      `"${peerName}" is at site ${site} too; its peer file must say ${other}`,
      peerName,
    )
  }
  if (self === null || peer === null) return
  checkAddressPair(self, peer, tunnel, problems)
  for (const key of ['wireguardPublicKey', 'certificateFingerprint'] as const) {
    if (self[key] !== peer[key]) continue
    problems.add(
      `${peer.path} ${key}`,
      `is the same as in ${self.path}; each gateway needs its own`,
    )
  }
  if (tunnel?.kind === 'wireguard' && self.endpoints.length + peer.endpoints.length === 0) {
    problems.add(
      `${peer.path} endpoints`,
      'is empty for both gateways; one of them needs an address that the other can reach',
    )
  }
}

function checkAddressPair(
  self: PeerConfig,
  peer: PeerConfig,
  tunnel: TunnelConfig | null,
  problems: Problems,
): void {
  const mine = self.tunnelAddress
  const theirs = peer.tunnelAddress
  const shown = `${theirs.address}/${theirs.prefixLength}`
  if (mine.address === theirs.address) {
    problems.add(`${peer.path} tunnelAddress`, `${shown} is this gateway's own address; change one`)
  } else if (tunnel?.kind === 'wireguard' && !sameSubnet(mine, theirs)) {
    problems.add(
      `${peer.path} tunnelAddress`,
      `${shown} is not in the subnet of ${mine.address}/${mine.prefixLength} (${self.path}); ` +
        'choose both from one subnet',
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
    const directory = stream.spool?.directory
    if (directory === undefined) continue
    const other = directories.get(directory)
    if (other === undefined) directories.set(directory, stream.name)
    else {
      problems.add(
        `streams[${index}].spool.directory`,
        `${directory} is the spool of stream "${other}" too; each stream needs its own`,
        directory,
      )
    }
  }
}

export interface AddressFacts {
  readonly site: Site
  readonly self: PeerConfig
  readonly link: LinkConfig | null
  readonly streams: readonly StreamConfig[]
  readonly metrics: { readonly listen: HostPort } | null
}

const WILDCARDS = ['0.0.0.0', '::']

/** Two listeners of this gateway on one TCP address would stop the second from starting. */
export function checkAddresses(facts: AddressFacts, problems: Problems): void {
  const { site, link, streams, metrics } = facts
  const listeners: { readonly path: string; readonly at: HostPort }[] = []
  if (site === 'production' && link !== null) listeners.push({ path: 'link.port', at: link })
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
