import { join } from 'node:path'
import { AdminServer, type AskPeer } from './api/admin-server.ts'
import { Journal } from './api/journal.ts'
import { renderMetrics, type TunnelPeerLabels } from './api/metrics.ts'
import type { OperationContext } from './api/operation.ts'
import { type OperationRequest, OperationTable } from './api/operation-table.ts'
import { ownOperations } from './api/own-operations.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { EventLoopDelay } from './base/event-loop-delay.ts'
import type { Log } from './base/log.ts'
import { lesserPermission } from './base/permission.ts'
import { roundNumbers } from './base/round-numbers.ts'
import { untilAborted } from './base/until-aborted.ts'
import { packageVersion } from './base/version.ts'
import type { PeerConfig } from './config/peer-file.ts'
import { CertificateExpiry } from './gateway/certificate-expiry.ts'
import type { GatewayConfig } from './gateway/config/gateway-config.ts'
import { holdDataDirectory, makeDataPrivate } from './gateway/data-directory.ts'
import { LinkPath } from './gateway/link-path.ts'
import { Links } from './gateway/links.ts'
import { replicaRelease } from './gateway/replica-release.ts'
import type { Stream } from './gateway/stream.ts'
import { loadStreams } from './gateway/streams.ts'
import { termAdvance } from './gateway/term-advance.ts'
import type { PeerCall } from './link/peer-calls.ts'
import { MetricsServer } from './observe/metrics-server.ts'
import { linkProblems } from './status/link-problems.ts'
import { isUp, peersOf } from './status/links.ts'
import { tunnelProblems, worstState } from './status/path-problems.ts'
import { silenceProblems } from './status/silence-problems.ts'
import type { GatewayStatus } from './status/status.ts'
import { verdictsOf } from './status/verdicts.ts'
import { ExternalTunnel } from './tunnel/external-tunnel.ts'
import { Tunnel } from './tunnel/tunnel.ts'
import { allowedAddress } from './tunnel/tunnel-backend.ts'
import { tunnelOptionsOf } from './tunnel/tunnel-options.ts'
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
  // 2. The streams: for each the half that its term asks for, sending or receiving.
  const streams = await loadStreams(config, {
    endSessions: (reason) => links.endSessions(reason),
    clockOffsetMs: (site) => links.clockOffsetMs(site),
    clock,
    log,
  })
  // 3. The sessions that join the halves of each stream. Whoever receives dials.
  const path = new LinkPath(tunnel, clock)
  const links = new Links({
    config,
    streams: () => streams,
    path,
    serve: (peer, call, context) => operations.call(requestOf(peer, call, context)),
    clock,
    log,
  })
  // 4. What people and machines ask of it.
  const journal = new Journal({ path: join(config.dataDir, 'journal.jsonl'), clock, log })
  const status = createStatus({ config, tunnel, links, streams, journal, clock })
  let delay: EventLoopDelay | null = null
  const metrics = () => renderMetrics(status(), peerLabels(config), delay?.maxMs() ?? null)
  const { socketPath } = config.admin
  const operations = createOperations(config, { status, streams, journal })
  const askPeer: AskPeer = (...call) => links.ask(...call)
  const admin = new AdminServer({ socketPath, status, metrics, operations, askPeer })
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
    const linking = path.wait(flow.signal).then(() => links.run(flow.signal))
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

/** Everything that this gateway can be asked. */
function createOperations(
  { site, self, peers }: GatewayConfig,
  parts: Pick<StatusParts, 'streams' | 'journal'> & { readonly status: () => GatewayStatus },
): OperationTable {
  const { status, journal } = parts
  const streams = () => parts.streams
  const sites = [...new Set([site, ...peers.map((peer) => peer.site)])]
  const own = ownOperations(status, journal)
  const advance = termAdvance({ site, sites, streams, warnings: () => doubtsOf(self, status()) })
  const all = [...own, replicaRelease(streams), advance]
  return new OperationTable(all, journal)
}

/** Why peers may not follow what is decided here. */
function doubtsOf({ name, mayTakeOver }: PeerConfig, { links }: GatewayStatus): string[] {
  const away = peersOf(links).filter((peer) => {
    return !links.some((link) => link.peer === peer && isUp(link))
  })
  return [
    ...(mayTakeOver ? [] : [`the peer file of ${name} does not say mayTakeOver: true`]),
    ...away.map((peer) => `${peer} is not connected, and hears of it when it comes back`),
  ]
}

/** Waits for what still runs, but not for ever. */
async function settledOrLate(operations: OperationTable, clock: Clock): Promise<void> {
  const done = new AbortController()
  const late = clock.sleep(SETTLE_MS_MAX, { signal: done.signal }).catch(() => undefined)
  await Promise.race([operations.settled(), late])
  done.abort()
}

/** A peer may do no more than its file says, nor than whoever asks may do there. */
function requestOf(peer: PeerConfig, call: PeerCall, context: OperationContext): OperationRequest {
  const granted = lesserPermission(call.granted, peer.permission)
  const caller = `peer ${peer.name}`
  return { name: call.operation, input: call.input, granted, caller, ...context }
}

interface StatusParts {
  readonly config: GatewayConfig
  readonly tunnel: TunnelPath
  readonly links: Links
  readonly streams: readonly Stream[]
  readonly journal: Journal
  readonly clock: Clock
}

function createStatus({
  config,
  tunnel,
  links,
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
    const shown = {
      nowMs,
      links: links.status(),
      streams: streams.map((stream) => stream.status()),
    }
    const told = [
      ...expiry.problems(nowMs),
      ...tunnel.problems(),
      ...tunnelProblems(tunnel.status(), { nowMs, startedAtMs }),
      ...linkProblems(shown.links, nowMs),
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
      refused: [...links.refused(), ...streams.flatMap(({ half }) => half.refused())],
    } as const
    return roundNumbers({ ...facts, verdicts: verdictsOf(facts) })
  }
}

function peerLabels({ peers }: GatewayConfig): TunnelPeerLabels[] {
  return peers.map(({ name, wireguardPublicKey, tunnelAddress }) => ({
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
    peers: config.peers.map(({ name, tunnelAddress: { address } }) => ({ name, address })),
  })
}
