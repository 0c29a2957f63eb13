import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { certificateFingerprint } from '../base/fingerprint.ts'
import type { Flavor } from '../base/flavor.ts'
import { generateWireguardKeyPair } from '../base/wireguard-key.ts'
import { createAuthority, issueGatewayCertificate } from '../keys/certificates.ts'
import { writePublicFile, writeSecretFile } from '../keys/key-file.ts'
import { type LabPaths, PORTS } from './lab-paths.ts'
import type { LoginName } from './lab-secrets.ts'
import {
  type DatabaseName,
  databaseName,
  type LabShape,
  type LabStream,
  relayPort,
} from './lab-shape.ts'
import { addressesOf, type SiteName } from './lab-sites.ts'
import type { GatewayRecord, LoginRecord } from './lab-state.ts'
import { sidProgram } from './servers/machine-cache.ts'
import type { ServerRecord } from './servers/server-options.ts'

export interface LabConfigOptions {
  readonly shape: LabShape
  readonly flavor: Flavor
  readonly databases: Partial<Record<DatabaseName, ServerRecord>>
  readonly logins: Readonly<Record<LoginName, LoginRecord>>
  /** Gives each gateway a clock that can be stepped. */
  readonly breakable?: boolean
}

/** Writes the files that real sites have (keys, certificates, peer files, configurations). */
export async function writeLabConfig(
  paths: LabPaths,
  options: LabConfigOptions,
): Promise<GatewayRecord[]> {
  const { sites } = options.shape
  await writeIdentities(paths, sites)
  return await Promise.all(sites.map((site) => writeGateway(paths, site, options)))
}

/** Keys and certificates of one authority, and the public half of each gateway. */
async function writeIdentities(paths: LabPaths, sites: readonly SiteName[]): Promise<void> {
  const nowMs = Date.now()
  const certs = join(paths.dataDirectory, 'certs')
  const authority = await createAuthority(`landbridge lab ${paths.name}`, nowMs)
  await writePublicFile(join(certs, 'ca.crt'), authority.certificatePem)
  await writeSecretFile(join(certs, 'ca.key'), authority.privateKeyPem)
  for (const name of sites) {
    const { tunnel: tunnelAddress, public: endpoint } = addressesOf(name)
    const wireguard = generateWireguardKeyPair()
    const issued = await issueGatewayCertificate({ authority, name, tunnelAddress, nowMs })
    await writeSecretFile(join(certs, name, 'wireguard.key'), wireguard.privateKey)
    await writeSecretFile(join(certs, name, 'gateway.key'), issued.privateKeyPem)
    await writePublicFile(join(certs, name, 'gateway.crt'), issued.certificatePem)
    await writeYaml(join(paths.dataDirectory, 'peers'), name, {
      name,
      site: name,
      wireguardPublicKey: wireguard.publicKey,
      endpoints: [`${endpoint}:${PORTS.wireguard}`],
      tunnelAddress: `${tunnelAddress}/24`,
      linkPort: PORTS.link,
      certificateFingerprint: certificateFingerprint(issued.certificatePem),
      mayTakeOver: true,
    })
  }
}

async function writeGateway(
  paths: LabPaths,
  name: SiteName,
  options: LabConfigOptions,
): Promise<GatewayRecord> {
  const { sites, streams } = options.shape
  const interfaceName = paths.interfaceName(name)
  const adminSocket = join(paths.runDirectory, `${name}.sock`)
  const wireguardGo = sidProgram('usr/bin/wireguard-go')
  const config = await writeYaml(join(paths.dataDirectory, 'gateway'), name, {
    name,
    site: name,
    dataDir: `../${name}`,
    peersFolder: '../peers',
    peers: sites.filter((other) => other !== name),
    identity: {
      wireguardKey: `../certs/${name}/wireguard.key`,
      certificate: `../certs/${name}/gateway.crt`,
      privateKey: `../certs/${name}/gateway.key`,
      authority: '../certs/ca.crt',
    },
    tunnel: {
      interface: interfaceName,
      listenPort: PORTS.wireguard,
      ...(wireguardGo === undefined ? {} : { userspaceBinary: wireguardGo }),
    },
    streams: streams.map((stream) => streamOf(stream, name, options)),
    admin: { socket: adminSocket },
    log: { level: 'info' },
  })
  const record = { name, site: name, config, adminSocket, interface: interfaceName }
  return options.breakable === true
    ? { ...record, clockFile: join(paths.runDirectory, `${name}.clock`) }
    : record
}

function streamOf(
  { name, origin }: LabStream,
  site: SiteName,
  { shape, flavor, databases, logins }: LabConfigOptions,
): Record<string, unknown> {
  const database = databases[databaseName(shape, name, site)]
  const login = site === origin ? logins.source : logins.replica
  return {
    name,
    origin,
    database: {
      host: database?.bindAddress,
      port: database?.port,
      user: login.user,
      passwordFile: login.passwordFile,
      tls: { ca: database?.tls?.authority },
      flavor,
    },
    spool: { directory: `spool/${name}` },
    relay: {
      listen: `${addressesOf(site).gateway}:${relayPort(name)}`,
      user: logins.relay.user,
      passwordFile: logins.relay.passwordFile,
    },
  }
}

async function writeYaml(directory: string, name: string, value: unknown): Promise<string> {
  const path = join(directory, `${name}.yaml`)
  await mkdir(directory, { recursive: true })
  await writeFile(path, stringify(value))
  return path
}
