import { join } from 'node:path'
import type { Flavor } from '../base/flavor.ts'
import { writeGatewaySettings } from '../provision/gateway-settings.ts'
import { setUpIdentities } from '../provision/identities-setup.ts'
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

/** Of the tunnel addresses: all are of one subnet. */
const TUNNEL_PREFIX = 24

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
  await setUpIdentities({
    directory: paths.dataDirectory,
    gateways: sites.map((name) => {
      const { tunnel: address, public: host } = addressesOf(name)
      return {
        name,
        endpoint: { host, port: PORTS.wireguard },
        tunnelAddress: { address, prefixLength: TUNNEL_PREFIX },
        mayTakeOver: true,
      }
    }),
    only: null,
    externalTunnel: false,
    tunnelSubnet: null,
    linkPort: PORTS.link,
    nowMs: Date.now(),
  })
  return await Promise.all(sites.map((site) => writeGateway(paths, site, options)))
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
  const config = await writeGatewaySettings(paths.dataDirectory, {
    name,
    peers: sites.filter((other) => other !== name),
    dataDir: `../${name}`,
    sections: {
      tunnel: {
        interface: interfaceName,
        listenPort: PORTS.wireguard,
        ...(wireguardGo === undefined ? {} : { userspaceBinary: wireguardGo }),
      },
      admin: { socket: adminSocket },
      page: { listen: `127.0.0.1:${PORTS.page}` },
      log: { level: 'info' },
    },
    streams: streams.map((stream) => streamOf(stream, name, options)),
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
