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

type Site = keyof typeof NAMES

/** Writes the files a real pair has (keys, certificates, peer files, configurations) for a lab. */
export async function writeLabConfig(
  paths: LabPaths,
  options: LabConfigOptions,
): Promise<{ readonly production: GatewayRecord; readonly dr: GatewayRecord }> {
  const nowMs = Date.now()
  const certs = join(paths.dataDirectory, 'certs')
  const authority = await createAuthority(`landbridge lab ${paths.name}`, nowMs)
  await writePublicFile(join(certs, 'ca.crt'), authority.certificatePem)
  await writeSecretFile(join(certs, 'ca.key'), authority.privateKeyPem)
  for (const site of ['production', 'dr'] as const) {
    const name = NAMES[site]
    const wireguard = generateWireguardKeyPair()
    const tunnelAddress = TUNNEL[site]
    const issued = await issueGatewayCertificate({ authority, name, tunnelAddress, nowMs })
    await writeSecretFile(join(certs, name, 'wireguard.key'), wireguard.privateKey)
    await writeSecretFile(join(certs, name, 'gateway.key'), issued.privateKeyPem)
    await writePublicFile(join(certs, name, 'gateway.crt'), issued.certificatePem)
    await writeYaml(join(paths.dataDirectory, 'peers'), name, {
      name,
      site,
      wireguardPublicKey: wireguard.publicKey,
      // A gateway sees of the other only the WAN's address on its own side.
      endpoints: [
        `${site === 'production' ? ADDRESSES.wanDr : ADDRESSES.wanProd}:${PORTS.wireguard}`,
      ],
      tunnelAddress: `${tunnelAddress}/30`,
      linkPort: PORTS.link,
      certificateFingerprint: certificateFingerprint(issued.certificatePem),
    })
  }
  return {
    production: await writeGateway(paths, 'production', productionStream(options), options),
    dr: await writeGateway(paths, 'dr', drStream(options), options),
  }
}

async function writeGateway(
  paths: LabPaths,
  site: Site,
  stream: Record<string, unknown>,
  { breakable }: LabConfigOptions,
): Promise<GatewayRecord> {
  const name = NAMES[site]
  const adminSocket = join(paths.runDirectory, `${name}.sock`)
  const interfaceName = site === 'production' ? paths.interfaces.prod : paths.interfaces.dr
  const wireguardGo = sidProgram('usr/bin/wireguard-go')
  const config = await writeYaml(join(paths.dataDirectory, 'gateway'), name, {
    name,
    site,
    dataDir: `../${name}`,
    peers: '../peers',
    peer: NAMES[site === 'production' ? 'dr' : 'production'],
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
    streams: [{ name: 'main', ...stream }],
    admin: { socket: adminSocket },
    log: { level: 'info' },
  })
  const record = { name, site, config, adminSocket, interface: interfaceName }
  return breakable === true
    ? { ...record, clockFile: join(paths.runDirectory, `${name}.clock`) }
    : record
}

function productionStream({ flavor, source, logins }: LabConfigOptions): Record<string, unknown> {
  return { source: { ...login(source, logins.source), flavor } }
}

function drStream({ replica, logins }: LabConfigOptions): Record<string, unknown> {
  return {
    spool: { directory: 'spool/main' },
    relay: {
      listen: `${ADDRESSES.drGw}:${PORTS.relay}`,
      user: logins.relay.user,
      passwordFile: logins.relay.passwordFile,
    },
    replica: login(replica, logins.replica),
  }
}

function login(server: ServerRecord, record: LoginRecord): Record<string, unknown> {
  return {
    host: server.bindAddress,
    port: server.port,
    user: record.user,
    passwordFile: record.passwordFile,
    tls: { ca: server.tls?.authority },
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
