import { dirname, resolve } from 'node:path'
import type { GatewayConfig } from './config.ts'
import { checkGateways, checkPeerNames } from './cross-check.ts'
import { loadPeer, loadPeers } from './peer-file.ts'
import { configError, Problems } from './problem.ts'
import { adminSchema, gatewaySchema, streamSchema } from './schema.ts'
import { loadTunnel, tunnelBetween } from './tunnel-section.ts'
import { readYaml } from './yaml-file.ts'

/** What of a gateway's configuration is no secret, and names no file that is one. */
export type PublicConfig = Pick<
  GatewayConfig,
  'path' | 'name' | 'site' | 'dataDir' | 'self' | 'peers' | 'tunnel' | 'admin'
> & { readonly streams: readonly { readonly name: string; readonly origin: string }[] }

/**
 * Reads as much as commands need that look at the tunnel, remove it, or ask the gateway: neither
 * keys nor passwords, which a person on call cannot read, and nobody at a prompt where systemd
 * hands them out. Rejects with one ERR_CONFIG that lists what is wrong with that.
 */
export async function loadPublicConfig(path: string): Promise<PublicConfig> {
  const absolutePath = resolve(path)
  const directory = dirname(absolutePath)
  const problems = new Problems()
  const raw = await readYaml(absolutePath, problems)
  const top = raw === undefined ? null : problems.parse(gatewaySchema, raw, [])
  if (top === null) throw configError(path, problems.list)
  const { name, site } = top
  const tunnelOf = loadTunnel(top.tunnel, problems)
  const admin = problems.parse(adminSchema, top.admin ?? {}, ['admin'])
  const streams = top.streams.map((one, index) =>
    problems.parse(streamSchema, one, ['streams', index]),
  )
  const folder = resolve(directory, top.peersFolder)
  const self = await loadPeer(folder, name, problems)
  const peers = await loadPeers(folder, checkPeerNames(name, top.peers, problems), problems)
  const tunnel = tunnelBetween(tunnelOf, [self, ...peers])
  checkGateways({ site, self, peers, tunnel }, problems)
  const isWhole = tunnel !== null && admin !== null && self !== null
  if (!isWhole || problems.list.length > 0) throw configError(path, problems.list)
  return {
    path: absolutePath,
    name,
    site,
    dataDir: resolve(directory, top.dataDir),
    self,
    peers,
    tunnel,
    streams: streams
      .filter((stream) => stream !== null)
      .map(({ name, origin }) => ({ name, origin })),
    admin: { socketPath: resolve(directory, admin.socket) },
  }
}
