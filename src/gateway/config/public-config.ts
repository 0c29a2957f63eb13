import { dirname, resolve } from 'node:path'
import { configError, Problems } from '../../config/problem.ts'
import { ConfigFiles } from '../../config/secret-file.ts'
import { loadSections } from '../../config/section.ts'
import { readYaml } from '../../config/yaml-file.ts'
import type { GatewayConfig } from './gateway-config.ts'
import { gatewaySchema, streamSchema } from './gateway-schema.ts'
import { loadGateways } from './gateways.ts'
import { SECTIONS } from './sections.ts'

/** What of a gateway's configuration is no secret, and names no file that is one. */
export type PublicConfig = Pick<
  GatewayConfig,
  'path' | 'name' | 'site' | 'dataDir' | 'self' | 'peers' | 'tunnel' | 'admin'
> & { readonly streams: readonly { readonly name: string; readonly origin: string }[] }

/** The admin socket alone: whoever asks for the status need not be able to read keys. */
export async function loadSocketPath(path: string): Promise<string> {
  const directory = dirname(resolve(path))
  const problems = new Problems()
  const raw = await readYaml(resolve(path), problems)
  if (raw === undefined) throw configError(path, problems.list)
  const { admin } = raw as { readonly admin?: unknown }
  const files = new ConfigFiles({ directory, env: process.env }, problems)
  const nowhere = { site: null, dataDir: null, self: null, peerNames: [], peers: [] }
  const section = await SECTIONS.admin.load(admin, { ...nowhere, files, problems })
  if (section === undefined) throw configError(path, problems.list)
  return section.socketPath
}

const PUBLIC_SECTIONS = { tunnel: SECTIONS.tunnel, admin: SECTIONS.admin }

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
  const gateways = await loadGateways(directory, top, problems)
  const context = {
    site,
    dataDir: resolve(directory, top.dataDir),
    files: new ConfigFiles({ directory, env: process.env }, problems),
    ...gateways,
    problems,
  }
  const { tunnel, admin } = await loadSections(PUBLIC_SECTIONS, top, context)
  const streams = top.streams.flatMap((one, index) => {
    const stream = problems.parse(streamSchema, one, ['streams', index])
    return stream === null ? [] : [{ name: stream.name, origin: stream.origin }]
  })
  const { dataDir, self, peers } = context
  if (tunnel === undefined || admin === undefined || self === null || problems.list.length > 0) {
    throw configError(path, problems.list)
  }
  return { path: absolutePath, name, site, dataDir, self, peers, tunnel, streams, admin }
}
