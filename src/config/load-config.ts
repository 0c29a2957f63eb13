import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import type { GatewayConfig, IdentityConfig } from './config.ts'
import {
  checkAddresses,
  checkGateways,
  checkOrigins,
  checkPeerNames,
  checkServerIds,
  checkStreams,
} from './cross-check.ts'
import { loadPeer, loadPeers } from './peer-file.ts'
import { configError, Problems } from './problem.ts'
import {
  adminSchema,
  gatewaySchema,
  identitySchema,
  linkSchema,
  logSchema,
  metricsSchema,
} from './schema.ts'
import { ConfigFiles } from './secret-file.ts'
import { loadStreams } from './stream-section.ts'
import { loadTunnel, tunnelBetween } from './tunnel-section.ts'
import { readYaml } from './yaml-file.ts'

export interface LoadConfigOptions {
  /** Where `passwordEnv` and CREDENTIALS_DIRECTORY are looked up; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * Reads and checks the file of a gateway with all that it names. Rejects with one ERR_CONFIG whose
 * `details.problems` lists everything that is wrong, so that nobody has to try again and again.
 */
export async function loadConfig(
  path: string,
  options: LoadConfigOptions = {},
): Promise<GatewayConfig> {
  const absolutePath = resolve(path)
  const problems = new Problems()
  const raw = await readYaml(absolutePath, problems)
  const config = raw === undefined ? null : await loadSections(absolutePath, raw, options, problems)
  if (config === null || problems.list.length > 0) throw configError(path, problems.list)
  return deepFreeze(config)
}

async function loadSections(
  path: string,
  raw: unknown,
  options: LoadConfigOptions,
  problems: Problems,
): Promise<GatewayConfig | null> {
  const directory = dirname(path)
  const files = new ConfigFiles({ directory, env: options.env ?? process.env }, problems)
  const top = problems.parse(gatewaySchema, raw, [])
  // A mistake at the top must not hide the rest: go on with what the sections themselves say.
  const sections = (top ?? (typeof raw === 'object' ? raw : {})) as Partial<TopSections>
  const dataDir = typeof sections.dataDir === 'string' ? resolve(directory, sections.dataDir) : null
  const identity = await loadIdentity(sections.identity, files, problems)
  const tunnelOf = loadTunnel(sections.tunnel, problems)
  const link = problems.parse(linkSchema, sections.link ?? {}, ['link'])
  const admin = problems.parse(adminSchema, sections.admin ?? {}, ['admin'])
  const metrics =
    sections.metrics === undefined
      ? null
      : problems.parse(metricsSchema, sections.metrics, ['metrics'])
  const log = problems.parse(logSchema, sections.log ?? { level: 'info' }, ['log'])
  const streams = await loadStreams(sections, { dataDir, identity, files, problems })
  if (top === null || dataDir === null) return null
  const { name, site } = top
  const peersFolder = resolve(directory, top.peersFolder)
  const self = await loadPeer(peersFolder, name, problems)
  const names = checkPeerNames(name, top.peers, problems)
  const peers = await loadPeers(peersFolder, names, problems)
  const tunnel = tunnelBetween(tunnelOf, [self, ...peers])
  checkGateways({ site, self, peers, tunnel }, problems)
  if (peers.length === names.length) checkOrigins({ site, peers }, streams, problems)
  checkStreams(streams, problems)
  checkServerIds(names.length, streams, problems)
  if (self === null) return null
  checkAddresses({ self, streams, metrics }, problems)
  if (identity === null || tunnel === null || link === null || admin === null || log === null) {
    return null
  }
  return {
    path,
    name,
    site,
    dataDir,
    identity,
    self,
    peers,
    tunnel,
    link: {
      windowBytes: link.windowBytes,
      compression: link.compression,
      pingMs: link.pingSeconds * 1000,
    },
    streams,
    admin: { socketPath: files.resolve(admin.socket) },
    metrics,
    log,
  }
}

type TopSections = z.output<typeof gatewaySchema>

async function loadIdentity(
  raw: unknown,
  files: ConfigFiles,
  problems: Problems,
): Promise<IdentityConfig | null> {
  const section = problems.parse(identitySchema, raw ?? {}, ['identity'])
  // Also with a mistake in the section, the files that are named are looked at.
  const named = (section ?? (typeof raw === 'object' ? raw : null) ?? {}) as Record<string, unknown>
  const given = async <Value>(
    setting: string,
    read: (where: string, path: string) => Promise<Value | null>,
  ): Promise<Value | null> => {
    const path = named[setting]
    return typeof path === 'string' && path !== '' ? read(`identity.${setting}`, path) : null
  }
  const pem = (where: string, path: string) => files.pem(where, path, 'CERTIFICATE')
  const key = await given('wireguardKey', (where, path) => files.secret(where, path))
  const certificate = await given('certificate', pem)
  const privateKey = await given('privateKey', (where, path) => files.secretPem(where, path))
  const authority = await given('authority', pem)
  if (key !== null && !/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(key.reveal().trim())) {
    problems.add(
      'identity.wireguardKey',
      'the file does not hold a WireGuard key; make one with `landbridge init` or `wg genkey`',
    )
    return null
  }
  if (section === null || key === null || certificate === null) return null
  if (privateKey === null || authority === null) return null
  return {
    wireguardPrivateKey: key,
    certificatePem: certificate,
    privateKeyPem: privateKey,
    authorityPem: authority,
    paths: {
      wireguardKey: files.resolve(section.wireguardKey),
      certificate: files.resolve(section.certificate),
      privateKey: files.resolve(section.privateKey),
      authority: files.resolve(section.authority),
    },
  }
}

function deepFreeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null && !Object.isFrozen(part)) deepFreeze(part)
  }
  return Object.freeze(value)
}
