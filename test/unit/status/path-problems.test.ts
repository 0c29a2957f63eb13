import { describe, expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import type { Channel } from '../../../src/link/channel.ts'
import { LinkState } from '../../../src/link/link-state.ts'
import { linkProblems, tunnelProblems, worstState } from '../../../src/status/path-problems.ts'
import type { TunnelPeerStatus } from '../../../src/status/status.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { drStatus, secondTunnelPeer, tunnelPeer } from '../../helpers/status/status-fixture.ts'

const channel = { receivedBytes: 0, sentBytes: 0, clockOffset: {} } as unknown as Channel
const lost = new LandbridgeError('ERR_LINK_FRAME', 'too much for a frame')

describe('the link', () => {
  test('keeps the remedy of what took it down, and since when', async () => {
    const clock = new FakeClock()
    const state = new LinkState('ec2', clock)
    const downMs = clock.wallMs()
    const remedy = 'Copy the peer file.'
    state.down(new LandbridgeError('ERR_LINK_FINGERPRINT', 'not the peer', { remedy }))
    expect(linkProblems(state.status(), clock.wallMs() + 1_000)).toEqual([])
    await clock.advance(3_000)
    expect(linkProblems(state.status(), clock.wallMs())).toEqual([
      {
        code: 'ERR_LINK_FINGERPRINT',
        severity: 'error',
        where: 'link',
        message: 'not the peer',
        remedy,
        sinceMs: downMs,
      },
    ])
  })

  test('says where to look when its error has no remedy', async () => {
    const clock = new FakeClock()
    const state = new LinkState('ec2', clock)
    state.down(new Error('read ECONNRESET'))
    await clock.advance(3_000)
    const [problem] = linkProblems(state.status(), clock.wallMs())
    expect(problem).toMatchObject({ code: 'ERR_UNEXPECTED', message: 'read ECONNRESET' })
    expect(problem?.remedy).toMatch(/^See that the other gateway runs/)
  })

  test('that listens again no longer says why it could not before', async () => {
    const clock = new FakeClock()
    const state = new LinkState('azure', clock)
    const sinceMs = clock.wallMs()
    state.down(new LandbridgeError('ERR_LINK_LISTEN', 'cannot listen on 10.77.0.1:7400'))
    state.listening()
    await clock.advance(11_000)
    const [problem] = linkProblems(state.status(), clock.wallMs())
    expect(problem).toMatchObject({ code: 'ERR_LINK_LOST', sinceMs })
  })

  test('that nobody ever opened is a problem, once the peer had time to start', async () => {
    const clock = new FakeClock()
    const state = new LinkState('azure', clock)
    await clock.advance(9_000)
    expect(linkProblems(state.status(), clock.wallMs())).toEqual([])
    await clock.advance(2_000)
    expect(linkProblems(state.status(), clock.wallMs())).toMatchObject([
      { code: 'ERR_LINK_LOST', message: 'the peer has not connected yet' },
    ])
  })

  test('that is lost once and comes back has no problem any more', async () => {
    const clock = new FakeClock()
    const state = new LinkState('azure', clock)
    state.up(channel)
    await clock.advance(60_000)
    state.down(lost)
    state.up(channel)
    await clock.advance(3_000)
    expect(linkProblems(state.status(), clock.wallMs())).toEqual([])
    await clock.advance(3_000)
    expect(state.status()).toMatchObject({ lastError: null, unsteadySinceMs: null })
  })

  // Each attempt came up and began the grace anew: the status was ok for ever.
  test.each(['up', 'greeting'] as const)(
    'that ends each second once it is %s is one problem',
    async (reached) => {
      const clock = new FakeClock()
      const state = new LinkState('azure', clock)
      state.up(channel)
      await clock.advance(60_000)
      const sinceMs = clock.wallMs()
      const seen: unknown[] = []
      for (let second = 0; second < 20; second += 1) {
        state.down(lost)
        await clock.advance(500)
        state.greeting()
        if (reached === 'up') state.up(channel)
        if (second > 4) seen.push(...linkProblems(state.status(), clock.wallMs()))
        await clock.advance(500)
        if (second > 4) seen.push(...linkProblems(state.status(), clock.wallMs()))
      }
      expect(seen).toHaveLength(30)
      for (const problem of seen) expect(problem).toMatchObject({ code: 'ERR_LINK_FRAME', sinceMs })
    },
  )
})

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
