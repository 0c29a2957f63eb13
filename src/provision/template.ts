import { stringify } from 'yaml'
import { formatHostPort } from '../config/address.ts'
import type { GatewayTemplate } from '../config/gateway-template.ts'
import type { PeerConfig } from '../config/peer-file.ts'
import { SECTIONS, STREAM_SECTIONS } from '../gateway/config/sections.ts'

/*
 * The files that `landbridge init` writes, in the same form at every site. gateway/ec2.yaml and
 * gateway/azure.yaml are what it writes when nothing is asked for; a test compares them.
 */

/** Before this section come the streams: with it begins what is about the gateway itself again. */
const BEHIND_STREAMS: keyof typeof SECTIONS = 'admin'

export function gatewayFile(gateway: GatewayTemplate): string {
  const parts = [head(gateway)]
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (name === BEHIND_STREAMS) parts.push(streamsPart(gateway))
    parts.push(section.template(gateway))
  }
  return parts.map((lines) => `${lines.join('\n')}\n`).join('\n')
}

function head({ name, peers, dataDir }: GatewayTemplate): readonly string[] {
  const check = `landbridge check --config gateway/${name}.yaml`
  return [
    `# The gateway at site ${name}. Each site has a file of this form: roles can change.`,
    `# Relative paths start at this file's folder. \`${check}\``,
    '# reads it all and names everything that is wrong at once.',
    '',
    `name: ${name}                        # its public half is ../peers/${name}.yaml`,
    `site: ${name}                        # the place where it is`,
    `dataDir: ${dataDir}`,
    'peersFolder: ../peers            # the same files at every gateway',
    `${peersSetting(peers)}                   # the other gateways`,
  ]
}

function streamsPart(gateway: GatewayTemplate): readonly string[] {
  const origin = originSetting(gateway.origin)
  const sections = Object.values(STREAM_SECTIONS).flatMap((section) => section.template(gateway))
  return [
    'streams:',
    '  - name: main                   # the same name at every gateway',
    `    ${origin}                  # whose database is copied, until a recovery moves it`,
    ...sections.map((line) => `    ${line}`),
  ]
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
