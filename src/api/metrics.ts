import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type {
  GatewayStatus,
  LagStatus,
  LinkStatus,
  StreamStatus,
  TunnelPeerStatus,
  TunnelStatus,
} from '../status/status.ts'

/** What the tunnel's status does not carry of a peer; labels that WireGuard dashboards expect. */
export interface TunnelPeerLabels {
  readonly name: string
  readonly publicKey: string
  readonly allowedIps: string
}

type Labels = Readonly<Record<string, string | number>>

/**
 * Prometheus text of a gateway's status. A registry is filled anew for each scrape, so that a
 * replica or problem that is gone leaves no series behind. A value that is not known has no series:
 * an alert sees it as absent, never as 0.
 */
export async function renderMetrics(
  status: GatewayStatus,
  tunnelPeers: readonly TunnelPeerLabels[] = [],
  eventLoopDelayMs: number | null = null,
): Promise<string> {
  const sheet = new MetricSheet()
  addGateway(sheet, status)
  const help = 'Longest turn of the event loop in the last one to two minutes'
  sheet.gauge('landbridge_event_loop_delay_max_seconds', help, seconds(eventLoopDelayMs))
  for (const peer of status.tunnel.peers) {
    addTunnelPeer(sheet, status.tunnel, peer)
    addWireguardPeer(
      sheet,
      status,
      peer,
      tunnelPeers.find(({ name }) => name === peer.name),
    )
  }
  for (const link of status.links) addLink(sheet, link)
  for (const stream of status.streams) addStream(sheet, stream)
  return `${await sheet.text()}${await processMetrics()}`
}

class MetricSheet {
  readonly #registry = new Registry()
  readonly #gauges = new Map<string, Gauge>()
  readonly #counters = new Map<string, Counter>()

  gauge(name: string, help: string, value: number | null, labels: Labels = {}): void {
    if (value === null) return
    let gauge = this.#gauges.get(name)
    if (gauge === undefined) {
      const labelNames = Object.keys(labels)
      gauge = new Gauge({ name, help, labelNames, registers: [this.#registry] })
      this.#gauges.set(name, gauge)
    }
    gauge.set(labels, value)
  }

  counter(name: string, help: string, value: number, labels: Labels = {}): void {
    let counter = this.#counters.get(name)
    if (counter === undefined) {
      const labelNames = Object.keys(labels)
      counter = new Counter({ name, help, labelNames, registers: [this.#registry] })
      this.#counters.set(name, counter)
    }
    counter.inc(labels, value)
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }
}

function addGateway(sheet: MetricSheet, status: GatewayStatus): void {
  const { name, site, version } = status
  sheet.gauge('landbridge_info', 'Always 1; who this is', 1, { name, site, version })
  for (const state of ['ok', 'degraded', 'blocked']) {
    const value = Number(status.state === state)
    sheet.gauge('landbridge_state', '1 for the state the gateway is in', value, { state })
  }
  const startSeconds = seconds(status.startedAtMs)
  sheet.gauge('landbridge_start_time_seconds', 'Unix time of the start', startSeconds)
  for (const { code, severity, where } of status.problems) {
    sheet.gauge('landbridge_problem', '1 for each problem', 1, { code, severity, where })
  }
  for (const { where, reason, connections } of status.refused) {
    const help = 'Connections turned away before they proved who they are'
    const labels = { where, reason }
    sheet.counter('landbridge_refused_connections_total', help, connections, labels)
  }
}

function addTunnelPeer(
  sheet: MetricSheet,
  { backend }: TunnelStatus,
  { name: peer, state: now, handshakeAgeMs, receivedBytes, sentBytes }: TunnelPeerStatus,
): void {
  const gauge = (name: string, help: string, value: number | null, labels: Labels = {}): void =>
    sheet.gauge(`landbridge_tunnel_${name}`, help, value, { ...labels, peer })
  const counter = (name: string, help: string, value: number): void =>
    sheet.counter(`landbridge_tunnel_${name}`, help, value, { peer })
  const up = Number(now === 'up' || now === 'external')
  gauge('up', '1 when a handshake is recent enough', up, { backend })
  for (const state of ['up', 'stale', 'down', 'never', 'external']) {
    gauge('state', '1 for the state the tunnel to the peer is in', Number(now === state), { state })
  }
  gauge('handshake_age_seconds', 'Age of the last handshake', seconds(handshakeAgeMs))
  counter('received_bytes_total', 'Bytes from the tunnel', receivedBytes)
  counter('sent_bytes_total', 'Bytes into the tunnel', sentBytes)
}

/** The names that existing WireGuard dashboards and alerts use. */
function addWireguardPeer(
  sheet: MetricSheet,
  { tunnel, nowMs }: GatewayStatus,
  peer: TunnelPeerStatus,
  known: TunnelPeerLabels | undefined,
): void {
  if (tunnel.backend === 'external' || tunnel.interface === null) return
  const labels = {
    interface: tunnel.interface,
    public_key: known?.publicKey ?? '',
    allowed_ips: known?.allowedIps ?? '',
    peer: peer.name,
  }
  const ageMs = peer.handshakeAgeMs
  const atSeconds = ageMs === null ? 0 : Math.round((nowMs - ageMs) / 1000)
  sheet.counter('wireguard_received_bytes_total', 'Bytes received', peer.receivedBytes, labels)
  sheet.counter('wireguard_sent_bytes_total', 'Bytes sent', peer.sentBytes, labels)
  const help = 'Unix time of the last handshake, 0 for never'
  sheet.gauge('wireguard_latest_handshake_seconds', help, atSeconds, labels)
  const delayHelp = 'Seconds since the last handshake'
  sheet.gauge('wireguard_latest_handshake_delay_seconds', delayHelp, seconds(ageMs), labels)
}

function addLink(sheet: MetricSheet, link: LinkStatus): void {
  const labels = { peer: link.peer, role: link.role }
  const up = Number(link.state === 'up')
  sheet.gauge('landbridge_link_up', '1 while the peer is connected', up, labels)
  sheet.gauge('landbridge_link_streams', 'Streams that go over it', link.carries.length, labels)
  const roundTrip = seconds(link.roundTripMs)
  sheet.gauge('landbridge_link_round_trip_seconds', 'Round trip to the peer', roundTrip, labels)
  const offset = seconds(link.clockOffsetMs)
  sheet.gauge('landbridge_link_clock_offset_seconds', 'Peer clock minus own', offset, labels)
  sheet.counter('landbridge_link_sessions_total', 'Sessions since start', link.sessions, labels)
  const { receivedBytes, sentBytes } = link
  sheet.counter('landbridge_link_received_bytes_total', 'Bytes received', receivedBytes, labels)
  sheet.counter('landbridge_link_sent_bytes_total', 'Bytes sent', sentBytes, labels)
}

function addStream(sheet: MetricSheet, status: StreamStatus): void {
  const labels = { stream: status.name }
  const gauge = (name: string, help: string, value: number | null): void =>
    sheet.gauge(`landbridge_stream_${name}`, help, value, labels)
  const counter = (name: string, help: string, value: number): void =>
    sheet.counter(`landbridge_stream_${name}`, help, value, labels)
  for (const state of ['idle', 'connecting', 'streaming', 'parked', 'blocked']) {
    const help = '1 for the state the stream is in'
    const value = Number(status.state === state)
    sheet.gauge('landbridge_stream_state', help, value, { ...labels, state })
  }
  for (const role of ['origin', 'copy']) {
    const value = Number(status.role === role)
    sheet.gauge('landbridge_stream_role', '1 for what this site is', value, { ...labels, role })
  }
  gauge('term', 'How often the origin was decided', status.term.term)
  gauge('source_connected', '1 while the source is read', Number(status.source.connected))
  gauge('source_heard_age_seconds', 'Since the source was heard', seconds(status.source.heardAgoMs))
  gauge('spool_bytes', 'Bytes of binlog held', status.spool?.bytes ?? null)
  gauge('spool_files', 'Binlog files held', status.spool?.files ?? null)
  gauge('throttle_bytes_per_second', 'Configured limit', status.throttle.bytesPerSecond)
  counter('received_transactions_total', 'Transactions received', status.transactionsReceived)
  counter('received_bytes_total', 'Bytes of binlog received', status.bytesReceived)
  addLag(sheet, 'receive', status.receiveLag, labels)
  for (const replica of status.replicas) {
    const who = { ...labels, server_id: replica.serverId, address: replica.address }
    const help = '1 while the replica is connected to the relay'
    const connected = Number(replica.state !== 'disconnected')
    sheet.gauge('landbridge_stream_replica_connected', help, connected, who)
    const failed = Number(replica.applyError !== null)
    sheet.gauge('landbridge_stream_replica_failed', '1 when it does not apply', failed, who)
    const { filters, leftOut, unlogged, delaySeconds } = replica
    const isFiltered = leftOut !== null || (filters !== null && filters.length > 0)
    const isIncomplete = isFiltered || unlogged !== null
    const lacking = isIncomplete || filters !== null ? Number(isIncomplete) : null
    const lackHelp = '1 when it leaves out data, or did'
    sheet.gauge('landbridge_stream_replica_incomplete', lackHelp, lacking, who)
    const lateHelp = 'How long it waits on purpose before it applies'
    sheet.gauge('landbridge_stream_replica_late_seconds', lateHelp, delaySeconds, who)
    addLag(sheet, 'apply', replica.applyLag, who)
  }
}

function addLag(
  sheet: MetricSheet,
  which: 'receive' | 'apply',
  lag: LagStatus | null,
  labels: Labels,
): void {
  if (lag === null) return
  const name = `landbridge_stream_${which}`
  const what = which === 'receive' ? 'Source to synced' : 'Synced to applied'
  sheet.gauge(`${name}_lag_bytes`, `${what}: bytes missing`, lag.bytes, labels)
  const missing = lag.transactions
  sheet.gauge(`${name}_lag_transactions`, `${what}: transactions missing`, missing, labels)
  sheet.gauge(`${name}_lag_seconds`, `${what}: age of what is missing`, seconds(lag.ms), labels)
  const provenSeconds = seconds(lag.provenAgoMs)
  sheet.gauge(`${name}_lag_proven_age_seconds`, `${what}: age of proof`, provenSeconds, labels)
  if (lag.recent === null) return
  const help = `${what}: delay of single transactions`
  const { p50Ms, p99Ms, maxMs } = lag.recent
  for (const [quantile, ms] of [
    ['0.5', p50Ms],
    ['0.99', p99Ms],
    ['1', maxMs],
  ] as const) {
    sheet.gauge(`${name}_delay_seconds`, help, seconds(ms), { ...labels, quantile })
  }
}

let processRegistry: Registry | null = null

/** The library looks at the event loop by a timer; every ten milliseconds, if it may. */
const NEVER_MS = 2 ** 31 - 1
const LAG_BY_TIMER = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'] as const

/** CPU, memory and file descriptors of this process, by their usual names. */
function processMetrics(): Promise<string> {
  if (processRegistry === null) {
    processRegistry = new Registry()
    collectDefaultMetrics({ register: processRegistry, eventLoopMonitoringPrecision: NEVER_MS })
    for (const what of LAG_BY_TIMER) {
      processRegistry.removeSingleMetric(`nodejs_eventloop_lag_${what}_seconds`)
    }
  }
  return processRegistry.metrics()
}

/** To the microsecond: a sixth decimal that division alone would not end at. */
function seconds(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1_000_000
}
