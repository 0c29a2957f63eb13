import { describe, expect, test } from 'vitest'
import { renderStatus, renderStatusLine } from '../../../../src/cli/status/status-view.ts'
import { createPaint, type Paint } from '../../../../src/cli/terminal/paint.ts'
import type {
  GatewayStatus,
  ReplicaStatus,
  TunnelPeerStatus,
} from '../../../../src/status/status.ts'
import { worstPeerState } from '../../../../src/status/tunnel-standing.ts'
import {
  drLink,
  drStatus,
  drStream,
  judged,
  productionStatus,
  replicaStatus,
  secondTunnelPeer,
  tunnelPeer,
  unmeasured,
} from '../../../helpers/status/status-fixture.ts'

const render = (status: GatewayStatus, paint: Paint): string =>
  renderStatus({ status: judged(status), copies: [] }, paint)
const golden = (name: string): string => `golden/status-${name}.txt`
const plain = createPaint(false)
const proof = { ...(drStream.receiveLag ?? unmeasured), provenAgoMs: 350 }

const underLoad: GatewayStatus = {
  ...drStatus,
  streams: [
    {
      ...drStream,
      receiveLag: { ...proof, bytes: 412_876, transactions: 231, ms: 118 },
      exposure: {
        atLeast: { ms: 118, transactions: 231, bytes: 412_876 },
        atMost: { ms: 134.2, transactions: 260 },
        isIdle: false,
      },
      replicas: [
        {
          ...replicaStatus,
          state: 'streaming',
          applyLag: { ...proof, bytes: 5_242_880, transactions: 2911, ms: 1430 },
        },
      ],
    },
  ],
}

const linkDown: GatewayStatus = {
  ...drStatus,
  state: 'degraded',
  problems: [
    {
      code: 'ERR_LINK_LOST',
      severity: 'error',
      where: 'link',
      message: 'ec2 does not answer on 10.77.0.1:7400',
      remedy: 'Nothing to do if the WAN is down: it reconnects by itself.',
      sinceMs: drStatus.nowMs - 185_000,
    },
  ],
  tunnel: {
    ...drStatus.tunnel,
    state: 'stale',
    peers: [{ ...tunnelPeer, state: 'stale', handshakeAgeMs: 301_000 }],
  },
  links: [
    {
      ...drLink,
      state: 'down',
      sinceMs: drStatus.nowMs - 185_000,
      roundTripMs: null,
      clockOffsetMs: null,
      lastError: { code: 'ECONNREFUSED', message: 'connect refused', atMs: drStatus.nowMs - 2100 },
    },
  ],
  streams: [
    {
      ...drStream,
      state: 'idle',
      source: { ...drStream.source, connected: false, heardAgoMs: 186_000 },
      receiveLag: {
        bytes: 9000,
        transactions: 3,
        ms: 186_200,
        provenAgoMs: 186_000,
        ...unmeasured,
      },
      exposure: {
        atLeast: { ms: 186_200, transactions: 3, bytes: 9_000 },
        atMost: { ms: 186_400, transactions: 1_900 },
        isIdle: false,
      },
    },
  ],
}

const blocked: GatewayStatus = {
  ...drStatus,
  state: 'blocked',
  problems: [
    {
      code: 'ERR_SOURCE_PURGED',
      severity: 'blocked',
      where: 'source:main',
      message: 'the source has purged 3e11fa47-71ca-11e1-9e33-c80aa9429562:120001-120400',
      remedy: 'Restore the spool from a backup that has them,\nor start a new epoch.',
      sinceMs: drStatus.nowMs - 3_600_000,
    },
  ],
  streams: [
    {
      ...drStream,
      state: 'blocked',
      receiveLag: {
        bytes: null,
        transactions: 400,
        ms: 3_600_000,
        provenAgoMs: 500,
        ...unmeasured,
      },
      exposure: {
        atLeast: { ms: 3_600_000, transactions: 400, bytes: null },
        atMost: { ms: 3_600_020, transactions: 402 },
        isIdle: false,
      },
      replicas: [{ ...replicaStatus, applyError: "worker: Duplicate entry '1' for key 'PRIMARY'" }],
    },
  ],
}

describe('status for people', () => {
  test('DR, idle and well', async () => {
    await expect(render(drStatus, plain)).toMatchFileSnapshot(golden('dr-idle'))
  })

  test('DR, under load', async () => {
    await expect(render(underLoad, plain)).toMatchFileSnapshot(golden('dr-load'))
  })

  test('DR, link down', async () => {
    await expect(render(linkDown, plain)).toMatchFileSnapshot(golden('dr-link-down'))
  })

  test('DR, blocked by missing GTIDs', async () => {
    await expect(render(blocked, plain)).toMatchFileSnapshot(golden('dr-blocked'))
  })

  test('production', async () => {
    await expect(render(productionStatus, plain)).toMatchFileSnapshot(golden('production'))
  })

  test('production shows the answers of its copies where they answer', () => {
    const copies = [judged({ ...drStatus, name: 'azure' })]
    const text = renderStatus({ status: judged(productionStatus), copies }, plain)
    expect(text).toMatch(/^ {2}loss +at azure: nothing: the source is idle/m)
    expect(text).toMatch(/^ {2}failover +at azure: yes: replica 2/m)
    expect(text).toMatch(/^ {2}tunnel +up, handshake/m)
    const other = [judged({ ...drStatus, name: 'gcp' })]
    expect(renderStatus({ status: judged(productionStatus), copies: other }, plain)).toMatch(
      /^ {2}loss +is known at the other site: ask azure$/m,
    )
  })

  test('what is kept for a replica that is away, and for others, is named', () => {
    const claim = {
      claim: 'replica:id:3',
      kind: 'replica',
      file: 'binlog.000012',
      bytes: 4096,
      ageMs: 7_200_000,
    } as const
    const backup = { ...claim, claim: 'backup:nightly', kind: 'backup' } as const
    const claims = [claim, backup]
    const spool = drStream.spool && { ...drStream.spool, claims }
    const text = render({ ...drStatus, streams: [{ ...drStream, spool }] }, plain)
    expect(text).toMatch(/kept for +replica id:3, from binlog\.000012, heard of 2 h/)
    expect(text).toMatch(/kept for +backup nightly, from binlog\.000012/)
  })

  test('a place without a file is shown by its GTIDs', () => {
    const position = { epoch: null, file: null, offset: null, gtids: '0-1-7' }
    const source = { ...drStream.source, position }
    const text = render({ ...drStatus, streams: [{ ...drStream, source }] }, plain)
    expect(text).toMatch(/source position +0-1-7\n/)
  })

  test('nothing is known yet, and the tunnel is somebody else’s', async () => {
    const lag = { bytes: null, transactions: null, ms: null, provenAgoMs: null, ...unmeasured }
    const source = {
      ...drStream.source,
      host: null,
      serverVersion: null,
      serverId: null,
      position: null,
      connected: false,
      heardAgoMs: null,
    }
    const fresh: GatewayStatus = {
      ...drStatus,
      tunnel: { ...drStatus.tunnel, state: 'external', backend: 'external' },
      links: [{ ...drLink, state: 'down', sinceMs: null, roundTripMs: null }],
      streams: [
        { ...drStream, flavor: null, source, receiveLag: lag, replicas: [] },
        { ...drStream, name: 'second', replicas: [{ ...replicaStatus, applyLag: null }] },
      ],
    }
    await expect(render(fresh, plain).split('\n\n')[1]).toMatchFileSnapshot(golden('dr-unknown'))
  })

  test('a lag is none only while the source is asked', () => {
    const lag = { ...unmeasured, bytes: 0, transactions: 0, ms: 0 }
    const line = (
      changes: Partial<GatewayStatus>,
      connected = true,
      provenAgoMs = 3000,
    ): string => {
      const source = { ...drStream.source, connected }
      const stream = { ...drStream, source, receiveLag: { ...lag, provenAgoMs } }
      const text = render({ ...drStatus, streams: [stream], ...changes }, plain)
      return text.split('\n').find((one) => one.startsWith('  lag')) ?? ''
    }
    const exposed = /none known, last asked 3.0 s ago$/
    expect(line({})).toMatch(/none known$/)
    expect(line({ links: [{ ...drLink, state: 'down' }] })).toMatch(exposed)
    expect(line({}, false)).toMatch(exposed)
    expect(line({}, true, 4100)).toMatch(/none known, last asked 4.1 s ago$/)
  })

  test('with production gone and DR restarted: until when it was proven, what is missing', () => {
    const { nowMs } = drStatus
    const lossOf = (transactions: number, ms: number) => {
      const amount = { bytes: 900 * transactions, transactions, ms }
      const receiveLag = { ...unmeasured, ...amount, provenAgoMs: 300_000 }
      const atMost = { ms: 300_800, transactions: 120_000 }
      const exposure = { atLeast: amount, atMost, isIdle: false }
      const stream = { ...drStream, receiveLag, exposure }
      const links = [{ ...drLink, state: 'down' } as const]
      const shown = { ...drStatus, startedAtMs: nowMs - 60_000, links, streams: [stream] }
      const text = render(shown, plain)
      return text.split('\n').find((line) => line.startsWith('  loss ')) ?? ''
    }
    const most = 'at most the last 5 minutes, 120,000 transactions'
    const asked = 'since the source was last asked, 5 minutes ago (before this start, 2026-11-22'
    expect(lossOf(0, 0)).toContain(`${most}; growing ${asked} 11:55:00 UTC)`)
    expect(lossOf(4, 301_000)).toContain(`${most}; 4 transactions (3.52 KiB) for sure; growing`)
  })

  test('a replica that does not apply: how much it lacks, and the start of the reason', () => {
    const applyLag = { bytes: 9, transactions: 3, ms: 9000, provenAgoMs: 100, ...unmeasured }
    const replica = { ...replicaStatus, applyLag, applyError: `worker: ${'x'.repeat(300)}` }
    const streams = [{ ...drStream, replicas: [replica] }]
    const text = render({ ...drStatus, streams }, plain)
    expect(text).toMatch(/does not apply and lacks 3 transactions: worker: x{52}\.\.\.\n/)
  })

  test('a replica that leaves out data cannot take over; one that waits on purpose not yet', () => {
    const textOf = (replica: Partial<ReplicaStatus>) => {
      const streams = [{ ...drStream, replicas: [{ ...replicaStatus, ...replica }] }]
      return render({ ...drStatus, streams }, plain)
    }
    const filtered = textOf({ filters: ['IGNORE_DOMAIN_IDS=7'] })
    expect(filtered).toMatch(/failover +no: replica 2 leaves out data: IGNORE_DOMAIN_IDS=7\n/)
    expect(filtered).toMatch(/leaves out data +IGNORE_DOMAIN_IDS=7\n/)
    const applyLag = { bytes: 9, transactions: 3, ms: 900, provenAgoMs: 100, ...unmeasured }
    const late = textOf({ applyLag, delaySeconds: 3600, remainingDelaySeconds: 3540 })
    expect(late).toMatch(/failover +once .* 3 transactions .*; it applies 1 hour late on purpose\n/)
    expect(late).toMatch(/applies late +1 hour on purpose, the next in 59 minutes\n/)
    expect(textOf({ delaySeconds: 3600 })).toMatch(/failover +yes/)
  })

  test('a line for each of several peers, and how many are up', () => {
    const away = { ...tunnelPeer, state: 'stale', handshakeAgeMs: 301_000 } as const
    const shown = (...peers: TunnelPeerStatus[]): string => {
      const tunnel = { ...drStatus.tunnel, state: worstPeerState(peers), peers }
      return render({ ...drStatus, tunnel }, plain)
    }
    const text = shown(away, secondTunnelPeer)
    const answer = '1 of 2 up; ec2 stale, last handshake 5 minutes, 1 second ago; link to ec2 up'
    expect(text).toContain(`  tunnel              ${answer}`)
    expect(text).toContain(`tunnel: lb0
  state               stale, userspace back end
  address             10.77.0.2/30
  mtu                 1340
  to ec2              stale, 10.77.0.1 at 198.51.100.20:51820, latest handshake 5 minutes, \
1 second ago, 1.21 GiB received, 310.02 MiB sent
  to gcp              up, 10.77.0.3 at 203.0.113.40:51820, latest handshake 4.0 s ago, \
4.00 KiB received, 2.00 KiB sent
`)
    expect(shown(tunnelPeer, secondTunnelPeer)).toMatch(/^ {2}tunnel +2 of 2 up; link to ec2 up/m)
    const peers = [away, secondTunnelPeer]
    const line = renderStatusLine({ ...drStatus, tunnel: { ...drStatus.tunnel, peers } })
    expect(line).toContain(' | tunnel ec2 stale, gcp up | link up | ')
  })

  test('one line for logs', async () => {
    await expect(renderStatusLine(underLoad)).toMatchFileSnapshot(golden('dr-line'))
    expect(renderStatusLine(blocked)).toContain('| ERR_SOURCE_PURGED at source:main\n')
  })

  test('colours only where they are wanted', () => {
    expect(render(blocked, plain)).not.toContain('\u001b')
    expect(render(blocked, createPaint(true))).toContain('\u001b[1;31mblocked\u001b[0m')
  })
})
