import { describe, expect, test } from 'vitest'
import { tunnelProblems, worstState } from '../../../src/status/path-problems.ts'
import type { TunnelPeerStatus } from '../../../src/status/status.ts'
import { drStatus, secondTunnelPeer, tunnelPeer } from '../../helpers/status/status-fixture.ts'

describe('the tunnel', () => {
  const { tunnel, nowMs } = drStatus
  const since = (startedAgoMs: number) => ({ nowMs, startedAtMs: nowMs - startedAgoMs })

  test('that is up, external or without an interface adds nothing', () => {
    for (const state of ['up', 'external', 'down'] as const) {
      const peers = [{ ...tunnelPeer, state }]
      expect(tunnelProblems({ ...tunnel, state, peers }, since(60_000))).toEqual([])
    }
  })

  test('that is stale is an error since nothing came, not since its last handshake', () => {
    const heard = { handshakeAgeMs: 81_000, heardAgoMs: 22_000 }
    const peers = [{ ...tunnelPeer, state: 'stale', ...heard } as const]
    const stale = { ...tunnel, state: 'stale', peers } as const
    expect(tunnelProblems(stale, since(900_000))).toMatchObject([
      {
        code: 'ERR_TUNNEL_STALE',
        severity: 'error',
        where: 'tunnel',
        message: 'nothing comes through the tunnel; last handshake 81 s ago',
        remedy: expect.stringContaining('198.51.100.20:51820'),
        sinceMs: nowMs - 22_000,
      },
    ])
  })

  test('without a first handshake is an error once the other gateway had time', () => {
    const never = { ...tunnelPeer, state: 'never', handshakeAgeMs: null, heardAgoMs: null } as const
    const of = (peer: TunnelPeerStatus) => ({ ...tunnel, peers: [peer] })
    expect(tunnelProblems(of(never), since(5_000))).toEqual([])
    expect(tunnelProblems(of(never), since(15_000))).toMatchObject([
      { code: 'ERR_TUNNEL_STALE', sinceMs: nowMs - 15_000 },
    ])
    // Its interface was made anew: the peer was heard through the one before.
    expect(tunnelProblems(of({ ...never, heardAgoMs: 7_000 }), since(60_000))).toMatchObject([
      { code: 'ERR_TUNNEL_STALE', sinceMs: nowMs - 7_000 },
    ])
  })
})

test('each peer that is not heard is a problem of its own, with its name', () => {
  const { tunnel, nowMs } = drStatus
  const stale = { ...tunnelPeer, state: 'stale', heardAgoMs: 22_000 } as const
  const never = { ...secondTunnelPeer, state: 'never', heardAgoMs: null } as const
  const third = { ...secondTunnelPeer, name: 'onprem' }
  const startedAtMs = nowMs - 60_000
  const peers = [stale, never, third]
  expect(tunnelProblems({ ...tunnel, peers }, { nowMs, startedAtMs })).toMatchObject([
    { where: 'tunnel:ec2', sinceMs: nowMs - 22_000 },
    { where: 'tunnel:gcp', sinceMs: startedAtMs },
  ])
})

test('a warning alone leaves the gateway ok', () => {
  const problem = { code: 'ERR_SOURCE_FORMAT', where: 'source:main', message: '', sinceMs: 0 }
  expect(worstState([{ ...problem, severity: 'warning' }])).toBe('ok')
  expect(
    worstState([
      { ...problem, severity: 'warning' },
      { ...problem, severity: 'error' },
    ]),
  ).toBe('degraded')
})
