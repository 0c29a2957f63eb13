import {
  type DelayWindow,
  type GatewayStatus,
  type LagStatus,
  type LinkStatus,
  NO_OBJECTIVE,
  type ReplicaStatus,
  STATUS_SCHEMA,
  type StreamStatus,
  type TunnelPeerStatus,
} from '../../../src/status/status.ts'
import { firstTerm } from '../../../src/status/term-record.ts'
import { verdictsOf } from '../../../src/status/verdicts.ts'

const NOW_MS = Date.UTC(2026, 10, 22, 12, 0, 0)
const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562'

/** Of a lag for which a test needs no delays. */
export const unmeasured: Pick<LagStatus, 'uncertaintyMs' | 'windows' | 'catchUpMs'> = {
  uncertaintyMs: 1,
  windows: { minute: null, quarterHour: null, day: null },
  catchUpMs: null,
}

/** The same delays in all windows. */
function measured(delay: Omit<DelayWindow, 'coveredMs'>): typeof unmeasured {
  const window = (coveredMs: number): DelayWindow => ({ ...delay, coveredMs })
  const windows = { minute: window(60_000), quarterHour: window(900_000), day: window(7_325_000) }
  return { uncertaintyMs: 16.6, windows, catchUpMs: null }
}

export const replicaStatus: ReplicaStatus = {
  serverId: 2,
  serverUuid: '7f3c0a52-93b1-11ef-8a0f-0242ac120002',
  address: '203.0.113.30:41022',
  state: 'caught-up',
  sent: { epoch: 1, file: 'binlog.000042', offset: 8_388_608 },
  retainsFile: 'binlog.000042',
  appliedGtids: `${UUID}:1-120000`,
  applyLag: {
    bytes: 0,
    transactions: 0,
    ms: 0,
    provenAgoMs: 300,
    ...measured({ p50Ms: 12.4, p95Ms: 44.1, p99Ms: 80.2, maxMs: 410, count: 900 }),
  },
  applyError: null,
  delaySeconds: 0,
  remainingDelaySeconds: null,
  filters: [],
  leftOut: null,
  unlogged: null,
}

export const drStream: StreamStatus = {
  name: 'main',
  role: 'copy',
  term: firstTerm('ec2'),
  peer: 'ec2',
  copies: [],
  flavor: 'mysql',
  state: 'streaming',
  source: {
    host: '198.51.100.10:3306',
    serverVersion: '9.7.4',
    serverId: 1,
    serverUuid: UUID,
    position: { epoch: 1, file: 'binlog.000042', offset: 8_388_608, gtids: `${UUID}:1-120000` },
    connected: true,
    heardAgoMs: 400,
  },
  spool: {
    directory: '/var/lib/landbridge/spool/main',
    synced: { epoch: 1, file: 'binlog.000042', offset: 8_388_608, gtids: `${UUID}:1-120000` },
    files: 42,
    bytes: 4_402_341_478,
    oldestFile: 'binlog.000001',
    claims: [
      {
        claim: 'replica:7f3c0a52-93b1-11ef-8a0f-0242ac120002',
        kind: 'replica',
        file: 'binlog.000042',
        ageMs: 12_000,
      },
    ],
  },
  receiveLag: {
    bytes: 0,
    transactions: 0,
    ms: 0,
    provenAgoMs: 400,
    ...measured({ p50Ms: 41.7, p95Ms: 77.8, p99Ms: 96.3, maxMs: 1830.2, count: 120_000 }),
  },
  exposure: {
    atLeast: { ms: 0, transactions: 0, bytes: 0 },
    atMost: { ms: 424, transactions: 0 },
    isIdle: true,
  },
  objective: NO_OBJECTIVE,
  rates: { transactionsPerSecond: 0, bytesPerSecond: 0 },
  transactionsReceived: 120_000,
  bytesReceived: 4_402_341_478,
  receivedAgoMs: 400,
  throttle: { bytesPerSecond: null },
  replicas: [replicaStatus],
}

/** Production, as DR sees it through the tunnel. */
export const tunnelPeer: TunnelPeerStatus = {
  name: 'ec2',
  state: 'up',
  address: '10.77.0.1',
  endpoint: '198.51.100.20:51820',
  handshakeAgeMs: 92_000,
  heardAgoMs: 800,
  receivedBytes: 1_299_227_607,
  sentBytes: 325_081_826,
}

/** A third gateway. */
export const secondTunnelPeer: TunnelPeerStatus = {
  name: 'gcp',
  state: 'up',
  address: '10.77.0.3',
  endpoint: '203.0.113.40:51820',
  handshakeAgeMs: 4_000,
  heardAgoMs: 900,
  receivedBytes: 4096,
  sentBytes: 2048,
}

/** `status` with the verdicts that it deserves, whatever verdicts it comes with. */
export function judged(status: Omit<GatewayStatus, 'verdicts'>): GatewayStatus {
  return { ...status, verdicts: verdictsOf(status) }
}

/** Over which a DR gateway receives. */
export const drLink: LinkStatus = {
  state: 'up',
  peer: 'ec2',
  role: 'receiver',
  carries: ['main'],
  sinceMs: NOW_MS - 7_325_000,
  unsteadySinceMs: null,
  unsteadySessions: 0,
  roundTripMs: 31.25,
  clockOffsetMs: -2.3,
  clockDoubtMs: 16.6,
  sessions: 3,
  receivedBytes: 1_288_490_189,
  sentBytes: 2_936_012,
  lastError: null,
}

/** A DR gateway that is idle and well. */
export const drStatus: GatewayStatus = judged({
  schema: STATUS_SCHEMA,
  name: 'azure',
  site: 'azure',
  version: '0.1.0',
  pid: 4242,
  startedAtMs: NOW_MS - 93_784_000,
  nowMs: NOW_MS,
  state: 'ok',
  problems: [],
  tunnel: {
    state: 'up',
    backend: 'userspace',
    interface: 'lb0',
    localAddress: '10.77.0.2/30',
    mtu: 1340,
    firewall: { inPlace: true, accepts: ['tcp/7400'], forwards: false },
    peers: [tunnelPeer],
  },
  links: [drLink, { ...drLink, role: 'sender', carries: [] }],
  refused: [{ where: 'relay:main', reason: 'password', connections: 3 }],
  streams: [drStream],
})

/** The production gateway of the same pair. */
export const productionStatus: GatewayStatus = judged({
  ...drStatus,
  name: 'ec2',
  site: 'ec2',
  tunnel: {
    ...drStatus.tunnel,
    backend: 'kernel',
    localAddress: '10.77.0.1/30',
    firewall: { inPlace: true, accepts: ['tcp/7400'], forwards: false },
    peers: [
      {
        ...tunnelPeer,
        name: 'azure',
        address: '10.77.0.2',
        endpoint: '203.0.113.20:51820',
        receivedBytes: tunnelPeer.sentBytes,
        sentBytes: tunnelPeer.receivedBytes,
      },
    ],
  },
  links: [
    { ...drLink, peer: 'azure', role: 'receiver', carries: [], clockOffsetMs: 2.3 },
    { ...drLink, peer: 'azure', role: 'sender', clockOffsetMs: 2.3 },
  ],
  streams: [
    {
      ...drStream,
      role: 'origin',
      peer: null,
      copies: [
        { peer: 'azure', site: 'azure', state: 'streaming', sentBytes: 0, inFlightBytes: 0 },
      ],
      spool: null,
      receiveLag: null,
      exposure: null,
      rates: null,
      replicas: [],
      throttle: { bytesPerSecond: 52_428_800 },
    },
  ],
})
