import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { certificateFingerprint } from '../base/fingerprint.ts'
import type { Flavor } from '../base/flavor.ts'
import { generateWireguardKeyPair } from '../base/wireguard-key.ts'
import { createAuthority, issueGatewayCertificate } from '../keys/certificates.ts'
import { writePublicFile, writeSecretFile } from '../keys/key-file.ts'
import { ADDRESSES, type LabPaths, PORTS } from './lab-paths.ts'
import type { LoginName } from './lab-secrets.ts'
import type { GatewayRecord, LoginRecord } from './lab-state.ts'
import { sidProgram } from './servers/machine-cache.ts'
import type { ServerRecord } from './servers/server-options.ts'

export interface LabConfigOptions {
  readonly flavor: Flavor
  readonly source: ServerRecord
  readonly replica: ServerRecord
  readonly logins: Readonly<Record<LoginName, LoginRecord>>
  /** Gives each gateway a clock that can be stepped. */
  readonly breakable?: boolean
}

export const TUNNEL = { production: '10.77.0.1', dr: '10.77.0.2' } as const
const NAMES = { production: 'ec2', dr: 'azure' } as const

/** What a lab knows of the gateway of one site; the site has its name. */
interface LabGateway {
  readonly name: string
  readonly tunnelAddress: string
  /** Where the others find it: a gateway sees only the WAN's address on its own side. */
  readonly endpoint: string
  readonly interfaceName: string
  /** Where the relay listens while the site is a copy. */
  readonly relayHost: string
  readonly database: ServerRecord
  readonly login: LoginRecord
}

/** Writes the files that real sites have (keys, certificates, peer files, configurations). */
export async function writeLabConfig(
  paths: LabPaths,
  options: LabConfigOptions,
): Promise<{ readonly production: GatewayRecord; readonly dr: GatewayRecord }> {
  const { interfaces } = paths
  const { source, replica, logins } = options
  const production: LabGateway = {
    name: NAMES.production,
    tunnelAddress: TUNNEL.production,
    endpoint: ADDRESSES.wanDr,
    interfaceName: interfaces.prod,
    relayHost: ADDRESSES.prodGw,
    database: source,
    login: logins.source,
  }
  const dr: LabGateway = {
    name: NAMES.dr,
    tunnelAddress: TUNNEL.dr,
    endpoint: ADDRESSES.wanProd,
    interfaceName: interfaces.dr,
    relayHost: ADDRESSES.drGw,
    database: replica,
    login: logins.replica,
  }
  const gateways = [production, dr]
  await writeIdentities(paths, gateways)
  const configOf = (gateway: LabGateway) => {
    return writeGateway(paths, gateway, { ...options, gateways, origin: production.name })
  }
  return {
    production: { ...(await configOf(production)), site: 'production' },
    dr: { ...(await configOf(dr)), site: 'dr' },
  }
}

/** Keys and certificates of one authority, and the public half of each gateway. */
async function writeIdentities(paths: LabPaths, gateways: readonly LabGateway[]): Promise<void> {
  const nowMs = Date.now()
  const certs = join(paths.dataDirectory, 'certs')
  const authority = await createAuthority(`landbridge lab ${paths.name}`, nowMs)
  await writePublicFile(join(certs, 'ca.crt'), authority.certificatePem)
  await writeSecretFile(join(certs, 'ca.key'), authority.privateKeyPem)
  for (const { name, tunnelAddress, endpoint } of gateways) {
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

interface GatewayOptions extends LabConfigOptions {
  /** All of the lab. */
  readonly gateways: readonly LabGateway[]
  readonly origin: string
}

async function writeGateway(
  paths: LabPaths,
  gateway: LabGateway,
  options: GatewayOptions,
): Promise<Omit<GatewayRecord, 'site'>> {
  const { name, interfaceName } = gateway
  const adminSocket = join(paths.runDirectory, `${name}.sock`)
  const wireguardGo = sidProgram('usr/bin/wireguard-go')
  const config = await writeYaml(join(paths.dataDirectory, 'gateway'), name, {
    name,
    site: name,
    dataDir: `../${name}`,
    peersFolder: '../peers',
    peers: options.gateways.map((one) => one.name).filter((other) => other !== name),
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
    streams: [streamOf(gateway, options)],
    admin: { socket: adminSocket },
    log: { level: 'info' },
  })
  const record = { name, config, adminSocket, interface: interfaceName }
  return options.breakable === true
    ? { ...record, clockFile: join(paths.runDirectory, `${name}.clock`) }
    : record
}

function streamOf(
  { relayHost, database, login }: LabGateway,
  { flavor, origin, logins }: GatewayOptions,
): Record<string, unknown> {
  return {
    name: 'main',
    origin,
    database: {
      host: database.bindAddress,
      port: database.port,
      user: login.user,
      passwordFile: login.passwordFile,
      tls: { ca: database.tls?.authority },
      flavor,
    },
    spool: { directory: 'spool/main' },
    relay: {
      listen: `${relayHost}:${PORTS.relay}`,
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

export function spoolDirectory(paths: LabPaths): string {
  return join(paths.dataDirectory, NAMES.dr, 'spool', 'main')
}
