import { expect, test } from 'vitest'
import { checkPeers } from '../../../src/tunnel/peer-check.ts'
import { threeSettings } from '../../helpers/tunnel/tunnel-fixture.ts'

const own = { publicKey: 'OWN=', address: '10.77.0.1' }
const [azure, gcp] = threeSettings.peers

test('peers with keys and addresses of their own are taken', () => {
  expect(() => checkPeers(own, [azure, gcp])).not.toThrow()
})

test.each([
  ['the key of another', { ...gcp, publicKey: 'PEER=' }, 'gcp has the WireGuard key of azure'],
  ['our own key', { ...gcp, publicKey: 'OWN=' }, 'gcp has the WireGuard key of this gateway'],
  [
    'the address of another',
    { ...gcp, tunnelAddress: '10.77.0.2' },
    'gcp has the tunnel address of azure',
  ],
  [
    'our own address',
    { ...gcp, tunnelAddress: '10.77.0.1' },
    'gcp has the tunnel address of this gateway',
  ],
])('a peer with %s would take its place', (_what, peer, message) => {
  expect(() => checkPeers(own, [azure, peer])).toThrow(
    expect.objectContaining({
      code: 'ERR_TUNNEL_PEERS',
      message,
      retryable: false,
      remedy: expect.stringContaining('peer files'),
    }),
  )
})

test('an IPv6 address is the same however it is written', () => {
  const six = { ...azure, tunnelAddress: 'fd77::2' }
  const same = { ...gcp, tunnelAddress: 'FD77:0:0::0002' }
  expect(() => checkPeers({ ...own, address: 'fd77::1' }, [six, same])).toThrow(
    expect.objectContaining({ code: 'ERR_TUNNEL_PEERS' }),
  )
})
