import { stringify } from 'yaml'
import { formatHostPort } from '../config/address.ts'
import type { HostPort, PeerConfig, Site } from '../config/config.ts'

/*
 * The files that `landbridge init` writes. gateway/ec2.yaml and gateway/azure.yaml are what it
 * writes when nothing is asked for; a test compares them.
 */

export interface GatewayTemplate {
  readonly name: string
  readonly site: Site
  readonly peer: string
  readonly dataDir: string
  /** Secrets come from systemd's LoadCredential=certs:... instead of files beside the config. */
  readonly credentials: boolean
  readonly externalTunnel: boolean
  readonly listenPort: number
  readonly mtuBytes: number
  /** For the production gateway. */
  readonly source: HostPort
  readonly sourceUser: string
  /** The authority of the database's certificate is in certs/, as source-ca.crt. */
  readonly hasSourceCa: boolean
  /** For the DR gateway. */
  readonly relayListen: HostPort
  readonly relayUser: string
  /** As hasSourceCa: replica-ca.crt. */
  readonly hasReplicaCa: boolean
}

export function gatewayFile(options: GatewayTemplate): string {
  const { name, site, peer, dataDir } = options
  const title = site === 'production' ? 'reads the production database' : 'keeps the spool'
  return `# The gateway at site ${site}: it ${title}.
# Relative paths start at this file's folder. \`landbridge check --config gateway/${name}.yaml\`
# reads it all and names everything that is wrong at once.

name: ${name}                        # its public half is ../peers/${name}.yaml
site: ${site}
dataDir: ${dataDir}
peers: ../peers                  # the same files at both gateways
peer: ${peer}                      # the gateway at the other site

identity:                        # a path may also be credential:NAME (systemd LoadCredential=)
  wireguardKey: ${certFile(options, 'wireguard.key')}
  certificate: ${certFile(options, 'gateway.crt')}
  privateKey: ${certFile(options, 'gateway.key')}
  authority: ../certs/ca.crt

${tunnelPart(options)}
link:                            # the DR gateway dials, the production gateway listens
  windowBytes: 16MiB             # what may be on its way and not yet safe on disk
  compression: auto              # auto | zstd | none
  pingSeconds: 1

streams:
  - name: main                   # the same name at both gateways
${site === 'production' ? sourcePart(options) : spoolPart(options)}
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
    return `tunnel: external                 # a VPN of your own reaches the peer's tunnelAddress
`
  }
  return `tunnel:                          # or \`tunnel: external\` when a VPN of your own is there
  interface: lb0
  backend: auto                  # auto | kernel | userspace (wireguard-go)
  listenPort: ${listenPort}              # UDP; let it in from the other gateway's address
  mtu: ${mtuBytes}                      # 1340 where both endpoints are IPv4 addresses, else 1320
  keepaliveSeconds: 25
  # allow: [9100, udp/161]       # ports that the other gateway may open here besides the link's
  # forward: true                # and hosts behind this one; nothing of both unless asked for
`
}

function certFile(
  { name, credentials }: { name: string; credentials: boolean },
  file: string,
): string {
  return credentials ? `credential:certs_${file}` : `../certs/${name}/${file}`
}

/** What `--source-ca` and `--replica-ca` add: who signed the certificate of the database. */
export function caSetting(gateway: { name: string; credentials: boolean }, file: string): string {
  return `ca: ${certFile(gateway, file)}`
}

function tlsLine(options: GatewayTemplate, hasCa: boolean, file: string, indent: string): string {
  if (hasCa) return `${indent}tls: { ${caSetting(options, file)} }    # who signed its certificate`
  return `${indent}tls: { mode: verify-identity }    # or ca, or fingerprint: gateway/README.md`
}

function sourcePart(options: GatewayTemplate): string {
  const { source, sourceUser } = options
  return `    source:
      host: ${source.host}
      port: ${source.port}
      user: ${sourceUser}
      passwordFile: ${certFile(options, 'source.password')}    # or passwordEnv: NAME
${tlsLine(options, options.hasSourceCa, 'source-ca.crt', '      ')}
      flavor: auto               # auto | mysql | mariadb
    # throttle: { bytesPerSecond: 50MiB }
`
}

function spoolPart(options: GatewayTemplate): string {
  const { relayListen, relayUser } = options
  return `    spool:
      directory: spool/main      # relative to dataDir
      # minimumHold: what was held before a reset of the source stays so long, beyond the limits
      retention: { age: 7d, size: 100GiB, hardLimit: false, minimumHold: 7d }
    relay:                       # native replicas read the spool here
      listen: "${formatHostPort(relayListen)}"
      user: ${relayUser}
      passwordFile: ${certFile(options, 'relay.password')}
    # replica:                   # login at the DR replica: its lag, \`landbridge replica attach\`
    #   host: 203.0.113.10
    #   user: landbridge_replica
    #   passwordFile: ${certFile(options, 'replica.password')}
${tlsLine(options, options.hasReplicaCa, 'replica-ca.crt', '    #   ')}
`
}

export function peerFile(peer: Omit<PeerConfig, 'path'>): string {
  const { address, prefixLength } = peer.tunnelAddress
  return `# The public half of gateway ${peer.name}: the same file at both gateways, safe to commit.
${stringify({
  name: peer.name,
  site: peer.site,
  wireguardPublicKey: peer.wireguardPublicKey,
  endpoints: peer.endpoints.map(formatHostPort),
  tunnelAddress: `${address}/${prefixLength}`,
  linkPort: peer.linkPort,
  certificateFingerprint: peer.certificateFingerprint,
})}`
}
