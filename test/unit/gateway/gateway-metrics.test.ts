import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Capability } from '../../../src/gateway/capability.ts'
import { gatewayMetrics } from '../../../src/gateway/gateway-metrics.ts'
import { streamMetrics } from '../../../src/gateway/stream-metrics.ts'
import { linkMetrics } from '../../../src/link/link-metrics.ts'
import { OwnProcess } from '../../../src/observe/own-process.ts'
import type { GatewayStatus, ReplicaStatus } from '../../../src/status/status.ts'
import { type LabelledPeers, tunnelMetrics } from '../../../src/tunnel/tunnel-metrics.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import {
  drLink,
  drStatus,
  drStream,
  replicaStatus,
  secondTunnelPeer,
  tunnelPeer,
  unmeasured,
} from '../../helpers/status/status-fixture.ts'

function partsOf(peers: LabelledPeers): Pick<Capability, 'metrics'>[] {
  return [
    { metrics: (sheet, status) => tunnelMetrics(sheet, status, peers) },
    { metrics: (sheet, { links }) => linkMetrics(sheet, links) },
    { metrics: (sheet, { streams }) => streamMetrics(sheet, streams) },
  ]
}

function subnet(address: string) {
  return { address, prefixLength: 24 }
}

function rendered(status: GatewayStatus, peers: LabelledPeers = []): Promise<string> {
  return gatewayMetrics(status, partsOf(peers))
}

describe('metrics', () => {
  test('carry the status in base units, with the names WireGuard dashboards know', async () => {
    const peers = [{ name: 'ec2', wireguardPublicKey: 'abc=', tunnelAddress: subnet('10.77.0.1') }]
    const lines = (await rendered(drStatus, peers)).split('\n')
    const wireguard = 'interface="lb0",public_key="abc=",allowed_ips="10.77.0.1/32",peer="ec2"'
    const replica = 'stream="main",server_id="2",address="203.0.113.30:41022"'
    const handshakeSeconds = (drStatus.nowMs - 92_000) / 1000
    for (const line of [
      'landbridge_info{name="azure",site="azure",version="0.1.0"} 1',
      'landbridge_state{state="ok"} 1',
      'landbridge_state{state="blocked"} 0',
      'landbridge_refused_connections_total{where="relay:main",reason="password"} 3',
      'landbridge_tunnel_up{peer="ec2",backend="userspace"} 1',
      'landbridge_tunnel_received_bytes_total{peer="ec2"} 1299227607',
      'landbridge_tunnel_handshake_age_seconds{peer="ec2"} 92',
      `wireguard_received_bytes_total{${wireguard}} 1299227607`,
      `wireguard_latest_handshake_seconds{${wireguard}} ${handshakeSeconds}`,
      `wireguard_latest_handshake_delay_seconds{${wireguard}} 92`,
      'landbridge_link_up{peer="ec2",role="receiver"} 1',
      'landbridge_link_round_trip_seconds{peer="ec2",role="receiver"} 0.03125',
      'landbridge_stream_receive_lag_seconds{stream="main"} 0',
      'landbridge_stream_receive_lag_proven_age_seconds{stream="main"} 0.4',
      'landbridge_stream_receive_delay_p99_seconds{stream="main",window="1m"} 0.0963',
      'landbridge_stream_received_transactions_total{stream="main"} 120000',
      `landbridge_stream_apply_lag_transactions{${replica}} 0`,
      `landbridge_stream_replica_incomplete{${replica}} 0`,
      `landbridge_stream_replica_late_seconds{${replica}} 0`,
    ]) {
      expect(lines).toContain(line)
    }
    const text = lines.join('\n')
    expect(text).toContain('process_resident_memory_bytes')
    // Not known here, and the library would measure it by waking a hundred times a second.
    expect(text).not.toMatch(/event_loop_delay|nodejs_eventloop_lag_(?!seconds)/)
  })

  test('say how long the event loop was busy, while the gateway runs', async () => {
    const own = new OwnProcess(new FakeClock())
    const stopping = new AbortController()
    const running = own.run(stopping.signal)
    await setImmediate()
    const series = /^landbridge_event_loop_delay_max_seconds [\d.e-]+$/m
    expect(await gatewayMetrics(drStatus, [own])).toMatch(series)
    stopping.abort()
    await running
    expect(await gatewayMetrics(drStatus, [own])).not.toMatch(series)
  })

  test('tell the peers of one tunnel apart', async () => {
    const gone = { ...secondTunnelPeer, state: 'never', handshakeAgeMs: null } as const
    const tunnel = { ...drStatus.tunnel, state: 'never', peers: [tunnelPeer, gone] } as const
    const keys = [{ name: 'gcp', wireguardPublicKey: 'def=', tunnelAddress: subnet('10.77.0.3') }]
    const lines = (await rendered({ ...drStatus, tunnel }, keys)).split('\n')
    for (const line of [
      'landbridge_tunnel_up{peer="ec2",backend="userspace"} 1',
      'landbridge_tunnel_up{peer="gcp",backend="userspace"} 0',
      'landbridge_tunnel_state{peer="ec2",state="up"} 1',
      'landbridge_tunnel_state{peer="gcp",state="never"} 1',
      'landbridge_tunnel_received_bytes_total{peer="gcp"} 4096',
      'landbridge_tunnel_sent_bytes_total{peer="ec2"} 325081826',
      'wireguard_sent_bytes_total' +
        '{interface="lb0",public_key="def=",allowed_ips="10.77.0.3/32",peer="gcp"} 2048',
      'wireguard_latest_handshake_seconds' +
        '{interface="lb0",public_key="def=",allowed_ips="10.77.0.3/32",peer="gcp"} 0',
    ]) {
      expect(lines).toContain(line)
    }
    const ages = lines.filter((line) => /^landbridge_tunnel_handshake_age_seconds/.test(line))
    expect(ages).toEqual(['landbridge_tunnel_handshake_age_seconds{peer="ec2"} 92'])
  })

  test('have at most six decimals, as what they are made from has three', async () => {
    const delay = { p50Ms: 0.1 + 0.2, p95Ms: 1, p99Ms: 1.0050000000001, maxMs: 7.123456789 }
    const minute = { ...delay, count: 3, coveredMs: 60_000 }
    const windows = { ...unmeasured.windows, minute }
    const lag = { bytes: 0, transactions: 0, ms: 4.30000001, provenAgoMs: 907.4000000001 }
    const stream = { ...drStream, receiveLag: { ...unmeasured, ...lag, windows } }
    const peer = { ...tunnelPeer, handshakeAgeMs: 92_000.123456789 }
    const tunnel = { ...drStatus.tunnel, peers: [peer] }
    const link = { ...drLink, roundTripMs: 31.254, clockOffsetMs: -2.3000000001 }
    const status = { ...drStatus, tunnel, links: [link], streams: [stream] }
    const own = (await rendered(status))
      .split('\n')
      .filter((line) => !/^(process|nodejs)/.test(line))
    expect(own.filter((line) => /\.\d{7,}$|e-/.test(line))).toEqual([])
    expect(own).toContain('landbridge_link_round_trip_seconds{peer="ec2",role="receiver"} 0.031254')
  })

  test('name a replica that lacks data, and tell it from one that nobody can ask', async () => {
    const textOf = async (change: Partial<ReplicaStatus>) => {
      const streams = [{ ...drStream, replicas: [{ ...replicaStatus, ...change }] }]
      const text = await rendered({ ...drStatus, streams })
      return /landbridge_stream_replica_incomplete\{.*\} (\d)/.exec(text)?.[1]
    }
    expect(await textOf({ filters: ['IGNORE_DOMAIN_IDS=7'] })).toBe('1')
    expect(await textOf({ filters: null, leftOut: 'IGNORE_DOMAIN_IDS=7' })).toBe('1')
    expect(await textOf({ filters: null })).toBeUndefined()
  })

  test('what is unknown has no series, and what is gone leaves none', async () => {
    const lag = { bytes: null, transactions: null, ms: null, provenAgoMs: null, ...unmeasured }
    const streams = [{ ...drStream, receiveLag: lag, replicas: [] }]
    const peers = [{ ...tunnelPeer, state: 'external' } as const]
    const external = { ...drStatus.tunnel, state: 'external', backend: 'external', peers } as const
    const text = await rendered({ ...drStatus, streams, tunnel: external })
    expect(text).not.toContain('landbridge_stream_receive_lag_seconds')
    expect(text).not.toContain('landbridge_stream_apply')
    expect(text).not.toContain('wireguard_')
    expect(text).toContain('landbridge_tunnel_up{peer="ec2",backend="external"} 1')
  })
})
