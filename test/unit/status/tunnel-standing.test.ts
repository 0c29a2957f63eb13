import { expect, test } from 'vitest'
import type { LinkStatus, TunnelPeerStatus } from '../../../src/status/status.ts'
import { tunnelWhere, worstPeerState } from '../../../src/status/tunnel-standing.ts'
import { verdictsOf } from '../../../src/status/verdicts.ts'
import {
  drLink,
  drStatus,
  secondTunnelPeer,
  tunnelPeer,
} from '../../helpers/status/status-fixture.ts'

const peersOf = (...states: TunnelPeerStatus['state'][]): TunnelPeerStatus[] =>
  states.map((state, index) => ({
    ...tunnelPeer,
    name: ['ec2', 'gcp', 'onprem'][index] ?? 'more',
    state,
    handshakeAgeMs: state === 'never' || state === 'down' ? null : 240_000,
  }))

test('a tunnel is as well as the worst of its peers', () => {
  expect(worstPeerState(peersOf('up', 'up'))).toBe('up')
  expect(worstPeerState(peersOf('up', 'stale'))).toBe('stale')
  expect(worstPeerState(peersOf('stale', 'never', 'up'))).toBe('never')
  expect(worstPeerState(peersOf('up', 'down'))).toBe('down')
  expect(worstPeerState(peersOf('external', 'external'))).toBe('external')
})

test('a problem names the peer only where there are others', () => {
  expect(tunnelWhere(1, 'ec2')).toBe('tunnel')
  expect(tunnelWhere(2, 'ec2')).toBe('tunnel:ec2')
})

function verdictOf(peers: readonly TunnelPeerStatus[], link: Partial<LinkStatus> = {}) {
  const tunnel = { ...drStatus.tunnel, state: worstPeerState(peers), peers }
  const status = { ...drStatus, tunnel, links: [{ ...drLink, ...link }] }
  const verdict = verdictsOf(status).find(({ question }) => question === 'tunnel')
  const [answer] = verdict?.answer.split('; link to') ?? []
  return { mood: verdict?.mood, answer }
}

test('of several peers: how many are up, and what is with the others', () => {
  expect(verdictOf([tunnelPeer, secondTunnelPeer])).toEqual({ mood: 'good', answer: '2 of 2 up' })
  expect(verdictOf(peersOf('up', 'stale', 'never'))).toEqual({
    mood: 'warn',
    answer:
      '1 of 3 up; gcp stale, last handshake 4 minutes ago; onprem never was up: no handshake yet',
  })
  expect(verdictOf(peersOf('never', 'never'))).toMatchObject({ mood: 'bad' })
  expect(verdictOf(peersOf('up', 'stale'), { state: 'down' })).toMatchObject({ mood: 'bad' })
  expect(verdictOf(peersOf('down', 'down'))).toEqual({ mood: 'bad', answer: 'down' })
  expect(verdictOf(peersOf('external', 'external'))).toEqual({
    mood: 'good',
    answer: 'not ours (external)',
  })
})

test('of a single peer: what is with it', () => {
  const up = 'up, handshake 4 minutes ago'
  expect(verdictOf(peersOf('up'))).toEqual({ mood: 'good', answer: up })
  const stale = 'stale, last handshake 4 minutes ago'
  expect(verdictOf(peersOf('stale'))).toEqual({ mood: 'bad', answer: stale })
  const never = 'never was up: no handshake yet'
  expect(verdictOf(peersOf('never'))).toEqual({ mood: 'bad', answer: never })
})
