import { stringify } from 'yaml'
import { formatHostPort } from '../config/address.ts'
import type { HostPort, PeerConfig } from '../config/config.ts'
import { EXAMPLE_DATABASE } from './sites-plan.ts'

/*
 * The files that `landbridge init` writes, in the same form at every site. gateway/ec2.yaml and
 * gateway/azure.yaml are what it writes when nothing is asked for; a test compares them.
 */

export interface GatewayTemplate {
  readonly name: string
  readonly peers: readonly string[]
  /** The site that is the origin in the first term. */
  readonly origin: string
  readonly dataDir: string
  /** Secrets come from systemd's LoadCredential=certs:... instead of files beside the config. */
  readonly credentials: boolean
  readonly externalTunnel: boolean
  readonly listenPort: number
  readonly mtuBytes: number
  /** Null: an example, which is commented out at a copy. */
  readonly database: HostPort | null
  readonly databaseUser: string
  /** The authority of the database's certificate is in certs/, as database-ca.crt. */
  readonly hasDatabaseCa: boolean
  readonly relayListen: HostPort
  readonly relayUser: string
}

export function gatewayFile(options: GatewayTemplate): string {
  const { name, peers, origin, dataDir } = options
  return `# The gateway at site ${name}. Each site has a file of this form: roles can change.
# Relative paths start at this file's folder. \`landbridge check --config gateway/${name}.yaml\`
# reads it all and names everything that is wrong at once.

name: ${name}                        # its public half is ../peers/${name}.yaml
site: ${name}                        # the place where it is
dataDir: ${dataDir}
peersFolder: ../peers            # the same files at every gateway
${peersSetting(peers)}                   # the other gateways

identity:                        # a path may also be credential:NAME (systemd LoadCredential=)
  wireguardKey: ${certFile(options, 'wireguard.key')}
  certificate: ${certFile(options, 'gateway.crt')}
  privateKey: ${certFile(options, 'gateway.key')}
  authority: ../certs/ca.crt

${tunnelPart(options)}
link:                            # every gateway listens; whoever receives dials
  windowBytes: 16MiB             # what may be on its way and not yet safe on disk
  compression: auto              # auto | zstd | none
  pingSeconds: 1

streams:
  - name: main                   # the same name at every gateway
    ${originSetting(origin)}                  # whose database is copied, until a recovery moves it
${databasePart(options)}
    # throttle: { bytesPerSecond: 50MiB }    # of what is sent while this site is the origin
    # The rest is for the times when this site is a copy:
    spool:
      directory: spool/main      # relative to dataDir
      # minimumHold: what was held before a reset of the source stays so long, beyond the limits
      retention: { age: 7d, size: 100GiB, hardLimit: false, minimumHold: 7d }
    relay:                       # the database of this site reads the spool here
      ${listenSetting(options.relayListen)}
      user: ${options.relayUser}
      passwordFile: ${certFile(options, 'relay.password')}

admin:
  socket: /run/landbridge/${name}.sock

# metrics:                       # Prometheus; loopback only
#   listen: 127.0.0.1:9400

log:
  level: info                    # debug | info | warn | error
`
}

function tunnelPart({ externalTunnel, listenPort, mtuBytes }: GatewayTemplate): string {
  if (externalTunnel) {
    return `tunnel: external                 # a VPN of your own reaches each peer's tunnelAddress
`
  }
  return `tunnel:                          # or \`tunnel: external\` when a VPN of your own is there
  interface: lb0
  backend: auto                  # auto | kernel | userspace (wireguard-go)
  listenPort: ${listenPort}              # UDP; let it in from the other gateways' addresses
  mtu: ${mtuBytes}                      # 1340 where all endpoints are IPv4 addresses, else 1320
  keepaliveSeconds: 25
  # allow: [9100, udp/161]       # ports that other gateways may open here besides the link's
  # forward: true                # and hosts behind this one; nothing of both unless asked for
`
}

export function peersSetting(peers: readonly string[]): string {
  return `peers: [${peers.join(', ')}]`
}

export function originSetting(origin: string): string {
  return `origin: ${origin}`
}

export function listenSetting(listen: HostPort): string {
  return `listen: "${formatHostPort(listen)}"`
}

function certFile(
  { name, credentials }: { name: string; credentials: boolean },
  file: string,
): string {
  return credentials ? `credential:certs_${file}` : `../certs/${name}/${file}`
}

/** What `--database-ca` adds: who signed the certificate of the database. */
export function caSetting(gateway: { name: string; credentials: boolean }): string {
  return `ca: ${certFile(gateway, 'database-ca.crt')}`
}

function databasePart(options: GatewayTemplate): string {
  const { name, origin, database, databaseUser, hasDatabaseCa } = options
  const isOrigin = name === origin
  const { host, port } = database ?? EXAMPLE_DATABASE[isOrigin ? 'origin' : 'copy']
  const tls = hasDatabaseCa
    ? `tls: { ${caSetting(options)} }    # who signed its certificate`
    : 'tls: { mode: verify-identity }    # or ca, or fingerprint: gateway/README.md'
  const lines = [
    'database:                    # of this site: read at the origin, fed at a copy',
    `  host: ${host}`,
    `  port: ${port}`,
    `  user: ${databaseUser}`,
    `  passwordFile: ${certFile(options, 'database.password')}    # or passwordEnv: NAME`,
    `  ${tls}`,
    '  flavor: auto               # auto | mysql | mariadb',
  ]
  const margin = isOrigin || database !== null ? '    ' : '    # '
  return lines.map((line) => `${margin}${line}`).join('\n')
}

export function peerFile(peer: Omit<PeerConfig, 'path'>): string {
  const { address, prefixLength } = peer.tunnelAddress
  return `# The public half of gateway ${peer.name}: the same file at every gateway, safe to commit.
${stringify({
  name: peer.name,
  site: peer.site,
  wireguardPublicKey: peer.wireguardPublicKey,
  endpoints: peer.endpoints.map(formatHostPort),
  tunnelAddress: `${address}/${prefixLength}`,
  linkPort: peer.linkPort,
  certificateFingerprint: peer.certificateFingerprint,
  mayTakeOver: peer.mayTakeOver,
  permission: peer.permission,
})}`
}
