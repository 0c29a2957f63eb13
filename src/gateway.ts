import type { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { AdminServer } from './api/admin-server.ts'
import { Journal } from './api/journal.ts'
import { renderMetrics, type TunnelPeerLabels } from './api/metrics.ts'
import { OperationTable } from './api/operation-table.ts'
import { ownOperations } from './api/own-operations.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { EventLoopDelay } from './base/event-loop-delay.ts'
import { publicKeyFingerprint } from './base/fingerprint.ts'
import type { Log } from './base/log.ts'
import { roundNumbers } from './base/round-numbers.ts'
import { untilAborted } from './base/until-aborted.ts'
import { packageVersion } from './base/version.ts'
import type { GatewayConfig } from './config/config.ts'
import { tunnelOptionsOf } from './config/tunnel-options.ts'
import { DatabaseAttempts } from './database/database-attempts.ts'
import { CertificateExpiry } from './gateway/certificate-expiry.ts'
import { CopyHalf } from './gateway/copy-half.ts'
import { holdDataDirectory, makeDataPrivate } from './gateway/data-directory.ts'
import { LinkPath } from './gateway/link-path.ts'
import { OriginHalf } from './gateway/origin-half.ts'
import { relayPlacesOf } from './gateway/relay-places.ts'
import { replicaRelease } from './gateway/replica-release.ts'
import type { StreamHalf } from './gateway/stream-half.ts'
import { loadStreamIdentity } from './gateway/stream-identity.ts'
import { StreamSessions } from './gateway/stream-sessions.ts'
import { LinkClient } from './link/link-client.ts'
import { LinkServer } from './link/link-server.ts'
import { MetricsServer } from './observe/metrics-server.ts'
import { linkProblems, tunnelProblems, worstState } from './status/path-problems.ts'
import { silenceProblems } from './status/silence-problems.ts'
import type { GatewayStatus } from './status/status.ts'
import { verdictsOf } from './status/verdicts.ts'
import { ExternalTunnel } from './tunnel/external-tunnel.ts'
import { Tunnel } from './tunnel/tunnel.ts'
import { allowedAddress } from './tunnel/tunnel-backend.ts'
import type { TunnelPath } from './tunnel/tunnel-path.ts'

export interface GatewayDependencies {
  readonly log: Log
  readonly clock?: Clock
}

export interface Gateway {
  /** Runs every station until abort; settles when all sockets and files are closed. */
  run(signal: AbortSignal): Promise<void>
  status(): GatewayStatus
}

/** An operation whose caller was cut off ends soon: it was cancelled. */
const SETTLE_MS_MAX = 5_000

/** One gateway: its stations made from the configuration and joined in the order of the flow. */
export async function createGateway(
  config: GatewayConfig,
  { log, clock = systemClock }: GatewayDependencies,
): Promise<Gateway> {
  // 1. The tunnel: everything between the gateways goes through it.
  const tunnel = createTunnel(config, log, clock)
  // 2. The streams: source and sender at production; receiver, spool and relay at DR.
  const streams = await createStreams(config, () => link.status().clockOffsetMs, log, clock)
  // 3. The link that joins the two halves of each stream. DR dials, production listens.
  const path = new LinkPath(tunnel, clock)
  const link = createLink(config, new StreamSessions(streams, config.site === 'dr', clock), path, {
    log,
    clock,
  })
  // 4. What people and machines ask of it.
  const journal = new Journal({ path: join(config.dataDir, 'journal.jsonl'), clock, log })
  const status = createStatus({ config, tunnel, link, streams, journal, clock })
  let delay: EventLoopDelay | null = null
  const metrics = () => renderMetrics(status(), peerLabels(config), delay?.maxMs() ?? null)
  const { socketPath } = config.admin
  const operations = new OperationTable(
    [...ownOperations(status, journal), replicaRelease(() => streams)],
    journal,
  )
  const admin = new AdminServer({ socketPath, status, metrics, operations })
  const scraped = config.metrics && new MetricsServer({ ...config.metrics, metrics })

  const run = async (signal: AbortSignal): Promise<void> => {
    const held = await holdDataDirectory(config.dataDir)
    using measured = new EventLoopDelay(clock)
    delay = measured
    try {
      await makeDataPrivate(config, log)
      await journal.open()
      await runStations(signal)
      await settledOrLate(operations, clock)
    } finally {
      await journal.close()
      await held.release()
    }
  }

  const runStations = async (signal: AbortSignal): Promise<void> => {
    const [flow, ground] = [new AbortController(), new AbortController()]
    const linking = path.wait(flow.signal).then(() => link.run(flow.signal))
    const flowing = [linking, ...streams.map((stream) => stream.run(flow.signal))]
    const grounding = [tunnel, admin, scraped, journal].map((station) =>
      station?.run(ground.signal),
    )
    const all = Promise.all([...flowing, ...grounding])
    try {
      await Promise.race([all, untilAborted(signal)])
    } finally {
      // In good order: the last acknowledgements and the farewell still need the tunnel.
      flow.abort()
      await Promise.allSettled(flowing)
      ground.abort()
      await Promise.allSettled(grounding)
    }
    // A station that failed took the others down; now its failure is reported.
    await all
  }
  return { run, status }
}

/** Waits for what still runs, but not for ever. */
async function settledOrLate(operations: OperationTable, clock: Clock): Promise<void> {
  const done = new AbortController()
  const late = clock.sleep(SETTLE_MS_MAX, { signal: done.signal }).catch(() => undefined)
  await Promise.race([operations.settled(), late])
  done.abort()
}

async function createStreams(
  config: GatewayConfig,
  clockOffsetMs: () => number | null,
  log: Log,
  clock: Clock,
): Promise<StreamHalf[]> {
  const { name: gateway, site, link, dataDir } = config
  const attempts = new DatabaseAttempts(clock)
  const relayPlaces = relayPlacesOf(config.streams, log)
  return await Promise.all(
    config.streams.map(async (stream) => {
      const identity = await loadStreamIdentity(dataDir, stream.name)
      const common = { config: stream, identity, clock, log: log.child({ stream: stream.name }) }
      return site === 'production'
        ? new OriginHalf({ ...common, gateway, link, attempts: attempts.at(stream.source) })
        : new CopyHalf({
            ...common,
            dataDir,
            windowBytes: link.windowBytes,
            relayPlaces,
            clockOffsetMs,
            replicaAttempts: attempts.at(stream.replica),
          })
    }),
  )
}

interface StatusParts {
  readonly config: GatewayConfig
  readonly tunnel: TunnelPath
  readonly link: LinkClient | LinkServer
  readonly streams: readonly StreamHalf[]
  readonly journal: Journal
  readonly clock: Clock
}

function createStatus({
  config,
  tunnel,
  link,
  streams,
  journal,
  clock,
}: StatusParts): () => GatewayStatus {
  const { name, site } = config
  const version = packageVersion()
  const startedAtMs = clock.wallMs()
  const expiry = new CertificateExpiry(config.identity)
  return () => {
    const nowMs = clock.wallMs()
    const shown = { nowMs, link: link.status(), streams: streams.map((stream) => stream.status()) }
    const told = [
      ...expiry.problems(nowMs),
      ...tunnel.problems(),
      ...tunnelProblems(tunnel.status(), { nowMs, startedAtMs }),
      ...linkProblems(shown.link, nowMs),
      ...streams.flatMap((stream) => stream.problems()),
      ...journal.problems(),
    ]
    const problems = [...told, ...silenceProblems({ ...shown, problems: told })]
    const facts = {
      schema: 1,
      name,
      site,
      version,
      pid: process.pid,
      startedAtMs,
      state: worstState(problems),
      problems,
      tunnel: tunnel.status(),
      ...shown,
      refused: [...link.refused(), ...streams.flatMap((stream) => stream.refused())],
    } as const
    return roundNumbers({ ...facts, verdicts: verdictsOf(facts) })
  }
}

function peerLabels({ peer }: GatewayConfig): TunnelPeerLabels[] {
  return [peer].map(({ name, wireguardPublicKey, tunnelAddress }) => ({
    name,
    publicKey: wireguardPublicKey,
    allowedIps: allowedAddress(tunnelAddress.address),
  }))
}

function createTunnel(config: GatewayConfig, log: Log, clock: Clock): TunnelPath {
  const options = tunnelOptionsOf(config)
  if (options !== null) return new Tunnel({ ...options, log, clock })
  return new ExternalTunnel({
    localAddress: config.self.tunnelAddress.address,
    peers: [config.peer].map(({ name, tunnelAddress: { address } }) => ({ name, address })),
  })
}

function createLink(
  config: GatewayConfig,
  sessions: StreamSessions,
  path: LinkPath,
  { log, clock }: Required<GatewayDependencies>,
): LinkClient | LinkServer {
  const { identity, link, peer } = config
  const options = {
    own: {
      gateway: config.name,
      site: config.site,
      software: `landbridge ${packageVersion()}`,
      streams: config.streams.map((stream) => stream.name),
    },
    peerName: peer.name,
    host: link.host,
    port: link.port,
    pingMs: link.pingMs,
    tls: {
      certificatePem: identity.certificatePem,
      privateKeyPem: identity.privateKeyPem,
      authorityPem: identity.authorityPem,
      peerFingerprint: peer.certificateFingerprint,
      fingerprintOf: (certificate: X509Certificate) => publicKeyFingerprint(certificate.publicKey),
    },
    createBody: sessions.create,
    clock,
    log,
  }
  if (config.site === 'production') return new LinkServer(options)
  return new LinkClient({ ...options, excuses: (error) => path.excuses(peer.name, error) })
}
