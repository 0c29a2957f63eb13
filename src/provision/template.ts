import { stringify } from 'yaml'
import { formatHostPort } from '../config/address.ts'
import type { GatewayTemplate } from '../config/gateway-template.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import { SECTIONS, STREAM_SECTIONS } from '../gateway/config/sections.ts'

/*
 * The files that `landbridge init` writes, in the same form at every site. gateway/ec2.yaml and
 * gateway/azure.yaml are what it writes when nothing is asked for; a test compares them.
 */

/** Behind this section come the streams: what they need stands before them. */
const BEFORE_STREAMS = 'link'

export function gatewayFile(gateway: GatewayTemplate): string {
  const parts = [head(gateway)]
  for (const [name, section] of Object.entries(SECTIONS)) {
    parts.push(linesOf(section, gateway))
    if (name === BEFORE_STREAMS) parts.push(streamsPart(gateway))
  }
  return parts.join('\n')
}

function head({ name, peers, dataDir }: GatewayTemplate): string {
  return `# The gateway at site ${name}. Each site has a file of this form: roles can change.
# Relative paths start at this file's folder. \`landbridge check --config gateway/${name}.yaml\`
# reads it all and names everything that is wrong at once.

name: ${name}                        # its public half is ../peers/${name}.yaml
site: ${name}                        # the place where it is
dataDir: ${dataDir}
peersFolder: ../peers            # the same files at every gateway
${peersSetting(peers)}                   # the other gateways
`
}

function streamsPart(gateway: GatewayTemplate): string {
  const sections = Object.values(STREAM_SECTIONS).map((section) => linesOf(section, gateway))
  const origin = originSetting(gateway.origin)
  return `streams:
  - name: main                   # the same name at every gateway
    ${origin}                  # whose database is copied, until a recovery moves it
${sections.join('')}`
}

/** A template begins on a line of its own. */
function linesOf(
  section: { template(gateway: GatewayTemplate): string },
  gateway: GatewayTemplate,
): string {
  return section.template(gateway).replace(/^\n/, '')
}

export function peersSetting(peers: readonly string[]): string {
  return `peers: [${peers.join(', ')}]`
}

export function originSetting(origin: string): string {
  return `origin: ${origin}`
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
