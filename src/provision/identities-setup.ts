import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { LandbridgeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import { formatHostPort, type HostPort, type SubnetAddress } from '../config/address.ts'
import { loadPeer, type PeerConfig } from '../config/peer-file.ts'
import { configError, Problems } from '../config/problem.ts'
import type { CertificateAndKey } from '../keys/certificates.ts'
import { foundSites, readGatewayFile } from './found-sites.ts'
import { setUpAuthority, setUpCertificate, setUpTlsKey, setUpWireguardKey } from './gateway-keys.ts'
import { SetupFolder } from './setup-folder.ts'
import {
  chosenGateways,
  endpointsOf,
  type IdentitiesPlan,
  type IdentityPlan,
  type SetupGateway,
} from './sites-plan.ts'
import { peerFile } from './template.ts'
import { assignTunnelAddresses } from './tunnel-addresses.ts'

/** Who a gateway is, as its keys and its peer file say. */
export type GatewayIdentity = Omit<SetupGateway, 'config' | 'elsewhere' | 'file'>

export interface Identities {
  readonly folder: SetupFolder
  /** Of the gateways whose files were to be made. */
  readonly made: readonly GatewayIdentity[]
  /** Gateways whose peer file is still to come. */
  readonly peersMissing: readonly string[]
  readonly endpoints: ReadonlyMap<string, readonly HostPort[]>
  /** Asked for, or what the gateways that are there have. */
  readonly externalTunnel: boolean
}

/**
 * Makes what is missing of keys, certificates and peer files, and keeps what is there. A gateway
 * whose private key is on another machine is known by certs/NAME/gateway.pub. Throws ERR_USAGE,
 * and ERR_CONFIG for a peer file with mistakes.
 */
export async function setUpIdentities(plan: IdentitiesPlan): Promise<Identities> {
  const folder = new SetupFolder(plan.directory)
  const peers = await readPeers(plan, folder)
  const externalTunnel = await hasExternalTunnel(plan)
  const endpoints = endpointsOf(plan, peers)
  await demandEndpoints(plan, { isExternal: externalTunnel, peers, endpoints })
  const addresses = assignTunnelAddresses(plan, peers)
  const authority = await setUpAuthority(folder, plan)
  const setup = new IdentitySetup(plan, folder, { peers, endpoints, addresses, authority })
  const made: GatewayIdentity[] = []
  for (const gateway of chosenGateways(plan)) made.push(await setup.gateway(gateway))
  const names = new Set(made.map(({ name }) => name))
  const peersMissing = plan.gateways
    .map(({ name }) => name)
    .filter((name) => !peers.has(name) && !names.has(name))
  return { folder, made, peersMissing, endpoints, externalTunnel }
}

/** The peer files that are there. Throws ERR_CONFIG for one with mistakes. */
async function readPeers(
  { gateways }: IdentitiesPlan,
  folder: SetupFolder,
): Promise<Map<string, PeerConfig>> {
  const peers = new Map<string, PeerConfig>()
  for (const { name } of gateways) {
    const path = join('peers', `${name}.yaml`)
    if ((await folder.read(path)) === null) continue
    const problems = new Problems()
    const peer = await loadPeer(folder.at('peers'), name, problems)
    if (peer === null || problems.list.length > 0) throw configError(path, problems.list)
    peers.set(name, peer)
  }
  return peers
}

/** Asked for, or what the gateways that are there have: they cannot differ. */
async function hasExternalTunnel(plan: IdentitiesPlan): Promise<boolean> {
  if (plan.externalTunnel) return true
  const files = await Promise.all(
    plan.gateways.map(({ name }) => readGatewayFile(plan.directory, name)),
  )
  return files.some((file) => file?.isExternalTunnel)
}

interface KnownPlaces {
  readonly isExternal: boolean
  readonly peers: ReadonlyMap<string, PeerConfig>
  readonly endpoints: ReadonlyMap<string, readonly HostPort[]>
}

/** Two gateways without an endpoint could never meet: say so before making anything. */
async function demandEndpoints(plan: IdentitiesPlan, known: KnownPlaces): Promise<void> {
  const { gateways, only, directory } = plan
  const isNew = gateways.some(({ name }) => !known.peers.has(name))
  if (only !== null || known.isExternal || !isNew) return
  const hidden = gateways.map(({ name }) => name).filter((name) => !known.endpoints.get(name)?.[0])
  if (hidden.length < 2) return
  const found = await foundSites(directory)
  if (found !== null && !gateways.some(({ name }) => found.names.includes(name))) {
    const names = found.names.join(',')
    const wanted = gateways.map(({ name }) => name).join(',')
    throw new LandbridgeError('ERR_USAGE', `peers/ has the sites ${names}, and none of ${wanted}`, {
      remedy: `write --sites ${names}, or name another --directory`,
    })
  }
  const message = `${hidden.join(' and ')} have no address at which others can reach them`
  throw new LandbridgeError('ERR_USAGE', message, {
    remedy:
      `add --endpoint ${hidden[0]}=HOST:PORT (one gateway at most can do without: it dials), ` +
      'or --external-tunnel',
  })
}

interface Parts extends Omit<KnownPlaces, 'isExternal'> {
  readonly addresses: ReadonlyMap<string, SubnetAddress>
  readonly authority: CertificateAndKey | null
}

class IdentitySetup {
  readonly #plan: IdentitiesPlan
  readonly #folder: SetupFolder
  readonly #parts: Parts

  constructor(plan: IdentitiesPlan, folder: SetupFolder, parts: Parts) {
    this.#plan = plan
    this.#folder = folder
    this.#parts = parts
  }

  async gateway(gateway: IdentityPlan): Promise<GatewayIdentity> {
    const { name } = gateway
    const folder = this.#folder
    const { peers, addresses, authority } = this.#parts
    const { nowMs, linkPort } = this.#plan
    const oldPeer = peers.get(name) ?? null
    const site = oldPeer?.site ?? name
    const tunnelAddress = addresses.get(name)
    if (tunnelAddress === undefined) throw new TypeError(`${name} has no tunnel address`)
    const publicKey = await setUpTlsKey(folder, name)
    const wireguardPublicKey = await setUpWireguardKey(folder, name, oldPeer)
    const wish = { name, tunnelAddress, publicKey, authority, nowMs }
    const signed = await setUpCertificate(folder, wish)
    const endpoints = this.#parts.endpoints.get(name) ?? []
    const mayTakeOver = gateway.mayTakeOver ?? oldPeer?.mayTakeOver ?? true
    const certificateFingerprint = publicKeyFingerprint(publicKey)
    const known = { name, site, wireguardPublicKey, endpoints, tunnelAddress, mayTakeOver }
    const permission = oldPeer?.permission ?? 'read'
    const wanted = { ...known, linkPort, certificateFingerprint, permission }
    await this.#peerFile(gateway, oldPeer, wanted)
    return { ...known, certificateFingerprint, signed }
  }

  async #peerFile(
    plan: IdentityPlan,
    old: PeerConfig | null,
    wanted: Omit<PeerConfig, 'path'>,
  ): Promise<void> {
    const path = join('peers', `${wanted.name}.yaml`)
    if (old === null) return this.#folder.public(path, peerFile(wanted))
    // In place, so that comments and settings that people added stay.
    const before = (await this.#folder.read(path)) ?? ''
    const document = parseDocument(before)
    const plain = document.toString()
    document.set('wireguardPublicKey', wanted.wireguardPublicKey)
    document.set('certificateFingerprint', wanted.certificateFingerprint)
    if (plan.endpoint !== null) document.set('endpoints', [formatHostPort(plan.endpoint)])
    if (plan.mayTakeOver !== null) document.set('mayTakeOver', plan.mayTakeOver)
    const after = document.toString()
    await this.#folder.replace(path, before, after === plain ? before : after)
  }
}
