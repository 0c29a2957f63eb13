import { AdminServer, type AskPeer } from './api/admin-server.ts'
import type { Journal } from './api/journal.ts'
import { type OperationRequest, OperationTable } from './api/operation-table.ts'
import { ownOperations } from './api/own-operations.ts'
import { Page, type PageOptions } from './api/page/page.ts'
import { type Clock, systemClock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { OperationContext } from './base/operation.ts'
import { lesserPermission } from './base/permission.ts'
import type { PeerConfig } from './config/peer-file.ts'
import type { Capability } from './gateway/capability.ts'
import type { GatewayConfig } from './gateway/config/gateway-config.ts'
import { holdDataDirectory, makeDataPrivate } from './gateway/data-directory.ts'
import { gatewayMetrics } from './gateway/gateway-metrics.ts'
import { gatewayStatus } from './gateway/gateway-status.ts'
import { LagRecords } from './gateway/lag-records.ts'
import { LinkPath } from './gateway/link-path.ts'
import { Links } from './gateway/links.ts'
import { createRecords } from './gateway/records.ts'
import { runParts } from './gateway/run-parts.ts'
import { Streams } from './gateway/streams.ts'
import { createTunnel, tunnelPart } from './gateway/tunnel-part.ts'
import { CertificateExpiry } from './keys/certificate-expiry.ts'
import type { PeerCall } from './link/peer-calls.ts'
import { MetricsServer } from './observe/metrics-server.ts'
import { OwnProcess } from './observe/own-process.ts'
import type { GatewayStatus } from './status/status.ts'

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
  const tunnel = createTunnel(config, { log, clock })
  // 2. The streams: for each the half that its term asks for, sending or receiving.
  const streams = await Streams.load(config, {
    endSessions: (reason) => links.endSessions(reason),
    clockOf: (gateway) => links.clockOf(gateway),
    doubts: () => links.doubts(),
    probe: (peer) => links.dialled(peer),
    clock,
    log,
  })
  // 3. The sessions that join the halves of each stream. Whoever receives dials.
  const links = new Links({
    config,
    streams: streams.list,
    path: new LinkPath(tunnel, clock),
    serve: (peer, call, context) => operations.call(requestOf(peer, call, context)),
    clock,
    log,
  })
  // 4. What is written down of what was asked and of what happened, and who is told of it.
  const records = createRecords(config, { status: () => status(), clock, log })
  const { journal } = records

  const askPeer: AskPeer = (...call) => links.ask(...call)
  const shown = () => ({
    tunnel: tunnel.status(),
    links: links.status(),
    streams: streams.status(),
  })

  // In the order in which the status shows their problems.
  const capabilities: readonly Capability[] = [
    new CertificateExpiry(config.identity),
    tunnelPart(tunnel, config),
    links,
    streams,
    new LagRecords({ config, shown, clock, log }),
    ...records.parts,
    ...pageOf(config, { operations: () => operations, askPeer, clock, log }),
    new OwnProcess(clock),
  ]
  const status: () => GatewayStatus = gatewayStatus({ config, capabilities, shown, clock })

  // 5. What people and machines ask of it.
  const metrics = () => gatewayMetrics(status(), capabilities)
  const asked = capabilities.flatMap((capability) => capability.operations ?? [])
  const operations = new OperationTable([...ownOperations(status), ...asked], journal)
  const { socketPath } = config.admin
  const admin = new AdminServer({ socketPath, status, metrics, operations, askPeer })
  const scraped = config.metrics && new MetricsServer({ ...config.metrics, metrics })
  const doors = { ground: scraped === null ? [admin] : [admin, scraped] }

  const parts = [...capabilities, doors]
  return {
    status,
    run: (signal) => run({ config, journal, parts, operations, clock, log }, signal),
  }
}

interface Running extends Required<GatewayDependencies> {
  readonly config: GatewayConfig
  readonly journal: Journal
  readonly parts: Parameters<typeof runParts>[0]
  readonly operations: OperationTable
}

async function run(gateway: Running, signal: AbortSignal): Promise<void> {
  const { config, journal, parts, operations, clock, log } = gateway
  const held = await holdDataDirectory(config.dataDir)
  try {
    await makeDataPrivate(config, log)
    await journal.open()
    await runParts(parts, signal)
    await settledOrLate(operations, clock)
  } finally {
    await journal.close()
    await held.release()
  }
}

/** The web page, where one is configured. It asks as everybody does. */
function pageOf(
  { page: settings, name, site, identity, peers }: GatewayConfig,
  joints: Pick<PageOptions, 'operations' | 'askPeer' | 'clock' | 'log'>,
): readonly Page[] {
  if (settings === null) return []
  const names = peers.map((peer) => peer.name)
  return [new Page({ config: settings, name, site, identity, peers: names, ...joints })]
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
