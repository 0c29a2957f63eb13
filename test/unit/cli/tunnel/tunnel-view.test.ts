import { expect, test } from 'vitest'
import { createPaint, splitPaint } from '../../../../src/cli/terminal/paint.ts'
import { ageText, bytesText, formatTunnel } from '../../../../src/cli/tunnel/tunnel-view.ts'

const azure = {
  name: 'azure',
  state: 'up',
  address: '10.77.0.2',
  endpoint: '198.51.100.2:51820',
  handshakeAgeMs: 92_000,
  heardAgoMs: 800,
  receivedBytes: 1_299_227_607,
  sentBytes: 512,
} as const
const status = {
  state: 'up',
  backend: 'userspace',
  interface: 'lb0',
  localAddress: '10.77.0.1',
  mtu: 1340,
  firewall: { inPlace: true, accepts: ['tcp/7400', 'udp/161'], forwards: false },
  peers: [azure],
} as const
const view = {
  schema: 1,
  status,
  self: { name: 'ec2', site: 'ec2', publicKey: 'OWN=' },
  peers: [{ name: 'azure', site: 'azure', publicKey: 'PEER=' }],
  listenPort: 51_820,
  keepaliveMs: 25_000,
} as const

test('shows a tunnel in the words and order of wg show', () => {
  expect(formatTunnel(view)).toBe(`interface: lb0
  gateway: ec2
  state: up
  public key: OWN=
  private key: (hidden)
  listening port: 51820
  back end: userspace
  address: 10.77.0.1
  mtu: 1340
  accepts: tcp/7400, udp/161, ping
  forwards: nothing

peer: PEER=
  gateway: azure
  endpoint: 198.51.100.2:51820
  allowed ips: 10.77.0.2
  latest handshake: 1 minute, 32 seconds ago
  transfer: 1.21 GiB received, 512 B sent
  persistent keepalive: every 25 seconds
`)
})

test('paints heads and state, and nothing of it without colours', () => {
  const painted = formatTunnel(view, createPaint(true))
  expect(painted).toContain('\u001b[1minterface: lb0\u001b[0m\n')
  expect(painted).toContain('state: \u001b[32mup\u001b[0m\n')
  const words = splitPaint(painted).filter((_part, index) => index % 2 === 0)
  expect(words.join('')).toBe(formatTunnel(view))
})

test('says when nothing keeps the peer off, and nothing of a tunnel of somebody else', () => {
  const firewall = { inPlace: false, accepts: [], forwards: true }
  const text = formatTunnel({ ...view, status: { ...status, firewall } })
  expect(text).toContain('accepts: everything, the rules are not in place (ping)')
  expect(text).toContain('forwards: everything')
  const bare = formatTunnel({ ...view, status: { ...status, firewall: null } })
  expect(bare).not.toMatch(/accepts|forwards/)
})

test('leaves out a handshake that never was', () => {
  const never = { ...azure, state: 'never', handshakeAgeMs: null, endpoint: null } as const
  const peers = [{ ...never, receivedBytes: 0, sentBytes: 0 }]
  const text = formatTunnel({ ...view, status: { ...status, state: 'never', peers } })
  expect(text).toContain('endpoint: (none)')
  expect(text).not.toMatch(/handshake|transfer/)
})

test('shows each of several peers with its own state, in the order of the configuration', () => {
  const gcp = { ...azure, name: 'gcp', state: 'stale', address: '10.77.0.3' } as const
  const peers = [
    { name: 'gcp', site: 'gcp-east', publicKey: 'THIRD=' },
    ...view.peers,
    { name: 'new', site: 'new', publicKey: 'NEW=' },
  ]
  const several = { ...view, status: { ...status, state: 'stale', peers: [azure, gcp] }, peers }
  const text = formatTunnel({ ...several, status: { ...several.status, state: 'stale' } })
  expect(text.split('\n\n').map((block) => block.split('\n').slice(0, 3))).toEqual([
    ['interface: lb0', '  gateway: ec2', '  state: stale'],
    ['peer: THIRD=', '  gateway: gcp at gcp-east', '  state: stale'],
    ['peer: PEER=', '  gateway: azure', '  state: up'],
    ['peer: NEW=', '  gateway: new', '  state: unknown to the gateway: restart it'],
  ])
  expect(text.match(/allowed ips: .*/g)).toEqual([
    'allowed ips: 10.77.0.3',
    'allowed ips: 10.77.0.2',
    'allowed ips: (none)',
  ])
  expect(text.match(/persistent keepalive/g)).toHaveLength(3)
})

test('names the peers of an external tunnel when there are several', () => {
  const external = { ...status, state: 'external', backend: 'external' } as const
  const one = formatTunnel({ ...view, status: external })
  expect(one).toBe('tunnel: external\n  local: 10.77.0.1\n  peer: 10.77.0.2\n')
  const gcp = { ...azure, name: 'gcp', address: '10.77.0.3' }
  const two = formatTunnel({ ...view, status: { ...external, peers: [azure, gcp] } })
  expect(two).toMatch(/\n {2}peer: 10\.77\.0\.2 \(azure\)\n {2}peer: 10\.77\.0\.3 \(gcp\)\n$/)
})

test('ages have two units, sizes two decimals', () => {
  expect([0, 999, 1000, 3_661_000, 90_061_000].map(ageText)).toEqual([
    'Now',
    'Now',
    '1 second ago',
    '1 hour, 1 minute ago',
    '1 day, 1 hour ago',
  ])
  expect([0, 1024, 5 * 2 ** 40].map(bytesText)).toEqual(['0 B', '1.00 KiB', '5.00 TiB'])
})
