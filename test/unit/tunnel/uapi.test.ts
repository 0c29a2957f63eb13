import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isLandbridgeError } from '../../../src/base/errors.ts'
import { Secret } from '../../../src/base/secret.ts'
import type { TunnelPeer, TunnelSettings } from '../../../src/tunnel/tunnel-backend.ts'
import {
  encodeSet,
  encodeSetEndpoint,
  parseEndpoint,
  parseReply,
  UapiReplySplitter,
} from '../../../src/tunnel/uapi.ts'

const hexA = 'aa'.repeat(32)
const hexB = 'bb'.repeat(32)
const hexC = 'cc'.repeat(32)
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')

const settings: TunnelSettings = {
  interfaceName: 'lb0',
  listenPort: 51_820,
  mtuBytes: 1340,
  address: '10.77.0.1',
  prefixLength: 30,
  peers: [
    {
      name: 'azure',
      publicKey: base64(hexB),
      tunnelAddress: '10.77.0.2',
      keepaliveMs: 25_000,
      endpoints: [],
    },
  ],
}

const privateKey = new Secret(base64(hexA))

test('sets a device with one peer in one request, the endpoint before the keepalive', () => {
  const endpoints = new Map([[base64(hexB), '198.51.100.2:51820']])
  expect(encodeSet(settings, privateKey, endpoints).reveal()).toBe(
    `set=1\nprivate_key=${hexA}\nlisten_port=51820\nreplace_peers=true\npublic_key=${hexB}\n` +
      'endpoint=198.51.100.2:51820\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n' +
      'allowed_ip=10.77.0.2/32\n\n',
  )
  expect(encodeSet(settings, privateKey, new Map()).reveal()).not.toContain('endpoint')
  expect(encodeSetEndpoint(base64(hexB), '[2001:db8::2]:51820')).toBe(
    `set=1\npublic_key=${hexB}\nupdate_only=true\nendpoint=[2001:db8::2]:51820\n\n`,
  )
})

test('sets several peers in one request, each block beginning with its key', () => {
  const [azure] = settings.peers
  const gcp = { ...azure, publicKey: base64(hexC), tunnelAddress: 'fd77::3', keepaliveMs: 900 }
  const three = { ...settings, peers: [...settings.peers, gcp as TunnelPeer] }
  const endpoints = new Map([[base64(hexC), '[2001:db8::3]:51820']])
  expect(encodeSet(three, privateKey, endpoints).reveal()).toBe(
    `set=1\nprivate_key=${hexA}\nlisten_port=51820\nreplace_peers=true\n` +
      `public_key=${hexB}\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n` +
      `allowed_ip=10.77.0.2/32\npublic_key=${hexC}\nendpoint=[2001:db8::3]:51820\n` +
      'persistent_keepalive_interval=1\nreplace_allowed_ips=true\nallowed_ip=fd77::3/128\n\n',
  )
})

const REPLY =
  `private_key=${hexA}\nlisten_port=51820\nfwmark=0\npublic_key=${hexB}\n` +
  'endpoint=198.51.100.2:51820\nlast_handshake_time_sec=1700000000\n' +
  'last_handshake_time_nsec=500000000\ntx_bytes=20\nrx_bytes=10\n' +
  'persistent_keepalive_interval=25\nallowed_ip=10.77.0.2/32\nprotocol_version=1\nerrno=0\n'

test('reads a device, passing over what it does not know', () => {
  expect(parseReply(REPLY)).toMatchObject({
    listenPort: 51_820,
    peers: [
      {
        publicKey: base64(hexB),
        endpoint: '198.51.100.2:51820',
        handshakeAtMs: 1_700_000_000_500,
        receivedBytes: 10,
        sentBytes: 20,
        keepaliveMs: 25_000,
        allowedAddresses: ['10.77.0.2/32'],
      },
    ],
  })
  expect(JSON.stringify(parseReply(REPLY))).not.toContain(base64(hexA))
})

test('a handshake time of 0 means never, not 1970', () => {
  const reply = `public_key=${hexB}\nlast_handshake_time_sec=0\nerrno=0\n`
  expect(parseReply(reply).peers[0]?.handshakeAtMs).toBeNull()
})

test('an errno is an error of its own', () => {
  expect(() => parseReply('errno=98\n')).toThrow(
    expect.objectContaining({ code: 'ERR_TUNNEL_UAPI_ERRNO', details: { errno: 98 } }),
  )
})

test('every truncation of a reply is refused', () => {
  for (let length = 0; length < REPLY.length - 'errno=0\n'.length; length += 1) {
    expect(() => parseReply(REPLY.slice(0, length))).toThrow(
      expect.objectContaining({ code: 'ERR_TUNNEL_UAPI' }),
    )
  }
})

test('whatever comes in, it is a device or one of two errors, and no key is in the message', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(...REPLY.split('\n')),
    fc
      .tuple(fc.constantFrom('rx_bytes', 'public_key', 'errno', 'listen_port'), fc.string())
      .map(([key, value]) => `${key}=${value}`),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        parseReply(lines.join('\n'))
      } catch (error) {
        expect(isLandbridgeError(error)).toBe(true)
        if (!isLandbridgeError(error)) return
        expect(['ERR_TUNNEL_UAPI', 'ERR_TUNNEL_UAPI_ERRNO']).toContain(error.code)
        expect(error.message).not.toContain(hexA)
      }
    }),
  )
})

test('replies come out whole however the bytes were cut', () => {
  const whole = `${REPLY}\nerrno=0\n\n`
  fc.assert(
    fc.property(fc.array(fc.nat(whole.length), { maxLength: 20 }), (cuts) => {
      const splitter = new UapiReplySplitter()
      const at = [0, ...cuts.sort((a, b) => a - b), whole.length]
      const replies = at
        .slice(1)
        .flatMap((end, index) => splitter.push(whole.slice(at[index], end)))
      expect(replies).toEqual([REPLY, 'errno=0\n'])
    }),
  )
})

test('a reply without an end is cut off before it fills the memory', () => {
  const splitter = new UapiReplySplitter()
  expect(() => {
    for (let pushed = 0; pushed < 10; pushed += 1) splitter.push('a=b\n'.repeat(4096))
  }).toThrow(expect.objectContaining({ code: 'ERR_TUNNEL_UAPI' }))
})

test('an endpoint is an address and a port, never a name', () => {
  expect(parseEndpoint('198.51.100.2:51820')).toEqual({ address: '198.51.100.2', port: 51_820 })
  expect(parseEndpoint('[2001:db8::2]:1')).toEqual({ address: '2001:db8::2', port: 1 })
  for (const bad of ['', 'ec2.example:51820', '198.51.100.2', '198.51.100.2:0', '2001:db8::2:1']) {
    expect(parseEndpoint(bad)).toBeNull()
  }
})
