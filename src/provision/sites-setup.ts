import { randomBytes, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { LandbridgeError } from '../base/errors.ts'
import { publicKeyFingerprint } from '../base/fingerprint.ts'
import { Secret } from '../base/secret.ts'
import type { HostPort, SubnetAddress } from '../config/address.ts'
import { formatHostPort } from '../config/address.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import { loadPeer } from '../config/peer-file.ts'
import { configError, Problems } from '../config/problem.ts'
import type { CertificateAndKey } from '../keys/certificates.ts'
import { foundSites, readGatewayFile } from './found-sites.ts'
import { gatewayFileFacts } from './gateway-file-facts.ts'
import {
  isElsewhere,
  setUpAuthority,
  setUpCertificate,
  setUpTlsKey,
  setUpWireguardKey,
} from './gateway-keys.ts'
import { SetupFolder } from './setup-folder.ts'
import {
  chosenGateways,
  endpointsOf,
  type GatewayPlan,
  type IgnoredSetting,
  otherGateways,
  type SetupGateway,
  type SetupReport,
  type SitesPlan,
} from './sites-plan.ts'
import { gatewayFile, peerFile, peersSetting } from './template.ts'
import { assignTunnelAddresses } from './tunnel-addresses.ts'

const DEFAULT_PORT = 51_820

/**
 * Makes what is missing of the sites' files and keeps what is there, so that it can be repeated at
 * any time. A gateway whose private key is on another machine is known by certs/NAME/gateway.pub.
 */
export async function setUpSites(plan: SitesPlan): Promise<SetupReport> {
  const folder = new SetupFolder(plan.directory)
  const peers = await readPeers(plan, folder)
  const isExternal = await hasExternalTunnel(plan)
  const endpoints = endpointsOf(plan, peers)
  await demandEndpoints(plan, { isExternal, peers, endpoints })
  const addresses = assignTunnelAddresses(plan, peers)
  const setup = new SitesSetup({ ...plan, externalTunnel: isExternal }, folder, {
    peers,
    endpoints,
    addresses,
    authority: await setUpAuthority(folder, plan),
  })
  const gateways: SetupGateway[] = []
  for (const gateway of chosenGateways(plan)) gateways.push(await setup.gateway(gateway))
  const made = new Set(gateways.map(({ name }) => name))
  const peersMissing = plan.gateways
    .map(({ name }) => name)
    .filter((name) => !peers.has(name) && !made.has(name))
  return { files: folder.files, gateways, ignored: setup.ignored, peersMissing }
}

/** The peer files that are there. Throws ERR_CONFIG for one with mistakes. */
async function readPeers(
  { gateways }: SitesPlan,
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
async function hasExternalTunnel(plan: SitesPlan): Promise<boolean> {
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
async function demandEndpoints(plan: SitesPlan, known: KnownPlaces): Promise<void> {
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

class SitesSetup {
  readonly #plan: SitesPlan
  readonly #folder: SetupFolder
  readonly #parts: Parts
  readonly #ignored: IgnoredSetting[] = []

  constructor(plan: SitesPlan, folder: SetupFolder, parts: Parts) {
    this.#plan = plan
    this.#folder = folder
    this.#parts = parts
  }

  get ignored(): readonly IgnoredSetting[] {
    return this.#ignored
  }

  async gateway(gateway: GatewayPlan): Promise<SetupGateway> {
    const { name } = gateway
    const folder = this.#folder
    const { peers, addresses, authority } = this.#parts
    const { nowMs, linkPort } = this.#plan
    const oldPeer = peers.get(name) ?? null
    const site = oldPeer?.site ?? name
    const tunnelAddress = addresses.get(name)
    if (tunnelAddress === undefined) throw new TypeError(`${name} has no tunnel address`)
    const publicKey = await setUpTlsKey(folder, name)
    const wireguard = await setUpWireguardKey(folder, name, oldPeer)
    const wish = { name, tunnelAddress, publicKey, authority, nowMs }
    const signed = await setUpCertificate(folder, wish)
    const endpoints = this.#parts.endpoints.get(name) ?? []
    const mayTakeOver = gateway.mayTakeOver ?? oldPeer?.mayTakeOver ?? true
    await this.#peerFile(gateway, oldPeer, {
      name,
      site,
      wireguardPublicKey: wireguard,
      endpoints,
      tunnelAddress,
      linkPort,
      certificateFingerprint: publicKeyFingerprint(publicKey),
      mayTakeOver,
      permission: oldPeer?.permission ?? 'read',
    })
    const config = join('gateway', `${name}.yaml`)
    // A gateway that made its own keys has its own passwords and configuration too.
    const elsewhere = await isElsewhere(folder, name)
    if (!elsewhere) await this.#ownFiles(gateway, config)
    const text = elsewhere ? null : await folder.read(config)
    return {
      name,
      site,
      config,
      wireguardPublicKey: wireguard,
      certificateFingerprint: publicKeyFingerprint(publicKey),
      signed,
      elsewhere,
      tunnelAddress,
      endpoints,
      mayTakeOver,
      file: text === null ? null : gatewayFileFacts(text),
    }
  }

  /** Passwords, authority of the database, configuration. */
  async #ownFiles(gateway: GatewayPlan, path: string): Promise<void> {
    const { name } = gateway
    const { endpoints } = this.#parts
    await this.#password(name, 'database.password')
    await this.#password(name, 'relay.password')
    const all = this.#plan.gateways.flatMap((one) => endpoints.get(one.name) ?? [])
    const content = gatewayFile({
      ...this.#plan,
      ...gateway,
      peers: otherGateways(this.#plan, name),
      listenPort: endpoints.get(name)?.[0]?.port ?? DEFAULT_PORT,
      endpoints: all,
      hasDatabaseCa: await this.#databaseAuthority(gateway),
    })
    await this.#gatewayFile(name, path, content)
  }

  async #peerFile(
    plan: GatewayPlan,
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

  /** A kept file is a person's: what would be written otherwise is told, not done. */
  async #gatewayFile(name: string, path: string, content: string): Promise<void> {
    const old = await this.#folder.read(path)
    await this.#folder.public(path, content)
    if (old === null) return
    const known = gatewayFileFacts(old).peers
    const missing = otherGateways(this.#plan, name).filter((peer) => !known.includes(peer))
    if (missing.length > 0) {
      const line = peersSetting([...known, ...missing])
      this.#ignored.push({ flag: '--sites', line, path })
    }
    for (const { flag, line, gateway } of this.#plan.given) {
      if (gateway !== name || !hasLine(content, line) || hasLine(old, line)) continue
      this.#ignored.push({ flag, line, path })
    }
  }

  /** Copies the file that was named for the database of this site; whether there is one now. */
  async #databaseAuthority({ name, databaseCa }: GatewayPlan): Promise<boolean> {
    const path = join('certs', name, 'database-ca.crt')
    const old = await this.#folder.read(path)
    if (databaseCa !== null) {
      await this.#folder.replace(path, old, await readAuthority(databaseCa))
    } else if (old !== null) this.#folder.note(path, 'kept')
    return databaseCa !== null || old !== null
  }

  async #password(name: string, file: string): Promise<void> {
    const password = new Secret(randomBytes(24).toString('base64url'))
    await this.#folder.secret(join('certs', name, file), password)
  }
}

/** What is commented out does not count. */
function hasLine(text: string, wanted: string): boolean {
  return text.split('\n').some((line) => !/^\s*#/.test(line) && line.includes(wanted))
}

async function readAuthority(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8')
    new X509Certificate(pem)
    return pem
  } catch (cause) {
    throw new LandbridgeError('ERR_USAGE', `${path} is no certificate that can be read`, {
      cause,
      remedy: 'name the PEM file of the authority that signed the database’s certificate',
    })
  }
}
