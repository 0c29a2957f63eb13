import { Journal } from '../../../src/api/journal.ts'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import type { Capability } from '../../../src/gateway/capability.ts'
import { gatewayMetrics } from '../../../src/gateway/gateway-metrics.ts'
import { journalPart } from '../../../src/gateway/journal-part.ts'
import { streamMetrics } from '../../../src/gateway/stream-metrics.ts'
import { CertificateExpiry } from '../../../src/keys/certificate-expiry.ts'
import { createAuthority } from '../../../src/keys/certificates.ts'
import { linkMetrics } from '../../../src/link/link-metrics.ts'
import { Webhook } from '../../../src/observe/webhook.ts'
import type { GatewayStatus, LagStatus } from '../../../src/status/status.ts'
import { tunnelMetrics } from '../../../src/tunnel/tunnel-metrics.ts'
import { FakeClock } from '../fake-clock.ts'
import { drStatus, productionStatus } from '../status/status-fixture.ts'

const met = { state: 'met', sinceMs: drStatus.startedAtMs } as const
const kept = { maxMs: 5_000, exposure: met, apply: met }
const throttle = {
  bytesPerSecond: 52_428_800,
  by: 'configuration',
  reason: null,
  sinceMs: drStatus.startedAtMs,
  untilMs: null,
  measuredBytesPerSecond: 1_000,
  waitingBytes: 0,
} as const

const catchingUp = (lag: LagStatus | null) => lag && { ...lag, catchUpMs: 1_500 }

/** Everything that can have a value has one: a copy and an origin in one gateway. */
export const fullStatus: GatewayStatus = {
  ...drStatus,
  streams: [
    ...drStatus.streams.map((stream) => ({
      ...stream,
      objective: kept,
      receiveLag: catchingUp(stream.receiveLag),
      replicas: stream.replicas.map((one) => ({ ...one, applyLag: catchingUp(one.applyLag) })),
    })),
    ...productionStatus.streams.map((stream) => ({ ...stream, name: 'back', throttle })),
  ],
  problems: [
    {
      code: 'ERR_TUNNEL_STALE',
      severity: 'error',
      where: 'tunnel',
      message: 'nothing comes through the tunnel',
      sinceMs: drStatus.nowMs - 5_000,
    },
  ],
}

/** The parts of a gateway that have metrics, without the gateway. */
export async function allParts(): Promise<readonly Pick<Capability, 'metrics'>[]> {
  const clock = new FakeClock()
  const authority = await createAuthority('pair', drStatus.nowMs)
  const pem = authority.certificatePem
  const journal = new Journal({ path: '/nonexistent/journal.jsonl', clock, log: silentLog })
  const own = { metrics: EVENT_LOOP }
  const url = new Secret('https://alerts.example.net/')
  const target = { url, origin: url.reveal(), authorization: null, caPem: null }
  const webhook = new Webhook({
    config: { ...target, holdOffMs: 30_000, repeatMs: 60_000 },
    path: '/nonexistent/alerts.json',
    status: () => fullStatus,
    clock,
    log: silentLog,
  })
  return [
    new CertificateExpiry({ certificatePem: pem, authorityPem: pem }),
    { metrics: (sheet, status) => tunnelMetrics(sheet, status, KEYS) },
    { metrics: (sheet, { links }) => linkMetrics(sheet, links) },
    { metrics: (sheet, { streams }) => streamMetrics(sheet, streams) },
    journalPart(journal),
    webhook,
    own,
  ]
}

const EVENT_LOOP: NonNullable<Capability['metrics']> = (sheet) => {
  const help = 'Longest turn of the event loop in the last one to two minutes'
  sheet.gauge('landbridge_event_loop_delay_max_seconds', help, 0.01)
}

const KEYS = [
  {
    name: 'ec2',
    wireguardPublicKey: 'abc=',
    tunnelAddress: { address: '10.77.0.1', prefixLength: 30 },
  },
]

/** All metrics that a gateway can have. */
export async function fullExport(): Promise<string> {
  return await gatewayMetrics(fullStatus, await allParts())
}
