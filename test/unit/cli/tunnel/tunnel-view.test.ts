import { expect, test } from 'vitest'
import { ageText, bytesText, formatTunnel } from '../../../../src/cli/tunnel/tunnel-view.ts'

const status = {
  state: 'up',
  backend: 'userspace',
  interface: 'lb0',
  localAddress: '10.77.0.1',
  peerAddress: '10.77.0.2',
  endpoint: '198.51.100.2:51820',
  mtu: 1340,
  handshakeAgeMs: 92_000,
  heardAgoMs: 800,
  receivedBytes: 1_299_227_607,
  sentBytes: 512,
  firewall: { inPlace: true, accepts: ['tcp/7400', 'udp/161'], forwards: false },
} as const
const view = {
  schema: 1,
  status,
  self: { name: 'ec2', site: 'production', publicKey: 'OWN=' },
  peer: { name: 'azure', site: 'dr', publicKey: 'PEER=' },
  listenPort: 51_820,
  keepaliveMs: 25_000,
} as const

test('shows a tunnel in the words and order of wg show', () => {
  expect(formatTunnel(view)).toBe(`interface: lb0
  gateway: ec2 (production)
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
  gateway: azure (dr)
  endpoint: 198.51.100.2:51820
  allowed ips: 10.77.0.2
  latest handshake: 1 minute, 32 seconds ago
  transfer: 1.21 GiB received, 512 B sent
  persistent keepalive: every 25 seconds
`)
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
  const never = { ...status, state: 'never', handshakeAgeMs: null, receivedBytes: 0, sentBytes: 0 }
  const text = formatTunnel({ ...view, status: { ...never, state: 'never', endpoint: null } })
  expect(text).toContain('endpoint: (none)')
  expect(text).not.toMatch(/handshake|transfer/)
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
